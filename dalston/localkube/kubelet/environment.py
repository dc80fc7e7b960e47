"""A container's environment: the machine's few variables, the image's, envFrom, env, downward API."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from dalston.localkube.kubelet.status import ADDRESS, pod_address
from dalston.localkube.quantities import parse_quantity

JSON = dict[str, Any]

Lookup = Callable[[str, str], Awaitable[JSON | None]]
"""Reads a Secret or ConfigMap ("secret" or "configmap", name) of the pod's namespace; None: absent."""

_KEPT = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "XDG_CACHE_HOME", "LD_LIBRARY_PATH")
_REFERENCE = re.compile(r"\$(?:\$|\(([A-Za-z_][A-Za-z0-9_.-]*)\))")
_KEYED = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]\Z")


class ConfigError(Exception):
    """The pod's specification cannot be carried out (yet); the message is for people."""


def machine_environment() -> dict[str, str]:
    """What a container inherits from the machine: not localkube's own environment."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    kept.setdefault("PATH", os.defpath)
    return kept


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace $(NAME) where the variable is known, and $$ by $."""

    def replacement(match: re.Match[str]) -> str:
        if match[1] is None:
            return "$"
        return variables.get(match[1], match[0])

    return _REFERENCE.sub(replacement, text)


def field_value(pod: JSON, path: str) -> str:
    """The downward API's fieldRef. Raises ConfigError."""
    meta = pod["metadata"]
    keyed = _KEYED.match(path)
    if keyed:
        return str((meta.get(keyed[1]) or {}).get(keyed[2], ""))
    simple = {
        "metadata.name": meta["name"],
        "metadata.namespace": meta["namespace"],
        "metadata.uid": meta["uid"],
        "spec.nodeName": pod["spec"].get("nodeName", ""),
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName", ""),
        "status.podIP": pod_address(pod),
        "status.podIPs": pod_address(pod),
        "status.hostIP": ADDRESS,
        "status.hostIPs": ADDRESS,
    }
    if path in simple:
        return str(simple[path])
    if path in ("metadata.labels", "metadata.annotations"):
        entries = sorted((meta.get(path.removeprefix("metadata.")) or {}).items())
        return "\n".join(f'{key}="{value}"' for key, value in entries)
    raise ConfigError(f"unsupported fieldPath: {path}")


def resource_value(pod: JSON, container: JSON, reference: JSON) -> str:
    """The downward API's resourceFieldRef: a limit or request in whole units, or 0."""
    name = reference.get("containerName")
    holder = next(
        (entry for entry in pod["spec"]["containers"] if entry["name"] == name), container
    )
    kind, _, resource = str(reference["resource"]).partition(".")
    amount = ((holder.get("resources") or {}).get(kind) or {}).get(resource, "0")
    divisor = parse_quantity(reference.get("divisor") or "1") or 1
    return str(-(-parse_quantity(amount) // divisor))


async def container_environment(
    pod: JSON, container: JSON, *, base: Mapping[str, str], lookup: Lookup
) -> dict[str, str]:
    """All variables of a container, over `base`. Raises ConfigError."""
    variables = dict(base)
    for source in container.get("envFrom") or ():
        variables.update(await _bundle(source, lookup))
    for entry in container.get("env") or ():
        if "valueFrom" in entry:
            value = await _value(pod, container, entry["valueFrom"], lookup)
            if value is None:
                continue
        else:
            value = expand(str(entry.get("value") or ""), variables)
        variables[entry["name"]] = value
    return variables


async def _bundle(source: JSON, lookup: Lookup) -> dict[str, str]:
    prefix = source.get("prefix") or ""
    for kind, field in (("secret", "secretRef"), ("configmap", "configMapRef")):
        if field in source:
            found = await _read(kind, source[field], lookup)
            return {prefix + name: text for name, text in texts_of(kind, found).items()}
    return {}


async def _value(pod: JSON, container: JSON, source: JSON, lookup: Lookup) -> str | None:
    if "fieldRef" in source:
        return field_value(pod, source["fieldRef"]["fieldPath"])
    if "resourceFieldRef" in source:
        return resource_value(pod, container, source["resourceFieldRef"])
    for kind, field in (("secret", "secretKeyRef"), ("configmap", "configMapKeyRef")):
        if field in source:
            reference = source[field]
            texts = texts_of(kind, await _read(kind, reference, lookup))
            if reference["key"] in texts:
                return texts[reference["key"]]
            if reference.get("optional"):
                return None
            raise ConfigError(
                f'couldn\'t find key {reference["key"]} in {kind} "{reference["name"]}"'
            )
    raise ConfigError(f"unsupported source of a variable: {', '.join(source)}")


async def _read(kind: str, reference: JSON, lookup: Lookup) -> JSON:
    found = await lookup(kind, reference["name"])
    if found is None and not reference.get("optional"):
        raise ConfigError(f'{kind} "{reference["name"]}" not found')
    return found or {}


def texts_of(kind: str, obj: JSON) -> dict[str, str]:
    """The entries of a Secret or ConfigMap as texts."""
    data = obj.get("data") or {}
    if kind == "configmap":
        return {name: str(value) for name, value in data.items()}
    return {
        name: base64.b64decode(value).decode("utf-8", "surrogateescape")
        for name, value in data.items()
    }
