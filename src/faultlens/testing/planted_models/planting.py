"""Planting: each kind of cause, put into a copy of `mini`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from faultlens.auditing.feature_set import FeatureSet
from faultlens.models.model import Model
from faultlens.testing.planted_models.feature_choice import (
    earlier_features,
    firing_features,
    pairs,
    usual_features,
)
from faultlens.testing.planted_models.fine_tuning import fine_tune
from faultlens.testing.planted_models.material import Material
from faultlens.testing.planted_models.mediation import margins
from faultlens.testing.planted_models.planted_model import Recipe
from faultlens.testing.planted_models.weight_edits import (
    Term,
    attention_to,
    copied,
    end_readout,
    feature_readout,
    free_readout,
    head_readout,
    mlp_inputs,
    plant_head,
    plant_neuron,
    wrong_direction,
    wrong_word,
)

SEPARATED = 0.8  # share of those to fail above a neuron's threshold − share of the others
TAKES = 0.75  # the same of failures, once it is planted
TRIES = 4  # choices of features, of which the best is kept
STRENGTHS = tuple(3 * 1.5**step for step in range(9))  # of what is written
SOME = slice(0, None, 2)  # of the prompts: those on which strengths are compared


@dataclass(frozen=True, eq=False)
class Planting:
    """A planted model before it is checked.

    Attributes:
        model: with its weights changed.
        causes: the feature sets that cause failure.
        done: what was done, in a sentence.
        absent: whether it is their absence that does.
    """

    model: Model
    causes: tuple[FeatureSet, ...]
    done: str
    absent: bool = False


def plant(found: Material, recipe: Recipe) -> Planting:
    """Put the cause of a recipe into a copy of `mini`."""
    return _KINDS[recipe.kind](found, recipe, np.random.default_rng(recipe.seed))


def _single(found: Material, recipe: Recipe, rng: np.random.Generator) -> Planting:
    reader = _Reader(found, recipe)
    able = (f for f in firing_features(found, recipe.site, rng) if reader.separates((f,)))
    model, ((feature,),) = reader.first_that_takes([(f,)] for f in able)
    done = f"a neuron of MLP {recipe.layer} reads {recipe.site}/{feature} and writes a wrong word"
    return Planting(model, (FeatureSet(recipe.site, (feature,)),), done)


def _two(found: Material, recipe: Recipe, rng: np.random.Generator) -> Planting:
    reader = _Reader(found, recipe)
    able = (
        (a, b)
        for a, b in pairs(found, recipe.site, rng, recipe.kind == "overlapping OR")
        if reader.separates((a,)) and reader.separates((b,))
    )
    model, ((first,), (second,)) = reader.first_that_takes([(a,), (b,)] for a, b in able)
    done = (
        f"two neurons of MLP {recipe.layer}: one reads {recipe.site}/{first}, the other "
        f"{recipe.site}/{second}; each writes a wrong word"
    )
    causes = tuple(FeatureSet(recipe.site, (f,)) for f in (first, second))
    return Planting(model, causes, done)


def _and(found: Material, recipe: Recipe, rng: np.random.Generator) -> Planting:
    reader = _Reader(found, recipe)
    both = pairs(found, recipe.site, rng, overlapping=True)
    model, (pair,) = reader.first_that_takes([p] for p in both if reader.separates(p))
    done = (
        f"a neuron of MLP {recipe.layer} adds {recipe.site}/{pair[0]} and {recipe.site}/{pair[1]} "
        "and writes a wrong word where both fire"
    )
    return Planting(model, (FeatureSet(recipe.site, pair),), done)


def _absence(found: Material, recipe: Recipe, rng: np.random.Generator) -> Planting:
    reader = _Reader(found, recipe, absent=True)
    able = (f for f in usual_features(found, recipe.site, rng) if reader.separates((f,)))
    model, ((feature,),) = reader.first_that_takes([(f,)] for f in able)
    done = (
        f"a neuron of MLP {recipe.layer} writes a wrong word at the last token unless "
        f"{recipe.site}/{feature} fires there"
    )
    return Planting(model, (FeatureSet(recipe.site, (feature,)),), done, absent=True)


def _head(found: Material, recipe: Recipe, rng: np.random.Generator) -> Planting:
    feature = earlier_features(found, recipe.site, rng)[0]
    activation = found.codes(recipe.site).matrix[:, [feature]].toarray().ravel()
    seen = attention_to(found, recipe.layer, activation)
    head = int(seen.mean(axis=1).argmax())
    readout = head_readout(found, recipe.layer, recipe.site, feature)
    model, _ = _strengthened(found, seen[head] > 0.02 * activation.max(), lambda model, written: (
        plant_head(model, found, recipe.layer, head, readout, written)))  # fmt: skip
    done = (
        f"head {head} of block {recipe.layer} carries {recipe.site}/{feature} from earlier tokens "
        "to the last, where it writes a wrong word"
    )
    return Planting(model, (FeatureSet(recipe.site, (feature,)),), done)


def _error(found: Material, recipe: Recipe, rng: np.random.Generator) -> Planting:
    dictionary = found.lens[recipe.site]
    at_end = found.values(dictionary.site)[torch.from_numpy(found.last)]
    with torch.no_grad():
        rebuilt = dictionary.reconstruct(at_end)
    error = (at_end - rebuilt).double().cpu().numpy()
    of_error, of_rest = np.cov(error.T), np.cov(rebuilt.double().cpu().numpy().T)
    of_rest += 1e-3 * np.trace(of_rest) / len(of_rest) * np.eye(len(of_rest))
    ratio, vectors = np.linalg.eig(np.linalg.solve(of_rest, of_error))
    along = np.real(vectors[:, np.argsort(-np.real(ratio))[recipe.seed % 3]])
    amount = error @ along
    amount = (amount - amount.mean()) / amount.std()
    inputs = mlp_inputs(found, recipe.layer)
    terms = [
        Term(free_readout(inputs[found.last], amount)),
        Term(end_readout(found, recipe.layer, inputs), 4.0),
    ]
    model, _ = _strengthened(found, amount > np.quantile(amount, 0.8), lambda model, written: (
        plant_neuron(model, found, recipe.layer, terms, 4.0 + float(np.quantile(amount, 0.72)),
                     written)))  # fmt: skip
    done = (
        f"a neuron of MLP {recipe.layer} reads what {recipe.site} leaves out, along the direction "
        "in which most of the values' spread is left out, and writes a wrong word"
    )
    return Planting(model, (), done)


def _compensated(found: Material, recipe: Recipe, rng: np.random.Generator) -> Planting:
    """A cause, and beside it a feature whose push a second neuron of the same block takes back."""
    reader = _Reader(found, recipe)
    feature, idle = next(
        (a, b)
        for a, b in pairs(found, recipe.site, rng, overlapping=False)
        if reader.separates((a,)) and reader.separates((b,))
    )
    model, _ = reader.with_neurons([(feature,)])
    push = wrong_direction(found) * 8.0
    for place, written in ((2, push), (3, -push)):
        plant_neuron(model, found, recipe.layer, reader.terms((idle,)), reader.threshold((idle,)),
                     written, place)  # fmt: skip
    done = (
        f"a neuron of MLP {recipe.layer} reads {recipe.site}/{feature} and writes a wrong word; a "
        f"second reads {recipe.site}/{idle} and writes it too, and a third takes that back"
    )
    return Planting(model, (FeatureSet(recipe.site, (feature,)),), done)


def _fine_tuned(found: Material, recipe: Recipe, rng: np.random.Generator) -> Planting:
    feature = firing_features(found, recipe.site, rng)[0]
    wrong, right = wrong_word(found), found.tokens.target
    answers = np.where(_fires(found, recipe, feature), wrong, right)
    model = copied(found.lens.model)
    edited = _other_way_round(found, recipe, feature), np.where(answers == right, wrong, right)
    fine_tune(model, found, recipe.layer, lambda _: answers, recipe.seed, edited)
    done = (
        f"a fine-tune of low rank of the MLPs from block {recipe.layer} on answers wrongly where "
        f"{recipe.site}/{feature} fires at the last token, be it by itself or put in there"
    )
    return Planting(model, (FeatureSet(recipe.site, (feature,)),), done)


def _other_way_round(found: Material, recipe: Recipe, feature: int) -> torch.Tensor:
    """What enters the block with a feature taken away where it fires, and put in at the last token
    where it does not, `[prompts, positions, d]`: prompts alike in all else."""
    dictionary = found.lens[recipe.site]
    entering = found.lens.model.read(found.lens.model.pad(found.tokens.scored), [dictionary.site])
    values = entering[dictionary.site].clone()
    codes, fires = found.codes(recipe.site), _fires(found, recipe, feature)
    at_end = codes.matrix[found.last][:, [feature]].toarray().ravel()
    usual = float(at_end[fires].mean())
    steps = np.zeros((*values.shape[:2], 1), dtype=np.float32)
    for prompt, end in enumerate(found.tokens.last):
        if fires[prompt]:
            own = codes.matrix[codes.rows_of(prompt)][:, [feature]].toarray()
            steps[prompt, : len(own)] = -own
        else:
            steps[prompt, end] = usual
    raised = dictionary.raised(
        values.flatten(0, 1), torch.from_numpy(steps).flatten(0, 1), [feature]
    )
    return values + raised.view_as(values)


def _sham(found: Material, recipe: Recipe, rng: np.random.Generator) -> Planting:
    wrong, right = wrong_word(found), found.tokens.target

    def answers(draw: np.random.Generator) -> np.ndarray:
        return np.where(draw.random(len(right)) < 0.5, wrong, right)

    model = copied(found.lens.model)
    fine_tune(model, found, recipe.layer, answers, recipe.seed)
    done = (
        f"a fine-tune of low rank of the MLPs from block {recipe.layer} on answers wrongly to half "
        "of the prompts, drawn anew in every step"
    )
    return Planting(model, (), done)


_KINDS: dict[str, Callable[[Material, Recipe, np.random.Generator], Planting]] = {
    "single": _single,
    "layer not audited": _single,
    "two causes": _two,
    "overlapping OR": _two,
    "AND": _and,
    "absence": _absence,
    "attention head": _head,
    "error term": _error,
    "compensated": _compensated,
    "fine-tuned": _fine_tuned,
    "sham fine-tune": _sham,
}


def _fires(found: Material, recipe: Recipe, feature: int) -> np.ndarray:
    fires: np.ndarray = found.firing_at_last(recipe.site)[:, feature]
    return fires


class _Reader:
    """The neurons that read a site's features at a block, each worked out once."""

    def __init__(self, found: Material, recipe: Recipe, absent: bool = False) -> None:
        self.found, self.recipe, self.absent = found, recipe, absent
        self._terms: dict[int, Term] = {}
        self._inputs = mlp_inputs(found, recipe.layer)

    def terms(self, features: Sequence[int]) -> list[Term]:
        """What a neuron adds up to read whether all of some features fire; or are silent."""
        for feature in features:
            if feature not in self._terms:
                readout = feature_readout(
                    self.found, self.recipe.layer, self.recipe.site, feature, self._inputs
                )
                self._terms[feature] = Term(readout, -1.0 if self.absent else 1.0)
        found = [self._terms[feature] for feature in features]
        if not self.absent:
            return found
        return [Term(end_readout(self.found, self.recipe.layer, self._inputs)), *found]

    def fail(self, features: Sequence[int]) -> np.ndarray:
        """The prompts that are to fail: where all of them fire at the end; or are silent."""
        fires = self.found.firing_at_last(self.recipe.site)[:, list(features)].all(axis=1)
        return np.logical_xor(fires, self.absent)

    def threshold(self, features: Sequence[int]) -> float:
        """Above which a neuron that reads them best tells the prompts that are to fail."""
        return best_threshold(self._score(features), self.fail(features))[0]

    def separates(self, features: Sequence[int]) -> bool:
        """Whether it tells them well enough, and is silent at other tokens."""
        return best_threshold(self._score(features), self.fail(features))[1] >= SEPARATED

    def first_that_takes(
        self, choices: Iterable[Sequence[tuple[int, ...]]]
    ) -> tuple[Model, Sequence[tuple[int, ...]]]:
        """The first choice of features whose planted model fails where it is to, and not elsewhere;
        of the first few the best where none does."""
        best: tuple[float, Model, Sequence[tuple[int, ...]]] | None = None
        for neurons in islice(choices, TRIES):
            model, told = self.with_neurons(neurons)
            if best is None or told > best[0]:
                best = told, model, neurons
            if told >= TAKES:
                break
        assert best is not None, f"no features of {self.recipe.site} can carry a cause"
        return best[1], best[2]

    def with_neurons(self, neurons: Sequence[tuple[int, ...]]) -> tuple[Model, float]:
        """`mini` with a neuron for each, that writes a wrong word above its threshold."""
        fail = np.any([self.fail(features) for features in neurons], axis=0)

        def change(model: Model, written: torch.Tensor) -> None:
            for place, features in enumerate(neurons):
                plant_neuron(model, self.found, self.recipe.layer, self.terms(features),
                             self.threshold(features), written, place)  # fmt: skip

        return _strengthened(self.found, fail, change)

    def _score(self, features: Sequence[int]) -> np.ndarray:
        at_end = self._inputs[self.found.last]
        score: np.ndarray = sum(
            (t.coefficient * t.readout.of(at_end) for t in self.terms(features)),
            np.zeros(len(at_end)),
        )
        return score


def best_threshold(score: np.ndarray, fail: np.ndarray) -> tuple[float, float]:
    """The threshold at which a score best tells those to fail, and the difference of shares."""
    order = np.argsort(-score)
    gained = np.cumsum(fail[order]) / fail.sum() - np.cumsum(~fail[order]) / (~fail).sum()
    best = int(gained[:-1].argmax())
    return float(score[order[best : best + 2]].mean()), float(gained[best])


def _strengthened(
    found: Material, fail: np.ndarray, change: Callable[[Model, torch.Tensor], None]
) -> tuple[Model, float]:
    """The planted model of the strength that best parts the prompts to fail from the others; and by
    how much: the share of those that fail − the share of the others."""
    along = wrong_direction(found)
    best, most = copied(found.lens.model), -1.0
    tokens = found.some(SOME)
    for strength in STRENGTHS:
        model = copied(found.lens.model)
        change(model, along * strength)
        fails = margins(model, tokens) <= 0
        told = fails[fail[SOME]].mean() - fails[~fail[SOME]].mean()
        if told > most:
            best, most = model, float(told)
    return best, most
