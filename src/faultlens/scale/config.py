"""Who does the work of a command. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from faultlens.checks import check_whole
from faultlens.errors import UserError
from faultlens.scale.workers import ALONE, Workers

MOST_WORKERS = 100_000


@dataclass(frozen=True)
class SpreadConfig:
    """The workers."""

    ray: str | None = None
    """Spread the work over a Ray cluster (the extra `ray`): its address, or `auto`, which takes the
    cluster that this machine belongs to and otherwise starts one of its own processors. The result
    is the same to the byte."""
    workers: int | None = None
    """Workers on the cluster; by default one for every `threads` processors (or GPU) it has. Each
    loads the model once."""

    def __post_init__(self) -> None:
        if self.workers is not None:
            check_whole("workers", self.workers, 1, MOST_WORKERS)
            if self.ray is None:
                raise UserError(f"--workers {self.workers} needs a Ray cluster: name it with --ray")

    @contextmanager
    def opened(self, threads: int | None, device: str) -> Iterator[Workers]:
        """The workers that are asked for, let go when the block ends.

        Args:
            threads: of PyTorch in each; None: one.
            device: where each has its model, e.g. `cuda`.

        Raises:
            UserError: Ray is not installed, or there is no cluster of that address.
        """
        if self.ray is None:
            yield ALONE
            return
        from faultlens.scale.ray_workers import ray_workers

        on_gpu = device.startswith("cuda")
        with ray_workers(self.ray, self.workers, threads or 1, on_gpu) as workers:
            yield workers
