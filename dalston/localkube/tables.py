"""Tables for `kubectl get`: columns, their definitions, and the cells of an object."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from dalston.localkube import formats, jsonpath
from dalston.localkube.registry import Column, Version

JSON = dict[str, Any]

_NAME = Column(
    "Name",
    format="name",
    value=lambda obj: obj["metadata"]["name"],
    description="Name must be unique within a namespace.",
)
AGE = Column("Age", value=lambda obj: age(obj["metadata"].get("creationTimestamp")))


def columns_of(version: Version) -> tuple[Column, ...]:
    """All columns of a kind's version: the name first, unless they place it themselves (events)."""
    columns = version.columns or (AGE,)
    return columns if any(column.name == "Name" for column in columns) else (_NAME, *columns)


def definitions(columns: tuple[Column, ...]) -> list[JSON]:
    return [
        {
            "name": column.name,
            "type": column.type,
            "format": column.format,
            "description": column.description,
            "priority": column.priority,
        }
        for column in columns
    ]


def cells(columns: tuple[Column, ...], obj: JSON) -> list[Any]:
    return [_cell(column, obj) for column in columns]


def _cell(column: Column, obj: JSON) -> Any:
    if column.value is not None:
        return column.value(obj)
    found = jsonpath.compile_path(column.path)(obj)
    if not found:
        return None
    if column.type == "date":
        return age(found[0]) if isinstance(found[0], str) else "<invalid>"
    if column.type == "string":
        return ",".join(_text(value) for value in found)
    return found[0]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ",".join(_quoted(item) for item in value) + "]"
    return str(value)


def _quoted(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else _text(value)


def seconds_since(timestamp: str | None) -> float | None:
    """Seconds from an RFC 3339 time to now; None for no or a broken time."""
    if not timestamp:
        return None
    try:
        at = formats.parse_date_time(timestamp)
    except ValueError:
        return None
    return (datetime.now(UTC) - at).total_seconds()


def age(timestamp: str | None) -> str:
    """How long ago `timestamp` was, as `kubectl` prints it."""
    seconds = seconds_since(timestamp)
    return "<unknown>" if seconds is None else short_duration(seconds)


def short_duration(seconds: float) -> str:
    """A duration in at most two units: 45s, 3m12s, 17m, 5h7m, 2d3h, 400d."""
    if seconds < -1:
        return "<invalid>"
    whole = max(0, int(seconds))
    if whole < 120:
        return f"{whole}s"
    minutes = whole // 60
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    hours = whole // 3600
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    days = hours // 24
    if hours < 192:
        return _two(days, "d", hours % 24, "h")
    if days < 365 * 2:
        return f"{days}d"
    years = days // 365
    return _two(years, "y", days % 365, "d") if years < 8 else f"{years}y"


def _two(high: int, high_unit: str, low: int, low_unit: str) -> str:
    return f"{high}{high_unit}{low}{low_unit}" if low else f"{high}{high_unit}"
