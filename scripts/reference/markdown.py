"""Tables and cells of Markdown."""

from collections.abc import Iterable, Sequence


def cell(text: str) -> str:
    """Text that fits a table cell."""
    return " ".join(text.replace("|", "\\|").split())


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, with a blank line after it."""
    lines = [_line(head), _line(["---"] * len(head)), *(_line(row) for row in rows)]
    return "\n".join(lines) + "\n\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def code(text: str) -> str:
    """Text in code style; nothing for no text."""
    return f"`{text}`" if text else ""
