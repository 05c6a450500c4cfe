"""The lens of a run: its model and dictionaries loaded again, by what its manifest says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faultlens.cli.options import flag
from faultlens.cli.values import parse, plain_type
from faultlens.config import build, options
from faultlens.errors import UserError
from faultlens.models.lens_config import LensConfig

if TYPE_CHECKING:
    from faultlens.features.lens import Lens


def config_of_run(folder: Path, manifest: Mapping[str, Any]) -> LensConfig:
    """Which model and dictionaries a run read, as its manifest has them.

    Raises UserError if it read no model, or the manifest names none that could be loaded.
    """
    inputs, arguments = manifest.get("inputs"), manifest.get("arguments")
    if not isinstance(inputs, Mapping) or not inputs.get("model"):
        raise UserError(f"{folder} was made without a model: its manifest names none")
    known = options(LensConfig)
    given = {
        name: text
        for name, text in (arguments.items() if isinstance(arguments, Mapping) else ())
        if name in known and text != ""  # a list of nothing, as it would be typed
    }
    values: dict[str, Any] = {}
    for name, text in given.items():
        if not isinstance(text, str):
            raise UserError(f"{folder}: its manifest holds {name} as {text!r}, expected a text")
        kind = known[name].type
        switch = plain_type(kind) is bool
        values[name] = text == "True" if switch else parse(flag(name), kind, text)
    return build(LensConfig, values)


def open_lens_of_run(folder: Path, manifest: Mapping[str, Any]) -> Lens:
    """The model and the dictionaries that a run read.

    Raises UserError if they cannot be loaded, or are not those of the run, by their digests.
    """
    from faultlens.cli.lens import load_lens
    from faultlens.cli.screen import progress_bars

    config = config_of_run(folder, manifest)
    with progress_bars() as bars:
        lens = load_lens(config, bars, needs_dictionaries=False)
    _require_same(folder, manifest, lens)
    return lens


def _require_same(folder: Path, manifest: Mapping[str, Any], lens: Lens) -> None:
    """Raises UserError where the model or a dictionary is another one than the run read."""
    recorded = manifest["inputs"].get("model")
    if isinstance(recorded, Mapping):
        now = lens.model.identity
        for key in ("digest", "commit"):
            if key in recorded and key in now and recorded[key] != now[key]:
                raise UserError(
                    f"the model {lens.model.name} is not the one that {folder} read: its {key} is "
                    f"{now[key]}, the manifest has {recorded[key]}"
                )
    dictionaries = manifest["inputs"].get("dictionaries")
    for dictionary in lens.dictionaries:
        of = dictionaries.get(dictionary.name) if isinstance(dictionaries, Mapping) else None
        if isinstance(of, Mapping) and of.get("digest") not in (None, dictionary.digest):
            raise UserError(
                f"the dictionary {dictionary.name} is not the one that {folder} read: its "
                f"digest is {dictionary.digest}, the manifest has {of['digest']}"
            )
