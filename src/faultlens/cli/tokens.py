"""`faultlens tokens`: where in a text a feature fires, and where in a corpus it fires most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from faultlens.cli import options as o
from faultlens.cli.screen import progress_bars, say, say_json
from faultlens.errors import UserError

if TYPE_CHECKING:
    from faultlens.corpus.texts import Corpus
    from faultlens.features.lens import Lens
    from faultlens.features.text_tokens import Long


LEFT_OUT = {
    "special": "a special token, left out",
    "massive": "a massive activation, left out",
}


def tokens(
    feature: Annotated[str, typer.Option(help="LAYER/INDEX or NAME/INDEX, e.g. 3/17")],
    text: Annotated[str | None, typer.Argument(help="The text to read")] = None,
    corpus: Annotated[
        str | None,
        typer.Option(help="Show the strongest texts of this corpus, e.g. seven-categories"),
    ] = None,
    top: Annotated[int, typer.Option(help="How many of them", min=1)] = 5,
    label: o.Label = "category",
    column: o.Text = "text",
    long: o.Long = "error",
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
    """One feature's activation at each token of a text, its classes of token, its top examples."""
    given = dict(locals())
    from dataclasses import replace

    from faultlens.cli.lens import load_lens
    from faultlens.cli.profile import read_named_corpus

    if text is None and corpus is None:
        raise UserError("nothing to read: expected a text, or a corpus with --corpus")
    if corpus is None and (label, column, long) != ("category", "text", "error"):
        raise UserError("--label, --text and --long say how a corpus is read: give one (--corpus)")
    texts = None if corpus is None else read_named_corpus(corpus, label, column)
    place, slash, number = feature.rpartition("/")
    if not slash or not number.isdigit():
        raise UserError(f"--feature {feature!r}: expected LAYER/INDEX or NAME/INDEX, e.g. 3/17")
    layer = place.partition("-")[0]  # names start with it: 3-res-mini
    if layer.isdigit():
        given["layers"] = layer
    if not place.isdigit() and sites is None:  # a name says its own site
        given["sites"] = "all"
    with progress_bars() as bars:
        lens = load_lens(given)
        name = _only_name(lens, place)
        lens = replace(lens, dictionaries=(lens[name],))
        lens = lens.checked(bars) if fit_check else lens.unchecked()
    index, d_sae = int(number), lens[name].d_sae
    if index >= d_sae:
        raise UserError(f"--feature {feature!r}: {name} has the features 0 to {d_sae - 1}")
    result: dict[str, Any] = {"feature": f"{name}/{index}"}
    lines: list[str] = []
    if text is not None:
        shown = _in_text(lens, name, index, text)
        result |= shown
        lines += _text_lines(result["feature"], shown)
    if texts is not None:
        seen = _in_corpus(lens, name, index, texts, top, long)
        result["corpus"] = seen
        lines += ([""] if lines else []) + _corpus_lines(result["feature"], texts.name, seen)
    if json:
        say_json(result)
    else:
        say(lines)


def _in_text(lens: Lens, name: str, index: int, text: str) -> dict[str, Any]:
    """Each token of the text with its class and activation, and the share of each class."""
    from faultlens.features.token_classes import CLASSES, token_classes

    view = lens.tokens(text)
    activations = view.activations[name][:, [index]].toarray().ravel().tolist()
    why = view.left_out[name]
    rows = [
        {"token": token, "class": kind, "activation": value}
        | ({"left_out": why[place]} if place in why else {})
        for place, (token, kind, value) in enumerate(
            zip(view.tokens, token_classes(text, view.tokens), activations, strict=True)
        )
    ]
    total = sum(activations)
    shares = {
        kind: sum(row["activation"] for row in rows if row["class"] == kind) / total
        for kind in CLASSES
        if total
    }
    return {"tokens": rows, "classes": shares or None}


def _text_lines(feature: str, shown: dict[str, Any]) -> list[str]:
    rows, shares = shown["tokens"], shown["classes"]
    peak = max(row["activation"] for row in rows) or 1.0
    lines = [f"{feature} in {len(rows)} tokens (BOS left out)"]
    for row in rows:
        bar = "█" * round(30 * row["activation"] / peak)
        left_out = f" {LEFT_OUT[row['left_out']]}" if "left_out" in row else ""
        lines.append(f"{row['token']!r:>16} {row['activation']:8.3f} {bar}{left_out}".rstrip())
    if shares is None:
        return [*lines, "It does not fire here."]
    falls = ", ".join(f"{share:.0%} on {kind}" for kind, share in shares.items() if share > 0)
    return [*lines, f"Of its activation here {falls}."]


def _in_corpus(
    lens: Lens, name: str, index: int, corpus: Corpus, top: int, long: Long
) -> dict[str, Any]:
    """The strongest texts of a corpus, and the classes of token against a random feature's."""
    from dataclasses import asdict

    from faultlens.features.store import ActivationStore
    from faultlens.profiling.token_evidence import TokenMap, feature_tokens

    store = ActivationStore()
    table = lens.read(corpus.texts, long=long, store=store)[name]
    seen = TokenMap.of(lens, corpus.texts, long)
    found = feature_tokens(seen, store.firings(name), table.d_sae, [index], corpus.labels, top)
    return {**asdict(found[index]), **({} if found[index].tokens else {"classes": None})}


def _corpus_lines(feature: str, corpus: str, seen: dict[str, Any]) -> list[str]:
    if not seen["examples"]:
        return [f"{feature} fires nowhere in {corpus}"]
    lines = [f"{feature} in {corpus}: fires on {seen['tokens']:,} tokens; strongest on"]
    for example in seen["examples"]:
        left = " ".join(example["left"].split())[-34:]
        right = " ".join(example["right"].split())[:34]
        lines.append(
            f"{example['activation']:8.3f}  {example['category'][:14]:<14}  "
            f"{left:>34} [{example['token']!r}] {right}".rstrip()
        )
    lines.append("Share of its activation by class of token, beside a random feature's:")
    for kind, share in seen["classes"].items():
        if share["share"] > 0 or share["random"] > 0:
            lines.append(
                f"  {kind:<26} {share['share']:6.1%}  random {share['random']:6.1%}  "
                f"as much in {share['at_least']:.1%} of features"
            )
    return lines


def _only_name(lens: Lens, place: str) -> str:
    """The dictionary meant by a layer number or a name. UserError if a layer has several."""
    if not place.isdigit():
        return lens[place].name
    names = [d.name for d in lens.dictionaries]
    if len(names) > 1:
        raise UserError(f"layer {place} has the dictionaries {', '.join(names)}: give NAME/INDEX")
    return names[0]
