"""How dictionaries fit with the first position too, which the fit check leaves out.

There stands a start token, or the first token of the text; many models use it as an attention sink,
whose value is so long that it decides a fraction of variance unexplained by itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch


@torch.no_grad()
def fit_with_first(folder: Path, trained: Path) -> dict[str, dict[str, Any]]:
    """By dictionary, on `faultlens doctor`'s text: FVU and L0 over all positions from the first on.

    Args:
        folder: of the model.
        trained: of its dictionaries.

    Returns:
        `positions`; `first`, how many of them are first ones; `norm_ratio`, the median norm there
        over the median norm elsewhere; `fvu` and `l0` of all.
    """
    import faultlens as fl
    from faultlens.models.fit import sample_rows
    from faultlens.models.reconstruction import Reconstruction
    from faultlens.models.start_ids import ids_in_front

    lens = fl.load(str(folder), sae=str(trained), sites=["all"]).unchecked()
    model, found = lens.model, {}
    rows = sample_rows(model)
    for dictionary in lens.dictionaries:
        before = ids_in_front(model, dictionary.convention)
        read = [
            model.read(torch.tensor([[*before, *row]]), [dictionary.site])[dictionary.site][0]
            for row in rows
        ]
        values = torch.cat(read)
        is_first = torch.cat([torch.arange(len(value)) == 0 for value in read])
        seen, norms = Reconstruction(dictionary), values.norm(dim=1)
        seen.add(values, values, ~is_first)
        found[dictionary.name] = {
            "positions": seen.tokens,
            "first": int(is_first.sum()),
            "norm_ratio": float(norms[is_first].median() / norms[~is_first].median()),
            "fvu": seen.fvu_all,
            "l0": seen.l0_all,
        }
    return found
