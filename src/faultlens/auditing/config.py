"""How an audit is carried out: one small record a stage, every default in one place.

`fl.audit` and `faultlens audit` take the same fields as flat keywords and options; the sentence
under each field is its documentation in both. This module imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import Any, Literal, get_args

from faultlens.errors import UserError

Folds = Literal["repeated", "study"]


@dataclass(frozen=True)
class ReadingConfig:
    """How prompts are read through the dictionaries."""

    pooling: str = "max"
    """How a prompt's token activations become one number for each feature: `max`, `mean`, `sum`,
    `last` or `last-K`. Without effect on tables."""
    fit_check: bool = True
    """Check first that the dictionaries fit the model; a result says so where it was left out.
    Without effect on tables."""

    def __post_init__(self) -> None:
        if self.pooling != "max":  # the parser's module loads SciPy, which --help does without
            from faultlens.features.pooling import Pooling

            Pooling.parse(self.pooling)


@dataclass(frozen=True)
class FeatureTestConfig:
    """How features are tested against the outcome."""

    min_support: int = 5
    """Least number of prompts on which a feature must fire to be tested."""
    permutations: int = 10_000
    """Random outcome vectors behind each permutation test, at least 99."""
    strata: tuple[str, ...] = ()
    """Factors to hold constant beside those that forward selection keeps, by name."""

    def __post_init__(self) -> None:
        _check_whole("min_support", self.min_support, 1)
        _check_whole("permutations", self.permutations, 99)
        _check_names("strata", self.strata, "object")


@dataclass(frozen=True)
class LadderConfig:
    """How the baseline ladder is climbed: what predicts failure on held-out prompts."""

    baselines: bool = True
    """Whether to climb the ladder, which takes most of the time."""
    folds: Folds = "repeated"
    """`repeated`: stratified five-fold cross-validation, repeated, tuned inside the folds;
    `study`: the reference study's one split and its untuned model."""
    repeats: int = 10
    """Repeats of the five folds, under `repeated`."""

    def __post_init__(self) -> None:
        if self.folds not in get_args(Folds):
            raise UserError(f"unknown folds {self.folds!r}: expected repeated or study")
        _check_whole("repeats", self.repeats, 1)


@dataclass(frozen=True)
class InterventionConfig:
    """Which feature sets are tested by intervening in the model. Only where a task is run."""

    test_classes: int = 3
    """Number of significant classes to test by intervening, the most certain first; 0: none."""
    test_attributed: int = 1
    """Number of features to test because attribution ranks them first, over all sites; 0: nothing
    is attributed."""
    test_features: tuple[str, ...] = ()
    """Features to test whatever the statistics say: `SITE/INDEX`; those joined by `+` are changed
    together."""

    def __post_init__(self) -> None:
        _check_whole("test_classes", self.test_classes, 0)
        _check_whole("test_attributed", self.test_attributed, 0)
        _check_names("test_features", self.test_features, "3-res-mini/808")


@dataclass(frozen=True)
class AuditConfig:
    """How an audit is carried out, stage by stage."""

    rule: str | Callable[[str, str], bool] | None = None
    """What counts as success: `exact-word`, `first-token`, `named-later`, `contains`, or a function
    `(generated, target) -> bool`. None: what the answers say, else `exact-word`."""
    alpha: float = 0.05
    """Level of every test that decides, a probability between 0 and 1."""
    seed: int = 0
    """Of the permutations, the folds and the random controls: 0 to 2³¹ − 1."""
    reading: ReadingConfig = field(default_factory=ReadingConfig)
    """How prompts are read through the dictionaries."""
    tests: FeatureTestConfig = field(default_factory=FeatureTestConfig)
    """How features are tested against the outcome."""
    ladder: LadderConfig = field(default_factory=LadderConfig)
    """How the baseline ladder is climbed."""
    interventions: InterventionConfig = field(default_factory=InterventionConfig)
    """Which feature sets are tested by intervening."""

    def __post_init__(self) -> None:
        if self.rule is not None and not isinstance(self.rule, str) and not callable(self.rule):
            raise UserError(
                f"rule {self.rule!r}: expected a rule's name, or a function (generated, target) -> "
                "bool"
            )
        if not isinstance(self.alpha, Real) or not 0 < self.alpha < 1:
            raise UserError(f"alpha {self.alpha!r}: expected a number between 0 and 1, e.g. 0.05")
        _check_whole("seed", self.seed, 0, 2**31 - 1)

    @classmethod
    def of(cls, **options: Any) -> AuditConfig:
        """The config with some fields set by flat keywords, of whatever stage.

        Raises UserError for a keyword that no stage has, and for a value that its stage refuses.

        >>> AuditConfig.of(permutations=999, test_features=["3-res-mini/808"]).tests.permutations
        999
        """
        given = {name: _frozen(value) for name, value in options.items()}
        stages: dict[str, Any] = {}
        for name, stage in STAGES.items():
            own = [f.name for f in fields(stage) if f.name in given]
            stages[name] = stage(**{option: given.pop(option) for option in own})
        own = [f.name for f in fields(cls) if f.name in given and f.name not in STAGES]
        whole = {option: given.pop(option) for option in own}
        if given:
            raise UserError(
                f"an audit has no option {next(iter(given))!r}: expected one of "
                f"{', '.join(option_names())}"
            )
        return cls(**whole, **stages)


STAGES: dict[str, type[Any]] = {
    "reading": ReadingConfig,
    "tests": FeatureTestConfig,
    "ladder": LadderConfig,
    "interventions": InterventionConfig,
}
"""The stages' records, by the field of `AuditConfig` that holds them."""


def option_names() -> list[str]:
    """The flat names of all options, in the order of the stages; no two stages share one."""
    whole = [f.name for f in fields(AuditConfig) if f.name not in STAGES]
    return whole + [f.name for stage in STAGES.values() for f in fields(stage)]


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _check_whole(name: str, value: Any, least: int, most: int | None = None) -> None:
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        span = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise UserError(f"{name} {value!r}: expected a whole number {span}")


def _check_names(name: str, value: Any, example: str) -> None:
    listed = isinstance(value, tuple | list)
    if not listed or not all(isinstance(item, str) for item in value):
        raise UserError(f"{name} {value!r}: expected a list of names, e.g. [{example!r}]")
