"""What `kubectl get` prints."""

from __future__ import annotations

from typing import Any

import pytest

from dalston.localkube import builtin_columns, jsonpath, tables
from dalston.localkube.registry import Column
from tests.localkube.client import WIDGETS, Client
from tests.localkube.objects import widget

JSON = dict[str, Any]
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
STATUS = {
    "conditions": [{"type": "Ready", "status": "True"}, {"type": "Old", "status": "False"}],
    "names": ["a", "b"],
    "count": 3,
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".status.count", [3]),
        ("{.status.count}", [3]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        ("$.status.conditions[?(@.type=='Old')].status", ["False"]),
        (".status.conditions[*].type", ["Ready", "Old"]),
        (".status.names[0]", ["a"]),
        (".status.names[-1:]", ["b"]),
        (".status['count']", [3]),
        (".status.missing.deep", []),
    ],
)
def test_json_paths(path: str, expected: list[Any]) -> None:
    assert jsonpath.compile_path(path)({"status": STATUS}) == expected


def test_broken_json_path_is_refused() -> None:
    with pytest.raises(ValueError, match="unsupported JSONPath"):
        jsonpath.compile_path(".a[")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (119, "119s"),
        (125, "2m5s"),
        (180, "3m"),
        (1200, "20m"),
        (3 * 3600 + 120, "3h2m"),
        (30 * 3600, "30h"),
        (3 * 86400, "3d"),
        (400 * 86400, "400d"),
    ],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert tables.short_duration(seconds) == text


async def test_table_of_a_custom_resource(widgets: Client) -> None:
    await widgets.post(WIDGETS, widget(size=5))
    await widgets.merge(f"{WIDGETS}/w/status", {"status": {"conditions": STATUS["conditions"]}})
    answer = await widgets.request("GET", WIDGETS, accept=TABLE)
    columns = [(c["name"], c["priority"]) for c in answer.body["columnDefinitions"]]
    assert columns == [("Name", 0), ("Color", 0), ("Ready", 0), ("Size", 1), ("Age", 0)]
    row = answer.body["rows"][0]
    assert row["cells"][:4] == ["w", "red", "True", 5]
    assert row["object"]["kind"] == "PartialObjectMetadata"


async def test_watched_tables_define_their_columns_once(widgets: Client) -> None:
    await widgets.post(WIDGETS, widget("a"))
    await widgets.post(WIDGETS, widget("b"))
    response = await widgets.session.get(
        widgets.kube.url + WIDGETS,
        params={"watch": "true"},
        headers={"Authorization": f"Bearer {widgets.kube.token}", "Accept": TABLE},
    )
    lines = [await response.content.readline() for _ in range(2)]
    response.close()
    assert [b'"columnDefinitions":null' in line for line in lines] == [False, True]


def cells(columns: tuple[Column, ...], obj: JSON) -> list[Any]:
    obj.setdefault("metadata", {"name": "x"})
    return [column.value(obj) for column in columns if column.value and column.name != "Age"]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"phase": "Pending"}, ["0/1", "Pending", "0"]),
        (
            {
                "phase": "Running",
                "containerStatuses": [{"ready": True, "restartCount": 2, "state": {"running": {}}}],
            },
            ["1/1", "Running", "2"],
        ),
        (
            {
                "phase": "Succeeded",
                "containerStatuses": [{"state": {"terminated": {"reason": "Completed"}}}],
            },
            ["0/1", "Completed", "0"],
        ),
        (
            {
                "phase": "Failed",
                "containerStatuses": [
                    {"state": {"terminated": {"exitCode": 3, "reason": "Error"}}}
                ],
            },
            ["0/1", "Error", "0"],
        ),
        (
            {
                "phase": "Pending",
                "containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull"}}}],
            },
            ["0/1", "ErrImagePull", "0"],
        ),
    ],
)
def test_pod_rows(status: JSON, expected: list[str]) -> None:
    pod = {"spec": {"containers": [{"name": "a"}]}, "status": status}
    assert cells(builtin_columns.POD, pod)[:3] == expected


def test_job_row_of_a_finished_job() -> None:
    status = {
        "succeeded": 1,
        "startTime": "2026-01-01T00:00:00Z",
        "completionTime": "2026-01-01T00:02:05Z",
        "conditions": [{"type": "Complete", "status": "True"}],
    }
    row = cells(builtin_columns.JOB, {"spec": {"completions": 1}, "status": status})
    assert row[:3] == ["Complete", "1/1", "2m5s"]


def test_deployment_row() -> None:
    status = {"readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1}
    row = cells(builtin_columns.DEPLOYMENT, {"spec": {"replicas": 3}, "status": status})
    assert row[:3] == ["1/3", 2, 1]
