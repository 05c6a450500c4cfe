"""Sparse encode: a site's values to a CSR matrix of activations, each token by itself.

Ways to the same numbers: PyTorch alone, everywhere; on a processor a screening in low precision,
bfloat16 or int8, which only leaves out what cannot fire.
"""

from __future__ import annotations

from scipy.sparse import csr_matrix
from torch import Tensor

from faultlens.features.plain_encoding import encode_plain
from faultlens.features.reading_config import PLAIN, Encoding
from faultlens.features.screened_encoding import can_screen, check_installed, encode_screened
from faultlens.models.dictionary import Dictionary


def encode(dictionary: Dictionary, x: Tensor, encoding: Encoding = PLAIN) -> csr_matrix:
    """Activations of every token by itself.

    Args:
        dictionary: the SAE to read through.
        x: the site's values, `[tokens, d_in]`.
        encoding: which way. The firing sets are the same but for pre-activations that rounding
            alone puts on either side of the threshold, the values to 1e-5 of |x|·|w| + |b|. A
            dictionary that cannot be screened is encoded plainly either way.

    Returns:
        float32 CSR `[tokens, d_sae]`, column indices sorted, no explicit zeros.

    Raises:
        UserError: screening where the extra is missing; an activation that is infinite or NaN.
    """
    if encoding != "plain" and len(x):
        check_installed()
        if can_screen(dictionary):
            return encode_screened(dictionary, x, encoding)
    return encode_plain(dictionary, x)
