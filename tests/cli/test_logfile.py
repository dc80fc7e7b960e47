"""Logs of the parts."""

from pathlib import Path

from dalston.cli.up.logfile import KEPT, LogFile, tail


def test_log_is_set_aside_when_full(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "x.log", max_bytes=10)
    for number in range(8):
        log.write(b"line-%d\n" % number)
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "x.log",
        *(f"x.log.{number + 1}" for number in range(KEPT)),
    ]
    assert (tmp_path / "x.log").read_text() == "line-7\n"
    assert (tmp_path / "x.log.1").read_text() == "line-6\n"


def test_tail_gives_the_last_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("".join(f"{number}\n" for number in range(10_000)))
    assert tail(path, 2) == ["9998", "9999"]
    assert tail(tmp_path / "missing", 2) == []
