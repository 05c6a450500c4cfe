"""A store that is cut off while it is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from faultlens.features.dataset import shard_work


def cut_off_after_three_shards(write: Callable[[], object]) -> None:
    """Let something write a store, and press Ctrl-C once three shards are there."""
    own, made = shard_work.tokens_of, []

    def stops(*args: Any) -> Any:
        if len(made) == 3:
            raise KeyboardInterrupt
        made.append(args[0])
        return own(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard_work, "tokens_of", stops)
        with pytest.raises(KeyboardInterrupt):
            write()
