"""Completion indexes of Indexed Jobs, and their compressed notation ("0-2,5")."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator


def compress(indexes: Iterable[int]) -> str:
    """Numbers as ranges, in order."""
    ranges: list[list[int]] = []
    for index in sorted(set(indexes)):
        if ranges and ranges[-1][1] == index - 1:
            ranges[-1][1] = index
        else:
            ranges.append([index, index])
    return ",".join(f"{low}" if low == high else f"{low}-{high}" for low, high in ranges)


def expand(text: str | None) -> set[int]:
    """The numbers that `compress` wrote."""
    found: set[int] = set()
    for part in (text or "").split(","):
        low, _, high = part.partition("-")
        if low:
            found.update(range(int(low), int(high or low) + 1))
    return found


def missing(total: int, taken: Collection[int]) -> Iterator[int]:
    """The indexes below `total` that are not taken, lowest first."""
    return (index for index in range(total) if index not in taken)
