"""How far work is: bars on a terminal, nothing elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from dalston.cli import console


class Progress(Protocol):
    """One line of progress for each recording."""

    def __enter__(self) -> Self:
        """Begin to draw."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop drawing."""

    def show(self, name: str, *, what: str, percent: float) -> None:
        """Say what is being done with a recording, and how far that is."""

    def finish(self, name: str, *, what: str) -> None:
        """Say how it ended."""


class Quiet:
    """Says nothing: commands print results and problems by themselves."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, name: str, *, what: str, percent: float) -> None:
        """Say nothing."""

    def finish(self, name: str, *, what: str) -> None:
        """Say nothing."""


class Bars:
    """A bar for each recording, on stderr; they go when the work is done."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress

        self._tasks: dict[str, TaskID] = {}
        self._bars = RichProgress(
            TextColumn("{task.fields[name]}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[what]}", style="dim"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, name: str, *, what: str, percent: float) -> None:
        """Move the bar."""
        if name not in self._tasks:
            shown = name.rstrip("/").rsplit("/", 1)[-1]
            self._tasks[name] = self._bars.add_task("", name=shown, what=what, total=100)
        self._bars.update(self._tasks[name], what=what, completed=percent)

    def finish(self, name: str, *, what: str) -> None:
        """Fill the bar."""
        self.show(name, what=what, percent=100)


def progress(*, wanted: bool = True) -> Progress:
    """Give bars where somebody looks at them."""
    return Bars() if wanted and console.interactive() else Quiet()
