"""Label selectors (equality and set based) and field selectors, compiled to predicates."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from dalston.localkube import errors

LabelTest = Callable[[Mapping[str, str]], bool]

_SET = re.compile(r"(?P<key>[^\s,()!=<>]+)\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)\Z")
_COMPARE = re.compile(r"(?P<key>[^\s,()!=<>]+)\s*(?P<op>==|=|!=|<|>)\s*(?P<value>[^\s,()!=<>]*)\Z")
_EXISTS = re.compile(r"(?P<no>!?)\s*(?P<key>[^\s,()!=<>]+)\Z")


def _split(text: str) -> list[str]:
    """Splits at commas outside parentheses."""
    parts, depth, start = [], 0, 0
    for position, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def parse_labels(text: str) -> LabelTest | None:
    """The predicate of a label selector; None for the empty one. Raises ApiError 400."""
    tests = [_label_test(part) for part in _split(text)]
    return _every(tests)


def _every(tests: list[LabelTest]) -> LabelTest | None:
    if not tests:
        return None
    if len(tests) == 1:
        return tests[0]
    return lambda labels: all(test(labels) for test in tests)


def _label_test(part: str) -> LabelTest:
    if match := _SET.match(part):
        values = {value.strip() for value in match["values"].split(",")}
        return _set_test(match["key"], match["op"] == "in", values)
    if match := _COMPARE.match(part):
        return _comparison(match["key"], match["op"], match["value"])
    if match := _EXISTS.match(part):
        key, absent = match["key"], bool(match["no"])
        return lambda labels: (key in labels) is not absent
    raise errors.bad_request(f"unable to parse requirement: {part}")


def _set_test(key: str, included: bool, values: Collection[str]) -> LabelTest:
    if included:
        return lambda labels: labels.get(key) in values
    return lambda labels: labels.get(key) not in values


def _comparison(key: str, operator: str, value: str) -> LabelTest:
    if operator in ("=", "=="):
        return lambda labels: labels.get(key) == value
    if operator == "!=":
        return lambda labels: labels.get(key) != value
    try:
        bound = int(value)
    except ValueError:
        raise errors.bad_request(
            f"values[0]: Invalid value: {value!r}: must be an integer"
        ) from None

    def ordered(labels: Mapping[str, str]) -> bool:
        try:
            number = int(labels[key])
        except (KeyError, ValueError):
            return False
        return number > bound if operator == ">" else number < bound

    return ordered


def from_label_selector(selector: Mapping[str, Any]) -> LabelTest:
    """The predicate of a LabelSelector object (matchLabels, matchExpressions)."""
    tests = [
        _comparison(key, "=", value) for key, value in (selector.get("matchLabels") or {}).items()
    ]
    for expression in selector.get("matchExpressions") or ():
        key, operator = expression["key"], expression["operator"]
        values = set(expression.get("values") or ())
        if operator in ("In", "NotIn"):
            tests.append(_set_test(key, operator == "In", values))
        else:
            tests.append(_label_test(key if operator == "Exists" else f"!{key}"))
    return _every(tests) or (lambda _: True)


FieldTerm = tuple[str, bool, str]
"""(field, must be equal, value)."""

_FIELD = re.compile(r"(?P<field>[^=!]+?)\s*(?P<op>==|=|!=)\s*(?P<value>.*)\Z", re.DOTALL)


def parse_fields(text: str, *, allowed: Collection[str]) -> list[FieldTerm]:
    """The terms of a field selector. Raises ApiError 400 for a field that cannot be selected."""
    terms: list[FieldTerm] = []
    for part in re.split(r"(?<!\\),", text):
        if not part.strip():
            continue
        match = _FIELD.match(part.strip())
        if match is None:
            raise errors.bad_request(f"invalid field selector: {text}; can't understand '{part}'")
        name = match["field"]
        if name not in ("metadata.name", "metadata.namespace") and name not in allowed:
            raise errors.bad_request(f"field label not supported: {name}")
        value = re.sub(r"\\([\\,=])", r"\1", match["value"])
        terms.append((name, match["op"] != "!=", value))
    return terms
