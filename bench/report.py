"""Figures, their targets, and how they are printed and written."""

import json
import operator
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Comparison = Literal["<=", ">=", "=="]

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
}


@dataclass(frozen=True)
class Figure:
    """One measured figure beside what it must reach; `details` are what it was made of."""

    name: str
    value: float
    unit: str
    comparison: Comparison
    target: float
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def reached(self) -> bool:
        """Whether the figure is as good as it must be."""
        return _COMPARE[self.comparison](self.value, self.target)


def table(figures: Sequence[Figure]) -> str:
    """Give the figures as lines of text."""
    width = max((len(figure.name) for figure in figures), default=0)
    lines = []
    for figure in figures:
        mark = "ok  " if figure.reached else "MISS"
        lines.append(
            f"{mark} {figure.name:<{width}}  {figure.value:>10.3f} {figure.unit:<8} "
            f"(must be {figure.comparison} {figure.target:g})"
        )
    return "\n".join(lines)


def write(figures: Sequence[Figure], path: Path) -> None:
    """Write the figures as JSON."""
    rows = [{**asdict(figure), "reached": figure.reached} for figure in figures]
    path.write_text(json.dumps(rows, indent=1) + "\n")
