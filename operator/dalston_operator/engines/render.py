"""Renders the batch/v1 Job of a worker. Pure functions."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from dalston.resources.engine import Engine
from dalston.resources.meta import (
    API_VERSION,
    ATTEMPT_LABEL,
    ENGINE_LABEL,
    GROUP,
    JOB_LABEL,
    MANAGED_BY_LABEL,
    MANAGER,
    QUEUE_NAME_LABEL,
    STAGE_LABEL,
    WORKER_LABEL,
)
from dalston.resources.stages import Stage
from dalston.resources.transcription_job import TranscriptionJob
from dalston_operator.patches import strategic_merge

REVISION_ANNOTATION = f"{GROUP}/engine-revision"
"""On a worker's Job: hash of what it was rendered from, to tell outdated workers."""

KEPT_LABEL = f"{GROUP}/kept"
"""On the Job of a worker that stays without work, because of `workers.min`."""

_HEALTH_PORT = 8080
_GRACE_SECONDS = 30
_ENGINE_LENGTH = 50
"""Letters of the engine in the name of a worker's Job, which may have 63 in all."""
_INPUT_FAULTS = list(range(42, 50))


@dataclass(frozen=True)
class WorkerEnvironment:
    """What every worker of this installation gets, whatever its engine."""

    variables: dict[str, str] = field(default_factory=dict)
    secret: str | None = None
    service_account: str | None = None
    finished_ttl_seconds: int = 120


def worker_job(
    engine: Engine, environment: WorkerEnvironment, *, index: int, kept: bool
) -> dict[str, Any]:
    """Give the Job of a warm worker, which serves all lanes; `kept` ones never end for idleness."""
    name = worker_name(engine.metadata.name, index)
    variables = {
        "DALSTON_WORKER_IDLE_SECONDS": str(engine.spec.workers.idle_seconds),
        "DALSTON_WORKER_KEEP": "true" if kept else "false",
    }
    labels = {WORKER_LABEL: str(index), KEPT_LABEL: "true" if kept else "false"}
    job = _job(engine, environment, name=name, labels=labels, variables=variables)
    job["metadata"]["ownerReferences"] = [_owner(engine, "Engine")]
    return job


def dedicated_job(
    engine: Engine,
    environment: WorkerEnvironment,
    job: TranscriptionJob,
    *,
    stage: Stage,
    attempt: int,
    parts: int,
    lane: str,
) -> dict[str, Any]:
    """Give the Job that performs one stage of one TranscriptionJob and then ends."""
    labels = {JOB_LABEL: job.metadata.uid, STAGE_LABEL: str(stage), ATTEMPT_LABEL: str(attempt)}
    queue = job.spec.execution.queue_name
    if queue:
        labels[QUEUE_NAME_LABEL] = queue
    workers = min(parts, max(engine.spec.workers.max, 1))
    variables = {
        "DALSTON_WORKER_LANES": lane,
        "DALSTON_WORKER_IDLE_SECONDS": "5",
        "DALSTON_WORKER_KEEP": "false",
    }
    if workers == 1:
        variables["DALSTON_WORKER_MAX_TASKS"] = str(parts)
    name = dedicated_name(job, stage=stage, attempt=attempt)
    rendered = _job(engine, environment, name=name, labels=labels, variables=variables)
    rendered["metadata"]["ownerReferences"] = [_owner(job, "TranscriptionJob")]
    rendered["spec"] |= {"parallelism": workers, "completions": workers}
    return rendered


def dedicated_name(job: TranscriptionJob, *, stage: Stage, attempt: int) -> str:
    """Give the name of the Job of one attempt at one stage of a TranscriptionJob."""
    readable = job.metadata.name[:36].rstrip("-.")
    return f"{readable}-{stage}-{job.metadata.uid[:8]}-{attempt}"


def worker_name(engine: str, index: int) -> str:
    """Give the name of the Job of the worker with that number; long engines are told by a hash."""
    if len(engine) > _ENGINE_LENGTH:
        digest = hashlib.sha256(engine.encode()).hexdigest()[:8]
        engine = f"{engine[: _ENGINE_LENGTH - 9].rstrip('-')}-{digest}"
    return f"{engine}-worker-{index}"


