"""Defaults and checks of the built-in kinds: those that controllers, clients and people notice."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from dalston.localkube import customkinds, errors
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


def _prepare_namespace(namespace: JSON) -> None:
    namespace.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    metadata = namespace["metadata"]
    labels = metadata.get("labels") or {}
    labels["kubernetes.io/metadata.name"] = metadata.get("name", "")
    metadata["labels"] = labels


def _reset_namespace(namespace: JSON) -> None:
    namespace["status"] = {"phase": "Active"}


def _prepare_secret(secret: JSON) -> None:
    secret.setdefault("type", "Opaque")
    texts = secret.pop("stringData", None)
    if texts:
        data = secret.get("data") or {}
        for name, text in texts.items():
            data[name] = base64.b64encode(str(text).encode()).decode()
        secret["data"] = data


def _validate_secret(secret: JSON, old: JSON | None) -> list[FieldError]:
    found = []
    for name, value in (secret.get("data") or {}).items():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, TypeError, ValueError):
            path = f"data[{name}]"
            found.append(errors.invalid_value(path, "<Secret value omitted>", "must be base64"))
    return found + _immutable_data(secret, old) + _fixed(secret, old, ("type",))


def _immutable_data(obj: JSON, old: JSON | None) -> list[FieldError]:
    if old is None or not old.get("immutable"):
        return []
    found = []
    if not obj.get("immutable"):
        detail = "field is immutable when `immutable` is set"
        found.append(errors.forbidden_field("immutable", detail))
    for name in ("data", "binaryData"):
        if obj.get(name) != old.get(name):
            detail = "field is immutable when `immutable` is set"
            found.append(errors.forbidden_field(name, detail))
    return found


def _fixed(obj: JSON, old: JSON | None, path: tuple[str, ...]) -> list[FieldError]:
    """An error when the field at `path` differs from its old value."""
    if old is None:
        return []
    new_value: Any = obj
    old_value: Any = old
    for name in path:
        new_value = (new_value or {}).get(name)
        old_value = (old_value or {}).get(name)
    if new_value == old_value:
        return []
    return [errors.invalid_value(".".join(path), new_value, "field is immutable")]


def _prepare_service(service: JSON) -> None:
    spec = service.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    spec.setdefault("clusterIP", "None")
    spec.setdefault("clusterIPs", [spec["clusterIP"]])
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))


def _prepare_job(job: JSON) -> None:
    spec = job.setdefault("spec", {})
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 2**31 - 1 if "backoffLimitPerIndex" in spec else 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    failed = "Failed" if "podFailurePolicy" in spec else "TerminatingOrFailed"
    spec.setdefault("podReplacementPolicy", failed)
    prepare_pod_spec(spec.setdefault("template", {}).setdefault("spec", {}), restart=None)


def _validate_job(job: JSON, old: JSON | None) -> list[FieldError]:
    spec = job["spec"]
    pod_spec = spec["template"]["spec"]
    path = "spec.template.spec"
    found = []
    for name in (
        "parallelism",
        "completions",
        "backoffLimit",
        "activeDeadlineSeconds",
        "ttlSecondsAfterFinished",
    ):
        value = spec.get(name)
        if value is not None and value < 0:
            detail = "must be greater than or equal to 0"
            found.append(errors.invalid_value(f"spec.{name}", value, detail))
    if pod_spec.get("restartPolicy") not in ("OnFailure", "Never"):
        choices = ["OnFailure", "Never"]
        value = pod_spec.get("restartPolicy", "")
        found.append(errors.not_supported(f"{path}.restartPolicy", value, choices))
        pod_spec = {**pod_spec, "restartPolicy": "Never"}
    found.extend(validate_pod_spec(pod_spec, path))
    if old is not None and not old["spec"].get("suspend"):
        found.extend(_fixed(job, old, ("spec", "template")))
    if spec.get("completionMode") != "Indexed":
        found.extend(_fixed(job, old, ("spec", "completions")))
    for name in ("selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex"):
        found.extend(_fixed(job, old, ("spec", name)))
    return found


def _prepare_replicas(template_restart: str) -> Callable[[JSON], None]:
    def prepare(obj: JSON) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("replicas", 1)
        pod_spec = spec.setdefault("template", {}).setdefault("spec", {})
        prepare_pod_spec(pod_spec, restart=template_restart)

    return prepare


_prepare_replica_set = _prepare_replicas("Always")


def _prepare_deployment(deployment: JSON) -> None:
    _prepare_replica_set(deployment)
    spec = deployment["spec"]
    strategy = spec.setdefault("strategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)


def _validate_replicas(obj: JSON, old: JSON | None) -> list[FieldError]:
    spec = obj["spec"]
    found = []
    if spec["replicas"] < 0:
        detail = "must be greater than or equal to 0"
        found.append(errors.invalid_value("spec.replicas", spec["replicas"], detail))
    selector = spec.get("selector")
    if not selector:
        found.append(errors.required("spec.selector"))
    labels = spec["template"].get("metadata", {}).get("labels") or {}
    wanted = (selector or {}).get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        detail = "`selector` does not match template `labels`"
        found.append(errors.invalid_value("spec.template.metadata.labels", labels, detail))
    found.extend(validate_pod_spec(spec["template"]["spec"], "spec.template.spec"))
    return found + _fixed(obj, old, ("spec", "selector"))


def _drop_status(obj: JSON) -> None:
    obj.pop("status", None)


def _empty_status(obj: JSON) -> None:
    obj["status"] = {}


def _replica_status(obj: JSON) -> None:
    obj["status"] = {"replicas": 0}


def _prepare_priority_class(obj: JSON) -> None:
    obj.setdefault("preemptionPolicy", "PreemptLowerPriority")


def _prepare_definition(definition: JSON) -> None:
    spec = definition.setdefault("spec", {})
    names = spec.setdefault("names", {})
    kind = names.get("kind", "")
    names.setdefault("singular", kind.lower())
    names.setdefault("listKind", f"{kind}List")
    spec.setdefault("conversion", {"strategy": "None"})


def _reset_definition(definition: JSON) -> None:
    """A definition's status is the server's: names accepted at once, served from this write on."""
    spec = definition["spec"]
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    definition["status"] = {
        "acceptedNames": spec.get("names", {}),
        "conditions": [
            _condition("NamesAccepted", "NoConflicts", "no conflicts found", at),
            _condition("Established", "InitialNamesAccepted", _ESTABLISHED, at),
        ],
        "storedVersions": [
            version["name"] for version in spec.get("versions") or () if version.get("storage")
        ],
    }


_ESTABLISHED = "the initial names have been accepted"


def _condition(kind: str, reason: str, message: str, at: str) -> JSON:
    return {
        "type": kind,
        "status": "True",
        "lastTransitionTime": at,
        "reason": reason,
        "message": message,
    }


def _validate_definition(definition: JSON, old: JSON | None) -> list[FieldError]:
    spec = definition["spec"]
    found = []
    for name in ("group", "scope", "versions"):
        if not spec.get(name):
            found.append(errors.required(f"spec.{name}"))
    for name in ("plural", "kind"):
        if not spec["names"].get(name):
            found.append(errors.required(f"spec.names.{name}"))
    if found:
        return found
    expected = f"{spec['names']['plural']}.{spec['group']}"
    if definition["metadata"].get("name") != expected:
        detail = f'must be spec.names.plural+"."+spec.group ("{expected}")'
        name = definition["metadata"].get("name")
        found.append(errors.invalid_value("metadata.name", name, detail))
    if spec["scope"] not in ("Namespaced", "Cluster"):
        choices = ["Cluster", "Namespaced"]
        found.append(errors.not_supported("spec.scope", spec["scope"], choices))
    storage = [version for version in spec["versions"] if version.get("storage")]
    if len(storage) != 1:
        detail = "must have exactly one version marked as storage version"
        found.append(errors.invalid_value("spec.versions", "object", detail))
    for index, version in enumerate(spec["versions"]):
        path = f"spec.versions[{index}].schema.openAPIV3Schema"
        if not (version.get("schema") or {}).get("openAPIV3Schema"):
            found.append(errors.required(path, "schemas are required"))
    if not found:
        try:
            customkinds.check_rules(customkinds.kind_of(definition))
        except (ValueError, KeyError, re.error) as problem:
            detail = f"the definition cannot be compiled: {problem}"
            found.append(errors.invalid_value("spec.versions", "object", detail))
    return found + _fixed(definition, old, ("spec", "scope"))


NAMESPACE = Strategy(prepare=_prepare_namespace, reset=_reset_namespace, label_name=True)
POD = Strategy(prepare=_prepare_pod, validate=_validate_pod, reset=_reset_pod, grace=_pod_grace)
SECRET = Strategy(prepare=_prepare_secret, validate=_validate_secret)
CONFIG_MAP = Strategy(validate=_immutable_data)
SERVICE = Strategy(prepare=_prepare_service, reset=_empty_status, label_name=True)
JOB = Strategy(
    prepare=_prepare_job,
    validate=_validate_job,
    reset=_empty_status,
    generation=True,
    orphans_by_default=True,
)
DEPLOYMENT = Strategy(
    prepare=_prepare_deployment, validate=_validate_replicas, reset=_empty_status, generation=True
)
REPLICA_SET = Strategy(
    prepare=_prepare_replica_set,
    validate=_validate_replicas,
    reset=_replica_status,
    generation=True,
)
DISRUPTION_BUDGET = Strategy(reset=_drop_status, generation=True)
PRIORITY_CLASS = Strategy(prepare=_prepare_priority_class)
CUSTOM_RESOURCE_DEFINITION = Strategy(
    prepare=_prepare_definition,
    validate=_validate_definition,
    reset=_reset_definition,
    generation=True,
    unconditional_update=False,
)
