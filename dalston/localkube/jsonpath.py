"""The JSONPath dialect of printer columns: fields, indexes, wildcards, filters, `..` not included."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

Step = Callable[[list[Any]], list[Any]]

_TOKEN = re.compile(
    r"""\.(?P<name>(?:\\.|[^.\[\]])+)
      |\[\?\((?P<filter>.*?)\)\]
      |\[(?P<quoted>'[^']*'|"[^"]*")\]
      |\[(?P<index>-?\d+)\]
      |\[(?P<slice>-?\d*:-?\d*)\]
      |(?P<all>\[\*\]|\.\*)
    """,
    re.VERBOSE,
)
_FILTER = re.compile(r"@(?P<path>[^=!<>\s]*)\s*(?:(?P<op>==|!=|<=|>=|<|>)\s*(?P<value>.+?))?\s*\Z")


@lru_cache(maxsize=1024)
def compile_path(path: str) -> Callable[[Any], list[Any]]:
    """A function from an object to the values that `path` finds. Raises ValueError."""
    steps: list[Step] = []
    text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"unsupported JSONPath {path!r}")
        steps.append(_step(match))
        position = match.end()

    def find(obj: Any) -> list[Any]:
        values = [obj]
        for step in steps:
            values = step(values)
            if not values:
                break
        return values

    return find


def _step(match: re.Match[str]) -> Step:
    if match["all"] or match["name"] == "*":
        return _everything
    if match["name"] is not None:
        return _field(match["name"].replace("\\", ""))
    if match["quoted"] is not None:
        return _field(match["quoted"][1:-1])
    if match["index"] is not None:
        return _index(int(match["index"]))
    if match["slice"] is not None:
        low, _, high = match["slice"].partition(":")
        return _slice(int(low) if low else None, int(high) if high else None)
    return _filter(match["filter"])


def _everything(values: list[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if isinstance(value, dict):
            found.extend(value.values())
        elif isinstance(value, list):
            found.extend(value)
    return found


def _field(name: str) -> Step:
    return lambda values: [v[name] for v in values if isinstance(v, dict) and name in v]


def _index(index: int) -> Step:
    def step(values: list[Any]) -> list[Any]:
        return [v[index] for v in values if isinstance(v, list) and -len(v) <= index < len(v)]

    return step


def _slice(low: int | None, high: int | None) -> Step:
    return lambda values: [x for v in values if isinstance(v, list) for x in v[low:high]]


def _filter(text: str) -> Step:
    match = _FILTER.match(text.strip())
    if match is None:
        raise ValueError(f"unsupported JSONPath filter {text!r}")
    find = compile_path(match["path"])
    operator, wanted = match["op"], _literal(match["value"]) if match["op"] else None

    def passes(item: Any) -> bool:
        found = find(item)
        if operator is None:
            return bool(found)
        return any(_compare(value, operator, wanted) for value in found)

    return lambda values: [
        item for v in values if isinstance(v, list) for item in v if passes(item)
    ]


def _literal(text: str) -> Any:
    if text[:1] in "'\"":
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text)
    except ValueError:
        return text


def _compare(value: Any, operator: str, wanted: Any) -> bool:
    if operator == "==":
        return bool(value == wanted)
    if operator == "!=":
        return bool(value != wanted)
    if type(value) is bool or not isinstance(value, type(wanted) | int):
        return False
    if operator in ("<", "<="):
        return bool(value < wanted or (operator == "<=" and value == wanted))
    return bool(value > wanted or (operator == ">=" and value == wanted))
