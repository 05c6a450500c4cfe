"""Importing without looking for garbage, and that Python looks for it again afterwards."""

from __future__ import annotations

import gc

import pytest

from faultlens.importing import uncollected


def test_python_does_not_look_for_garbage_within_and_does_afterwards() -> None:
    assert gc.isenabled()
    with uncollected():
        assert not gc.isenabled()
        with uncollected():
            pass
        assert not gc.isenabled(), "the inner one left it as it found it"
    assert gc.isenabled()


def test_an_import_that_fails_leaves_it_on_too() -> None:
    with pytest.raises(ImportError, match="no such library"), uncollected():
        raise ImportError("no such library")
    assert gc.isenabled()
