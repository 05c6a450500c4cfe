"""The verbs: what they do before and after the study that they start."""

from __future__ import annotations

import inspect
from dataclasses import fields, replace

import pytest

import faultlens as fl
from faultlens.corpus.answers import Answers
from faultlens.corpus.texts import Corpus
from faultlens.features.lens import NOT_CHECKED, Lens
from faultlens.models.load import load_model
from faultlens.models.model_config import ModelConfig


@pytest.fixture(scope="module")
def lens() -> Lens:
    return fl.load("mini", layers=[3])


def ill_fitting(lens: Lens) -> Lens:
    """The same with a decoder that writes every direction the wrong way round."""
    dictionary = lens.dictionaries[0]
    return Lens(lens.model, (replace(dictionary, W_dec=-dictionary.W_dec),))


def corpus() -> Corpus:
    texts = ["Tom met Mary.", "Mary met Tom.", "x = y + 1", "print(x)"]
    return Corpus("two", tuple(texts), ("prose", "prose", "code", "code"))


def test_a_profile_starts_with_the_fit_check_or_says_that_it_was_left_out(lens: Lens) -> None:
    with pytest.raises(fl.UserError, match="3-res-mini"):
        fl.profile(ill_fitting(lens), corpus(), permutations=99)
    assert fl.profile(lens, corpus(), permutations=99).warnings == []
    unchecked = fl.profile(ill_fitting(lens), corpus(), permutations=99, fit_check=False)
    assert unchecked.warnings == [NOT_CHECKED]
    tables = lens.read(corpus().texts)
    assert fl.profile(tables, corpus(), permutations=99, fit_check=False).warnings == []


def test_an_audit_does_so_too_where_it_reads_through_a_lens(lens: Lens) -> None:
    task = fl.tasks.mini_ioi(n=40, seed=0)
    quick = {"permutations": 99, "baselines": False, "test_classes": 0, "test_attributed": 0}
    with pytest.raises(fl.UserError, match="3-res-mini"):
        fl.audit(ill_fitting(lens), task, **quick)
    answers = Answers(task, (None,) * 40, (True, False) * 20)
    with pytest.raises(fl.UserError, match="3-res-mini"):
        fl.audit(ill_fitting(lens), answers, **quick)
    assert NOT_CHECKED not in fl.audit(lens, answers, **quick).warnings
    for asked in (task, answers):
        assert fl.audit(lens, asked, fit_check=False, **quick).warnings[-1] == NOT_CHECKED
    assert NOT_CHECKED not in fl.audit(None, answers, fit_check=False, **quick).warnings


def test_what_names_a_model_are_the_arguments_that_load_it() -> None:
    """The fields of `ModelConfig` are handed over by their names; threads are PyTorch's."""
    chosen_by_commands = {"light"}
    taken = set(inspect.signature(load_model).parameters) - {"name"} - chosen_by_commands
    assert {field.name for field in fields(ModelConfig)} - {"model", "threads"} == taken
