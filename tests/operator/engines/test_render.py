"""The batch/v1 Jobs of workers."""

import json
from typing import Any

import pytest
from dalston_operator.engines.render import (
    WorkerEnvironment,
    dedicated_job,
    revision,
    worker_job,
    worker_name,
)

from dalston.resources import Stage
from tests.resources.examples import engine, job

_ENVIRONMENT = WorkerEnvironment(
    variables={"DALSTON_NATS_URL": "nats://nats"}, secret="store", service_account="worker"
)


def _worker(**spec: Any) -> dict[str, Any]:
    return worker_job(engine("echo", Stage.MERGE, **spec), _ENVIRONMENT, index=1, kept=True)


def _container(rendered: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any] = rendered["spec"]["template"]["spec"]["containers"][0]
    return container


def _variables(rendered: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item.get("value", "") for item in _container(rendered)["env"]}


def _dedicated(*, parts: int = 1, attempt: int = 0, name: str = "job", **spec: Any) -> Any:
    return dedicated_job(
        engine("echo", Stage.TRANSCRIBE, workers={"max": 4}),
        _ENVIRONMENT,
        job(name, execution={"mode": "Dedicated", **spec}),
        stage=Stage.TRANSCRIBE,
        attempt=attempt,
        parts=parts,
        lane="job-uid",
    )


def test_worker_is_a_job_of_the_engine() -> None:
    rendered = _worker()
    (owner,) = rendered["metadata"]["ownerReferences"]
    assert rendered["metadata"]["name"] == "echo-worker-1"
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("Engine", "uid-echo", True)
    assert rendered["spec"]["backoffLimit"] == 0
    assert rendered["spec"]["template"]["spec"]["restartPolicy"] == "Never"


def test_worker_passes_the_restricted_pod_security_standard() -> None:
    pod = _worker()["spec"]["template"]["spec"]
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert all("emptyDir" in volume for volume in pod["volumes"])


def test_worker_is_told_what_to_do() -> None:
    models = [{"name": "base", "default": True}]
    variables = _variables(_worker(models=models, parameters={"values": {"beam": 1}}))
    assert variables["DALSTON_WORKER_ENGINE"] == "echo"
    assert variables["DALSTON_WORKER_KEEP"] == "true"
    assert variables["DALSTON_NATS_URL"] == "nats://nats"
    assert json.loads(variables["DALSTON_WORKER_MODELS"])[0]["name"] == "base"
    assert json.loads(variables["DALSTON_WORKER_PARAMETERS"]) == {"beam": 1}
    assert all(isinstance(value, str) for value in variables.values())


def test_worker_takes_what_the_engine_asks_for() -> None:
    asked = {
        "resourceName": "nvidia.com/gpu",
        "count": 2,
        "cpu": "500m",
        "memory": "4Gi",
        "nodeSelector": {"gpu": "l4"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "runtimeClassName": "nvidia",
    }
    rendered = _worker(resources=asked)
    pod = rendered["spec"]["template"]["spec"]
    assert _container(rendered)["resources"] == {
        "requests": {"cpu": "500m", "memory": "4Gi"},
        "limits": {"memory": "4Gi", "nvidia.com/gpu": "2"},
    }
    assert (pod["nodeSelector"], pod["runtimeClassName"]) == ({"gpu": "l4"}, "nvidia")
    assert pod["tolerations"] == [{"key": "gpu", "operator": "Exists"}]


def test_overlay_is_laid_over_the_pod() -> None:
    overlay = {
        "metadata": {"labels": {"team": "speech"}},
        "spec": {
            "priorityClassName": "low",
            "containers": [
                {"name": "worker", "env": [{"name": "EXTRA", "value": "1"}], "args": ["-v"]},
                {"name": "sidecar", "image": "proxy"},
            ],
        },
    }
    template = _worker(podTemplateOverlay=overlay)["spec"]["template"]
    worker, sidecar = template["spec"]["containers"]
    assert template["spec"]["priorityClassName"] == "low"
    assert template["metadata"]["labels"]["team"] == "speech"
    assert (worker["image"], worker["args"], sidecar["name"]) == (
        "example/echo:1",
        ["-v"],
        "sidecar",
    )
    names = [item["name"] for item in worker["env"]]
    assert "EXTRA" in names
    assert len(names) == len({*names})


def test_input_faults_and_evictions_are_told_from_failures() -> None:
    fail, ignore = _worker()["spec"]["podFailurePolicy"]["rules"]
    assert (fail["action"], fail["onExitCodes"]["values"]) == ("FailJob", list(range(42, 50)))
    assert (ignore["action"], ignore["onPodConditions"][0]["type"]) == (
        "Ignore",
        "DisruptionTarget",
    )


@pytest.mark.parametrize(
    ("change", "outdated"),
    [
        ({"image": "example/echo:2"}, True),
        ({"resources": {"memory": "8Gi"}}, True),
        ({"workers": {"idleSeconds": 1}}, True),
        ({"workers": {"min": 3, "max": 9}}, False),
    ],
)
def test_revision_is_of_all_that_a_worker_is_made_from(
    change: dict[str, Any], outdated: bool
) -> None:
    before = revision(engine("echo", Stage.MERGE), _ENVIRONMENT)
    after = revision(engine("echo", Stage.MERGE, **change), _ENVIRONMENT)
    assert (before != after) is outdated


@pytest.mark.parametrize("index", [0, 999])
def test_names_fit_and_tell_long_engines_apart(index: int) -> None:
    long = ["e" * 62 + end for end in "ab"]
    names = {worker_name(name, index) for name in long}
    assert len(names) == 2
    assert all(len(name) <= 63 for name in names)
    assert worker_name("echo", 7) == "echo-worker-7"


def test_dedicated_job_belongs_to_its_transcription_and_to_kueue() -> None:
    rendered = _dedicated(queueName="batch")
    labels = rendered["metadata"]["labels"]
    (owner,) = rendered["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("TranscriptionJob", "uid-job")
    assert labels["kueue.x-k8s.io/queue-name"] == "batch"
    assert rendered["spec"]["template"]["metadata"]["labels"] == labels
    assert _variables(rendered)["DALSTON_WORKER_LANES"] == "job-uid"
    assert "kueue.x-k8s.io/queue-name" not in _dedicated()["metadata"]["labels"]


@pytest.mark.parametrize(("parts", "workers", "bound"), [(1, 1, "1"), (3, 3, ""), (9, 4, "")])
def test_dedicated_job_has_a_worker_for_each_part_up_to_the_limit(
    parts: int, workers: int, bound: str
) -> None:
    rendered = _dedicated(parts=parts)
    assert rendered["spec"]["parallelism"] == rendered["spec"]["completions"] == workers
    assert _variables(rendered).get("DALSTON_WORKER_MAX_TASKS", "") == bound


def test_dedicated_names_fit_and_differ_by_attempt() -> None:
    name = "n" * 35 + "." + "n" * 200
    names = [_dedicated(attempt=attempt, name=name)["metadata"]["name"] for attempt in (0, 99)]
    assert len({*names}) == 2
    assert all(len(name) <= 63 and ".-" not in name for name in names)
