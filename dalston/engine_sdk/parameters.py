"""Checking an engine's parameters against their JSON schema: the part of it that manifests use."""

import re
from collections.abc import Iterator
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}


def violations(value: Any, schema: dict[str, Any], *, at: str = "values") -> Iterator[str]:
    """Give what is wrong with a value, one sentence each."""
    kinds = schema.get("type")
    if kinds is not None and not _is_of(value, [kinds] if isinstance(kinds, str) else kinds):
        yield f"{at} must be {kinds}, not {value!r}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at} must be one of {schema['enum']}, not {value!r}"
    if isinstance(value, dict):
        yield from _object_violations(value, schema, at)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from violations(item, schema.get("items", {}), at=f"{at}[{index}]")
    elif isinstance(value, str):
        if not re.search(schema.get("pattern", ""), value):
            yield f"{at} must match {schema['pattern']}"
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if value < schema.get("minimum", value):
            yield f"{at} must be at least {schema['minimum']}"
        if value > schema.get("maximum", value):
            yield f"{at} must be at most {schema['maximum']}"


def _object_violations(value: dict[str, Any], schema: dict[str, Any], at: str) -> Iterator[str]:
    properties = schema.get("properties", {})
    for name in schema.get("required", []):
        if name not in value:
            yield f"{at}.{name} is missing"
    for name, item in value.items():
        if name in properties:
            yield from violations(item, properties[name], at=f"{at}.{name}")
        elif schema.get("additionalProperties", True) is False:
            yield f"{at}.{name} is not in the schema"


def _is_of(value: Any, kinds: list[str]) -> bool:
    if isinstance(value, bool):
        return "boolean" in kinds
    return any(isinstance(value, _TYPES.get(kind, ())) for kind in kinds)
