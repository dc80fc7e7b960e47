"""How times, ages and tables are printed."""

from datetime import UTC, datetime

import pytest

from dalston.cli import console

_NOW = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        ("2026-01-02T11:59:18Z", "42s"),
        ("2026-01-02T11:53:00Z", "7m"),
        ("2026-01-02T09:00:00Z", "3h"),
        ("2025-12-21T12:00:00Z", "12d"),
        ("2026-01-02T12:00:05Z", "0s"),
        (None, ""),
    ],
)
def test_age(moment: str | None, text: str) -> None:
    assert console.age(moment, now=_NOW) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "00:00.0"), (62.34, "01:02.3"), (59.96, "01:00.0"), (3723.4, "1:02:03.4"), (None, "")],
)
def test_clock(seconds: float | None, text: str) -> None:
    assert console.clock(seconds) == text


def test_table_has_no_trailing_space(capsys: pytest.CaptureFixture[str]) -> None:
    console.show_table(("ID", "STATUS"), [("a", "failed"), ("longer", "")])
    assert capsys.readouterr().out == "ID      STATUS\na       failed\nlonger\n"
