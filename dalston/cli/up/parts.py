"""The four parts: their commands, their settings, and how one knows that they serve."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dalston.cli.up.leftovers import MARK, mark_of
from dalston.cli.up.part import Part, answers, greets
from dalston.cli.up.state import LOOPBACK, Ports, StateFolder

NATS = "nats"
LOCALKUBE = "localkube"
OPERATOR = "operator"
GATEWAY = "gateway"


_WORKER_VARIABLES = frozenset(
    {"PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "XDG_CACHE_HOME", "TMPDIR"}
)
_WORKER_PREFIXES = ("DALSTON_FETCH_", "DALSTON_MODELS_", "HF_", "CUDA_", "NVIDIA_")
"""What workers get of the user's environment: as in a container, the rest is not theirs."""


class NoNatsServer(Exception):
    """There is no nats-server to run."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What the parts are told."""

    state: StateFolder
    ports: Ports
    host: str
    port: int

    @property
    def nats_url(self) -> str:
        """Address of nats-server."""
        return f"nats://{LOOPBACK}:{self.ports.nats}"

    @property
    def gateway_url(self) -> str:
        """Address of the gateway for clients on this machine."""
        host = LOOPBACK if self.host in ("0.0.0.0", "::") else self.host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def kubernetes_url(self) -> str:
        """Address of the control plane, without its token."""
        return f"http://{LOOPBACK}:{self.ports.kubernetes}"

    @property
    def artifacts_url(self) -> str:
        """Address of the artifact store."""
        return self.state.artifacts.resolve().as_uri()

    def environment(self) -> dict[str, str]:
        """Give the environment that all parts share."""
        return {
            **os.environ,
            MARK: mark_of(self.state.root),
            "PYTHONUNBUFFERED": "1",
            "DALSTON_KUBE_CONFIG": str(self.state.kubeconfig.resolve()),
            "DALSTON_NATS_URL": self.nats_url,
            "DALSTON_ARTIFACTS_URL": self.artifacts_url,
            "DALSTON_MODELS_DIR": str(models_folder(os.environ)),
        }

    def worker_environment(self) -> dict[str, str]:
        """Give what pods find in their environment beside what the operator gives them."""
        found = {
            name: value
            for name, value in os.environ.items()
            if name in _WORKER_VARIABLES or name.startswith(_WORKER_PREFIXES)
        }
        shared = self.environment()
        return {**found, **{name: shared[name] for name in (MARK, "DALSTON_MODELS_DIR")}}


def models_folder(environment: Mapping[str, str]) -> Path:
    """Give the folder of model weights: chosen, of the chosen cache, or of the user's cache."""
    if chosen := environment.get("DALSTON_MODELS_DIR"):
        return Path(chosen).resolve()
    cache = environment.get("DALSTON_CACHE")
    if not cache:
        home = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        cache = str(Path(home) / "dalston")
    return (Path(cache) / "models").resolve()


def nats_binary(environment: Mapping[str, str]) -> str:
    """Find nats-server: on PATH, where Debian puts it, or built into the cache; raises NoNatsServer."""
    built = models_folder(environment).parent / "bin"
    folders = [environment.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", str(built)]
    found = shutil.which("nats-server", path=os.pathsep.join(folders))
    if found is None:
        raise NoNatsServer
    return found


def nats(setup: Setup) -> Part:
    """nats-server with JetStream."""
    configuration = setup.state.nats / "nats.conf"
    configuration.write_text(
        json.dumps(
            {
                "listen": f"{LOOPBACK}:{setup.ports.nats}",
                "jetstream": {"store_dir": str(setup.state.nats.resolve())},
                "max_payload": 8 * 1024 * 1024,
                "write_deadline": "10s",
            },
            indent=1,
        )
    )
    return Part(
        name=NATS,
        command=(nats_binary(os.environ), "--config", str(configuration)),
        environment=setup.environment(),
        serves=lambda: greets(LOOPBACK, setup.ports.nats, greeting=b"INFO "),
    )


def localkube(setup: Setup) -> Part:
    """The embedded control plane."""
    state = setup.state
    return Part(
        name=LOCALKUBE,
        command=(
            *_python("dalston.localkube"),
            *("--data-dir", str(state.kube)),
            *("--port", str(setup.ports.kubernetes)),
            *("--token-file", str(state.token)),
            *("--kubeconfig", str(state.kubeconfig)),
        ),
        environment={**setup.environment(), "DALSTON_LOCALKUBE_IMAGES": str(state.images)},
        serves=lambda: answers(LOOPBACK, setup.ports.kubernetes, path="/readyz"),
        stop_seconds=25.0,
    )


def operator(setup: Setup) -> Part:
    """The operator."""
    ports = setup.ports
    return Part(
        name=OPERATOR,
        command=_python("dalston_operator"),
        environment={
            **setup.environment(),
            # One supervisor runs one operator: a new one need not wait for the old one's Lease.
            "DALSTON_OPERATOR_IDENTITY": "dalston-up",
            "DALSTON_OPERATOR_PROBE_PORT": str(ports.operator_probe),
            "DALSTON_OPERATOR_METRICS_PORT": str(ports.operator_metrics),
        },
        serves=lambda: answers(LOOPBACK, ports.operator_probe, path="/healthz"),
    )


def gateway(setup: Setup) -> Part:
    """The gateway."""
    host = LOOPBACK if setup.host == "0.0.0.0" else "::1" if setup.host == "::" else setup.host
    return Part(
        name=GATEWAY,
        command=_python("dalston_gateway"),
        environment={
            **setup.environment(),
            "DALSTON_GATEWAY_HOST": setup.host,
            "DALSTON_GATEWAY_PORT": str(setup.port),
        },
        serves=lambda: answers(host, setup.port, path="/readyz"),
    )


def _python(module: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module)
