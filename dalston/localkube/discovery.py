"""Discovery documents: which groups, versions and resources there are, plain and aggregated."""

from __future__ import annotations

from typing import Any

from dalston.localkube.registry import Kind, Registry, Version

JSON = dict[str, Any]

_VERBS = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"]
_SUBRESOURCE_VERBS = ["get", "patch", "update"]
VERSION = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.4+localkube",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2025-04-22T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}
_VIRTUAL = (
    ("authorization.k8s.io", "SelfSubjectAccessReview"),
    ("authorization.k8s.io", "SubjectAccessReview"),
    ("authentication.k8s.io", "SelfSubjectReview"),
)


def groups(registry: Registry) -> dict[str, list[str]]:
    """Versions by group, with the groups that only have virtual resources."""
    found = registry.groups()
    for group, _ in _VIRTUAL:
        found.setdefault(group, ["v1"])
    return found


def core_versions() -> JSON:
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": ""}],
    }


def group(name: str, versions: list[str]) -> JSON:
    entries = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": entries, "preferredVersion": entries[0]}


def group_list(registry: Registry) -> JSON:
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [
            group(name, versions) for name, versions in sorted(groups(registry).items()) if name
        ],
    }


def resource_list(registry: Registry, group_name: str, version: str) -> JSON | None:
    """The APIResourceList of a group and version; None when there is no such thing."""
    if version not in groups(registry).get(group_name, ()):
        return None
    resources: list[JSON] = []
    for kind in registry:
        if kind.group == group_name and version in kind.versions:
            resources.extend(_resources(kind, kind.versions[version]))
    for virtual_group, name in _VIRTUAL:
        if virtual_group == group_name:
            resources.append(_virtual(name))
    group_version = f"{group_name}/{version}" if group_name else version
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": resources,
    }


def _virtual(name: str) -> JSON:
    return {
        "name": f"{name.lower()}s",
        "singularName": name.lower(),
        "namespaced": False,
        "kind": name,
        "verbs": ["create"],
    }


def _resources(kind: Kind, version: Version) -> list[JSON]:
    main: JSON = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": _VERBS,
    }
    if kind.short_names:
        main["shortNames"] = list(kind.short_names)
    if kind.categories:
        main["categories"] = list(kind.categories)
    return [main, *_subresources(kind, version)]


def _subresources(kind: Kind, version: Version) -> list[JSON]:
    found: list[JSON] = []

    def add(name: str, answer: str, verbs: list[str], **more: str) -> None:
        found.append(
            {
                "name": f"{kind.plural}/{name}",
                "singularName": "",
                "namespaced": kind.namespaced,
                **more,
                "kind": answer,
                "verbs": verbs,
            }
        )

    if version.has_status:
        add("status", kind.kind, _SUBRESOURCE_VERBS)
    if version.scale is not None:
        add("scale", "Scale", _SUBRESOURCE_VERBS, group="autoscaling", version="v1")
    if kind.group == "" and kind.kind == "Pod":
        add("log", "Pod", ["get"])
        add("eviction", "Eviction", ["create"], group="policy", version="v1")
    if kind.group == "" and kind.kind == "Namespace":
        add("finalize", "Namespace", ["update"])
    return found


def aggregated(registry: Registry, *, core: bool) -> JSON:
    """The APIGroupDiscoveryList of /api (`core`) or /apis."""
    items = []
    for name, versions in sorted(groups(registry).items()):
        if (name == "") is core:
            listed = [_aggregated_version(registry, name, version) for version in versions]
            items.append({"metadata": {"name": name} if name else {}, "versions": listed})
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def _aggregated_version(registry: Registry, group_name: str, version: str) -> JSON:
    listing = resource_list(registry, group_name, version)
    assert listing is not None
    mains: dict[str, JSON] = {}
    for resource in listing["resources"]:
        name, _, subresource = resource["name"].partition("/")
        response_kind = {
            "group": resource.get("group", group_name),
            "version": resource.get("version", version),
            "kind": resource["kind"],
        }
        if subresource:
            mains[name].setdefault("subresources", []).append(
                {
                    "subresource": subresource,
                    "responseKind": response_kind,
                    "verbs": resource["verbs"],
                }
            )
            continue
        mains[name] = {
            "resource": name,
            "responseKind": response_kind,
            "scope": "Namespaced" if resource["namespaced"] else "Cluster",
            "singularResource": resource["singularName"],
            "verbs": resource["verbs"],
        }
        for key in ("shortNames", "categories"):
            if key in resource:
                mains[name][key] = resource[key]
    return {"version": version, "resources": list(mains.values()), "freshness": "Current"}
