"""The kubeconfig file through which `kubectl` and all clients find a control plane."""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from dalston.localkube.server import TOKEN_PREFIX


def write_kubeconfig(
    path: Path, *, url: str, token: str, namespace: str = "default", name: str = "dalston"
) -> None:
    """Writes `path` (mode 0600, replaced atomically).

    The server's address ends in the token: client-go drops bearer tokens on plain HTTP, and plain HTTP
    on loopback needs no certificates. Clients that do send the token may use both.
    """
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": f"{url}{TOKEN_PREFIX}{token}"}}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}}
        ],
        "current-context": name,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        yaml.safe_dump(config, file, sort_keys=False)
    os.replace(draft, path)
