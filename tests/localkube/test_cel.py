"""CEL rules where they stand in a schema."""

from __future__ import annotations

from typing import Any

import pytest

from dalston.localkube import cel
from dalston.localkube.errors import FieldError
from tests.localkube.client import DEFINITIONS, WIDGETS, Client
from tests.localkube.objects import widget

JSON = dict[str, Any]


def evaluate(schema: JSON, value: Any, old: Any = cel.MISSING) -> list[FieldError]:
    tree = cel.compile_rules(schema)
    assert tree is not None
    found: list[FieldError] = []
    cel.evaluate(tree, value, old=old, path=None, found=found)
    return found


def ruled(rule: str, **properties: JSON) -> JSON:
    return {
        "type": "object",
        "properties": properties,
        "x-kubernetes-validations": [{"rule": rule}],
    }


STRING: JSON = {"type": "string"}
NUMBER: JSON = {"type": "number"}
STRINGS: JSON = {"type": "array", "items": STRING}


@pytest.mark.parametrize(
    ("rule", "holds", "breaks"),
    [
        ("has(self.a) != has(self.b)", {"a": "x"}, {"a": "x", "b": "y"}),
        ("self.a.startsWith('x')", {"a": "xy"}, {"a": "y"}),
        ("self.a.matches('^[a-z]+$')", {"a": "abc"}, {"a": "1"}),
        ("size(self.l) <= 2", {"l": ["a"]}, {"l": ["a", "b", "c"]}),
        ("self.l.all(x, x != 'z')", {"l": ["a"]}, {"l": ["z"]}),
        ("self.l.exists(x, x == 'z')", {"l": ["z"]}, {"l": ["a"]}),
        ("self.n > 0.5", {"n": 1}, {"n": 0}),
        ("duration(self.a) <= duration('1h')", {"a": "30m"}, {"a": "2h"}),
        (
            "isURL(self.a) && url(self.a).getScheme() == 'https'",
            {"a": "https://x"},
            {"a": "ftp://x"},
        ),
        ("self.a.lowerAscii() == self.a", {"a": "x"}, {"a": "X"}),
        ("self.a.find('[0-9]+') == '12'", {"a": "a12b"}, {"a": "ab"}),
        ("quantity(self.a).isLessThan(quantity('1Gi'))", {"a": "10Mi"}, {"a": "2Gi"}),
        ("!('x' in self.l)", {"l": ["a"]}, {"l": ["x"]}),
        ("self.__namespace__ == 'a'", {"namespace": "a"}, {"namespace": "b"}),
        ("self.with__dash__it == 'a'", {"with-it": "a"}, {"with-it": "b"}),
    ],
)
def test_expressions(rule: str, holds: JSON, breaks: JSON) -> None:
    schema = ruled(
        rule,
        a=STRING,
        b=STRING,
        l=STRINGS,
        n=NUMBER,
        namespace=STRING,
        **{"with-it": STRING},
    )
    assert evaluate(schema, holds) == []
    assert [error.message for error in evaluate(schema, breaks)] == [
        f'Invalid value: "object": failed rule: {rule}'
    ]


def test_durations_and_times_are_typed_by_their_format() -> None:
    schema = ruled(
        "self.d < duration('1h') && self.t > timestamp('2026-01-01T00:00:00Z')",
        d={"type": "string", "format": "duration"},
        t={"type": "string", "format": "date-time"},
    )
    assert evaluate(schema, {"d": "5m", "t": "2026-02-01T00:00:00Z"}) == []
    assert len(evaluate(schema, {"d": "5h", "t": "2026-02-01T00:00:00Z"})) == 1


def test_transition_rule_waits_for_an_old_value() -> None:
    schema = ruled("self.a == oldSelf.a", a=STRING)
    assert evaluate(schema, {"a": "x"}) == []
    assert len(evaluate(schema, {"a": "x"}, {"a": "y"})) == 1


def test_unchanged_part_is_not_judged_again() -> None:
    schema = ruled("self.a == 'good'", a=STRING)
    assert evaluate(schema, {"a": "bad"}, {"a": "bad"}) == []


def test_failing_expression_is_an_error_of_the_object() -> None:
    errors = evaluate(ruled("self.a == 'x'", a=STRING), {})
    assert "no such key: a evaluating rule: failed rule: self.a == 'x'" in errors[0].message


def test_reason_and_field_path_are_used() -> None:
    schema = ruled("self.a == 'x'", a=STRING)
    schema["x-kubernetes-validations"][0].update(
        message="no", reason="FieldValueForbidden", fieldPath=".a"
    )
    assert [str(error) for error in evaluate(schema, {"a": "y"})] == ["a: Forbidden: no"]


async def test_rules_guard_creation_with_a_computed_message(widgets: Client) -> None:
    answer = await widgets.post(WIDGETS, widget(size=3, min=5))
    assert answer.status == 422
    assert answer.message == (
        'Widget.example.org "w" is invalid: spec: Invalid value: "object": min 5 is above size 3'
    )


async def test_rules_guard_updates(widgets: Client) -> None:
    await widgets.post(WIDGETS, widget(parts=[{"name": "a", "count": 2}]))
    answer = await widgets.merge(f"{WIDGETS}/w", {"spec": {"color": "blue"}})
    assert 'spec: Invalid value: "object": color is immutable' in answer.message
    shrunk = await widgets.merge(f"{WIDGETS}/w", {"spec": {"parts": [{"name": "a", "count": 1}]}})
    assert 'spec.parts[0]: Invalid value: "object": count shrinks' in shrunk.message


async def test_rules_wait_for_a_well_formed_object(widgets: Client) -> None:
    answer = await widgets.post(WIDGETS, widget(size="x", min=5))
    fields = [cause["field"] for cause in answer.body["details"]["causes"]]
    assert fields == ["spec.size", "<nil>"]
    assert "some validation rules were not checked because the object was invalid" in answer.message


async def test_definition_with_a_broken_rule_is_refused(client: Client) -> None:
    definition = {
        "metadata": {"name": "things.example.org"},
        "spec": {
            "group": "example.org",
            "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": "things"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": ruled("self.a ==", a=STRING)},
                }
            ],
        },
    }
    answer = await client.post(DEFINITIONS, definition)
    assert answer.status == 422
    assert "compilation failed" in answer.message
