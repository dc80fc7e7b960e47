"""Defaults and checks of pods and of the pod templates inside other kinds."""

from __future__ import annotations

from typing import Any

from dalston.localkube import errors
from dalston.localkube.errors import FieldError
from dalston.localkube.registry import Strategy

JSON = dict[str, Any]
_POD_GRACE_SECONDS = 30


def prepare_pod_spec(spec: JSON, *, restart: str | None = "Always") -> None:
    """The defaults of a pod's spec that its runtime and `kubectl describe` rely on."""
    if restart is not None:
        spec.setdefault("restartPolicy", restart)
    spec.setdefault("terminationGracePeriodSeconds", _POD_GRACE_SECONDS)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        if isinstance(container, dict):
            _prepare_container(container)


def _prepare_container(container: JSON) -> None:
    container.setdefault("resources", {})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    image = str(container.get("image", ""))
    tag = image.rpartition("/")[2].partition(":")[2]
    latest = tag in ("", "latest") and "@" not in image
    container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(name):
            _prepare_probe(container[name])


def _prepare_probe(probe: JSON) -> None:
    for name, value in (
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ):
        probe.setdefault(name, value)
    if "httpGet" in probe:
        probe["httpGet"].setdefault("scheme", "HTTP")


def validate_pod_spec(spec: JSON, path: str) -> list[FieldError]:
    found: list[FieldError] = []
    containers = spec.get("containers")
    if not containers:
        found.append(errors.required(f"{path}.containers"))
    names: set[str] = set()
    for index, container in enumerate(containers or ()):
        where = f"{path}.containers[{index}]"
        if not container.get("name"):
            found.append(errors.required(f"{where}.name"))
        elif container["name"] in names:
            found.append(errors.duplicate(f"{where}.name", errors.quote(container["name"])))
        names.add(container.get("name", ""))
        if not container.get("image"):
            found.append(errors.required(f"{where}.image"))
    allowed = ["Always", "OnFailure", "Never"]
    if spec.get("restartPolicy") not in allowed:
        found.append(
            errors.not_supported(f"{path}.restartPolicy", spec.get("restartPolicy"), allowed)
        )
    return found


def _prepare_pod(pod: JSON) -> None:
    spec = pod.setdefault("spec", {})
    prepare_pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("serviceAccountName", "default")
    spec.setdefault("serviceAccount", spec["serviceAccountName"])


def _reset_pod(pod: JSON) -> None:
    pod["status"] = {"phase": "Pending", "qosClass": _qos_class(pod["spec"])}


def _qos_class(spec: JSON) -> str:
    resources = [container.get("resources") or {} for container in spec.get("containers") or ()]
    if not any(entry.get("requests") or entry.get("limits") for entry in resources):
        return "BestEffort"
    guaranteed = all(
        entry.get("limits", {}).keys() >= {"cpu", "memory"}
        and (entry.get("requests") or entry["limits"]) == entry["limits"]
        for entry in resources
    )
    return "Guaranteed" if guaranteed else "Burstable"


_POD_MUTABLE = ("tolerations", "activeDeadlineSeconds", "terminationGracePeriodSeconds", "nodeName")


def _validate_pod(pod: JSON, old: JSON | None) -> list[FieldError]:
    found = validate_pod_spec(pod["spec"], "spec")
    if old is None or found:
        return found
    if _frozen_pod_spec(pod["spec"]) != _frozen_pod_spec(old["spec"]):
        detail = (
            "pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
            "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to "
            "be set to 1 if it was previously negative)"
        )
        found.append(errors.forbidden_field("spec", detail))
    return found


def _frozen_pod_spec(spec: JSON) -> JSON:
    frozen = {name: value for name, value in spec.items() if name not in _POD_MUTABLE}
    for name in ("containers", "initContainers"):
        frozen[name] = [{**entry, "image": ""} for entry in spec.get(name) or ()]
    return frozen


def _pod_grace(pod: JSON, requested: int | None) -> int:
    """Seconds a pod keeps after DELETE; 0 removes it at once."""
    spec, phase = pod.get("spec", {}), pod.get("status", {}).get("phase")
    if not spec.get("nodeName") or phase in ("Succeeded", "Failed"):
        return 0
    if requested is not None:
        return max(0, requested)
    seconds = spec.get("terminationGracePeriodSeconds", _POD_GRACE_SECONDS)
    return max(1, int(seconds))


POD = Strategy(prepare=_prepare_pod, validate=_validate_pod, reset=_reset_pod, grace=_pod_grace)
