"""Sites: the named points of a forward pass at which a dictionary reads.

The names are TransformerLens's (`blocks.8.hook_resid_pre`), so that a site written in a SAELens
configuration, a paper or a Neuronpedia page means the same here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from faultlens.errors import UserError

# point -> (name of its TransformerLens hook within the block, short name used in dictionary names);
# in the order in which a sequential block computes them.
POINTS: dict[str, tuple[str, str]] = {
    "resid_pre": ("hook_resid_pre", "res"),
    "z": ("attn.hook_z", "z"),  # what the heads say, concatenated, before the output projection
    "attn_out": ("hook_attn_out", "att"),
    "resid_mid": ("hook_resid_mid", "mid"),
    "mlp_normalized": ("ln2.hook_normalized", "norm"),  # the MLP's norm before its gain
    "mlp_in": ("mlp.hook_in", "mlpin"),  # what the MLP reads: the norm with its gain
    "mlp_out": ("hook_mlp_out", "mlp"),
    "resid_post": ("hook_resid_post", "post"),
}
RESIDUAL = frozenset({"resid_pre", "resid_mid", "resid_post"})
"""The points at which the whole residual stream passes."""
MASSIVE = 10.0
"""Times the median norm at a site beyond which a token's value is a massive activation."""
_ORDER = tuple(POINTS)
_POINT_OF_HOOK = {hook: point for point, (hook, _) in POINTS.items()}
_NAME = re.compile(r"blocks\.([0-9]{1,6})\.(.+)")


@dataclass(frozen=True)
class Site:
    """A point of the forward pass: `layer` counts blocks from 0, `point` is a key of `POINTS`."""

    layer: int
    point: str

    @property
    def name(self) -> str:
        """The TransformerLens name, e.g. `blocks.3.hook_attn_out`."""
        return f"blocks.{self.layer}.{POINTS[self.point][0]}"

    @property
    def short(self) -> str:
        """The start of a dictionary's name, e.g. `3-att`."""
        return f"{self.layer}-{POINTS[self.point][1]}"

    @property
    def depth(self) -> tuple[int, int]:
        """Sorts sites in the order in which a forward pass reaches them."""
        return self.layer, _ORDER.index(self.point)

    @classmethod
    def parse(cls, name: str) -> Site:
        """Read a TransformerLens hook name. Raises UserError for a name that is no known site."""
        match = _NAME.fullmatch(name)
        if match is None or match[2] not in _POINT_OF_HOOK:
            known = ", ".join(f"blocks.N.{hook}" for hook in _POINT_OF_HOOK)
            raise UserError(f"unknown site {name!r}: expected one of {known}")
        return cls(int(match[1]), _POINT_OF_HOOK[match[2]])
