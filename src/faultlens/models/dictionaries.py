"""Find and load dictionaries by name: `mini`, a folder, or a release of SAELens's registry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from faultlens.errors import UserError
from faultlens.mini import SAES
from faultlens.models import hub, registry
from faultlens.models.checkpoints.source import BUNDLED, kind_of, shortened
from faultlens.models.dictionary import Dictionary
from faultlens.models.folding import Origin
from faultlens.models.formats.finding import saved_elsewhere
from faultlens.models.formats.saved import SavedDictionary
from faultlens.models.model import Model
from faultlens.models.registry import Entry
from faultlens.models.sae_config import CONFIG
from faultlens.models.sae_folder import (
    WEIGHTS,
    folder_digest,
    holds_saes,
    load_sae_folder,
    sae_folders,
    site_of,
)
from faultlens.models.sites import Site


def load_dictionaries(
    name: str,
    model: Model,
    layers: Sequence[int] | None = None,
    sites: Sequence[str] | None = None,
    release: str | None = None,
    trust_pickle: bool = False,
) -> list[Dictionary]:
    """Load a set of dictionaries that fits `model`, in the order of the forward pass.

    Args:
        name: `"mini"`; a folder in SAELens's format (one SAE, or one folder down several), or in
            one that `formats` reads; a release of SAELens's registry, or one of its dictionaries
            as `RELEASE/SAE_ID`.
        model: the model that they read.
        layers: keep those at these layers; None keeps all.
        sites: keep those at these points, e.g. `["resid_pre"]`, or `["all"]`; None keeps
            `resid_pre` where the set has any, otherwise all.
        release: of a folder, the release that its weights are from: the registry's overrides, names
            and published values then hold for them too.
        trust_pickle: also load files that are pickled, which can run code as they load.

    Raises:
        UserError: there are none of that name, or none chosen, or they do not fit the model.
    """
    folder = SAES if name == BUNDLED else Path(name)
    _, is_folder = kind_of(folder)
    if release is not None and (name == BUNDLED or not is_folder):
        raise UserError(
            f"no folder {shortened(name)}: expected one that holds weights of release {release}"
        )
    if is_folder and not holds_saes(folder) and (saved := saved_elsewhere(folder)):
        if release is not None:
            raise UserError(
                f"{folder} holds dictionaries in {saved[0].publisher}'s format, and --release says "
                "what SAELens's folders leave out: leave it out"
            )
        dictionaries = _from_saved(name, saved, model, layers, sites, trust_pickle)
    elif is_folder:
        dictionaries = _from_folders(name, folder, model, layers, sites, release)
    else:
        dictionaries = _from_registry(name, model, layers, sites, trust_pickle)
    return [_fitted(dictionary, model) for dictionary in dictionaries]


def _from_folders(
    name: str,
    folder: Path,
    model: Model,
    layers: Sequence[int] | None,
    sites: Sequence[str] | None,
    release: str | None,
) -> list[Dictionary]:
    found = {path: site_of(path) for path in sae_folders(folder)}
    points = {site.point for site in found.values()}
    wanted_points = _points(name, points, sites)
    at_points = {path: site for path, site in found.items() if site.point in wanted_points}
    _check_layers(name, {site.layer for site in at_points.values()}, layers, wanted_points)
    chosen = {p: s for p, s in at_points.items() if layers is None or s.layer in layers}
    dictionaries = []
    for path, site in sorted(chosen.items(), key=lambda item: item[1].depth):
        entry = None if release is None else _entry_of(path, site, release)
        dictionaries.append(_load_folder(path, folder.name, model, entry, str(path)))
    return dictionaries


def _from_saved(
    name: str,
    saved: Sequence[SavedDictionary],
    model: Model,
    layers: Sequence[int] | None,
    sites: Sequence[str] | None,
    trust_pickle: bool,
) -> list[Dictionary]:
    """Dictionaries in other libraries' files, named by their folders where several share a site."""
    wanted_points = _points(name, {one.site.point for one in saved}, sites)
    at_points = [one for one in saved if one.site.point in wanted_points]
    _check_layers(name, {one.site.layer for one in at_points}, layers, wanted_points)
    chosen = [one for one in at_points if layers is None or one.site.layer in layers]
    for one in chosen:
        if one.pickled and not trust_pickle:
            raise UserError(
                f"{one.files[0]} is pickled, as {one.publisher} saves dictionaries, and a pickle "
                "can run code as it loads: give --trust-pickle if you trust its source"
            )
    shared = {one.site for one in chosen if sum(other.site == one.site for other in chosen) > 1}
    folder = Path(name)
    return [
        one.load(
            "-".join((folder.name, *one.files[0].parent.relative_to(folder).parts))
            if one.site in shared
            else folder.name,
            model.device,
        )
        for one in chosen
    ]


def _load_folder(
    path: Path, set_name: str, model: Model, entry: Entry | None, source: str
) -> Dictionary:
    if entry is None:
        return load_sae_folder(path, set_name, model.device)
    if not (path / WEIGHTS).exists():  # let the reader say so
        return load_sae_folder(path, set_name, model.device, entry.overrides)
    origin = Origin(
        source, folder_digest(path), entry.release, entry.name, entry.factor, entry.published,
        entry.neuronpedia,
    )  # fmt: skip
    return load_sae_folder(path, set_name, model.device, entry.overrides, origin)


