"""The parts of the OpenAPI reference that FastAPI cannot see: bodies that handlers read themselves."""

from typing import Any

from pydantic import BaseModel

JSON = dict[str, Any]


def form_body(model: type[BaseModel], *, file_required: bool = False) -> JSON:
    """Describe a multipart form with the fields of a model and a recording as `file`."""
    schema = inlined_schema(model)
    schema["properties"] = {
        "file": {"type": "string", "format": "binary", "description": "The recording."},
        **schema["properties"],
    }
    if file_required:
        schema["required"] = ["file", *schema.get("required", [])]
    return {"schema": schema}


def inlined_schema(model: type[BaseModel]) -> JSON:
    """Give a model's JSON schema without references."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})
    resolved = _resolve(schema, definitions)
    assert isinstance(resolved, dict)
    return resolved


def _resolve(value: Any, definitions: JSON) -> Any:
    if isinstance(value, list):
        return [_resolve(each, definitions) for each in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        name = value["$ref"].rsplit("/", 1)[-1]
        rest = {key: each for key, each in value.items() if key != "$ref"}
        return _resolve(definitions[name], definitions) | rest
    return {key: _resolve(each, definitions) for key, each in value.items()}
