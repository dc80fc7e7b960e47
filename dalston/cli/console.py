"""What commands print: results to stdout, the rest to stderr; colours and bars on terminals only."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

_GAP = "  "


def say(text: str = "") -> None:
    """Print a result."""
    print(text, flush=True)


def tell(text: str) -> None:
    """Print something about the work, which is not the result."""
    print(text, file=sys.stderr, flush=True)


def show_json(value: Any) -> None:
    """Print JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=False), flush=True)


def interactive() -> bool:
    """Tell whether people look at what is told, so that bars and colours make sense."""
    return sys.stderr.isatty() and sys.stdout.isatty()


def show_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print columns as `kubectl` does."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        print(_GAP.join(padded).rstrip())


def show_fields(fields: Iterable[tuple[str, str]]) -> None:
    """Print names and values, values in one column."""
    pairs = [(name, value) for name, value in fields if value]
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        print(f"{name.ljust(width)}{_GAP}{value}")


def age(moment: str | None, *, now: datetime | None = None) -> str:
    """Give how long ago an ISO 8601 moment was: 42s, 7m, 3h, 12d."""
    if not moment:
        return ""
    then = datetime.fromisoformat(moment)
    seconds = int(((now or datetime.now(UTC)) - then).total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{max(0, seconds)}s"


def clock(seconds: float | None) -> str:
    """Give a time in a recording as 1:02:03.4 or 02:03.4."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    tail = f"{minutes:02d}:{rest:04.1f}"
    return f"{hours}:{tail}" if hours else tail
