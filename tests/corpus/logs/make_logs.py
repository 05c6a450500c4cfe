"""Makes evaluation logs with inspect_ai and with lm-eval, offline, on `mini`, in one process.

    python make_logs.py MODEL_FOLDER OUT

Writes into OUT/inspect_ai and OUT/lm_eval. The two share the imports, which take longest.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

OUT = Path(sys.argv[2])
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
os.environ |= {"HF_HOME": str(OUT / "lm_eval" / "cache")}
os.environ |= {"INSPECT_LOG_LEVEL": "error", "LMEVAL_LOG_LEVEL": "ERROR"}

import make_inspect_logs  # noqa: E402  (the harnesses read the environment as they load)
import make_lm_eval_logs  # noqa: E402


def main() -> None:
    for name, module in (("inspect_ai", make_inspect_logs), ("lm_eval", make_lm_eval_logs)):
        (OUT / name).mkdir(parents=True)
        module.main(sys.argv[1], OUT / name)


if __name__ == "__main__":
    main()
