"""How long the baseline ladder takes: `python benchmarks/ladder.py`.

Target: 300 prompts, 24,576 features at 2 % density, under 60 s on 2 cores. The inputs are noise of
the reference study's shape, on which tuning and fitting are no quicker than elsewhere.
"""

from __future__ import annotations

import time
from collections import defaultdict

from calibration_ladder import noise_audit

from faultlens.auditing.config import LadderConfig
from faultlens.auditing.held_out.ladder import build_ladder
from faultlens.progress import Tick


class Stopwatch:
    """Seconds of each stage, from its start to the last tick."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def start(self, stage: str, total: int) -> Tick:
        began = time.perf_counter()

        def tick(done: int) -> None:
            self.seconds[f"{stage} ({total})"] = time.perf_counter() - began

        return tick


def main() -> None:
    audit = noise_audit(seed=0)
    watch = Stopwatch()
    began = time.perf_counter()
    rungs = build_ladder(**audit, config=LadderConfig(), progress=watch).baselines
    print(f"whole ladder {time.perf_counter() - began:6.1f} s")
    for stage, seconds in watch.seconds.items():
        print(f"  {stage:<22} {seconds:6.1f} s")
    for name, rung in rungs.items():
        print(f"  {name:<18} {rung.auroc:.3f} [{rung.low}, {rung.high}]")


if __name__ == "__main__":
    main()
