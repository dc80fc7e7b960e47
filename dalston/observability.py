"""Logs of every process: JSON, one event a line, with the ids of what it is about.

`setup_logging` is called once at start; `log_context` adds ids to all lines logged within it, in the
same task or thread.
"""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from pydantic_settings import BaseSettings, SettingsConfigDict

_context: ContextVar[dict[str, Any]] = ContextVar("dalston_log_context", default={})  # noqa: B039

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LogSettings(BaseSettings):
    """How processes log; environment variables `DALSTON_LOG_…`."""

    model_config = SettingsConfigDict(env_prefix="DALSTON_LOG_")

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The least severe level that is written."""

    format: Literal["json", "text"] = "json"
    """`json` for machines; `text` for people at a terminal."""


def setup_logging(
    part: str, *, settings: LogSettings | None = None, stream: TextIO | None = None
) -> None:
    """Make every logger write to standard error, naming the part of the system that this is."""
    settings = settings or LogSettings()
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(part) if settings.format == "json" else TextFormatter(part))
    logging.basicConfig(level=settings.level, handlers=[handler], force=True)
    logging.captureWarnings(True)


@contextmanager
def log_context(**fields: Any) -> Iterator[None]:
    """Add fields, such as `job` and `stage`, to every line logged inside."""
    token = _context.set({**_context.get(), **fields})
    try:
        yield
    finally:
        _context.reset(token)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, component, logger, message, then context and `extra`."""

    def __init__(self, part: str) -> None:
        super().__init__()
        self._part = part

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "component": self._part,
            "logger": record.name,
            "message": record.getMessage(),
            **fields_of(record),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """The same for people: time, level, message, fields."""

    def __init__(self, part: str) -> None:
        super().__init__("%(asctime)s %(levelname)-7s " + part + ": %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """Give the line without the traceback, which follows it."""
        fields = " ".join(f"{name}={value}" for name, value in fields_of(record).items())
        return f"{super().formatMessage(record)} {fields}".rstrip()


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Give what the context and `extra=` add to a record."""
    extra = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    return {**_context.get(), **extra}
