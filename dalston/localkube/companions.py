"""The parts that the `python -m dalston.localkube` process runs beside the API server."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from dalston.localkube.plane import Companion

_PACKAGES = ("dalston.localkube.controllers", "dalston.localkube.kubelet")


def installed() -> list[Companion]:
    """`run(kube)` of the controllers and of the kubelet.

    Both are imported by name: they are clients of the server over HTTP and nothing here needs them.
    """
    return [import_module(name).run for name in _PACKAGES if find_spec(name) is not None]