def revision(engine: Engine, environment: WorkerEnvironment) -> str:
    """Give the hash of everything that a worker is rendered from but how many there are."""
    spec = engine.spec.model_dump(mode="json", exclude={"workers": {"min", "max"}})
    text = json.dumps([spec, environment.variables, environment.secret], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def selector(engine: str) -> str:
    """Give the label selector of the pods of an engine's workers."""
    return f"{ENGINE_LABEL}={engine}"


def _job(
    engine: Engine,
    environment: WorkerEnvironment,
    *,
    name: str,
    labels: dict[str, str],
    variables: dict[str, str],
) -> dict[str, Any]:
    labels = {
        MANAGED_BY_LABEL: MANAGER,
        ENGINE_LABEL: engine.metadata.name,
        **labels,
    }
    pod = {
        "metadata": {"labels": labels},
        "spec": _pod_spec(engine, environment, variables),
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": engine.metadata.namespace,
            "labels": labels,
            "annotations": {REVISION_ANNOTATION: revision(engine, environment)},
        },
        "spec": {
            "backoffLimit": 0,
            "parallelism": 1,
            "completions": 1,
            "podReplacementPolicy": "Failed",
            "ttlSecondsAfterFinished": environment.finished_ttl_seconds,
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": "FailJob",
                        "onExitCodes": {
                            "containerName": "worker",
                            "operator": "In",
                            "values": _INPUT_FAULTS,
                        },
                    },
                    {
                        "action": "Ignore",
                        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                    },
                ]
            },
            "template": strategic_merge(pod, engine.spec.pod_template_overlay),
        },
    }


def _pod_spec(
    engine: Engine, environment: WorkerEnvironment, variables: dict[str, str]
) -> dict[str, Any]:
    resources = engine.spec.resources
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(engine, environment, variables)],
        "volumes": [{"name": "scratch", "emptyDir": {}}],
    }
    if environment.service_account:
        spec["serviceAccountName"] = environment.service_account
    if resources.node_selector:
        spec["nodeSelector"] = dict(resources.node_selector)
    if resources.tolerations:
        spec["tolerations"] = [toleration.to_wire() for toleration in resources.tolerations]
    if resources.runtime_class_name:
        spec["runtimeClassName"] = resources.runtime_class_name
    return spec


def _container(
    engine: Engine, environment: WorkerEnvironment, variables: dict[str, str]
) -> dict[str, Any]:
    spec = engine.spec
    values = {
        **environment.variables,
        "DALSTON_WORKER_ENGINE": engine.metadata.name,
        "DALSTON_WORKER_CONCURRENCY": str(spec.workers.concurrency),
        "DALSTON_WORKER_MODELS": json.dumps([model.to_wire() for model in spec.models]),
        "DALSTON_WORKER_PARAMETERS": json.dumps(spec.parameters.values),
        "DALSTON_HEALTH_PORT": str(_HEALTH_PORT),
        "TMPDIR": "/tmp",
        **variables,
    }
    container: dict[str, Any] = {
        "name": "worker",
        "image": spec.image,
        "env": [
            {"name": "DALSTON_WORKER_NAME", "valueFrom": _field("metadata.name")},
            {"name": "DALSTON_HEALTH_HOST", "valueFrom": _field("status.podIP")},
            *({"name": name, "value": value} for name, value in values.items()),
        ],
        "resources": _resources(engine),
        "ports": [{"name": "health", "containerPort": _HEALTH_PORT}],
        "startupProbe": _probe("/livez", period=1, failures=600),
        "readinessProbe": _probe("/readyz", period=2, failures=3),
        "livenessProbe": _probe("/livez", period=10, failures=6),
        "volumeMounts": [{"name": "scratch", "mountPath": "/tmp"}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if spec.args:
        container["args"] = list(spec.args)
    if environment.secret:
        container["envFrom"] = [{"secretRef": {"name": environment.secret}}]
    return container


def _resources(engine: Engine) -> dict[str, Any]:
    resources = engine.spec.resources
    limits = {"memory": resources.memory}
    if resources.resource_name:
        limits[resources.resource_name] = str(resources.count)
    return {"requests": {"cpu": resources.cpu, "memory": resources.memory}, "limits": limits}


def _probe(path: str, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "health"},
        "periodSeconds": period,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    }


def _field(path: str) -> dict[str, Any]:
    return {"fieldRef": {"fieldPath": path}}


def _owner(resource: Engine | TranscriptionJob, kind: str) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "name": resource.metadata.name,
        "uid": resource.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }
