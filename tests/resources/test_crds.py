"""The definitions in crds/: in step with the models, and as API servers want them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dalston.resources import generate
from dalston.resources.kinds import CUSTOM_KINDS, CustomKind

Schema = dict[str, Any]


def _schema(kind: CustomKind) -> Schema:
    definition = generate.custom_resource_definition(kind)
    (version,) = definition["spec"]["versions"]
    schema: Schema = version["schema"]["openAPIV3Schema"]
    return schema


def _nodes(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from _nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from _nodes(schema[key], f"{path}[{key}]")


_BY_KIND = pytest.mark.parametrize("kind", CUSTOM_KINDS, ids=lambda kind: kind.kind)


def test_files_are_what_the_models_say() -> None:
    assert generate.main(["--check", "crds"]) == 0


def test_file_that_is_out_of_step_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate.main([str(tmp_path)]) == 0
    (tmp_path / "engines.yaml").write_text("stale")
    assert generate.main(["--check", str(tmp_path)]) == 1
    assert "engines.yaml is not what the models say" in capsys.readouterr().err
    assert (tmp_path / "engines.yaml").read_text() == "stale"


@_BY_KIND
def test_schema_is_structural(kind: CustomKind) -> None:
    for path, node in _nodes(_schema(kind)):
        assert not {"$ref", "anyOf", "allOf", "oneOf", "not", "title"} & node.keys(), path
        assert isinstance(node.get("type"), str), path
        assert not ("properties" in node and "additionalProperties" in node), path


@_BY_KIND
def test_everything_is_bounded(kind: CustomKind) -> None:
    for path, node in _nodes(_schema(kind)):
        if path in (".apiVersion", ".kind"):
            continue
        if node["type"] == "array":
            assert "maxItems" in node, path
        if node["type"] == "string":
            assert {"maxLength", "enum", "format"} & node.keys(), path
        if "additionalProperties" in node:
            assert "maxProperties" in node, path


@_BY_KIND
def test_everything_is_described(kind: CustomKind) -> None:
    bare = [
        path
        for path, node in _nodes(_schema(kind))
        if path.count(".") > 1 and "[" not in path and not node.get("description")
    ]
    assert bare == []


@_BY_KIND
def test_rules_say_what_is_wrong(kind: CustomKind) -> None:
    for path, node in _nodes(_schema(kind)):
        for rule in node.get("x-kubernetes-validations", []):
            assert rule["message"], path


@_BY_KIND
def test_columns_and_scale_point_at_fields_that_exist(kind: CustomKind) -> None:
    paths = {path for path, _ in _nodes(_schema(kind))}
    wanted = [column.json_path for column in kind.columns if "?" not in column.json_path]
    if kind.scale is not None:
        wanted += [kind.scale.spec_replicas, kind.scale.status_replicas, kind.scale.selector]
    known = {*paths, ".metadata.creationTimestamp"}
    assert [path for path in (*wanted, *kind.selectable_fields) if path not in known] == []


@_BY_KIND
def test_lists_with_keys_name_fields_of_their_items(kind: CustomKind) -> None:
    for path, node in _nodes(_schema(kind)):
        for key in node.get("x-kubernetes-list-map-keys", []):
            item = node["items"]
            assert key in item["properties"], path
            assert key in item["required"] or "default" in item["properties"][key], path


@_BY_KIND
def test_definition_is_plain_yaml_of_the_group(kind: CustomKind) -> None:
    definition = yaml.safe_load(generate.render(kind))
    assert definition["metadata"]["name"] == f"{kind.plural}.dalston.io"
    assert definition["spec"]["names"]["categories"] == ["dalston"]
    (version,) = definition["spec"]["versions"]
    assert (version["name"], version["served"], version["storage"]) == ("v1alpha1", True, True)
