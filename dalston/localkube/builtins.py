"""The built-in kinds: the table of what the API server offers besides custom resources."""

from __future__ import annotations

import dataclasses
from typing import Any

from dalston.localkube import (
    builtin_columns,
    builtin_rules,
    builtin_types,
    definition_rules,
    definition_schema,
    event_versions,
    pod_rules,
)
from dalston.localkube.registry import Column, CompiledSchema, Kind, Strategy, Version
from dalston.localkube.schema import Findings, Path

_ONE_TO_ONE = {
    "specReplicasPath": ".spec.replicas",
    "statusReplicasPath": ".status.replicas",
    "labelSelectorPath": ".spec.selector",
}
_TOP_LEVEL = ("apiVersion", "kind", "metadata")
_REGARDING = ("kind", "name", "namespace", "uid", "apiVersion", "resourceVersion", "fieldPath")


def _kind(
    group: str,
    kind: str,
    *,
    plural: str = "",
    short: str = "",
    namespaced: bool = True,
    status: bool = False,
    scale: bool = False,
    categories: str = "",
    selectable: str = "",
    strategy: Strategy | None = None,
    columns: tuple[Column, ...] = (),
    version: str = "v1",
) -> Kind:
    message = builtin_types.message_of(group, kind)
    served = Version(
        version,
        message=message or "",
        schema=_compiled(_stored_message(kind, message)) if message else None,
        columns=columns,
        has_status=status,
        scale=_ONE_TO_ONE if scale else None,
    )
    return Kind(
        group=group,
        kind=kind,
        plural=plural or f"{kind.lower()}s",
        versions={version: served},
        storage_version=version,
        namespaced=namespaced,
        singular=kind.lower(),
        list_kind=f"{kind}List",
        short_names=tuple(short.split()),
        categories=tuple(categories.split()),
        selectable={name: tuple(name.split(".")) for name in selectable.split()},
        strategy=strategy or Strategy(),
    )


def _stored_message(kind: str, message: str) -> str:
    """The message in which a kind is stored and checked: events of both groups are core events."""
    return "core.Event" if kind == "Event" else message


def _compiled(message: str) -> CompiledSchema:
    """The checks of a built-in kind: metadata and type are the server's own business."""
    whole = builtin_types.check_of(message)

    def check(value: Any, path: Path, found: Findings) -> Any:
        kept = {name: value.pop(name) for name in _TOP_LEVEL if name in value}
        whole(value, path, found)
        value.update(kept)
        return value

    status = next((f.type for f in builtin_types.fields(message) if f.name == "status"), "")
    return CompiledSchema(check=check, status=builtin_types.check_of(status) if status else None)


def _core() -> list[Kind]:
    columns = builtin_columns
    return [
        _kind(
            "",
            "Namespace",
            short="ns",
            namespaced=False,
            status=True,
            selectable="status.phase",
            strategy=builtin_rules.NAMESPACE,
            columns=columns.NAMESPACE,
        ),
        _kind(
            "",
            "Pod",
            short="po",
            status=True,
            categories="all",
            selectable="spec.nodeName status.phase spec.restartPolicy spec.serviceAccountName "
            "spec.schedulerName status.podIP status.nominatedNodeName",
            strategy=pod_rules.POD,
            columns=columns.POD,
        ),
        _kind(
            "",
            "Secret",
            selectable="type",
            strategy=builtin_rules.SECRET,
            columns=columns.SECRET,
        ),
        _kind(
            "",
            "ConfigMap",
            short="cm",
            strategy=builtin_rules.CONFIG_MAP,
            columns=columns.CONFIG_MAP,
        ),
    ]


def _core_services() -> list[Kind]:
    columns = builtin_columns
    return [
        _kind("", "ServiceAccount", short="sa", columns=columns.SERVICE_ACCOUNT),
        _kind(
            "",
            "Service",
            short="svc",
            status=True,
            categories="all",
            selectable="spec.clusterIP spec.type",
            strategy=builtin_rules.SERVICE,
            columns=columns.SERVICE,
        ),
        _kind(
            "",
            "Node",
            short="no",
            namespaced=False,
            status=True,
            selectable="spec.unschedulable",
            columns=columns.NODE,
        ),
    ]


def _workloads() -> list[Kind]:
    columns = builtin_columns
    return [
        _kind(
            "batch",
            "Job",
            status=True,
            categories="all",
            selectable="status.successful",
            strategy=builtin_rules.JOB,
            columns=columns.JOB,
        ),
        _kind(
            "apps",
            "Deployment",
            short="deploy",
            status=True,
            scale=True,
            categories="all",
            strategy=builtin_rules.DEPLOYMENT,
            columns=columns.DEPLOYMENT,
        ),
        _kind(
            "apps",
            "ReplicaSet",
            short="rs",
            status=True,
            scale=True,
            categories="all",
            selectable="status.replicas",
            strategy=builtin_rules.REPLICA_SET,
            columns=columns.REPLICA_SET,
        ),
    ]


def _definitions() -> Kind:
    kind = _kind(
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        short="crd crds",
        namespaced=False,
        status=True,
        categories="api-extensions",
        strategy=definition_rules.CUSTOM_RESOURCE_DEFINITION,
        columns=builtin_columns.CUSTOM_RESOURCE_DEFINITION,
    )
    described = dataclasses.replace(kind.versions["v1"], openapi=definition_schema.OPENAPI)
    return dataclasses.replace(kind, versions={"v1": described})


def _others() -> list[Kind]:
    columns = builtin_columns
    return [
        _kind(
            "coordination.k8s.io",
            "Lease",
            strategy=Strategy(unconditional_update=False),
            columns=columns.LEASE,
        ),
        _kind(
            "policy",
            "PodDisruptionBudget",
            short="pdb",
            status=True,
            strategy=builtin_rules.DISRUPTION_BUDGET,
            columns=columns.DISRUPTION_BUDGET,
        ),
        _definitions(),
        _kind(
            "scheduling.k8s.io",
            "PriorityClass",
            plural="priorityclasses",
            short="pc",
            namespaced=False,
            strategy=builtin_rules.PRIORITY_CLASS,
            columns=columns.PRIORITY_CLASS,
        ),
    ]


def _events() -> list[Kind]:
    """Events are one collection under two groups, stored in the core form."""
    core = _kind("", "Event", short="ev", columns=builtin_columns.EVENT)
    new = _kind("events.k8s.io", "Event", short="ev", columns=builtin_columns.EVENT)
    core_fields = {f"involvedObject.{name}": ("involvedObject", name) for name in _REGARDING}
    new_fields = {f"regarding.{name}": ("involvedObject", name) for name in _REGARDING}
    shared = {
        "reason": ("reason",),
        "type": ("type",),
        "source": ("source", "component"),
        "reportingComponent": ("reportingComponent",),
        "reportingController": ("reportingComponent",),
    }
    selectable = {**core_fields, **new_fields, **shared}
    return [event_versions.joined(kind, selectable) for kind in (core, new)]


def kinds() -> list[Kind]:
    """All built-in kinds."""
    return [*_core(), *_core_services(), *_workloads(), *_others(), *_events()]
