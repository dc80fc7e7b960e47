"""images.json: which command stands for an image."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError


class Image(BaseModel):
    """An image as a command on this machine: entry point, WORKDIR and ENV of the real one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image: str
    command: tuple[str, ...] = ()
    working_dir: Path | None = Field(default=None, alias="workingDir")
    env: dict[str, str] = Field(default_factory=dict)


class ImageMissing(Exception):
    """No such image; the message is for people."""


_LIST = TypeAdapter(list[Image])


class Images:
    """The file's content, read again when the file changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[int, int, int] | None = None
        self._known: dict[str, Image] = {}
        self._problem = ""

    def find(self, name: str) -> Image:
        """The entry of that image; raises ImageMissing."""
        self._refresh()
        found = self._known.get(name)
        if found is None:
            problem = self._problem or f"not in {self._path}"
            raise ImageMissing(f'Failed to pull image "{name}": {problem}')
        return found

    def _refresh(self) -> None:
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            self._read, self._known, self._problem = None, {}, f"{self._path} does not exist"
            return
        version = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if version == self._read:
            return
        try:
            entries = _LIST.validate_json(self._path.read_bytes())
        except ValidationError as error:
            # The last good content stays: pods that run must not fail for a typing error.
            self._problem = f"{self._path} cannot be read: {error.errors()[0]['msg']}"
            return
        self._read, self._problem = version, ""
        self._known = {entry.image: entry for entry in entries}
