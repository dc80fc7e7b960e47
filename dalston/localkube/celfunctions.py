"""The functions that Kubernetes adds to CEL: strings, lists, regular expressions, URLs, quantities.

CEL passes a method's receiver as the first argument, so `self.text.find("x")` calls `find(text, "x")`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dalston.localkube.quantities import parse_quantity


def _find(text: str, pattern: str) -> str:
    found = re.search(pattern, text, re.ASCII)
    return found[0] if found else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found = [match[0] for match in re.finditer(pattern, text, re.ASCII)]
    return found if limit < 0 else found[:limit]


def _index_of(sequence: Any, item: Any, start: int = 0) -> int:
    if isinstance(sequence, str):
        return sequence.find(item, start)
    return next((i for i, x in enumerate(sequence) if x == item), -1)


def _last_index_of(sequence: Any, item: Any) -> int:
    if isinstance(sequence, str):
        return sequence.rfind(item)
    return max((i for i, x in enumerate(sequence) if x == item), default=-1)


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme and (parts.netloc or parts.path)) or text.startswith("/")


def _is_ip(text: str, version: int = 0) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return version in (0, address.version)


def _is_quantity(text: str) -> bool:
    try:
        parse_quantity(text)
    except ValueError:
        return False
    return True


def _quantity(text: str) -> float:
    return float(parse_quantity(text))


def _compare(left: float, right: float) -> int:
    return (left > right) - (left < right)


def _substring(text: str, start: int, end: int | None = None) -> str:
    return text[start:end]


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    parts = text.split(separator) if separator else list(text)
    return parts if limit < 0 else text.split(separator, limit - 1)


def _format(template: str, values: list[Any]) -> str:
    remaining = iter(values)

    def show(_: re.Match[str]) -> str:
        value = next(remaining)
        return str(value).lower() if isinstance(value, bool) else str(value)

    return re.sub(r"%(?:\.\d+)?[sdfexXob]", show, template)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "lowerAscii": lambda text: text.lower(),
    "upperAscii": lambda text: text.upper(),
    "trim": lambda text: text.strip(),
    "split": _split,
    "join": lambda parts, separator="": separator.join(parts),
    "replace": lambda text, old, new, limit=-1: text.replace(old, new, limit),
    "substring": _substring,
    "charAt": lambda text, index: text[index : index + 1],
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "format": _format,
    "find": _find,
    "findAll": _find_all,
    "isSorted": lambda items: all(a <= b for a, b in zip(items, items[1:], strict=False)),
    "sum": lambda items: sum(items),
    "min": lambda items: min(items),
    "max": lambda items: max(items),
    "isURL": _is_url,
    "url": lambda text: text,
    "getScheme": lambda text: urlsplit(text).scheme,
    "getHost": lambda text: urlsplit(text).netloc.rpartition("@")[2],
    "getHostname": lambda text: urlsplit(text).hostname or "",
    "getPort": lambda text: str(urlsplit(text).port or ""),
    "getEscapedPath": lambda text: urlsplit(text).path,
    "getQuery": lambda text: parse_qs(urlsplit(text).query),
    "isIP": _is_ip,
    "isQuantity": _is_quantity,
    "quantity": _quantity,
    "isGreaterThan": lambda left, right: left > right,
    "isLessThan": lambda left, right: left < right,
    "compareTo": _compare,
    "asInteger": lambda value: int(value),
    "asApproximateFloat": lambda value: float(value),
}
