"""A claim on the folder that a run is written to: checked before the work, held until its end.

    PARENT/RUN                         the run, whole or not there
    PARENT/.RUN.unfinished/            while it is made: the lock, finished stages (checkpoint.py),
                                       and the run as it is put together

Where nothing can be made beside RUN (a mounted folder, a parent that is not yours), the work lies
in RUN/.unfinished. Nothing is replaced or deleted but what the manifest of an earlier run lists.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from faultlens.errors import CannotWrite, UserError
from faultlens.runs.files import OURS, PART, writing
from faultlens.runs.folder import MANIFEST, listed_files, read_manifest
from faultlens.runs.lock import held

WITHIN = ".unfinished"
REPLACED = f"{OURS}replaced"  # the earlier run, for the moment in which a new one takes its place
SHOWN = 3  # names in a sentence
_FILLING = re.compile(rf"{re.escape(OURS)}[0-9a-f]{{16}}")

_EFFECTIVE = os.access in os.supports_effective_ids


@dataclass(frozen=True)
class Claim:
    """A folder that this process alone writes a run to.

    Attributes:
        named: as the user gave it.
        folder: where it lies, links followed.
        work: the folder for what is in progress.
        overwrite: whether a run that is there may be replaced.
    """

    named: Path
    folder: Path
    work: Path
    overwrite: bool

    @contextmanager
    def filled(self) -> Iterator[Path]:
        """A folder to fill, which becomes the run when the block ends well, and vanishes otherwise.

        Raises:
            UserError: something else came to stand in the folder meanwhile.
            CannotWrite: the system refuses to write; finished stages are kept.
        """
        part = self.work / f"{OURS}{secrets.token_hex(8)}"
        try:
            with writing(self.named):
                part.mkdir()
                yield part
                self._publish(part)
        except CannotWrite as error:
            kept = "what was finished is kept, and the same command goes on from there"
            stages = any(self.work.glob("*.json"))
            raise CannotWrite(self.named, error.reason, kept if stages else "") from error
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def check(self) -> None:
        """Raises UserError, naming what is in the way, unless a run may be written there now."""
        with writing(self.named):
            if not os.path.lexists(self.folder):
                return
            if not self.folder.is_dir():
                what = "a link that leads nowhere" if self.folder.is_symlink() else "a file"
                raise UserError(
                    f"{self.named} is {what}: expected a folder for the run, choose another --out"
                )
            if not [name for name in os.listdir(self.folder) if name != WITHIN]:
                return
            listed = self._listed()
            if not self.overwrite:
                raise UserError(
                    f"{self.named} holds a run already: choose another --out, or give --overwrite"
                )
            self._refuse(_foreign(self.folder, listed))

    def _listed(self) -> set[str]:
        """The files of the run that is there, by its manifest."""
        try:
            manifest = read_manifest(self.folder)
        except UserError as error:
            raise UserError(
                f"{self.named} cannot be replaced ({error}): choose another --out"
            ) from error
        if manifest is None:
            self._refuse(_foreign(self.folder, set()))
        return set() if manifest is None else listed_files(manifest)

    def _refuse(self, foreign: list[str]) -> None:
        if foreign:
            more = f" and {len(foreign) - SHOWN} more" if len(foreign) > SHOWN else ""
            raise UserError(
                f"{self.named} holds {', '.join(foreign[:SHOWN])}{more}, which no run of FaultLens "
                "lists as its own: nothing is replaced, choose another --out"
            )

    def _publish(self, part: Path) -> None:
        """Put a finished run in its place: in one step where the system allows it."""
        self.check()
        if self.work.parent != self.folder:
            try:
                self._swap(part)
            except OSError:  # a file system that does not move folders
                if not self.folder.is_dir() or not part.is_dir():
                    raise
            else:
                return
        self._move_in(part)

    def _swap(self, part: Path) -> None:
        if not self.folder.exists():
            os.replace(part, self.folder)
            return
        part.chmod(self.folder.stat().st_mode & 0o7777)
        old = self.work / REPLACED
        os.replace(self.folder, old)
        try:
            os.replace(part, self.folder)
        except BaseException:
            os.replace(old, self.folder)
            raise
        _remove_run(old)

    def _move_in(self, part: Path) -> None:
        """File by file; the manifest goes first, so that a later call knows what is its own."""
        _remove_run(self.folder, but=(MANIFEST,))
        names = sorted(p.relative_to(part) for p in part.rglob("*") if p.is_file())
        for name in sorted(names, key=lambda name: name.as_posix() != MANIFEST):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(part / name, self.folder / name)


@contextmanager
def claimed(out: Path, overwrite: bool) -> Iterator[Claim]:
    """Hold the folder `out` for a run; call it before the work, for it says what stands against it.

    A link to a folder stands for that folder. Nothing is left behind but finished stages.

    Raises:
        UserError: `out` is or holds something else; it holds a run and `overwrite` is false;
            another process is writing there.
        CannotWrite: nothing can be written there.
    """
    with writing(out):
        folder = Path(os.path.realpath(out))
        claim = Claim(out, folder, work_folder(out), overwrite)
    claim.check()
    with held(claim.work, out):
        _tidy(claim)
        claim.check()
        yield claim


def work_folder(out: Path) -> Path:
    """Where what is in progress lies while a run is made for `out`: beside it, or within it."""
    folder = Path(os.path.realpath(out))
    if folder.is_dir() and not _can_be_moved(folder):
        return folder / WITHIN
    return folder.parent / f".{folder.name}{WITHIN}"


def _can_be_moved(folder: Path) -> bool:
    """Whether another folder can take this one's place: not where one is mounted or stands in."""
    here = Path(os.path.realpath(os.curdir))
    return (
        not os.path.ismount(folder)
        and os.access(folder.parent, os.W_OK | os.X_OK, effective_ids=_EFFECTIVE)
        and folder not in (here, *here.parents)
    )


