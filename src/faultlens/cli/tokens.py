"""`faultlens tokens`: where in a text a feature fires, and where in a corpus it fires most."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from faultlens.checks import check_whole
from faultlens.cli.corpora import CorpusColumns, read_named_corpus
from faultlens.cli.lens import FitCheckOption, fit_checked, load_lens
from faultlens.cli.options import Invocation
from faultlens.cli.run_options import JsonOption, LabelOptions
from faultlens.cli.screen import progress_bars, say, say_json
from faultlens.corpus.texts import LABEL, TEXT
from faultlens.errors import UserError
from faultlens.features.reading_config import LONG, Long
from faultlens.models.lens_config import ALL, LensConfig
from faultlens.progress import Progress

if TYPE_CHECKING:
    from faultlens.features.lens import Lens
    from faultlens.profiling.one_feature import FeatureInText
    from faultlens.profiling.result import FeatureTokens


LEFT_OUT = {"special": "left out: special", "massive": "left out: a massive activation"}


@dataclass(frozen=True)
class FeatureOptions:
    """Which feature, and where to look for it."""

    feature: str
    """`LAYER/INDEX` or `NAME/INDEX`, e.g. `3/17` or `3-res-mini/17`."""
    corpus: str | None = None
    """Also show its strongest texts in a corpus, e.g. `seven-categories`."""
    top: int = 5
    """Number of strongest texts."""

    def __post_init__(self) -> None:
        place, slash, number = self.feature.rpartition("/")
        if not (place and slash and number.isascii() and number.isdigit()):
            raise UserError(
                f"--feature {self.feature!r}: expected LAYER/INDEX or NAME/INDEX, e.g. 3/17"
            )
        check_whole("--top", self.top, 1)

    @property
    def place(self) -> str:
        """A layer or a dictionary's name."""
        return self.feature.rpartition("/")[0]

    @property
    def index(self) -> int:
        return int(self.feature.rpartition("/")[2])


@dataclass(frozen=True)
class CorpusOptions:
    """Where the corpus is in a table, and how it is read."""

    text: str = TEXT
    """Column that holds the text."""
    label: str = LABEL
    """Column that holds the category."""
    long: Long = LONG
    """What becomes of a text longer than the model's context: `error` stops, `split` reads it in
    parts, `truncate` reads its beginning."""


def tokens(
    passage: Annotated[str | None, "The text to read"] = None,
    *,
    wanted: FeatureOptions,
    reading: CorpusOptions,
    config: LensConfig,
    check: FitCheckOption,
    labels: LabelOptions,
    result: JsonOption,
    call: Invocation,
) -> None:
    """One feature's activation at each token of a text, its classes of token, its top examples."""
    _refuse_what_does_not_go_together(passage, wanted, call)
    corpus = None
    if wanted.corpus is not None:
        columns = CorpusColumns(reading.text, reading.label)
        corpus = read_named_corpus(wanted.corpus, columns)
    with progress_bars() as bars:
        lens, name = _open(config, wanted, check.fit_check, bars)
    from faultlens.profiling.one_feature import feature_in_corpus, feature_in_text

    feature = f"{name}/{wanted.index}"
    found: dict[str, Any] = {"feature": feature}
    lines: list[str] = []
    label = labels.read([name]).get(feature)
    if label is not None:
        found["label"] = label
        lines = [f"{feature} is labelled “{label}” by somebody, which is no evidence", ""]
    if passage is not None:
        in_text = feature_in_text(lens, name, wanted.index, passage)
        found |= _text_json(in_text)
        lines += _text_lines(feature, in_text)
    if corpus is not None:
        seen = feature_in_corpus(lens, name, wanted.index, corpus, wanted.top, reading.long)
        found["corpus"] = _corpus_json(seen)
        lines += ([""] if lines else []) + _corpus_lines(feature, corpus.name, seen)
    say_json(found) if result.json else say(lines)


