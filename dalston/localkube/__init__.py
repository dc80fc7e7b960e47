"""The embedded control plane: a small Kubernetes API server for one machine.

`LocalKube` serves the Kubernetes API on loopback, durable in one SQLite file, so that the operator, the
gateway and `kubectl` work against it as they do against a cluster. It is the default of a laptop and the
fast double of tests, never a production control plane.
"""

from __future__ import annotations

from dalston.localkube.kubeconfig import write_kubeconfig
from dalston.localkube.plane import Companion, LocalKube
from dalston.localkube.subresources import LogRequest, LogSource

__all__ = ["Companion", "LocalKube", "LogRequest", "LogSource", "write_kubeconfig"]
