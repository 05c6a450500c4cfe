"""Options that several commands share, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from faultlens.errors import UserError

ModelName = Annotated[
    str, typer.Option("--model", help="mini (bundled), a Hugging Face folder, or a hub name")
]
SaeName = Annotated[
    str | None,
    typer.Option(
        "--sae",
        help="Dictionaries: a SAELens release (RELEASE or RELEASE/SAE_ID), or a folder in its "
        "format; with mini: its own",
    ),
]
Release = Annotated[
    str | None,
    typer.Option("--release", help="The SAELens release that the weights in --sae FOLDER are from"),
]
Conventions = Annotated[
    str | None,
    typer.Option(
        "--convention",
        help="Put in force, whatever the files say: centred, raw, bos, no-bos, folded, unfolded, "
        "layer_norm, constant_norm_rescale, unnormalised, factor=NUMBER, decoder-norm, "
        "no-decoder-norm, before-gain, after-gain; a list",
    ),
]
Device = Annotated[str, typer.Option("--device", help="Where the model runs: cpu, cuda …")]
Dtype = Annotated[
    Literal["float32", "bfloat16", "float16"],
    typer.Option("--dtype", help="What the model runs in; dictionaries stay in float32"),
]
Revision = Annotated[
    str | None, typer.Option("--revision", help="Branch, tag or commit of a hub model")
]
TrustPickle = Annotated[
    bool,
    typer.Option("--trust-pickle", help="Also load pickled weights, which can run code"),
]
FitCheck = Annotated[
    bool,
    typer.Option(
        "--fit-check/--no-fit-check", help="Check first that the dictionaries fit the model"
    ),
]
Layers = Annotated[
    str | None, typer.Option("--layers", help="A list (2,3), a range (2-5) or all, the default")
]
Sites = Annotated[
    str | None,
    typer.Option(
        "--sites",
        help="resid_pre, attn_out, mlp_out … or all; by default resid_pre where there is any",
    ),
]
Pooling = Annotated[str, typer.Option("--pooling", help="max, mean, sum, last or last-K")]
Features = Annotated[
    list[str] | None,
    typer.Option(
        "--features",
        help="SITE=FILE: a matrix, texts × features, in place of a model, e.g. "
        "6-res-jb=layer06.npz (the layer first); repeatable",
    ),
]
Pooled = Annotated[
    str | None, typer.Option("--pooled", help="How the matrices of --features were pooled")
]
Out = Annotated[Path | None, typer.Option("--out", help="Run folder to write")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a run that is there")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON")]
Permutations = Annotated[
    int, typer.Option("--permutations", min=99, help="Random labellings behind each p-value")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of all random draws")]
Label = Annotated[str, typer.Option("--label", help="Column that holds the category")]
Text = Annotated[str, typer.Option("--text", help="Column that holds the text")]
Long = Annotated[
    Literal["error", "split", "truncate"],
    typer.Option("--long", help="What to do with texts longer than the context"),
]


def parse_layers(text: str | None) -> list[int] | None:
    """`2,3,5` or `2-5` or `all`; None means all. Raises UserError for anything else."""
    if text is None or text.strip() == "all":
        return None
    layers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise UserError(f"--layers {text!r}: expected a list (2,3), a range (2-5) or all")
        layers.extend(range(int(first), int(last or first) + 1))
    if not layers:
        raise UserError(f"--layers {text!r} names no layer: a range runs from low to high")
    return list(dict.fromkeys(layers))


def parse_words(text: str | None) -> list[str]:
    """`centred,no-bos` as a list; None as an empty one."""
    return [] if text is None else [part.strip() for part in text.split(",")]


def parse_sites(text: str | None) -> list[str] | None:
    """`resid_pre,attn_out` as a list; None stays None."""
    return None if text is None else [part.strip() for part in text.split(",")]


def parse_names(text: str | None) -> list[str] | None:
    """`object,place` as a list; None stays None. Raises UserError for an empty name."""
    if text is None:
        return None
    names = [part.strip() for part in text.split(",")]
    if not all(names):
        raise UserError(f"{text!r} names nothing in one place: expected names with commas between")
    return names
