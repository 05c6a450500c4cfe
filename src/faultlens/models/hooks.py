"""Hooks: a function that replaces the value at one tap.

The function sees and returns float32, whatever the model runs in. One that returns the tensor it
was given leaves the pass bit for bit as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from faultlens.models.adapter import Tap
from faultlens.models.sites import Site

SiteHook = Callable[[Tensor], Tensor]
"""Replaces the value at a site: float32 `[batch, positions, d]` in, the same shape out."""


@dataclass(frozen=True, eq=False)
class Keep:
    """An edit that changes nothing, and keeps a copy of the value: some blocks write over it.

    Attributes:
        site: where it stands.
        values: where the copy is put, by site.
        check: sees the value first; may refuse it.
    """

    site: Site
    values: dict[Site, Tensor]
    check: Callable[[Tensor, Site], None]

    def __call__(self, value: Tensor) -> Tensor:
        self.check(value, self.site)
        self.values[self.site] = value.detach().clone()
        return value


@dataclass(frozen=True, eq=False)
class KeepSteps(Keep):
    """The same of passes that follow each other, such as decoding: their columns side by side."""

    def __call__(self, value: Tensor) -> Tensor:
        self.check(value, self.site)
        before = self.values.get(self.site)
        parts = [value.detach()] if before is None else [before, value.detach()]
        self.values[self.site] = torch.cat(parts, dim=1)
        return value


def changed(edits: Mapping[Site, SiteHook]) -> bool:
    """Whether any of the edits can change a value."""
    return any(not isinstance(edit, Keep) for edit in edits.values())


@contextmanager
def edited(
    taps: Mapping[Site, Tap],
    edits: Mapping[Site, SiteHook],
    then: Callable[[], None] | None = None,
) -> Iterator[None]:
    """Within this context the value at each site is what its edit returns.

    Args:
        taps: where the value at each site passes.
        edits: of the same sites.
        then: called after each edit.

    Raises:
        RuntimeError: on leaving normally, if a hook never ran.
    """
    ran: set[Site] = set()
    handles = []

    def noting(site: Site) -> SiteHook:
        def edit(value: Tensor) -> Tensor:
            ran.add(site)
            new = edits[site](value)
            if then is not None:
                then()
            return new

        return edit

    try:
        # In the order of the pass: two hooks on one module run in the order they were placed.
        for site in sorted(edits, key=lambda site: site.depth):
            handles.append(place(taps[site], noting(site)))
        yield
    finally:
        for handle in handles:
            handle.remove()
    _refuse_silent(site for site in edits if site not in ran)


def refuse_left_out(edits: Mapping[Site, SiteHook], layer: int) -> None:
    """Raises RuntimeError for an edit before `layer`, where a pass that starts there never goes."""
    _refuse_silent(site for site in edits if site.layer < layer)


def _refuse_silent(sites: Iterable[Site]) -> None:
    """An edit that did nothing would pass for a measurement."""
    names = [site.name for site in sites]
    if names:
        raise RuntimeError(f"hooks that never ran: {', '.join(names)}")


def place(tap: Tap, edit: SiteHook) -> RemovableHandle:
    """Put `edit` at `tap`; transformers' modules return a tensor or a tuple that starts with it."""
    if tap.side == "input":
        return _at_input(tap, edit)
    if tap.side == "output":
        return _at_output(tap, edit)
    return _before_gain(tap, edit)


def _at_input(tap: Tap, edit: SiteHook) -> RemovableHandle:
    def hook(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        x: Tensor = args[0]
        if not tap.shared:
            return (_edited(x, edit), *args[1:])
        # The skip connection holds this very tensor: writing into it reaches both ways on. The
        # edit is given a copy, so that what autograd keeps for it is not written over.
        new = _edited(x.clone(), edit)
        x.copy_(new)
        return None

    return tap.module.register_forward_pre_hook(hook)


def _at_output(tap: Tap, edit: SiteHook) -> RemovableHandle:
    def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        if isinstance(output, tuple):
            return (_edited(output[0], edit, tap.scale), *output[1:])
        return _edited(output, edit, tap.scale)

    return tap.module.register_forward_hook(hook)


def _before_gain(tap: Tap, edit: SiteHook) -> RemovableHandle:
    assert tap.gain is not None
    gain = tap.gain

    def hook(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
        normalized = gain.normalize(module, args[0]).float()
        new = edit(normalized)
        if new is normalized:
            return output
        return gain.scale(module, new.to(output.dtype)).to(output.dtype)

    return tap.module.register_forward_hook(hook)


def _edited(x: Tensor, edit: SiteHook, scale: float = 1.0) -> Tensor:
    if scale == 1.0:
        return edit(x.float()).to(x.dtype)
    value = x.float() * scale
    new = edit(value)
    return x if new is value else (new / scale).to(x.dtype)
