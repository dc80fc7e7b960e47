"""Log files of the parts: appended to, rotated by size, read from the end."""

from __future__ import annotations

from pathlib import Path

MAX_BYTES = 8 * 1024 * 1024
"""Size at which a log is set aside; with `KEPT` older ones a part's logs take at most 24 MiB."""
KEPT = 2
_TAIL_BYTES = 16 * 1024


class LogFile:
    """`<name>.log`, and `<name>.log.1` (newer) to `<name>.log.<KEPT>` (older)."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._file = path.open("ab")

    def write(self, data: bytes) -> None:
        """Append; a full file is set aside first."""
        if self._file.tell() + len(data) > self._max_bytes and self._file.tell():
            self._rotate()
        self._file.write(data)
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def tail(self, lines: int) -> list[str]:
        """Give the last lines."""
        return tail(self.path, lines)

    def _rotate(self) -> None:
        self._file.close()
        for number in range(KEPT, 0, -1):
            older = self.path if number == 1 else self._aside(number - 1)
            if older.exists():
                older.replace(self._aside(number))
        self._file = self.path.open("ab")

    def _aside(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")


def tail(path: Path, lines: int) -> list[str]:
    """Give the last lines of a text file; none when it is missing."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []
