"""The reference of the custom resources, from the CRDs that the models give."""

import json
from collections.abc import Iterator
from typing import Any

from dalston.resources.generate import custom_resource_definition
from dalston.resources.kinds import CUSTOM_KINDS, CustomKind
from dalston.resources.meta import API_VERSION
from scripts.reference.markdown import cell, code, table

JSON = dict[str, Any]

_BOUNDS = {
    "minimum": "≥ {}",
    "maximum": "≤ {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "maxProperties": "at most {} entries",
    "pattern": "matches `{}`",
}


def page() -> str:
    """The page."""
    text = (
        f"# Custom resources\n\nGroup and version `{API_VERSION}`; all of them are namespaced.\n\n"
    )
    return text + "".join(_kind(kind) for kind in CUSTOM_KINDS)


def _kind(kind: CustomKind) -> str:
    version = custom_resource_definition(kind)["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    short = ", ".join(code(name) for name in kind.short_names)
    text = f"## {kind.kind}\n\n{schema.get('description', '')}\n\n"
    text += f"`kubectl get {kind.plural}`; short {short}"
    text += "; it can be scaled with `kubectl scale`.\n\n" if kind.scale else ".\n\n"
    rows = [
        (column.name.upper(), code(column.json_path), "`-o wide`" if column.priority else "")
        for column in kind.columns
    ]
    text += table(("Column", "From", "Shown with"), rows)
    for part in ("spec", "status"):
        for path, fields in _objects(part, schema["properties"][part]):
            text += _object(path, fields)
    return text


def _objects(path: str, schema: JSON) -> Iterator[tuple[str, JSON]]:
    """The object schemas in a schema, outermost first, with their paths."""
    if "properties" in schema:
        yield path, schema
        for name, field in schema["properties"].items():
            yield from _objects(f"{path}.{name}", field)
    elif "items" in schema:
        yield from _objects(f"{path}[]", schema["items"])


def _object(path: str, schema: JSON) -> str:
    required = set(schema.get("required", ()))
    rows = [
        (
            code(name),
            _type(field),
            "required" if name in required else _default(field),
            _text(field),
        )
        for name, field in schema["properties"].items()
    ]
    text = f"### `{path}`\n\n" + table(("Field", "Type", "Default", "Meaning"), rows)
    rules = [rule["message"] for rule in schema.get("x-kubernetes-validations", ())]
    return text + (f"Rules: {'; '.join(rules)}.\n\n" if rules else "")


def _type(field: JSON) -> str:
    if "enum" in field:
        return " \\| ".join(code(str(value)) for value in field["enum"])
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}"
    if "additionalProperties" in field:
        return f"map to {_type(field['additionalProperties'])}"
    kind: str = field.get("format") or field.get("type") or "any"
    return kind


def _default(field: JSON) -> str:
    if "default" not in field or field["default"] in ({}, []):
        return ""
    return code(json.dumps(field["default"]).strip('"'))


def _text(field: JSON) -> str:
    limits = [_bound(name, field[name]) for name in _BOUNDS if name in field]
    sentence = cell(field.get("description", ""))
    return f"{sentence} ({cell(', '.join(limits))})" if limits else sentence


def _bound(name: str, value: Any) -> str:
    return _BOUNDS[name].format(value)
