"""Runs compared: each with the first, audit with audit and profile with profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from faultlens.auditing.result.audit import Audit
from faultlens.comparing.categories import profile_pair
from faultlens.comparing.classes import Sides, matched_classes
from faultlens.comparing.directions import OpenLens
from faultlens.comparing.paired_outcomes import (
    failed,
    levels_of,
    margin_change,
    paired,
    rate_change,
    turned_prompts,
    unpaired_p,
)
from faultlens.comparing.result import AuditPair, ComparedRun, Comparison, RunPair, Setting
from faultlens.comparing.run import StudiedRun
from faultlens.comparing.shared_prompts import shared_prompts
from faultlens.errors import UserError
from faultlens.runs.differences import ABSENT, differences
from faultlens.stats.multiplicity import holm

SETTINGS = ("arguments", "inputs", "conventions", "versions")
"""What of a manifest says how a run was made."""
LONGEST = 120  # characters of a setting's value


def compare(runs: Sequence[str], open_lens: OpenLens | None = None) -> Comparison:
    """Hold run folders against the first of them.

    Args:
        runs: folders, at least two, of audits or of profiles.
        open_lens: loads the dictionaries of a run, for the directions of their features; None:
            directions are not compared.

    Raises:
        UserError: fewer than two runs, a folder twice, one that holds no run, or runs of different
            kinds.
    """
    if len(runs) < 2:
        raise UserError("nothing to compare: expected two run folders or more")
    twice = [run for place, run in enumerate(runs) if run in runs[:place]]
    if twice:
        raise UserError(f"{twice[0]} is named twice: expected different run folders")
    read = [StudiedRun.read(run) for run in runs]
    first, *others = read
    for other in others:
        _require_same_kind(first, other)
    pairs = [_pair(first, other, open_lens) for other in others]
    return Comparison([_compared(run) for run in read], _adjusted(pairs))


def _require_same_kind(first: StudiedRun, other: StudiedRun) -> None:
    both_audits = first.audit is not None and other.audit is not None
    both_profiles = first.profile is not None and other.profile is not None
    if not both_audits and not both_profiles:
        raise UserError(
            f"{first.named} holds {first.holds} and {other.named} holds {other.holds}, which "
            "cannot be compared: expected two audits or two profiles"
        )


def _compared(run: StudiedRun) -> ComparedRun:
    audit, profile = run.audit, run.profile
    sites = list(chain(audit.sites if audit else (), profile.sites if profile else ()))
    arguments = run.manifest.get("arguments")
    model = arguments.get("model") if isinstance(arguments, dict) else None
    finished = run.manifest.get("finished")
    return ComparedRun(
        run=run.named,
        model=str(model) if model is not None else None,
        dictionaries=list(dict.fromkeys(sites)),
        task=audit.task if audit else None,
        n=audit.n if audit else None,
        failures=audit.failures if audit else None,
        corpus=profile.corpus if profile else None,
        finished=finished if isinstance(finished, str) else None,
    )


def _pair(first: StudiedRun, second: StudiedRun, open_lens: OpenLens | None) -> RunPair:
    return RunPair(
        first.named,
        second.named,
        _settings(first, second),
        _audits(first, second, open_lens)
        if first.audit is not None and second.audit is not None
        else None,
        profile_pair(first, second)
        if first.profile is not None and second.profile is not None
        else None,
    )


def _settings(first: StudiedRun, second: StudiedRun) -> list[Setting]:
    """In what two manifests differ; where the results are written is no difference."""
    was, now = (
        {name: of.get(name) or {} for name in SETTINGS} for of in (first.manifest, second.manifest)
    )
    return [
        Setting(found.place, _text(found.was), _text(found.now))
        for found in differences(was, now)
        if found.place not in ("arguments.out", "arguments.overwrite", "arguments.json")
    ]


def _text(value: object) -> str:
    text = "nothing" if value is ABSENT or value is None else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _audits(first: StudiedRun, second: StudiedRun, open_lens: OpenLens | None) -> AuditPair:
    one, other = first.audited, second.audited
    shared = shared_prompts(one.outcomes, other.outcomes)
    before, after = failed(one.outcomes, shared.first), failed(other.outcomes, shared.second)
    sides = Sides.of(first, second, shared, open_lens)
    classes = matched_classes(sides)
    directions = sides.directions if classes else ""
    return AuditPair(
        alpha=one.alpha,
        shared=len(shared),
        only_first=one.n - len(shared),
        only_second=other.n - len(shared),
        outcomes=paired(before, after) if len(shared) else None,
        rate_change=rate_change(before, after),
        margin_change=margin_change(one, other, shared),
        p_fisher=None
        if len(shared)
        else unpaired_p((one.failures, one.n), (other.failures, other.n)),
        levels=levels_of(first, second, shared),
        turned=turned_prompts(one, other, shared),
        classes=classes,
        verdict_first=None if one.verdict is None else str(one.verdict),
        verdict_second=None if other.verdict is None else str(other.verdict),
        no_firing=sides.firings if isinstance(sides.firings, str) else None,
        no_directions=directions if isinstance(directions, str) and directions else None,
        cautions=_cautions(one, other, len(shared)),
    )


def _cautions(first: Audit, second: Audit, shared: int) -> list[str]:
    """What stands between the numbers and a reader's belief in them."""
    found = []
    if first.rule != second.rule:
        found.append(
            f"the first run counts success by {first.rule} and the second by {second.rule}: an "
            "outcome may be another because the rule is"
        )
    grouped = max(0 if a.groups is None else a.groups.grouped for a in (first, second))
    if shared and grouped:
        found.append(
            f"up to {grouped:,} of the prompts share a group with another, and McNemar's test "
            "takes each for one observation: its p is too small where a group turns together"
        )
    if not shared:
        found.append(
            "the runs share no prompts: outcomes are not paired, and what differs may be the "
            "prompts"
        )
    return found


def _adjusted(pairs: list[RunPair]) -> list[RunPair]:
    """The pairs with McNemar's p after Holm over all of them that have one."""
    tested = [
        (place, pair.audits.outcomes)
        for place, pair in enumerate(pairs)
        if pair.audits is not None and pair.audits.outcomes is not None
    ]
    adjusted = holm(np.array([outcomes.p_mcnemar for _, outcomes in tested])).tolist()
    done = list(pairs)
    for (place, outcomes), p in zip(tested, adjusted, strict=True):
        audits = pairs[place].audits
        assert audits is not None
        done[place] = replace(
            pairs[place], audits=replace(audits, outcomes=replace(outcomes, p_holm=float(p)))
        )
    return done
