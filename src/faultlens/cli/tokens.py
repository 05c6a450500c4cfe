"""`faultlens tokens`: where in a text a feature fires."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from faultlens.cli import options as o
from faultlens.cli.screen import progress_bars, say, say_json
from faultlens.errors import UserError

if TYPE_CHECKING:
    from faultlens.features.lens import Lens


def tokens(
    text: Annotated[str, typer.Argument(help="The text to read")],
    feature: Annotated[str, typer.Option(help="LAYER/INDEX or NAME/INDEX, e.g. 3/17")],
    model: o.ModelName = "mini",
    sae: o.SaeName = None,
    sites: o.Sites = None,
    release: o.Release = None,
    convention: o.Conventions = None,
    device: o.Device = "cpu",
    dtype: o.Dtype = "float32",
    revision: o.Revision = None,
    trust_pickle: o.TrustPickle = False,
    fit_check: o.FitCheck = True,
    json: o.AsJson = False,
) -> None:
    """One feature's activation at each token of a text."""
    given = dict(locals())
    from faultlens.cli.lens import open_lens

    place, slash, number = feature.rpartition("/")
    if not slash or not number.isdigit():
        raise UserError(f"--feature {feature!r}: expected LAYER/INDEX or NAME/INDEX, e.g. 3/17")
    if place.isdigit():
        given["layers"] = place
    elif sites is None:  # a name says its own site
        given["sites"] = "all"
    with progress_bars() as bars:
        lens = open_lens(given, bars)
    name = _only_name(lens, place)
    index, d_sae = int(number), lens[name].d_sae
    if index >= d_sae:
        raise UserError(f"--feature {feature!r}: {name} has the features 0 to {d_sae - 1}")
    view = lens.tokens(text)
    activations = view.activations[name][:, [index]].toarray().ravel().tolist()
    if json:
        pairs = [
            {"token": piece, "activation": value}
            for piece, value in zip(view.pieces, activations, strict=True)
        ]
        say_json({"feature": f"{name}/{index}", "tokens": pairs})
        return
    peak = max(activations) or 1.0
    lines = [f"{name}/{index} in {len(activations)} tokens (BOS left out)"]
    for piece, value in zip(view.pieces, activations, strict=True):
        bar = "█" * round(30 * value / peak)
        lines.append(f"{piece!r:>16} {value:8.3f} {bar}".rstrip())
    say(lines)


def _only_name(lens: Lens, place: str) -> str:
    """The dictionary meant by a layer number or a name. UserError if a layer has several."""
    if not place.isdigit():
        return lens[place].name
    names = [d.name for d in lens.dictionaries]
    if len(names) > 1:
        raise UserError(f"layer {place} has the dictionaries {', '.join(names)}: give NAME/INDEX")
    return names[0]
