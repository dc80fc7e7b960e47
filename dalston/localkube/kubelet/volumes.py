"""Volumes as folders, which a container finds through `DALSTON_MOUNT_<NAME>`: it sees the machine's own tree.

Nothing is written outside the pod's folder. Kinds that no folder can stand for are refused.
"""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path
from typing import Any

from dalston.localkube.kubelet.environment import ConfigError, Lookup

JSON = dict[str, Any]

MOUNT_PREFIX = "DALSTON_MOUNT_"

_KINDS = ("emptyDir", "hostPath", "secret", "configMap")


async def prepare_volumes(pod: JSON, folder: Path, *, lookup: Lookup) -> dict[str, Path]:
    """Make the pod's volumes under `folder`; gives their folders by name. Raises ConfigError."""
    prepared: dict[str, Path] = {}
    for volume in pod["spec"].get("volumes") or ():
        name = volume["name"]
        kind = next((kind for kind in _KINDS if kind in volume), None)
        if kind is None:
            given = ", ".join(sorted(volume.keys() - {"name"}))
            raise ConfigError(f'volume "{name}": {given} is not supported by this kubelet')
        if kind == "hostPath":
            prepared[name] = _host_path(name, volume[kind])
            continue
        prepared[name] = folder / name
        prepared[name].mkdir(parents=True, exist_ok=True)
        if kind != "emptyDir":
            await _fill(prepared[name], kind, volume[kind] or {}, lookup)
    return prepared


def _host_path(name: str, source: JSON) -> Path:
    path = Path(source["path"])
    if source.get("type") == "DirectoryOrCreate" and not path.exists():
        raise ConfigError(
            f'volume "{name}": {path} does not exist, and is not created by this kubelet'
        )
    if not path.exists():
        raise ConfigError(f'volume "{name}": hostPath {path} does not exist')
    return path


async def _fill(folder: Path, kind: str, source: JSON, lookup: Lookup) -> None:
    """Write a Secret's or ConfigMap's entries as files that the owner alone may read."""
    plain = kind.lower()
    name = source.get("secretName") or source.get("name") or ""
    found = await lookup(plain, name)
    if found is None:
        if source.get("optional"):
            return
        raise ConfigError(f'{plain} "{name}" not found')
    data = _bytes_of(plain, found)
    items = {item["key"]: item["path"] for item in source.get("items") or ()}
    for key, path in (items or {key: key for key in data}).items():
        if key not in data:
            raise ConfigError(f'{plain} "{name}" has no key {key}')
        _write(folder, path, data[key])


def _bytes_of(kind: str, obj: JSON) -> dict[str, bytes]:
    coded = obj.get("data" if kind == "secret" else "binaryData") or {}
    data = {name: base64.b64decode(value) for name, value in coded.items()}
    if kind == "configmap":
        data.update({name: str(text).encode() for name, text in (obj.get("data") or {}).items()})
    return data


def _write(folder: Path, path: str, content: bytes) -> None:
    target = folder / path
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise ConfigError(f"{path} is not a relative path")
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.new")
    draft.write_bytes(content)
    draft.chmod(0o600)
    os.replace(draft, target)


def mount_variables(container: JSON, volumes: dict[str, Path]) -> dict[str, str]:
    """`DALSTON_MOUNT_<VOLUME>` for each volume mount. Raises ConfigError."""
    variables: dict[str, str] = {}
    for mount in container.get("volumeMounts") or ():
        name = mount["name"]
        if name not in volumes:
            raise ConfigError(f'volume mount "{name}" names no volume of the pod')
        sub = Path(mount.get("subPath") or "")
        if sub.is_absolute() or ".." in sub.parts:
            raise ConfigError(f"subPath {sub} is not a relative path")
        key = MOUNT_PREFIX + re.sub(r"[^A-Z0-9]", "_", name.upper())
        variables[key] = str(volumes[name] / sub)
    return variables
