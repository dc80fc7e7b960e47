"""The constraints of a schema on values of the right type: bounds, patterns, formats, choices."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from dalston.localkube import errors, formats
from dalston.localkube.errors import FieldError

Constraint = tuple[Callable[[Any], bool], Callable[[Any, str], FieldError]]


def _bound(passes: Callable[[Any], bool], text: str) -> Constraint:
    return passes, lambda value, path: errors.invalid_value(path, value, f"{path} in body {text}")


def constraints(schema: Mapping[str, Any]) -> tuple[Constraint, ...]:
    """All constraints of `schema`: a test of the value, and the error for a value that fails."""
    tests: list[Constraint] = []
    tests.extend(_size_rules(schema))
    tests.extend(_number_rules(schema))
    if "pattern" in schema:
        search = go_pattern(schema["pattern"]).search
        tests.append(
            _bound(
                lambda v: type(v) is not str or search(v) is not None,
                f"should match '{schema['pattern']}'",
            )
        )
    wanted = schema.get("format")
    valid = formats.checker(schema.get("type", ""), wanted) if wanted else None
    if valid is not None:
        tests.append((valid, lambda v, p: _bad_format(v, p, str(wanted))))
    if "enum" in schema:
        choices = list(schema["enum"])
        tests.append((lambda v: v in choices, lambda v, p: errors.not_supported(p, v, choices)))
    return tuple(tests)


def _bad_format(value: Any, path: str, wanted: str) -> FieldError:
    detail = f"{path} in body must be of type {wanted}: {errors.quote(value)}"
    return errors.invalid_value(path, value, detail)


def _size_rules(schema: Mapping[str, Any]) -> list[Constraint]:
    tests: list[Constraint] = []
    if (longest := schema.get("maxLength")) is not None:
        tests.append(
            (
                lambda v: type(v) is not str or len(v) <= longest,
                lambda v, p: errors.too_long(p, longest),
            )
        )
    if (shortest := schema.get("minLength")) is not None:
        text = f"should be at least {shortest} chars long"
        tests.append(_bound(lambda v: type(v) is not str or len(v) >= shortest, text))
    if (most := schema.get("maxItems")) is not None:
        tests.append((lambda v: len(v) <= most, lambda v, p: errors.too_many(p, len(v), most)))
    if (fewest := schema.get("minItems")) is not None:
        tests.append(_bound(lambda v: len(v) >= fewest, f"should have at least {fewest} items"))
    if (widest := schema.get("maxProperties")) is not None:
        tests.append((lambda v: len(v) <= widest, lambda v, p: errors.too_many(p, len(v), widest)))
    if (narrowest := schema.get("minProperties")) is not None:
        tests.append(
            _bound(lambda v: len(v) >= narrowest, f"should have at least {narrowest} properties")
        )
    return tests


def _number_rules(schema: Mapping[str, Any]) -> list[Constraint]:
    tests: list[Constraint] = []
    if (high := schema.get("maximum")) is not None:
        if schema.get("exclusiveMaximum"):
            text = f"should be less than {_number_text(high)}"
            tests.append(_bound(lambda v: _not_number(v) or v < high, text))
        else:
            text = f"should be less than or equal to {_number_text(high)}"
            tests.append(_bound(lambda v: _not_number(v) or v <= high, text))
    if (low := schema.get("minimum")) is not None:
        if schema.get("exclusiveMinimum"):
            text = f"should be greater than {_number_text(low)}"
            tests.append(_bound(lambda v: _not_number(v) or v > low, text))
        else:
            text = f"should be greater than or equal to {_number_text(low)}"
            tests.append(_bound(lambda v: _not_number(v) or v >= low, text))
    if (step := schema.get("multipleOf")) is not None:
        text = f"should be a multiple of {_number_text(step)}"
        tests.append(_bound(lambda v: _not_number(v) or _divides(v, step), text))
    return tests


def _number_text(value: float) -> str:
    """A bound as Go prints it: 0.0 is 0."""
    return str(int(value)) if float(value).is_integer() else str(value)


def _divides(value: float, step: float) -> bool:
    ratio = value / step
    return math.isclose(ratio, round(ratio), rel_tol=1e-9)


def _not_number(value: Any) -> bool:
    return type(value) is not int and type(value) is not float


def go_pattern(pattern: str) -> re.Pattern[str]:
    """A Go regular expression: ASCII classes, and a final `$` that is the very end."""
    if pattern.endswith("$") and not pattern.endswith(r"\$"):
        pattern = pattern[:-1] + r"\Z"
    return re.compile(pattern.replace(r"\z", r"\Z"), re.ASCII)
