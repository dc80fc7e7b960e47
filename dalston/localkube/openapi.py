"""OpenAPI v3 documents, one per group and version, for `kubectl explain` and client-side validation."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
from aiohttp import web

from dalston.localkube import builtin_types, errors
from dalston.localkube.registry import Kind, Registry, Version
from dalston.localkube.schema import NULL_IS_ABSENT

JSON = dict[str, Any]

_V2_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""`kubectl` asks for version 2 where version 3 lacks a kind (v1 List); the empty document will do."""
_OBJECT_META = "meta.ObjectMeta"
_WRITE_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation")
_DESCRIPTIONS = {
    "apiVersion": "The version of the schema that this object follows, with its group.",
    "kind": "The kind of resource that this object is.",
    "metadata": "Standard object's metadata.",
}


class OpenApi:
    """Serves /openapi/v3; a document is built when first asked for after a change of the kinds."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._built_for = -1
        self._documents: dict[str, bytes] = {}

    def answer(self, request: web.BaseRequest, path: str) -> web.Response:
        """A document, or the index of all. Raises 404."""
        if self._built_for != self._registry.generation:
            self._documents.clear()
            self._built_for = self._registry.generation
        if path == "/openapi/v2":
            return web.Response(body=b"", headers={"Content-Type": _V2_TYPE})
        if path == "/openapi/v3":
            return _json(orjson.dumps({"paths": self._index()}))
        place = path.removeprefix("/openapi/v3/")
        if not path.startswith("/openapi/v3/") or place not in self._places():
            raise errors.no_such_path()
        return _json(self._document(place))

    def _places(self) -> dict[str, tuple[str, str]]:
        """(group, version) by path: `api/v1`, `apis/GROUP/VERSION`."""
        return {
            f"apis/{group}/{version}" if group else f"api/{version}": (group, version)
            for group, versions in self._registry.groups().items()
            for version in versions
        }

    def _index(self) -> JSON:
        index: JSON = {}
        for place in self._places():
            digest = hashlib.sha256(self._document(place)).hexdigest().upper()
            index[place] = {"serverRelativeURL": f"/openapi/v3/{place}?hash={digest}"}
        return index

    def _document(self, place: str) -> bytes:
        cached = self._documents.get(place)
        if cached is None:
            group, version = self._places()[place]
            kinds = [k for k in self._registry if k.group == group and version in k.versions]
            cached = orjson.dumps(_build(place, kinds, version))
            self._documents[place] = cached
        return cached


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


def _build(place: str, kinds: list[Kind], version: str) -> JSON:
    schemas: JSON = {}
    paths: JSON = {}
    for kind in kinds:
        name = _component(kind, version)
        schemas[name] = _schema(kind, kind.versions[version], schemas)
        paths.update(_paths(place, kind, name, version))
    _add_message(_OBJECT_META, schemas)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.32.4"},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _component(kind: Kind, version: str) -> str:
    message = kind.versions[version].message
    if message:
        return builtin_types.reference(message)
    return f"{'.'.join(reversed(kind.group.split('.')))}.{version}.{kind.kind}"


def _schema(kind: Kind, version: Version, schemas: JSON) -> JSON:
    if version.message:
        schema = builtin_types.schema_of(version.message, inner=lambda m: _add_message(m, schemas))
    else:
        schema = dict(version.openapi or {"type": "object"})
    schema.pop(NULL_IS_ABSENT, None)
    properties = dict(schema.get("properties") or {})
    for name in ("apiVersion", "kind"):
        properties[name] = {"type": "string", "description": _DESCRIPTIONS[name]}
    properties["metadata"] = {
        "description": _DESCRIPTIONS["metadata"],
        "allOf": [_add_message(_OBJECT_META, schemas)],
    }
    schema["properties"] = properties
    schema["x-kubernetes-group-version-kind"] = [
        {"group": kind.group, "version": version.name, "kind": kind.kind}
    ]
    return schema


def _add_message(message: str, schemas: JSON) -> JSON:
    """The reference to a message; its schema and those below it are added to `schemas`."""
    name = builtin_types.reference(message)
    if name not in schemas:
        schemas[name] = {}
        schema = builtin_types.schema_of(message, inner=lambda m: _add_message(m, schemas))
        schema.pop(NULL_IS_ABSENT)
        schemas[name] = schema
    return {"$ref": f"#/components/schemas/{name}"}


def _paths(place: str, kind: Kind, component: str, version: str) -> JSON:
    """The write operations of a kind: clients look up here which parameters they take."""
    root = f"/{place}/namespaces/{{namespace}}" if kind.namespaced else f"/{place}"
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{component}"}}}
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
        for name in _WRITE_PARAMETERS
    ]

    def operation(action: str) -> JSON:
        return {
            "operationId": f"{action}{kind.group}{version}{kind.kind}",
            "parameters": parameters,
            "responses": {"200": {"description": "OK", "content": content}},
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": {
                "group": kind.group,
                "version": version,
                "kind": kind.kind,
            },
        }

    collection, single = f"{root}/{kind.plural}", f"{root}/{kind.plural}/{{name}}"
    return {
        collection: {"get": operation("list"), "post": operation("post")},
        single: {action: operation(action) for action in ("get", "put", "patch", "delete")},
    }
