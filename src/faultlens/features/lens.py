"""Lens: a model and the dictionaries it is read through."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module

import numpy as np
from scipy.sparse import csr_matrix
from torch import Tensor

from faultlens.errors import UserError
from faultlens.features.encoding_choice import TRIED, ChosenEncoding
from faultlens.features.known_fit import KnownFits
from faultlens.features.median_norm import median_norms
from faultlens.features.pooled_tables import PooledTables
from faultlens.features.pooling import Pooling
from faultlens.features.reading import Reader, first_values
from faultlens.features.reading_config import AUTO, LONG, AskedEncoding, Long, ReadingConfig
from faultlens.features.shapes import Shapes
from faultlens.features.store import ActivationStore
from faultlens.features.streaming import FeatureStatistics, StreamingStatistics
from faultlens.features.table import FeatureTable
from faultlens.features.text_tokens import TextTokens, ids_in_front, tokenize
from faultlens.features.token_choice import DEFAULT, TokenChoice
from faultlens.features.token_text import token_texts
from faultlens.models.dictionary import Dictionary
from faultlens.models.doctor import examine
from faultlens.models.model import Model
from faultlens.models.sites import Site
from faultlens.models.start_ids import shown
from faultlens.models.start_token import start_of
from faultlens.numbers import number
from faultlens.progress import SILENT, Progress, Tick

NOT_CHECKED = "the fit check was left out: whether the dictionaries fit the model is not known"
"""What a result has to say where the fit check was left out on purpose."""
_LEFT_OUT = "left out on demand"


@dataclass(frozen=True)
class FeatureOnText:
    """One feature on one text; a notebook shades its tokens.

    Attributes:
        feature: its name.
        tokens: what each token shows of the text, `[tokens]`.
        activations: of the feature, 0 where it is silent, `[tokens]`.
    """

    feature: str
    tokens: list[str]
    activations: list[float]

    def _repr_html_(self) -> str:
        shown = import_module("faultlens.report.notebook")
        return str(shown.shaded_view(self.feature, self.tokens, self.activations))


@dataclass(frozen=True, eq=False)
class TokenView:
    """One text's tokens and what each dictionary saw in them.

    Attributes:
        tokens: what each token shows of the text, `[tokens]`; a character that several tokens
            share is shown by each of them.
        activations: by dictionary name, CSR `[tokens, d_sae]`; rows of tokens that do not count
            are empty.
        left_out: by dictionary name, why a token does not count: `special` or `massive`; by the
            token's place.
    """

    tokens: list[str]
    activations: dict[str, csr_matrix]
    left_out: dict[str, dict[int, str]]

    def feature(self, name: str) -> FeatureOnText:
        """One feature on this text. Raises UserError for one that no dictionary here has."""
        dictionary, _, index = name.rpartition("/")
        seen = self.activations.get(dictionary)
        if seen is None or not index.isdecimal() or int(index) >= seen.shape[1]:
            known = [f"{own}/0 to {m.shape[1] - 1}" for own, m in self.activations.items()]
            raise UserError(f"no feature {name!r}: expected one of {', '.join(known)}")
        values = seen[:, int(index)].toarray().ravel().tolist()
        return FeatureOnText(name, self.tokens, values)

    def _repr_html_(self) -> str:
        """The notebook view: each token with the strongest feature of each dictionary."""
        rows = [
            [token, *(_strongest(name, m, at) for name, m in self.activations.items())]
            for at, token in enumerate(self.tokens)
        ]
        shown = import_module("faultlens.report.notebook")
        caption = "The strongest feature of each dictionary at each token"
        return str(shown.table_view(caption, ["Token", *self.activations], rows))


def _strongest(name: str, activations: csr_matrix, token: int) -> str:
    row = activations[token]
    if not row.nnz:
        return "none"
    place = int(row.data.argmax())
    return f"{name}/{row.indices[place]} {number(float(row.data[place]))}"


@dataclass(frozen=True, eq=False)
class Lens:
    """Reads texts as sparse features: `lens.read(texts)["3-res-mini"].matrix`.

    Attributes:
        model: what is run.
        dictionaries: what it is read through; empty: an audit does what needs none.
        fit_check: by dictionary, what came of the fit check; empty where none was made.
        choice: which tokens count.
        sites: without dictionaries, where whole values are read and patched, in the order of the
            pass.
        encoding: how sites' values are encoded; `auto` chooses once.
        chosen: what `auto` has chosen so far.
        given_shapes: those in which another process reads the same, to be read in here, too; None:
            those that suit.
        known: the fits that are known without a check: of the bundled pair, while it is as it was.
    """

    model: Model
    dictionaries: tuple[Dictionary, ...]
    fit_check: Mapping[str, str] = field(default_factory=dict)
    choice: TokenChoice = DEFAULT
    sites: tuple[Site, ...] = ()
    encoding: AskedEncoding = AUTO
    chosen: ChosenEncoding = field(default_factory=ChosenEncoding, repr=False)
    given_shapes: Shapes | None = None
    known: KnownFits = field(default_factory=KnownFits, repr=False)

    def __post_init__(self) -> None:
        names = [dictionary.name for dictionary in self.dictionaries]
        if len(set(names)) < len(names) or bool(names) == bool(self.sites):
            raise UserError(
                f"a lens needs dictionaries with distinct names, or else sites, got {names}"
            )

    def __getitem__(self, name: str) -> Dictionary:
        """The dictionary called `name`. Raises UserError, naming those there are."""
        for dictionary in self.dictionaries:
            if dictionary.name == name:
                return dictionary
        self.require_dictionaries(f"{name!r} in this lens")
        known = ", ".join(dictionary.name for dictionary in self.dictionaries)
        raise UserError(f"no dictionary {name!r} in this lens: expected one of {known}")

    def require_dictionaries(self, what: str) -> None:
        """Raises UserError, saying what needs them, for a lens without dictionaries."""
        if not self.dictionaries:
            raise UserError(
                f"{what} needs dictionaries, and model {self.model.name} was loaded without any: "
                "name them with sae (--sae)"
            )

    def checked(self, progress: Progress = SILENT) -> Lens:
        """The same lens, its dictionaries found to fit the model; made once, then remembered.

        Raises UserError, naming a convention that fits better where one does, if one does not fit.
        """
        if self.fit_check or not self.dictionaries:
            return self
        fits = self.known.of(self.model, self.dictionaries)
        if fits is None:
            found = examine(self.model, self.dictionaries, progress)
            for examination in found:
                if examination.complaint is not None:
                    raise UserError(examination.complaint)
            fits = [(examination.fit.fvu, examination.fit.l0) for examination in found]
        passed = {
            dictionary.name: f"passed: FVU {fvu:.3f}, L0 {l0:.1f}"
            for dictionary, (fvu, l0) in zip(self.dictionaries, fits, strict=True)
        }
        return replace(self, fit_check=passed)

    def unchecked(self) -> Lens:
        """The same lens, which notes in all it reads that the fit check was left out on purpose."""
        return replace(self, fit_check={d.name: _LEFT_OUT for d in self.dictionaries})

    @property
    def warnings(self) -> list[str]:
        """What every result that is read through this lens has to say of it, a sentence each."""
        said = [NOT_CHECKED] if _LEFT_OUT in self.fit_check.values() else []
        said += self.model.caveats
        own, front = start_of(self.model), ids_in_front(self.model, self.dictionaries)
        if list(own.ids) != front:
            names = ", ".join(dictionary.name for dictionary in self.dictionaries)
            said.append(
                f"{own.sentence}; {names} {'is' if len(self.dictionaries) == 1 else 'are'} read "
                f"with {shown(self.model, front)} in front, as trained (--start sets both)"
            )
        return said

    def tokenize(
        self, texts: Sequence[str], long: Long = LONG, tick: Tick | None = None
    ) -> list[TextTokens]:
        """Texts in the tokens that the model reads.

        Raises UserError for a text that cannot be read, as `read` does.
        """
        if isinstance(texts, str) or not len(texts):
            raise UserError("nothing to read: expected a list of at least one text")
        return tokenize(self.model, self.dictionaries, texts, long, tick)

    def shapes(
        self,
        texts: Sequence[TextTokens],
        encoding: AskedEncoding | None = None,
        tokens: int | None = None,
    ) -> Shapes:
        """What suits these texts: the memory that is free now, and how to encode; or what is given.

        Args:
            encoding: None: the lens's own.
            tokens: of all texts, where these are only the first.
        """
        if self.given_shapes is not None:
            return self.given_shapes
        suited = Shapes.suited_to(self.model, self.dictionaries)
        tokens = sum(map(len, texts)) if tokens is None else tokens
        chosen = self.chosen.choose(
            encoding or self.encoding, self.dictionaries, tokens, self.first_values(texts, suited)
        )
        return replace(suited, encoding=chosen)

    def first_values(
        self, texts: Sequence[TextTokens], shapes: Shapes
    ) -> Callable[[], Mapping[Site, Tensor]]:
        """Gives the sites' values in some of the first texts, when called."""
        return lambda: first_values(self.model, self.dictionaries, texts, shapes, TRIED)

    def reader(self, shapes: Shapes) -> Reader:
        """What reads texts in these shapes."""
        medians: Mapping[Site, float] = {}
        if self.choice.massive == "drop":
            sites = [*(d.site for d in self.dictionaries), *self.sites]
            bos = ids_in_front(self.model, self.dictionaries)
            medians = median_norms(self.model, sites, bos, shapes)
        return Reader(self.model, self.dictionaries, shapes, self.choice, medians)

    def read(
        self,
        texts: Sequence[str],
        pooling: str = ReadingConfig.pooling,
        long: Long = LONG,
        progress: Tick | None = None,
        store: ActivationStore | None = None,
        shapes: Shapes | None = None,
    ) -> dict[str, FeatureTable]:
        """Read texts into one table a dictionary, rows in the order of `texts`.

        Each token is encoded by itself, then pooled. BOS is left out, and so are the tokens that
        `choice` leaves out; how many there were is part of each table's convention.

        Args:
            texts: at least one, each with at least one token that counts.
            pooling: `max`, `mean`, `sum`, `last` or `last-K`.
            long: what to do with a text longer than the context: `error`, `split` it into parts
                that are pooled together, or `truncate` it.
            progress: told how many texts were finished.
            store: takes in the token-level activations on the way.
            shapes: how texts share the passes, and how they are encoded; None finds what suits.

        Raises:
            UserError: no texts, a text without tokens that count, one too long under `error`, and
                values or activations that are infinite or NaN.
        """
        self.require_dictionaries("reading texts")
        how = Pooling.parse(pooling)
        tokens = self.tokenize(texts, long)
        tables = PooledTables(self.model, self.dictionaries, how, long, self.fit_check, self.choice)
        for read in self.reader(shapes or self.shapes(tokens)).read(tokens):
            tables.add(read)
            if store is not None:
                store.add(read)
            if progress is not None:
                progress(len(read.texts))
        return tables.result(texts)

    def statistics(
        self,
        texts: Sequence[str],
        groups: Sequence[str] | None = None,
        top: int = 5,
        long: Long = LONG,
        progress: Tick | None = None,
        shapes: Shapes | None = None,
    ) -> dict[str, FeatureStatistics]:
        """What each feature does in each group of texts, in memory that does not grow with them.

        Args:
            texts: at least one, each with at least one token.
            groups: the group of each text; None: all are of one, called `all`.
            top: strongest texts to keep for each feature and group.
            long: what to do with a text longer than the context.
            progress: told how many texts were finished.
            shapes: how texts share the passes, and how they are encoded; None finds what suits.

        Raises:
            UserError: no texts, a group that is missing, a text that cannot be read.
        """
        self.require_dictionaries("reading texts")
        tokens = self.tokenize(texts, long)
        if groups is not None and len(groups) != len(texts):
            raise UserError(f"{len(texts)} texts, but {len(groups)} groups: expected one for each")
        names = ["all"] if groups is None else list(dict.fromkeys(groups))
        of_text = np.zeros(len(texts), int)
        if groups is not None:
            of_text = np.array([names.index(group) for group in groups])
        kept = {d.name: StreamingStatistics(d.d_sae, names, top) for d in self.dictionaries}
        for read in self.reader(shapes or self.shapes(tokens)).read(tokens):
            for name, seen in read.activations.items():
                kept[name].update(seen, read.texts, of_text[list(read.texts)])
            if progress is not None:
                progress(len(read.texts))
        return {name: statistics.result() for name, statistics in kept.items()}

    def tokens(self, text: str) -> TokenView:
        """The activations of each token of one text, which must fit into the context."""
        self.require_dictionaries("reading a text")
        tokens = self.tokenize([text])
        (read,) = self.reader(self.shapes(tokens)).read(tokens)
        return TokenView(
            token_texts(self.model.tokenizer.decode, tokens[0].ids.tolist()),
            {name: seen.by_position(len(tokens[0])) for name, seen in read.activations.items()},
            {name: seen.reasons(len(tokens[0])) for name, seen in read.activations.items()},
        )
