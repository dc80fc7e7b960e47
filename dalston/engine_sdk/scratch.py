"""Temporary folders of workers, which go with them; those of killed workers go with the next one.

A worker holds a lock on its folder's `lock` file as long as it lives, so a folder whose lock is free
belongs to nobody.
"""

import fcntl
import itertools
import logging
import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

logger = logging.getLogger(__name__)

_LOCK = "lock"


class Scratch:
    """The temporary folder of one worker; use as a context manager."""

    def __init__(self, parent: Path | None = None) -> None:
        self._parent = parent or Path(tempfile.gettempdir()) / f"dalston-workers-{os.getuid()}"
        self._lock: BinaryIO | None = None
        self._folder: Path | None = None
        self._numbers = itertools.count()

    @property
    def folder(self) -> Path:
        """The folder; it exists between enter and exit."""
        assert self._folder is not None, "not entered"
        return self._folder

    def task_folder(self) -> Path:
        """Give the path of a folder for one task; who needs it makes it."""
        return self.folder / f"task-{next(self._numbers)}"

    def __enter__(self) -> Self:
        self._parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        remove_stale(self._parent)
        # Made and locked under another name: no other worker may see it without its lock.
        folder = Path(tempfile.mkdtemp(prefix=".new-", dir=self._parent))
        self._lock = (folder / _LOCK).open("wb")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._folder = folder.rename(self._parent / folder.name.replace(".new-", "worker-"))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()


def remove_stale(parent: Path) -> int:
    """Remove the folders of workers that live no more; gives their number."""
    removed = 0
    for folder in parent.glob("worker-*"):
        try:
            with (folder / _LOCK).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue  # its worker lives
        except FileNotFoundError:
            continue  # another worker was quicker, or it is going just now
        removed += 1
    if removed:
        logger.info("removed the temporary folders of dead workers", extra={"folders": removed})
    return removed
