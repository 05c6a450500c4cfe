"""Random decoder: a dictionary that fires as the real one does and writes at random."""

from __future__ import annotations

from dataclasses import replace

import torch

from faultlens.models.dictionary import Dictionary


def with_random_decoder(dictionary: Dictionary, seed: int) -> Dictionary:
    """The dictionary with random directions in the place of its decoder's, each of its length.

    What is shown of such features is owed to where they fire and how strongly, not to what they
    write.
    """
    W_dec = dictionary.W_dec
    drawn = torch.randn(W_dec.shape, generator=torch.Generator().manual_seed(seed))
    drawn = (drawn / drawn.norm(dim=1, keepdim=True)).to(W_dec)
    return replace(dictionary, W_dec=drawn * W_dec.norm(dim=1, keepdim=True))
