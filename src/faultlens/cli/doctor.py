"""`faultlens doctor`: does a dictionary fit its model?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultlens.cli import options as o
from faultlens.cli.screen import progress_bars, say, say_json
from faultlens.errors import UserError

if TYPE_CHECKING:
    from faultlens.models.fit import Fit

MOST_UNEXPLAINED = 0.5


def doctor(
    model: o.ModelName = "mini",
    sae: o.SaeName = None,
    layers: o.Layers = None,
    sites: o.Sites = None,
    json: o.AsJson = False,
) -> None:
    """How well each dictionary reconstructs its model, on the bundled sample of natural text."""
    import faultlens as fl
    from faultlens.models.fit import measure_fit, sample_rows

    fits: dict[str, Fit] = {}
    with progress_bars() as bars:
        lens = fl.load(model, sae, o.parse_layers(layers), o.parse_sites(sites))
        rows = sample_rows(lens.model)
        tick = bars.start("Measuring the fit", len(lens.dictionaries))
        for dictionary in lens.dictionaries:
            fits[dictionary.name] = measure_fit(lens.model, dictionary, rows)
            tick(1)
    for name, fit in fits.items():
        if fit.fvu > MOST_UNEXPLAINED:
            raise UserError(
                f"dictionary {name} leaves {fit.fvu:.0%} of the variance of {lens.model.name} at "
                f"{lens[name].site.name} unexplained, expected at most {MOST_UNEXPLAINED:.0%}: it "
                "was trained on another model, site or convention"
            )
    if json:
        say_json({name: fit.to_dict() for name, fit in fits.items()})
    else:
        say(_lines(fits))


def _lines(fits: dict[str, Fit]) -> list[str]:
    tokens = next(iter(fits.values())).tokens
    width = max(map(len, fits))
    return [
        f"On {tokens:,} tokens of natural text, BOS left out:",
        *(
            f"  {name:<{width}}  FVU {fit.fvu:.3f}  L0 {fit.l0:5.1f}  "
            f"{fit.firing_share:4.0%} of features fire  loss recovered "
            f"{fit.recovered_from_mean:.3f} (mean ablation), {fit.recovered_from_zero:.3f} (zero)"
            for name, fit in fits.items()
        ),
    ]