def _foreign(folder: Path, listed: set[str]) -> list[str]:
    """What lies in `folder` and is neither listed nor a folder of what is; links are never ours."""
    homes = {parent.as_posix() for name in listed for parent in Path(name).parents}
    found = []
    for top, folders, files in os.walk(folder, onerror=_raise):
        here = Path(top).relative_to(folder)
        for name in list(folders):
            path = here / name
            link = (folder / path).is_symlink()
            if path.as_posix() in homes and not link:
                continue
            folders.remove(name)
            if path.as_posix() != WITHIN:
                found.append(path.as_posix() + ("" if link else "/"))
        for name in files:
            path = here / name
            plain = (folder / path).is_file() and not (folder / path).is_symlink()
            if not (plain and (path.as_posix() in listed or PART.fullmatch(name))):
                found.append(path.as_posix())
    return sorted(found)


def _remove_run(folder: Path, but: tuple[str, ...] = ()) -> None:
    """Delete the files that the manifest in `folder` lists, and the folders that this empties."""
    manifest = read_manifest(folder)
    listed = set() if manifest is None else listed_files(manifest)
    for top, folders, files in os.walk(folder, topdown=False):
        here = Path(top)
        for name in files:
            path = here / name
            shown = path.relative_to(folder).as_posix()
            if shown not in but and (shown in listed or PART.fullmatch(name)):
                path.unlink()
        for name in folders:
            with suppress(OSError):
                (here / name).rmdir()
    with suppress(OSError):
        folder.rmdir()


def _tidy(claim: Claim) -> None:
    """Put right what a killed process left: an earlier run goes back, a half-made one goes."""
    with writing(claim.named):
        replaced = claim.work / REPLACED
        if replaced.is_dir() and not replaced.is_symlink():
            if os.path.lexists(claim.folder):
                _remove_run(replaced)
            else:
                os.replace(replaced, claim.folder)
        for path in list(claim.work.iterdir()):
            if _FILLING.fullmatch(path.name) and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif PART.fullmatch(path.name):
                path.unlink(missing_ok=True)


def _raise(error: OSError) -> None:
    raise error
