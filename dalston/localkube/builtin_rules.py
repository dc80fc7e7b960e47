"""Defaults and checks of the built-in kinds: those that controllers, clients and people notice."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from dalston.localkube import errors
from dalston.localkube.errors import FieldError
from dalston.localkube.pod_rules import prepare_pod_spec, validate_pod_spec
from dalston.localkube.registry import Strategy

JSON = dict[str, Any]


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
    return found + _immutable_data(secret, old) + fixed(secret, old, ("type",))


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


def fixed(obj: JSON, old: JSON | None, path: tuple[str, ...]) -> list[FieldError]:
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
    if not spec["manualSelector"]:
        _generate_selector(job)


def _generate_selector(job: JSON) -> None:
    """The Job's pods carry its uid, and its selector asks for it."""
    meta, template = job["metadata"], job["spec"]["template"]
    labels = template.setdefault("metadata", {}).setdefault("labels", {})
    for prefix in ("batch.kubernetes.io/", ""):
        labels.setdefault(f"{prefix}controller-uid", meta["uid"])
        labels.setdefault(f"{prefix}job-name", meta["name"])
    selector = {"matchLabels": {"batch.kubernetes.io/controller-uid": meta["uid"]}}
    job["spec"].setdefault("selector", selector)


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
        found.extend(fixed(job, old, ("spec", "template")))
    if spec.get("completionMode") != "Indexed":
        found.extend(fixed(job, old, ("spec", "completions")))
    for name in ("selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex"):
        found.extend(fixed(job, old, ("spec", name)))
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
    return found + fixed(obj, old, ("spec", "selector"))


def _drop_status(obj: JSON) -> None:
    obj.pop("status", None)


def _empty_status(obj: JSON) -> None:
    obj["status"] = {}


def _replica_status(obj: JSON) -> None:
    obj["status"] = {"replicas": 0}


def _prepare_priority_class(obj: JSON) -> None:
    obj.setdefault("preemptionPolicy", "PreemptLowerPriority")


NAMESPACE = Strategy(prepare=_prepare_namespace, reset=_reset_namespace, label_name=True)
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
