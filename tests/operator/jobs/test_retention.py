"""What the retention keeps of a job."""

from datetime import UTC, datetime
from typing import Any

import pytest
from dalston_operator.jobs.retention import JobView, view

from dalston.resources.meta import RETRY_ANNOTATION


def _view(
    *, annotations: dict[str, str] | None = None, spec: dict[str, Any] | None = None, **status: Any
) -> JobView:
    metadata = {"name": "one", "uid": "uid-1", "annotations": annotations}
    return view({"metadata": metadata, "spec": spec or {}, "status": status})


def test_new_job_has_no_status_yet() -> None:
    assert view({"metadata": {"name": "one", "uid": "uid-1"}}) == JobView(
        uid="uid-1", finished=False, expires_at=None, retry_asked=False, upload=None
    )


@pytest.mark.parametrize(
    ("phase", "finished"),
    [("Running", False), ("Succeeded", True), ("Failed", True), ("Cancelled", True)],
)
def test_finished_job_is_told(phase: str, finished: bool) -> None:
    assert _view(phase=phase).finished is finished


def test_time_to_live_counts_from_the_end() -> None:
    spec = {"ttlSecondsAfterFinished": 60}
    ended: dict[str, Any] = {"phase": "Succeeded", "finishedAt": "2026-01-01T12:00:00.500000Z"}
    assert _view(spec=spec, **ended).expires_at == datetime(2026, 1, 1, 12, 1, 0, 500000, UTC)
    assert _view(spec=spec, phase="Running").expires_at is None
    assert _view(**ended).expires_at is None


@pytest.mark.parametrize(
    ("artifact", "upload"),
    [
        ("uploads/abc/source", "uploads/abc"),
        ("elsewhere/source", None),
        (None, None),
    ],
)
def test_upload_is_the_folder_of_the_source(artifact: str | None, upload: str | None) -> None:
    assert _view(spec={"source": {"artifact": artifact}}).upload == upload


@pytest.mark.parametrize(
    ("status", "spec", "asked"),
    [
        ({"phase": "Failed"}, {}, True),
        ({"phase": "Cancelled"}, {}, True),
        ({"phase": "Cancelled"}, {"cancel": True}, False),
        ({"phase": "Failed", "retry": "1"}, {}, False),
        ({"phase": "Failed", "retry": "0"}, {}, True),
        ({"phase": "Succeeded"}, {}, False),
        ({"phase": "Running"}, {}, False),
    ],
)
def test_retry_is_asked_by_a_new_value_on_a_job_that_failed(
    status: dict[str, Any], spec: dict[str, Any], asked: bool
) -> None:
    assert _view(annotations={RETRY_ANNOTATION: "1"}, spec=spec, **status).retry_asked is asked


def test_lanes_are_those_of_a_dedicated_job() -> None:
    stages = [
        {"name": "prepare", "engine": "a"},
        {"name": "align"},
        {"name": "merge", "engine": "b"},
    ]
    dedicated = {"execution": {"mode": "Dedicated"}}
    assert _view(spec=dedicated, stages=stages).lanes == {"a", "b"}
    assert _view(stages=stages).lanes == frozenset()
