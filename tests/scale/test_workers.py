"""Who does jobs: this process in order, and what must not be done by two threads at once is not."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from faultlens.scale.workers import ALONE, one_at_a_time


def test_this_process_does_one_job_after_the_other() -> None:
    begun: list[int] = []
    assert list(ALONE.in_order(lambda: begun.append(1) or abs, [-3, 2, -1])) == [3, 2, 1]
    assert begun == [1], "a worker is made ready once"


def test_a_model_is_used_by_one_thread_at_a_time() -> None:
    inside, most = [0], [0]

    def work(job: int) -> int:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.01)
        inside[0] -= 1
        return threading.get_ident()

    def greatest(call: object) -> int:
        most[0] = 0
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(call, range(4)))  # type: ignore[arg-type]
        return most[0]

    assert greatest(work) == 2 and greatest(one_at_a_time(work)) == 1
