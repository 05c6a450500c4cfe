"""Configs: flat names reach their stages, wrong ones are a sentence, documentation is read."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import faultlens as fl
from faultlens.config import build, configured, documentation, options, values_of
from faultlens.errors import UserError


@dataclass(frozen=True)
class Inner:
    """A stage."""

    names: tuple[str, ...] | None = None
    """Some
    names."""
    most: float = 1.5
    """A number."""


@dataclass(frozen=True)
class Outer:
    """A config."""

    count: int
    """How many; it has to be given."""
    on: bool = True
    stage: Inner = field(default_factory=Inner)
    """The stage."""


def test_options_are_flat_in_order_with_their_defaults() -> None:
    found = options(Outer)
    assert list(found) == ["count", "on", "names", "most"]
    assert [found[name].stage for name in found] == [None, None, "stage", "stage"]
    assert [found[name].record for name in found] == [Outer, Outer, Inner, Inner]
    assert found["most"].default == 1.5
    assert found["names"].type == tuple[str, ...] | None


def test_documentation_is_the_docstring_under_a_field_in_one_line() -> None:
    assert documentation(Inner) == {"names": "Some names.", "most": "A number."}
    assert documentation(Outer)["on"] == ""


def test_a_config_is_built_and_changed_by_flat_names() -> None:
    built = build(Outer, {"count": 3, "most": 2.0})
    assert built == Outer(3, stage=Inner(most=2.0))
    changed = configured(built, {"on": False, "names": ["a", "b"]}, "a test")
    assert changed == Outer(3, on=False, stage=Inner(("a", "b"), 2.0)), "the rest is kept"
    assert built == Outer(3, stage=Inner(most=2.0))
    assert values_of(changed) == {"count": 3, "on": False, "names": ("a", "b"), "most": 2.0}


def test_an_option_that_there_is_none_of_is_one_sentence() -> None:
    with pytest.raises(UserError) as told:
        configured(Outer(1), {"stage": Inner()}, "a test")
    assert str(told.value) == "a test has no option 'stage': expected one of count, on, names, most"


@pytest.mark.parametrize(
    ("given", "held"),
    [
        (["a"], ("a",)),
        (np.array(["a", "b"]), ("a", "b")),
        ({"a": 1}.keys(), ("a",)),
        (("a",), ("a",)),
        (None, None),
        ("a", "a"),  # the check of the config's own says what is wrong with it
    ],
)
def test_lists_of_any_kind_are_held_as_tuples(given: Any, held: Any) -> None:
    assert configured(Outer(1), {"names": given}, "a test").stage.names == held


def test_numbers_of_numpy_are_held_as_pythons() -> None:
    changed = configured(Outer(1), {"count": np.int64(7), "most": np.float32(0.5)}, "a test")
    assert (type(changed.count), type(changed.stage.most)) == (int, float)
    assert (changed.count, changed.stage.most) == (7, 0.5)


def test_a_vast_range_is_refused_before_it_is_spelled_out() -> None:
    with pytest.raises(UserError, match="^layers holds 1,000,000,000 values: expected at most 10,"):
        fl.load("mini", layers=range(10**9))


@pytest.mark.parametrize(
    ("verb", "config"),
    [(fl.load, fl.LensConfig), (fl.profile, fl.ProfileConfig), (fl.audit, fl.AuditConfig)],
)
def test_a_verbs_signature_lists_the_options_with_their_defaults(verb: Any, config: Any) -> None:
    parameters = inspect.signature(verb).parameters
    assert "options" not in parameters
    for option in options(config).values():
        shown = parameters[option.name]
        if shown.kind is shown.KEYWORD_ONLY:
            assert shown.default == option.default, option.name


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: fl.load("mini", layer=3),
            "fl.load has no option 'layer': expected one of model, sae, layers, sites, device, "
            "device_map, dtype, threads, revision, adapter, release, convention, start, "
            "trust_pickle, special_tokens, massive",
        ),
        (
            lambda: fl.profile({}, None, permutation=99),  # type: ignore[arg-type]
            "fl.profile has no option 'permutation': expected one of long, alpha, seed, "
            "multiverse, pooling, fit_check, threshold, top_k, permutations, length_strata",
        ),
        (
            lambda: fl.audit(None, None, tried=3),  # type: ignore[arg-type]
            "fl.audit has no option 'tried': expected one of rule, groups, alpha, seed, "
            "chat, system, pooling, "
            "fit_check, min_support, permutations, strata, baselines, folds, repeats, left_out, "
            "test_classes, test_attributed, stop_early, random_decoder, test_features, with_answer",
        ),
    ],
)
def test_an_unknown_keyword_of_a_verb_names_the_known_ones(call: Any, message: str) -> None:
    with pytest.raises(UserError) as told:
        call()
    assert str(told.value) == message
