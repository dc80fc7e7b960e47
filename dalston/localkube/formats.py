"""String and number formats that structural schemas may demand."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import uuid
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII
)
_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_HOSTNAME = re.compile(
    r"(?=.{1,253}\Z)[a-zA-Z0-9](-?[a-zA-Z0-9]){0,62}(\.[a-zA-Z0-9](-?[a-zA-Z0-9]){0,62})*\Z"
)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+\Z")


def parse_duration(text: str) -> timedelta:
    """A Go duration ("1h30m", "-2.5s", "0"). Raises ValueError."""
    sign = -1 if text.startswith("-") else 1
    rest = text.lstrip("+-")
    if rest == "0":
        return timedelta()
    total, position = 0.0, 0
    for part in _DURATION_PART.finditer(rest):
        if part.start() != position:
            break
        total += float(part[1]) * _SECONDS[part[2]]
        position = part.end()
    if position == 0 or position != len(rest):
        raise ValueError(f"invalid duration {text!r}")
    return timedelta(seconds=sign * total)


def parse_date_time(text: str) -> datetime:
    """An RFC 3339 time. Raises ValueError."""
    if _DATE_TIME.match(text) is None:
        raise ValueError(f"invalid date-time {text!r}")
    return datetime.fromisoformat(text.upper())


def _parses(parse: Callable[[str], object]) -> Callable[[Any], bool]:
    def valid(value: Any) -> bool:
        if not isinstance(value, str):
            return True
        try:
            parse(value)
        except (ValueError, binascii.Error):
            return False
        return True

    return valid


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: not isinstance(value, str) or pattern.match(value) is not None


def _absolute_uri(text: str) -> None:
    parts = urlsplit(text)
    if not parts.scheme and not text.startswith("/"):
        raise ValueError("not an absolute URI")


def _within(bits: int) -> Callable[[Any], bool]:
    limit = 1 << (bits - 1)
    return lambda value: not isinstance(value, int) or -limit <= value < limit


_STRINGS: dict[str, Callable[[Any], bool]] = {
    "date-time": _parses(parse_date_time),
    "datetime": _parses(parse_date_time),
    "date": _parses(date.fromisoformat),
    "duration": _parses(parse_duration),
    "byte": _parses(lambda text: base64.b64decode(text, validate=True)),
    "uuid": _parses(uuid.UUID),
    "ipv4": _parses(ipaddress.IPv4Address),
    "ipv6": _parses(ipaddress.IPv6Address),
    "cidr": _parses(lambda text: ipaddress.ip_network(text, strict=False)),
    "uri": _parses(_absolute_uri),
    "hostname": _matches(_HOSTNAME),
    "email": _matches(_EMAIL),
}
_INTEGERS: dict[str, Callable[[Any], bool]] = {"int32": _within(32), "int64": _within(64)}


def checker(kind: str, wanted: str) -> Callable[[Any], bool] | None:
    """The test of format `wanted` for values of type `kind`; None for formats that are not checked."""
    if kind == "integer":
        return _INTEGERS.get(wanted)
    return _STRINGS.get(wanted)
