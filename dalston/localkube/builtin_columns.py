"""The columns that `kubectl get` shows for built-in kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dalston.localkube import formats
from dalston.localkube.registry import Column
from dalston.localkube.tables import AGE, age, short_duration

JSON = dict[str, Any]


def _column(
    name: str, value: Callable[[JSON], Any], *, kind: str = "string", priority: int = 0
) -> Column:
    return Column(name, type=kind, value=value, priority=priority)


def _at(*path: str, default: Any = "") -> Callable[[JSON], Any]:
    """Reads a nested field; `default` when it is absent or null."""

    def read(obj: JSON) -> Any:
        found: Any = obj
        for part in path:
            found = found.get(part) if isinstance(found, dict) else None
        return default if found is None else found

    return read


def _templates(obj: JSON) -> list[JSON]:
    spec = obj.get("spec", {})
    containers: list[JSON] = spec.get("template", {}).get("spec", {}).get("containers") or []
    return containers


def _labels(selector: Any) -> str:
    labels = (selector or {}).get("matchLabels") if isinstance(selector, dict) else None
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or "<none>"


_WORKLOAD_WIDE = (
    _column("Containers", lambda o: ",".join(c["name"] for c in _templates(o)), priority=1),
    _column("Images", lambda o: ",".join(c.get("image", "") for c in _templates(o)), priority=1),
    _column("Selector", lambda o: _labels(o.get("spec", {}).get("selector")), priority=1),
)

NAMESPACE = (_column("Status", _at("status", "phase")), AGE)
SECRET = (
    _column("Type", _at("type")),
    _column("Data", lambda o: len(o.get("data") or ()), kind="string"),
    AGE,
)
CONFIG_MAP = (
    _column("Data", lambda o: len(o.get("data") or ()) + len(o.get("binaryData") or ())),
    AGE,
)
SERVICE_ACCOUNT = (_column("Secrets", lambda o: len(o.get("secrets") or ())), AGE)
LEASE = (_column("Holder", _at("spec", "holderIdentity")), AGE)
PRIORITY_CLASS = (
    _column("Value", _at("value", default=0), kind="integer"),
    _column("Global-Default", _at("globalDefault", default=False), kind="boolean"),
    AGE,
    _column("PreemptionPolicy", _at("preemptionPolicy")),
)
CUSTOM_RESOURCE_DEFINITION = (
    _column("Created At", _at("metadata", "creationTimestamp"), kind="date"),
)


def _ports(service: JSON) -> str:
    ports = service.get("spec", {}).get("ports") or ()
    texts = [f"{port.get('port')}/{port.get('protocol', 'TCP')}" for port in ports]
    return ",".join(texts) or "<none>"


SERVICE = (
    _column("Type", _at("spec", "type")),
    _column("Cluster-IP", _at("spec", "clusterIP", default="<none>")),
    _column("External-IP", lambda _: "<none>"),
    _column("Port(s)", _ports),
    AGE,
    _column(
        "Selector",
        lambda o: _labels({"matchLabels": o.get("spec", {}).get("selector")}),
        priority=1,
    ),
)


def _node_status(node: JSON) -> str:
    conditions = node.get("status", {}).get("conditions") or ()
    ready = [c for c in conditions if c.get("type") == "Ready"]
    text = "Unknown"
    if ready:
        text = "Ready" if ready[0].get("status") == "True" else "NotReady"
    return text + (",SchedulingDisabled" if node.get("spec", {}).get("unschedulable") else "")


def _roles(node: JSON) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = node["metadata"].get("labels") or {}
    roles = sorted(key.removeprefix(prefix) for key in labels if key.startswith(prefix))
    return ",".join(roles) or "<none>"


NODE = (
    _column("Status", _node_status),
    _column("Roles", _roles),
    AGE,
    _column("Version", _at("status", "nodeInfo", "kubeletVersion")),
    _column("OS-Image", _at("status", "nodeInfo", "osImage", default="<unknown>"), priority=1),
)


def _statuses(pod: JSON) -> list[JSON]:
    found: list[JSON] = pod.get("status", {}).get("containerStatuses") or []
    return found


def _pod_ready(pod: JSON) -> str:
    total = len(pod.get("spec", {}).get("containers") or ())
    return f"{sum(1 for status in _statuses(pod) if status.get('ready'))}/{total}"


def _pod_status(pod: JSON) -> str:
    """The one word for a pod: why a container waits or ended, else the reason or the phase."""
    status = pod.get("status", {})
    phase = status.get("phase", "Unknown")
    reason = status.get("reason") or phase
    for container in reversed(_statuses(pod)):
        state = container.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated")
        if waiting.get("reason"):
            reason = waiting["reason"]
        elif ended is not None:
            code = ended.get("exitCode", 0)
            signal = f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{code}"
            reason = ended.get("reason") or signal
    running = any("running" in (entry.get("state") or {}) for entry in _statuses(pod))
    if reason == "Completed" and running:
        reason = "Running" if phase == "Running" else "NotReady"
    if "deletionTimestamp" in pod["metadata"] and phase not in ("Succeeded", "Failed"):
        return "Terminating"
    return str(reason)


def _restarts(pod: JSON) -> str:
    count = sum(status.get("restartCount", 0) for status in _statuses(pod))
    ended = [
        (entry.get("lastState") or {}).get("terminated", {}).get("finishedAt")
        for entry in _statuses(pod)
    ]
    latest = max((at for at in ended if at), default=None)
    return f"{count} ({age(latest)} ago)" if count and latest else str(count)


POD = (
    _column("Ready", _pod_ready),
    _column("Status", _pod_status),
    _column("Restarts", _restarts),
    AGE,
    _column("IP", _at("status", "podIP", default="<none>"), priority=1),
    _column("Node", _at("spec", "nodeName", default="<none>"), priority=1),
    _column("Nominated Node", lambda _: "<none>", priority=1),
    _column("Readiness Gates", lambda _: "<none>", priority=1),
)


def _job_status(job: JSON) -> str:
    conditions = job.get("status", {}).get("conditions") or ()
    true = {c.get("type") for c in conditions if c.get("status") == "True"}
    for kind in ("Complete", "Failed"):
        if kind in true:
            return kind
    if "deletionTimestamp" in job["metadata"]:
        return "Terminating"
    for kind in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if kind in true:
            return kind
    return "Running"


def _job_completions(job: JSON) -> str:
    spec, done = job.get("spec", {}), job.get("status", {}).get("succeeded", 0)
    if spec.get("completions") is not None:
        return f"{done}/{spec['completions']}"
    parallelism = spec.get("parallelism", 1)
    return f"{done}/1 of {parallelism}" if parallelism > 1 else f"{done}/1"


def _job_duration(job: JSON) -> str:
    status = job.get("status", {})
    if not status.get("startTime"):
        return ""
    if not status.get("completionTime"):
        return age(status["startTime"])
    begun = formats.parse_date_time(status["startTime"])
    ended = formats.parse_date_time(status["completionTime"])
    return short_duration((ended - begun).total_seconds())


JOB = (
    _column("Status", _job_status),
    _column("Completions", _job_completions),
    _column("Duration", _job_duration),
    AGE,
    *_WORKLOAD_WIDE,
)
DEPLOYMENT = (
    _column(
        "Ready",
        lambda o: (
            f"{_at('status', 'readyReplicas', default=0)(o)}/{_at('spec', 'replicas', default=0)(o)}"
        ),
    ),
    _column("Up-to-date", _at("status", "updatedReplicas", default=0)),
    _column("Available", _at("status", "availableReplicas", default=0)),
    AGE,
    *_WORKLOAD_WIDE,
)
REPLICA_SET = (
    _column("Desired", _at("spec", "replicas", default=0), kind="integer"),
    _column("Current", _at("status", "replicas", default=0), kind="integer"),
    _column("Ready", _at("status", "readyReplicas", default=0), kind="integer"),
    AGE,
    *_WORKLOAD_WIDE,
)
DISRUPTION_BUDGET = (
    _column("Min Available", lambda o: str(_at("spec", "minAvailable", default="N/A")(o))),
    _column("Max Unavailable", lambda o: str(_at("spec", "maxUnavailable", default="N/A")(o))),
    _column("Allowed Disruptions", _at("status", "disruptionsAllowed", default=0)),
    AGE,
)


def _last_seen(event: JSON) -> str:
    last = event.get("lastTimestamp") or (event.get("series") or {}).get("lastObservedTime")
    first = event.get("firstTimestamp") or event.get("eventTime")
    return age(last or first)


def _about(event: JSON) -> str:
    about = event.get("involvedObject") or {}
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"


def _source(event: JSON) -> str:
    source = event.get("source") or {}
    return ", ".join(part for part in (source.get("component"), source.get("host")) if part)


EVENT = (
    _column("Last Seen", _last_seen),
    _column("Type", _at("type")),
    _column("Reason", _at("reason")),
    _column("Object", _about),
    _column("Subobject", _at("involvedObject", "fieldPath"), priority=1),
    _column("Source", _source, priority=1),
    _column("Message", lambda o: str(_at("message")(o)).strip()),
    _column("First Seen", lambda o: age(o.get("firstTimestamp") or o.get("eventTime")), priority=1),
    _column("Count", lambda o: str(o.get("count") or 1), priority=1),
    _column("Name", lambda o: o["metadata"]["name"], priority=1),
)
