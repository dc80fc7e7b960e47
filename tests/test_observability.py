"""Logs: one JSON object a line, with the ids of what it is about."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from dalston.observability import LogSettings, log_context, setup_logging


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What is logged; the test run's own logging is restored."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    setup_logging("worker", settings=LogSettings(level="INFO", format="json"), stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_line_carries_context_and_extra(written: io.StringIO) -> None:
    with log_context(job="job-1"), log_context(stage="align", part=2):
        logging.getLogger("dalston.x").info("task %s", "ended", extra={"outcome": "succeeded"})
    logging.getLogger("dalston.x").debug("too fine")
    (line,) = lines(written)
    assert {key: line[key] for key in ("component", "level", "message", "job", "part")} == {
        "component": "worker", "level": "info", "message": "task ended", "job": "job-1", "part": 2,
    }  # fmt: skip
    assert (line["outcome"], line["logger"]) == ("succeeded", "dalston.x")


def test_context_ends_with_its_block(written: io.StringIO) -> None:
    with log_context(job="job-1"):
        pass
    logging.info("after")
    assert "job" not in lines(written)[0]


def test_traceback_stays_on_its_line(written: io.StringIO) -> None:
    try:
        raise ValueError("no\nway")
    except ValueError:
        logging.exception("failed")
    (line,) = lines(written)
    assert "ValueError" in str(line["error"])


def test_text_is_for_people() -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    try:
        setup_logging("worker", settings=LogSettings(format="text"), stream=stream)
        with log_context(job="job-1"):
            logging.warning("careful")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(False)
    assert stream.getvalue().endswith("WARNING worker: careful job=job-1\n")
