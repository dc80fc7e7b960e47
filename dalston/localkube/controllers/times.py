"""Times as the API writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def stamp(seconds: float) -> str:
    """RFC 3339 in whole seconds, as `metav1.Time`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_of(text: str | None) -> float | None:
    """Unix time of a stamp; None stays None."""
    return None if text is None else datetime.fromisoformat(text).timestamp()
