"""Pydantic models to structural OpenAPI v3 schemas, as CustomResourceDefinitions want them.

References are inlined, `X | None` becomes an absent `X`, titles go, and defaults stay: the API
server fills them in, so the operator never does.
"""

from typing import Any

from pydantic import BaseModel

_KEPT = (
    "type",
    "description",
    "default",
    "enum",
    "format",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "maxProperties",
)


def structural_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Give the structural schema of a model, with its CEL rules."""
    document = model.model_json_schema(by_alias=True, mode="validation")
    return _convert(document, document.get("$defs", {}))


def _convert(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    node = _without_null(_resolve(node, definitions), definitions)
    schema = {key: node[key] for key in _KEPT if key in node and node[key] is not None}
    schema |= {key: value for key, value in node.items() if key.startswith("x-kubernetes-")}
    if "properties" in node:
        required = node.get("required", [])
        schema["properties"] = {
            name: _property(child, definitions, required=name in required)
            for name, child in node["properties"].items()
        }
        if required:
            schema["required"] = required
    if "items" in node:
        schema["items"] = _convert(node["items"], definitions)
    extra = node.get("additionalProperties")
    if isinstance(extra, dict):
        schema["additionalProperties"] = _convert(extra, definitions)
    return schema


def _property(
    node: dict[str, Any], definitions: dict[str, Any], *, required: bool
) -> dict[str, Any]:
    """Convert a property; an optional object that is never null defaults to the empty one.

    Its own defaults are then filled in, so printer columns and the scale subresource find them.
    """
    schema = _convert(node, definitions)
    if "$ref" in node and not required and "properties" in schema:
        schema.setdefault("default", {})
    return schema


def _resolve(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Inline a reference; what stands beside it (description, default) wins."""
    reference = node.get("$ref")
    if reference is None:
        return node
    target = definitions[reference.rsplit("/", 1)[-1]]
    beside = {key: value for key, value in node.items() if key != "$ref"}
    return {**_resolve(target, definitions), **beside}


def _without_null(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Turn `anyOf: [X, null]` into X."""
    choices = node.get("anyOf")
    if choices is None:
        return node
    (choice,) = [option for option in choices if option.get("type") != "null"]
    beside = {key: value for key, value in node.items() if key != "anyOf" and value is not None}
    return {**_resolve(choice, definitions), **beside}
