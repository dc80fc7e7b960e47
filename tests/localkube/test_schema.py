"""The compiled structural schema: one walk prunes, defaults and validates."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from dalston.localkube import customkinds
from dalston.localkube.schema import Findings
from tests.localkube.objects import widget

CRDS = Path(__file__).parents[2] / "crds"


def kind_schema(path: Path) -> Any:
    kind = customkinds.kind_of(yaml.safe_load(path.read_text()))
    return kind.versions[kind.storage_version].schema


WIDGET = kind_schema(Path(__file__).with_name("widgets.yaml"))


def check(**spec: Any) -> tuple[Any, Findings]:
    found = Findings()
    checked = WIDGET.check(widget(**spec), None, found)
    return checked["spec"], found


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"size": 99},
            "spec.size: Invalid value: 99: spec.size in body should be less than or equal to 32",
        ),
        (
            {"size": 0},
            "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1",
        ),
        (
            {"weight": 0.1},
            "spec.weight: Invalid value: 0.1: "
            "spec.weight in body should be greater than or equal to 0.5",
        ),
        (
            {"size": "x"},
            'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"',
        ),
        (
            {"size": None, "mode": 3},
            'spec.mode: Invalid value: "integer": spec.mode in body must be of type string: "integer"',
        ),
        (
            {"mode": "x"},
            'spec.mode: Unsupported value: "x": supported values: "fast", "slow"',
        ),
        (
            {"color": "RED"},
            "spec.color: Invalid value: \"RED\": spec.color in body should match '^[a-z]+$'",
        ),
        ({"color": "a" * 11}, "spec.color: Too long: may not be more than 10 bytes"),
        ({"tags": list("abcd")}, "spec.tags: Too many: 4: must have at most 3 items"),
        ({"tags": ["a", "a"]}, 'spec.tags[1]: Duplicate value: "a"'),
        (
            {"parts": [{"name": "a"}, {"name": "a"}]},
            'spec.parts[1]: Duplicate value: map[string]interface {}{"name":"a"}',
        ),
        ({"parts": [{"count": 1}]}, "spec.parts[0].name: Required value"),
        (
            {"at": "noon"},
            'spec.at: Invalid value: "noon": spec.at in body must be of type date-time: "noon"',
        ),
        (
            {"port": True},
            'spec.port: Invalid value: "boolean": '
            'spec.port in body must be of type integer or string: "boolean"',
        ),
        (
            {"limits": {"a": 1, "b": 2, "c": 3}},
            "spec.limits: Too many: 3: must have at most 2 items",
        ),
        (
            {"limits": {"a": "x"}},
            'spec.limits.a: Invalid value: "string": '
            'spec.limits.a in body must be of type integer: "string"',
        ),
    ],
)
def test_violation_is_worded_as_the_api_server_words_it(
    spec: dict[str, Any], expected: str
) -> None:
    _, found = check(**spec)
    assert [str(error) for error in found.errors] == [expected]


def test_valid_values_pass() -> None:
    spec, found = check(
        port="http", at="2026-01-02T03:04:05Z", note=None, weight=1, tags=["a"], limits={"a": 1}
    )
    assert found.errors == []
    assert spec["note"] is None


def test_defaults_reach_nested_objects() -> None:
    spec, _ = check()
    assert (spec["size"], spec["mode"], spec["nested"]) == (2, "fast", {"level": 7})


def test_null_is_replaced_by_a_default() -> None:
    spec, found = check(size=None)
    assert (spec["size"], found.errors) == (2, [])


def test_unknown_fields_are_pruned_and_named() -> None:
    spec, found = check(bogus=1, parts=[{"name": "a", "odd": 1}], free={"any": {"thing": 1}})
    assert "bogus" not in spec
    assert spec["free"] == {"any": {"thing": 1}}
    assert found.unknown == ["spec.bogus", "spec.parts[0].odd"]


def test_missing_required_field_is_named() -> None:
    found = Findings()
    WIDGET.check({"spec": {}}, None, found)
    assert [str(error) for error in found.errors] == ["spec.color: Required value"]


def test_whole_number_as_float_is_an_integer() -> None:
    spec, found = check(size=3.0)
    assert (spec["size"], type(spec["size"]), found.errors) == (3, int, [])


@pytest.mark.parametrize("path", sorted(CRDS.glob("*.yaml")), ids=lambda path: path.stem)
def test_projects_definitions_compile(path: Path) -> None:
    assert kind_schema(path).check is not None
    assert kind_schema(path).rules is not None


def test_validation_of_two_kilobytes_is_fast() -> None:
    schema = kind_schema(CRDS / "transcriptionjobs.yaml")
    vocabulary = [f"expected word {number}" for number in range(100)]
    took = []
    for _ in range(200):
        job = {"spec": {"source": {"url": "https://example.com/a"}, "vocabulary": vocabulary}}
        begin = time.perf_counter()
        schema.check(job, None, Findings())
        took.append(time.perf_counter() - begin)
    assert sorted(took)[len(took) // 2] < 0.001