def _entry_of(path: Path, site: Site, release: str) -> Entry:
    """The registry's entry for a local folder: by the folder's name, or else by its site."""
    entries = registry.find(release)
    named = [e for e in entries if path.name in (e.sae_id, Path(e.path).name)]
    same_site = [e for e in named or entries if (e.layer, e.point) == (site.layer, site.point)]
    if len(same_site) != 1:
        raise UserError(
            f"{path} is at {site.name}, where release {release} has {len(same_site)} dictionaries: "
            f"expected one; name the folder as the release does, e.g. {entries[0].sae_id}"
        )
    return same_site[0]


def _from_registry(
    name: str,
    model: Model,
    layers: Sequence[int] | None,
    sites: Sequence[str] | None,
    trust_pickle: bool,
) -> list[Dictionary]:
    entries = registry.find(name)
    known_points = {entry.point for entry in entries if entry.point is not None}
    wanted_points: list[str] = []
    if known_points:
        wanted_points = _points(name, known_points, sites)
        entries = [entry for entry in entries if entry.point in (None, *wanted_points)]
    have = {entry.layer for entry in entries if entry.layer is not None}
    _check_layers(name, have, layers, wanted_points)
    chosen = [entry for entry in entries if layers is None or entry.layer in layers]
    _refuse_several(name, chosen)
    for entry in chosen:
        if entry.conversion in registry.PICKLED and not trust_pickle:
            raise UserError(
                f"dictionary {entry} is published as a pickled file, which can run code as it "
                "loads: expected safetensors; give --trust-pickle if you trust its source"
            )
    dictionaries = [_load_entry(entry, model) for entry in chosen]
    if sites not in (None, ["all"]):
        dictionaries = [d for d in dictionaries if d.site.point in (sites or ())]
        if not dictionaries:
            raise UserError(f"dictionaries {name!r} have none at {', '.join(sites or ())}")
    return sorted(dictionaries, key=lambda dictionary: dictionary.site.depth)


def _load_entry(entry: Entry, model: Model) -> Dictionary:
    size = entry.size(model.d_model)
    if entry.conversion is not None:
        from faultlens.models.saelens import load_entry

        return load_entry(entry, model.device, size)
    what = f"dictionary {entry}"
    config = hub.fetch(entry.repo, f"{entry.path}/{CONFIG}", None, what, size)
    weights = hub.fetch(entry.repo, f"{entry.path}/{WEIGHTS}", None, what, size)
    assert weights.parent == config.parent, "one commit has both"
    source = f"{entry.repo}@{hub.commit_of(config)}/{entry.path}"
    return _load_folder(config.parent, entry.release, model, entry, source)


def _refuse_several(name: str, entries: Sequence[Entry]) -> None:
    """Several widths or sparsities at one site are a choice that only the user can make."""
    at: dict[tuple[int | None, str | None], list[Entry]] = {}
    for entry in entries:
        at.setdefault((entry.layer, entry.point), []).append(entry)
    for (layer, _), same in at.items():
        if len(same) > 1:
            raise UserError(
                f"release {name} has {len(same)} dictionaries at layer {layer}: name one, e.g. "
                f"{' or '.join(map(str, same[:2]))}"
            )


def _points(name: str, points: set[str], sites: Sequence[str] | None) -> list[str]:
    """Which of the points that a set has are wanted. Raises UserError for one it has not."""
    if sites == ["all"]:
        return sorted(points)
    if sites is None:
        return ["resid_pre"] if "resid_pre" in points else sorted(points)
    for point in sites:
        if point not in points:
            raise UserError(
                f"dictionaries {name!r} have no site {point!r}: expected one of "
                f"{', '.join(sorted(points))}"
            )
    return list(sites)


def _check_layers(
    name: str, have: set[int], layers: Sequence[int] | None, points: Sequence[str]
) -> None:
    for layer in layers or ():
        if layer not in have:
            at = f" at {', '.join(points)}" if points else ""
            raise UserError(
                f"dictionaries {name!r} have no layer {layer}{at}: expected one of "
                f"{', '.join(map(str, sorted(have)))}"
            )


def _fitted(dictionary: Dictionary, model: Model) -> Dictionary:
    """The dictionary with what it needs of the model. Raises UserError if it does not fit it."""
    sites = ((dictionary.site, dictionary.d_in), (dictionary.target, dictionary.b_dec.shape[0]))
    for site, dimensions in sites:
        model.check(site)
        if dimensions != model.width(site):
            raise UserError(
                f"dictionary {dictionary.source} reads {dimensions} dimensions, but model "
                f"{model.name} has {model.width(site)} at {site.name}"
            )
    if dictionary.site.point != "z":
        return dictionary
    bias = model.adapter.value_bias(model.network, dictionary.site.layer)
    return replace(dictionary, value_bias=None if bias is None else bias.float())
