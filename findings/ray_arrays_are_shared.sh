#!/usr/bin/env bash
# ray 2.60.0, torch 2.13.0, numpy 2: a task can change the array that it was given, for every other task.
#
# Ray hands an array of a task's arguments over as a read-only view of memory that all workers of a
# machine share. NumPy keeps to it: `a += 1` raises. torch.from_numpy does not: it warns once a
# process, and an in-place operation then writes through the view. The next task, and the driver's
# ray.get of the same reference, see the changed numbers. What suffers is what is usual in this field:
# activations are put once (ray.put), and each task centres or scales its own view (`x -= mean`).
#
# FaultLens pickles what goes to a worker itself, so that each side holds arrays of its own
# (src/faultlens/scale/ray_workers.py; tests/scale/test_ray.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ray==2.60.0 torch==2.13.0 numpy==2.4.6
cd "$folder"
RAY_USAGE_STATS_ENABLED=0 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import numpy as np
import ray

ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")


@ray.remote
def in_numpy(values):
    try:
        values -= 1
    except ValueError as error:
        return str(error)
    return "changed"


@ray.remote
def in_torch(values):
    import torch

    torch.from_numpy(values).sub_(1)
    return float(values.mean())


shared = ray.put(np.zeros(1_000_000, np.float32))
refusal = ray.get(in_numpy.remote(shared))
means = [ray.get(in_torch.remote(shared)) for _ in range(3)]
left = float(ray.get(shared).mean())
print(f"NumPy in place: {refusal}; torch in place, three tasks on one array of zeros: {means}; "
      f"what ray.get then gives the driver: {left}")
ray.shutdown()
assert "read-only" in refusal and means == [-1.0, -2.0, -3.0] and left == -3.0, "this has changed"
PYTHON
