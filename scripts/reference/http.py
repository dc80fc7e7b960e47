"""The reference of the HTTP API, from the gateway's OpenAPI document."""

import json
from collections.abc import Iterator
from typing import Any

from scripts.reference.markdown import cell, code, table

JSON = dict[str, Any]
_METHODS = ("get", "post", "put", "patch", "delete")


def page() -> str:
    """The page."""
    document = openapi()
    schemas = document.get("components", {}).get("schemas", {})
    text = f"# HTTP API\n\n{document['info'].get('description', '')}\n\n"
    text += "The same, to be tried out, is served at `/docs`; as OpenAPI at `/openapi.json`.\n\n"
    for tag, operations in _by_tag(document).items():
        text += f"## {tag}\n\n"
        text += "".join(_operation(*each, schemas=schemas) for each in operations)
    text += "## Objects\n\n"
    return text + "".join(_object(name, schemas[name], schemas) for name in sorted(schemas))


def openapi() -> JSON:
    """The OpenAPI document of the gateway."""
    from dalston_gateway.app import create_app
    from dalston_gateway.settings import GatewaySettings

    document: JSON = create_app(GatewaySettings()).openapi()
    return document


def _by_tag(document: JSON) -> dict[str, list[tuple[str, str, JSON]]]:
    found: dict[str, list[tuple[str, str, JSON]]] = {}
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                tag = (methods[method].get("tags") or ["Other"])[0]
                found.setdefault(tag, []).append((method.upper(), path, methods[method]))
    return found


def _operation(method: str, path: str, operation: JSON, *, schemas: JSON) -> str:
    text = f"### `{method} {path}`\n\n"
    text += f"{operation.get('description') or operation.get('summary') or ''}\n\n"
    rows = [_parameter(each) for each in operation.get("parameters", [])]
    if rows:
        text += table(("Parameter", "In", "Type", "Meaning"), rows)
    for kind, body in operation.get("requestBody", {}).get("content", {}).items():
        fields = list(_fields(body.get("schema", {}), schemas))
        if fields:
            text += f"Body, `{kind}`:\n\n" + table(("Field", "Type", "Default", "Meaning"), fields)
    answers = [
        (status, cell(answer.get("description", "")), _answer_type(answer))
        for status, answer in operation.get("responses", {}).items()
    ]
    return text + table(("Status", "Meaning", "Body"), answers)


def _object(name: str, schema: JSON, schemas: JSON) -> str:
    text = f"### {name}\n\n{schema.get('description', '')}\n\n"
    fields = list(_fields(schema, schemas))
    return text + (table(("Field", "Type", "Default", "Meaning"), fields) if fields else "")


def _parameter(parameter: JSON) -> tuple[str, ...]:
    name = code(parameter["name"]) + (" (required)" if parameter.get("required") else "")
    kind = _type(parameter.get("schema", {}))
    return name, parameter["in"], kind, cell(parameter.get("description", ""))


def _fields(schema: JSON, schemas: JSON) -> Iterator[tuple[str, ...]]:
    schema = _resolved(schema, schemas)
    required = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        default = "required" if name in required else _default(field)
        yield code(name), _type(field), default, cell(field.get("description", ""))


def _resolved(schema: JSON, schemas: JSON) -> JSON:
    reference = schema.get("$ref")
    return schemas[reference.rsplit("/", 1)[-1]] if reference else schema


def _default(field: JSON) -> str:
    default = field.get("default")
    return "" if default in (None, [], {}) else code(json.dumps(default).strip('"'))


def _type(schema: JSON) -> str:
    if reference := schema.get("$ref"):
        name: str = reference.rsplit("/", 1)[-1]
        return name
    if "enum" in schema:
        return " \\| ".join(code(str(value)) for value in schema["enum"])
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(_type(each) for each in options if each.get("type") != "null")
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    kind: str = schema.get("format") or schema.get("type") or "any"
    return kind


def _answer_type(answer: JSON) -> str:
    found = [
        f"`{kind}`" + (f" {_type(body['schema'])}" if body.get("schema") else "")
        for kind, body in answer.get("content", {}).items()
    ]
    return ", ".join(found)
