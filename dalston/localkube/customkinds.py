"""From a CustomResourceDefinition to a `Kind`: schema, rules, columns and subresources, compiled."""

from __future__ import annotations

import copy
from typing import Any

from dalston.localkube import jsonpath, schema
from dalston.localkube.registry import Column, CompiledSchema, Kind, Strategy, Version

JSON = dict[str, Any]

RESOURCE = "customresourcedefinitions.apiextensions.k8s.io"

_STRATEGY = Strategy(generation=True, unconditional_update=False)
_TOP_LEVEL = ("apiVersion", "kind", "metadata")
_AGE = Column("Age", type="date", path=".metadata.creationTimestamp", description="Age")


def kind_of(definition: JSON) -> Kind:
    """The kind that `definition` declares. Raises ValueError for a schema that cannot be compiled."""
    spec, names = definition["spec"], definition["spec"]["names"]
    stored = next(version["name"] for version in spec["versions"] if version.get("storage"))
    selectable: dict[str, tuple[str, ...]] = {}
    for version in spec["versions"]:
        for entry in version.get("selectableFields") or ():
            path = entry["jsonPath"].removeprefix(".")
            selectable[path] = tuple(path.split("."))
    return Kind(
        group=spec["group"],
        kind=names["kind"],
        plural=names["plural"],
        versions={version["name"]: _version(version) for version in spec["versions"]},
        storage_version=stored,
        namespaced=spec["scope"] == "Namespaced",
        singular=names.get("singular") or names["kind"].lower(),
        list_kind=names.get("listKind") or f"{names['kind']}List",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        selectable=selectable,
        strategy=_STRATEGY,
        custom=True,
    )


def check_rules(kind: Kind) -> None:
    """Compiles all CEL rules of a kind. Raises ValueError for bad syntax."""
    for version in kind.versions.values():
        if version.schema is not None:
            version.schema.rules  # noqa: B018  compiles them


def _version(version: JSON) -> Version:
    openapi = version["schema"]["openAPIV3Schema"]
    subresources = version.get("subresources") or {}
    columns = version.get("additionalPrinterColumns")
    for column in columns or ():
        jsonpath.compile_path(column["jsonPath"])
    return Version(
        name=version["name"],
        openapi=openapi,
        schema=compile_version(openapi),
        columns=tuple(_column(column) for column in columns) if columns else (_AGE,),
        served=bool(version.get("served", True)),
        scale=subresources.get("scale"),
        has_status="status" in subresources,
        deprecation=_deprecation(version),
    )


def _deprecation(version: JSON) -> str:
    if not version.get("deprecated"):
        return ""
    return str(version.get("deprecationWarning") or f"{version['name']} is deprecated")


def _column(column: JSON) -> Column:
    return Column(
        column["name"],
        type=column["type"],
        path=column["jsonPath"],
        priority=column.get("priority", 0),
        format=column.get("format", ""),
        description=column.get("description", ""),
    )


def compile_version(openapi: JSON) -> CompiledSchema:
    """The compiled form of one version's schema; metadata is left to the server's own checks."""
    root = copy.deepcopy(openapi)
    properties = root.setdefault("properties", {})
    for name in _TOP_LEVEL:
        properties[name] = {"x-kubernetes-preserve-unknown-fields": True}
    root.setdefault("type", "object")
    status = properties.get("status")
    return CompiledSchema(
        check=schema.compile_schema(root),
        status=schema.compile_schema(status) if status else None,
        declared=root,
    )
