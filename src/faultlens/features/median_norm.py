"""The median norm of a site's values: what a massive activation is measured by.

It is that of a sample of natural text which comes with FaultLens, so that what is read in a text
depends on no other text. Only a ratio tells: in some models the median itself grows a thousandfold
from the first layer to the last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

import numpy as np

from faultlens.errors import UserError
from faultlens.features.packing import pack
from faultlens.features.reading import read_values
from faultlens.features.shapes import Shapes
from faultlens.features.text_tokens import TextTokens
from faultlens.models.fit import sample_rows
from faultlens.models.model import Model
from faultlens.models.sites import Site

TOKENS = 512  # of the sample


def median_norms(
    model: Model, sites: Sequence[Site], bos_ids: Sequence[int], shapes: Shapes
) -> Mapping[Site, float]:
    """By site, the median norm over tokens of the sample; read once for a model.

    Args:
        sites: whose values are measured.
        bos_ids: what goes in front of each text: BOS, or nothing.

    Returns:
        empty where the model's tokenizer cannot read the sample: then nothing is told by a norm.
    """
    known = _KNOWN.setdefault(model, {}).setdefault(tuple(bos_ids), {})
    new = list({site for site in sites if site not in known})
    if new:
        try:
            rows = sample_rows(model, TOKENS)
        except UserError:
            return {}
        texts = [TextTokens((np.array(row, np.int32),)) for row in rows]
        norms: dict[Site, list[np.ndarray]] = {site: [] for site in new}
        for packed in pack([[len(text)] for text in texts], len(bos_ids), shapes.budget, 0):
            mine = [texts[text] for text in packed.texts]
            for values in read_values(model, new, packed, mine, bos_ids):
                for site in new:
                    norms[site].append(values[site].float().norm(dim=-1).cpu().numpy())
        known.update({site: float(np.median(np.concatenate(norms[site]))) for site in new})
    return {site: known[site] for site in sites}


_KNOWN: WeakKeyDictionary[Model, dict[tuple[int, ...], dict[Site, float]]] = WeakKeyDictionary()
