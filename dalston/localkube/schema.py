"""Structural schemas compiled to closures that prune, default and validate in one walk.

The walk changes the object in place and collects `FieldError`s worded as the real API server words
them. Compile once per custom resource version; a compiled schema has no state.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dalston.localkube import errors
from dalston.localkube.constraints import constraints
from dalston.localkube.errors import FieldError
from dalston.localkube.quantities import parse_quantity

JSON = dict[str, Any]
Path = tuple[Any, ...] | None
"""A field path as a linked list: (parent, key or index), None at the root."""

_EMBEDDED = frozenset(("apiVersion", "kind", "metadata"))


@dataclass(slots=True)
class Findings:
    """What one walk found: errors, and the paths of pruned fields."""

    errors: list[FieldError] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


Check = Callable[[Any, Path, Findings], Any]
"""Walks one value: returns it (or what replaces it) and adds to the findings."""


def render(path: Path) -> str:
    """`path` as the API server prints it: `spec.list[0].name`."""
    parts: list[str] = []
    while path is not None:
        key = path[1]
        parts.append(f"[{key}]" if isinstance(key, int) else f".{key}")
        path = path[0]
    return "".join(reversed(parts)).removeprefix(".")


NULL_IS_ABSENT = "x-localkube-null-is-absent"
"""Marks objects of built-in kinds: a field that is null is as good as left out."""


def compile_schema(schema: Mapping[str, Any], *, prune: bool = True) -> Check:
    """The check of `schema`; with `prune` off, unknown fields stay and nothing is defaulted."""
    if schema.get("format") == "quantity":
        inner: Check = _quantity
    elif schema.get("x-kubernetes-int-or-string"):
        inner = _typed(schema, "integer or string", _is_int_or_string, prune=prune)
    else:
        inner = _BY_TYPE.get(schema.get("type", ""), _any)(schema, prune)
    return _nullable(inner) if schema.get("nullable") else inner


def _quantity(value: Any, path: Path, found: Findings) -> Any:
    """A resource quantity; numbers become the text they stand for."""
    text = str(value) if type(value) in (int, float) else value
    if not isinstance(text, str):
        found.errors.append(_wrong_type(value, path, "string"))
        return value
    try:
        parse_quantity(text)
    except ValueError:
        detail = (
            "quantities must match the regular expression "
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )
        found.errors.append(errors.invalid_value(render(path), text, detail))
    return text


def _nullable(inner: Check) -> Check:
    def check(value: Any, path: Path, found: Findings) -> Any:
        return None if value is None else inner(value, path, found)

    return check


def _wrong_type(value: Any, path: Path, wanted: str) -> FieldError:
    shown = _type_name(value)
    where = render(path)
    subject = f"{where} in body" if where else "in body"
    detail = f"{subject} must be of type {wanted}: {errors.quote(shown)}"
    return errors.type_invalid(where, shown, detail)


def _type_name(value: Any) -> str:
    if value is None:
        return "null"
    names: dict[type, str] = {
        bool: "boolean",
        int: "integer",
        float: "number",
        str: "string",
        list: "array",
        dict: "object",
    }
    return names[type(value)]


def _is_int_or_string(value: Any) -> bool:
    return type(value) is int or type(value) is str


def _any(schema: Mapping[str, Any], prune: bool) -> Check:
    """A schema without a type: free form under preserve-unknown-fields, else its own properties."""
    if "properties" in schema:
        return _object(schema, prune)
    return _typed(schema, "", lambda _: True, prune=prune)


def _typed(
    schema: Mapping[str, Any], wanted: str, is_type: Callable[[Any], bool], *, prune: bool
) -> Check:
    rules = constraints(schema)
    logic = _logic(schema)

    def check(value: Any, path: Path, found: Findings) -> Any:
        if not is_type(value):
            found.errors.append(_wrong_type(value, path, wanted))
            return value
        for rule in rules:
            if not rule[0](value):
                found.errors.append(rule[1](value, render(path)))
        if logic is not None:
            logic(value, path, found)
        return value

    return check


def _string(schema: Mapping[str, Any], prune: bool) -> Check:
    return _typed(schema, "string", lambda value: type(value) is str, prune=prune)


def _boolean(schema: Mapping[str, Any], prune: bool) -> Check:
    return _typed(schema, "boolean", lambda value: type(value) is bool, prune=prune)


def _number(schema: Mapping[str, Any], prune: bool) -> Check:
    return _typed(
        schema, "number", lambda value: type(value) is int or type(value) is float, prune=prune
    )


def _integer(schema: Mapping[str, Any], prune: bool) -> Check:
    inner = _typed(schema, "integer", lambda value: type(value) is int, prune=prune)

    def check(value: Any, path: Path, found: Findings) -> Any:
        if type(value) is float and value.is_integer():
            value = int(value)
        return inner(value, path, found)

    return check


def _array(schema: Mapping[str, Any], prune: bool) -> Check:
    item = compile_schema(schema.get("items") or {"x": 1}, prune=prune)
    rules = constraints(schema)
    logic = _logic(schema)
    unique = _uniqueness(schema)

    def check(value: Any, path: Path, found: Findings) -> Any:
        if type(value) is not list:
            found.errors.append(_wrong_type(value, path, "array"))
            return value
        for rule in rules:
            if not rule[0](value):
                found.errors.append(rule[1](value, render(path)))
        for index, element in enumerate(value):
            value[index] = item(element, (path, index), found)
        if unique is not None:
            unique(value, path, found)
        if logic is not None:
            logic(value, path, found)
        return value

    return check


def _uniqueness(schema: Mapping[str, Any]) -> Callable[[Any, Path, Findings], None] | None:
    kind = schema.get("x-kubernetes-list-type")
    if kind not in ("set", "map"):
        return None
    keys: Sequence[str] = schema.get("x-kubernetes-list-map-keys") or ()

    def check(value: list[Any], path: Path, found: Findings) -> None:
        seen: set[str] = set()
        for index, element in enumerate(value):
            if kind == "map" and isinstance(element, dict):
                picked = {key: element[key] for key in keys if key in element}
                inner = ", ".join(f'"{key}":{errors.quote(picked[key])}' for key in sorted(picked))
                shown = "map[string]interface {}{" + inner + "}"
            else:
                shown = errors.quote(element)
            if shown in seen:
                found.errors.append(errors.duplicate(render((path, index)), shown))
            seen.add(shown)

    return check


def _object(schema: Mapping[str, Any], prune: bool) -> Check:
    properties = {
        name: compile_schema(sub, prune=prune)
        for name, sub in (schema.get("properties") or {}).items()
    }
    defaults = _defaults(schema) if prune else ()
    required: Sequence[str] = tuple(schema.get("required") or ())
    others = _other_fields(schema, prune)
    rules = constraints(schema)
    logic = _logic(schema)
    drops_nulls = bool(schema.get(NULL_IS_ABSENT))

    def check(value: Any, path: Path, found: Findings) -> Any:
        if type(value) is not dict:
            found.errors.append(_wrong_type(value, path, "object"))
            return value
        if drops_nulls:
            for name in [name for name, item in value.items() if item is None]:
                del value[name]
        for name, default, replaces_null in defaults:
            if name not in value or (replaces_null and value[name] is None):
                value[name] = copy.deepcopy(default)
        for name in required:
            if name not in value:
                found.errors.append(errors.required(render((path, name))))
        for name in tuple(value):
            known = properties.get(name)
            if known is not None:
                value[name] = known(value[name], (path, name), found)
            else:
                others(value, name, path, found)
        for rule in rules:
            if not rule[0](value):
                found.errors.append(rule[1](value, render(path)))
        if logic is not None:
            logic(value, path, found)
        return value

    return check


def _defaults(schema: Mapping[str, Any]) -> tuple[tuple[str, Any, bool], ...]:
    return tuple(
        (name, sub["default"], not sub.get("nullable"))
        for name, sub in (schema.get("properties") or {}).items()
        if "default" in sub
    )


def _other_fields(
    schema: Mapping[str, Any], prune: bool
) -> Callable[[JSON, str, Path, Findings], None]:
    """What happens to a field that `properties` does not name."""
    extra = schema.get("additionalProperties")
    if isinstance(extra, Mapping):
        inner = compile_schema(extra, prune=prune)

        def walk(value: JSON, name: str, path: Path, found: Findings) -> None:
            value[name] = inner(value[name], (path, name), found)

        return walk
    keep_all = (
        not prune or extra is True or bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    )
    kept = _EMBEDDED if schema.get("x-kubernetes-embedded-resource") else frozenset()

    def drop(value: JSON, name: str, path: Path, found: Findings) -> None:
        if keep_all or name in kept:
            return
        del value[name]
        found.unknown.append(render((path, name)))

    return drop


def _logic(schema: Mapping[str, Any]) -> Callable[[Any, Path, Findings], None] | None:
    """allOf, anyOf, oneOf and not: value checks only, no pruning or defaults inside."""
    every = [compile_schema(sub, prune=False) for sub in schema.get("allOf") or ()]
    some = [compile_schema(sub, prune=False) for sub in schema.get("anyOf") or ()]
    one = [compile_schema(sub, prune=False) for sub in schema.get("oneOf") or ()]
    never = compile_schema(schema["not"], prune=False) if "not" in schema else None
    if not (every or some or one or never):
        return None
    if schema.get("x-kubernetes-int-or-string"):
        some = []

    def check(value: Any, path: Path, found: Findings) -> None:
        for part in every:
            part(value, path, found)
        if some and not any(_passes(part, value, path) for part in some):
            _refuse(found, path, value, "{} in body must validate at least one schema (anyOf)")
        if one and (count := sum(_passes(part, value, path) for part in one)) != 1:
            how = "none valid" if count == 0 else f"{count} valid alternatives"
            text = f'"{{}}" must validate one and only one schema (oneOf). Found {how}'
            _refuse(found, path, value, text)
        if never is not None and _passes(never, value, path):
            _refuse(found, path, value, '"{}" must not validate the schema (not)')

    return check


def _passes(check: Check, value: Any, path: Path) -> bool:
    trial = Findings()
    check(value, path, trial)
    return not trial.errors


def _refuse(found: Findings, path: Path, value: Any, text: str) -> None:
    where = render(path)
    shown = _type_name(value) if isinstance(value, dict | list) else value
    found.errors.append(errors.invalid_value(where, shown, text.format(where)))


_BY_TYPE: dict[str, Callable[[Mapping[str, Any], bool], Check]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
}
