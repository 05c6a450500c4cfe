"""The Hugging Face hub: what is in the local cache is used as it is, and only the rest is fetched.

Nothing is asked of the network for files that are there, so a warm cache works offline. What can
neither be found nor fetched is one sentence: what is missing, how large it is, what needs nothing.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from faultlens.errors import UserError

PROBE_SECONDS = 5.0


@cache
def reachable() -> bool:
    """Whether the hub answers; asked once a process. False where offline mode is set."""
    from huggingface_hub import constants

    if constants.is_offline_mode():
        return False
    try:
        urlopen(Request(constants.ENDPOINT, method="HEAD"), timeout=PROBE_SECONDS).close()
    except HTTPError:  # an answer, if not the one hoped for
        return True
    except OSError:
        return False
    return True


def fetch(repo: str, filename: str, revision: str | None, what: str, size: float | None) -> Path:
    """A file of a repository, from the cache or else from the hub.

    Args:
        repo: `OWNER/NAME`.
        filename: its path within the repository.
        revision: branch, tag or commit; None for `main`.
        what: what the file belongs to, as the user named it, for the sentence if it is missing.
        size: about how many bytes would have to be downloaded, if that is known.

    Raises:
        UserError: it is not in the cache, and the hub does not have it or cannot be reached.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

    try:
        return Path(hf_hub_download(repo, filename, revision=revision, local_files_only=True))
    except EntryNotFoundError:
        pass
    if not reachable():
        raise UserError(not_at_hand(what, size))
    try:
        return Path(hf_hub_download(repo, filename, revision=revision))
    except (
        EntryNotFoundError,
        HfHubHTTPError,
        OSError,
    ) as error:  # gone, closed to you, or the line went dead
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{what} cannot be downloaded: {repo} has no {filename} ({reason})") from (
            error
        )


def not_at_hand(what: str, size: float | None) -> str:
    """The sentence for what is neither in the cache nor to be had."""
    return (
        f"{what} is not in the local Hugging Face cache and the hub cannot be reached: connect "
        f"once to download it ({spoken(size)}), or use --model mini, which needs nothing"
    )


def commit(repo: str, revision: str | None) -> str:
    """The commit of a model that is in the cache: `revision` itself may be a branch."""
    from huggingface_hub import hf_hub_download

    config = hf_hub_download(repo, "config.json", revision=revision, local_files_only=True)
    return commit_of(Path(config)) or "unknown"


def snapshot(repo: str, revision: str | None) -> Path | None:
    """The folder of a model that is in the cache, whole or in part; None if it is not."""
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(repo, "config.json", revision=revision)
    return Path(config).parent if isinstance(config, str) else None


def commit_of(path: Path) -> str | None:
    """The commit of a file that lies in the hub's cache (`…/snapshots/COMMIT/…`), else None."""
    parts = path.parts
    return parts[parts.index("snapshots") + 1] if "snapshots" in parts else None


def spoken(size: float | None) -> str:
    """A download's size in words, in decimal units: `about 151 MB`."""
    if size is None:
        return "of a size that only the hub can tell"
    return f"about {size / 1e9:.1f} GB" if size >= 1e9 else f"about {max(size, 1e6) / 1e6:.0f} MB"
