"""TransformerLens and SAELens as this field runs them, with the warnings that they give."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def quietly() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def hooked_gpt2() -> Any:
    """`HookedTransformer` on processed weights: folded norms, centred writing weights."""
    with quietly():
        from transformer_lens import HookedTransformer

        return HookedTransformer.from_pretrained(
            "gpt2", center_writing_weights=True, device="cpu", local_files_only=True
        )


def registry_sae(release: str, sae_id: str) -> Any:
    """An SAE of SAELens's registry, loaded by SAELens."""
    with quietly():
        from sae_lens import SAE

        return SAE.from_pretrained(release, sae_id, device="cpu")