def _refuse_what_does_not_go_together(
    passage: str | None, wanted: FeatureOptions, call: Invocation
) -> None:
    if passage is None and wanted.corpus is None:
        raise UserError("nothing to read: expected a text, or a corpus with --corpus")
    if wanted.corpus is None and any(name in call.given for name in ("label", "text", "long")):
        raise UserError("--label, --text and --long say how a corpus is read: give one (--corpus)")
    if "layers" in call.given:
        raise UserError("--layers: the layer is that of --feature; leave it out")


def _open(
    config: LensConfig, wanted: FeatureOptions, fit_check: bool, bars: Progress
) -> tuple[Lens, str]:
    """The lens with the feature's dictionary alone, and that dictionary's name."""
    layer = wanted.place.partition("-")[0]  # names begin with it: 3-res-mini
    if layer.isascii() and layer.isdigit():
        config = replace(config, layers=(int(layer),))
    if wanted.place != layer and config.sites is None:  # a name tells its own site
        config = replace(config, sites=(ALL,))
    lens = load_lens(config, bars, light=wanted.corpus is None)
    name = _only_name(lens, wanted.place)
    if wanted.index >= lens[name].d_sae:
        raise UserError(
            f"--feature {wanted.feature!r}: {name} has the features 0 to {lens[name].d_sae - 1}"
        )
    one = replace(lens, dictionaries=(lens[name],))
    return fit_checked(one, fit_check, bars), name


def _only_name(lens: Lens, place: str) -> str:
    """The dictionary meant by a layer number or a name. UserError if a layer has several."""
    if not place.isdigit():
        return lens[place].name
    names = [d.name for d in lens.dictionaries]
    if len(names) > 1:
        raise UserError(f"layer {place} has the dictionaries {', '.join(names)}: give NAME/INDEX")
    return names[0]


def _text_json(shown: FeatureInText) -> dict[str, Any]:
    tokens = [
        {"token": token.token, "class": token.token_class, "activation": token.activation}
        | ({"left_out": token.left_out} if token.left_out is not None else {})
        for token in shown.tokens
    ]
    return {"tokens": tokens, "classes": shown.classes}


def _text_lines(feature: str, shown: FeatureInText) -> list[str]:
    peak = max(token.activation for token in shown.tokens) or 1.0
    lines = [f"{feature} in {len(shown.tokens)} tokens (BOS left out)"]
    for token in shown.tokens:
        bar = "█" * round(30 * token.activation / peak)
        left_out = "" if token.left_out is None else LEFT_OUT[token.left_out]
        lines.append(f"{token.token!r:>16} {token.activation:8.3f} {bar}{left_out}".rstrip())
    if shown.classes is None:
        return [*lines, "It does not fire here."]
    falls = ", ".join(
        f"{share:.0%} on {kind}" for kind, share in shown.classes.items() if share > 0
    )
    return [*lines, f"Of its activation here {falls}."]


def _corpus_json(seen: FeatureTokens) -> dict[str, Any]:
    return {**asdict(seen), **({} if seen.tokens else {"classes": None})}


def _corpus_lines(feature: str, corpus: str, seen: FeatureTokens) -> list[str]:
    if not seen.examples:
        return [f"{feature} fires nowhere in {corpus}"]
    lines = [f"{feature} in {corpus}: fires on {seen.tokens:,} tokens; strongest on"]
    for example in seen.examples:
        left = " ".join(example.left.split())[-34:]
        right = " ".join(example.right.split())[:34]
        lines.append(
            f"{example.activation:8.3f}  {example.category[:14]:<14}  "
            f"{left:>34} [{example.token!r}] {right}".rstrip()
        )
    lines.append("Share of its activation by class of token, beside a random feature's:")
    for kind, share in seen.classes.items():
        if share.share > 0 or share.random > 0:
            lines.append(
                f"  {kind:<26} {share.share:6.1%}  random {share.random:6.1%}  "
                f"as much in {share.at_least:.1%} of features"
            )
    return lines
