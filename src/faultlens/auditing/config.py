"""How an audit is carried out: one small record a stage, every default in one place.

`fl.audit` and `faultlens audit` take the same fields as flat keywords and options; the sentence
under each field is its documentation in both. This module imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from faultlens.checks import check_choice, check_flag, check_names, check_probability, check_whole
from faultlens.config import ALPHA, PERMUTATIONS, SEED, configured
from faultlens.errors import UserError
from faultlens.features.reading_config import ReadingConfig

Folds = Literal["repeated", "study"]
LeftOutLevels = Literal["quick", "strict"]


@dataclass(frozen=True)
class FeatureTestConfig:
    """How features are tested against the outcome."""

    min_support: int = 5
    """Least number of prompts on which a feature must fire to be tested."""
    permutations: int = PERMUTATIONS
    """Random outcome vectors behind each permutation test, at least 99."""
    strata: tuple[str, ...] = ()
    """Factors to hold constant beside those that forward selection keeps, by name."""

    def __post_init__(self) -> None:
        check_whole("min_support", self.min_support, 1)
        check_whole("permutations", self.permutations, 99)
        check_names("strata", self.strata, "object")


@dataclass(frozen=True)
class LadderConfig:
    """How the baseline ladder is climbed: what predicts failure on held-out prompts."""

    baselines: bool = True
    """Whether to climb the ladder, which takes about a sixth of an audit's time."""
    folds: Folds = "repeated"
    """`repeated`: stratified five-fold cross-validation, repeated, tuned inside the folds;
    `study`: the reference study's one split and its untuned model."""
    repeats: int = 10
    """Repeats of the five folds, under `repeated`."""
    left_out: LeftOutLevels = "quick"
    """How levels of a factor are held out: `quick` for the factors, the residual and all features;
    `strict` for every rung, and prompts that belong with those held out are not trained on either,
    which takes several times as long."""

    def __post_init__(self) -> None:
        check_flag("baselines", self.baselines)
        check_choice("folds", self.folds, get_args(Folds))
        check_whole("repeats", self.repeats, 1)
        check_choice("left_out", self.left_out, get_args(LeftOutLevels))


@dataclass(frozen=True)
class InterventionConfig:
    """Which feature sets are tested by intervening in the model. Only where there is one."""

    test_classes: int = 3
    """Number of classes to test by intervening, 0 for none: those that forward selection over
    classes takes, then the most certain others."""
    test_attributed: int = 1
    """Number of features to test beside them: of those that attribution expects most of, those that
    move the margin most when they are set to normal; 0: nothing is attributed."""
    stop_early: bool = True
    """Whether a test draws no more controls once it can no longer be significant, by itself or
    after Holm's correction beside the others."""
    random_decoder: bool = False
    """Also test everything with random directions in the place of the dictionaries' decoders: what
    is shown of such features is not owed to what a dictionary learnt."""
    test_features: tuple[str, ...] = ()
    """Features to test whatever the statistics say: `SITE/INDEX`; those joined by `+` are changed
    together."""

    def __post_init__(self) -> None:
        check_whole("test_classes", self.test_classes, 0)
        check_whole("test_attributed", self.test_attributed, 0)
        check_flag("stop_early", self.stop_early)
        check_flag("random_decoder", self.random_decoder)
        check_names("test_features", self.test_features, "3-res-mini/808")


@dataclass(frozen=True)
class ChatConfig:
    """How a chat model is asked. Only where a task is run."""

    chat: bool = False
    """Give each prompt to the model as a user's message, through its own chat template. Prompts
    that are conversations (`messages`) always go through it."""
    system: str | None = None
    """System prompt of every conversation; by default the one that the template puts in, if any."""

    def __post_init__(self) -> None:
        check_flag("chat", self.chat)
        if self.system is not None and not isinstance(self.system, str):
            raise UserError(f"system {self.system!r}: expected a text")


@dataclass(frozen=True)
class AnswerReadingConfig:
    """How prompts that were answered elsewhere are read through a model."""

    with_answer: bool = False
    """Read features from each prompt with what was generated after it, not from the prompt alone.
    Nothing is then tested by intervening: the answer is there already."""

    def __post_init__(self) -> None:
        check_flag("with_answer", self.with_answer)


@dataclass(frozen=True)
class AuditConfig:
    """How an audit is carried out."""

    rule: str | Callable[[str, str], bool] | None = None
    """What counts as success: by what is generated `exact-word`, `first-token`, `named-later` or
    `contains`; by the logits `target-over-foil` or `target-likeliest`; in Python also a function
    `(generated, target) -> bool`. By default what the answers themselves say, else the task's own
    rule, else `exact-word`."""
    groups: tuple[str, ...] = ()
    """Columns whose values belong together, e.g. the document that prompts are about: labels are
    permuted by group and folds keep groups whole. By default what the task declares; prompts that
    are nearly the same are grouped as well. `none`: every prompt stands by itself."""
    alpha: float = ALPHA
    """Level of every test that decides, a probability between 0 and 1."""
    seed: int = SEED
    """Of the permutations, the folds and the random controls: 0 to 2³¹ − 1."""
    conversation: ChatConfig = field(default_factory=ChatConfig)
    """How a chat model is asked."""
    reading: ReadingConfig = field(default_factory=ReadingConfig)
    """How prompts are read through the dictionaries."""
    tests: FeatureTestConfig = field(default_factory=FeatureTestConfig)
    """How features are tested against the outcome."""
    ladder: LadderConfig = field(default_factory=LadderConfig)
    """How the baseline ladder is climbed."""
    interventions: InterventionConfig = field(default_factory=InterventionConfig)
    """Which feature sets are tested by intervening."""
    answers: AnswerReadingConfig = field(default_factory=AnswerReadingConfig)
    """How prompts that were answered elsewhere are read."""

    def __post_init__(self) -> None:
        if self.rule is not None and not isinstance(self.rule, str) and not callable(self.rule):
            raise UserError(
                f"rule {self.rule!r}: expected a rule's name, or a function (generated, target) -> "
                "bool"
            )
        if isinstance(self.rule, str):
            from faultlens.auditing.behaviour.outcomes import resolve_rule

            resolve_rule(self.rule)
        check_names("groups", self.groups, "document")
        check_probability("alpha", self.alpha)
        check_whole("seed", self.seed, 0, 2**31 - 1)

    @classmethod
    def of(cls, **options: Any) -> AuditConfig:
        """A config with some fields, of any of its stages, set by flat keywords.

        Raises UserError for a keyword that no stage has, and for a value that its stage refuses.

        >>> AuditConfig.of(permutations=999, test_features=["3-res-mini/808"]).tests.permutations
        999
        """
        return configured(cls(), options, "an audit")
