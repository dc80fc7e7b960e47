"""The CRDs, engines and example recordings that come with a checkout of the project."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

JSON = dict[str, Any]

_CHECKOUT = Path(__file__).resolve().parents[3]
DEFAULT_ENGINE = "faster-whisper"
"""The engine whose default model `--model` sets."""


class NoEngines(Exception):
    """No engines where they were looked for."""


class NotAnEngine(Exception):
    """A file that should be an Engine manifest and is none."""


@dataclass(frozen=True)
class EngineFolder:
    """An engine on disk: its manifest, and what the kubelet runs for its image."""

    folder: Path
    manifest: JSON

    @property
    def name(self) -> str:
        """Name of the Engine."""
        name: str = self.manifest["metadata"]["name"]
        return name

    def python(self) -> str:
        """Give the interpreter: that of the engine's own environment when it has one."""
        own = self.folder / ".venv" / "bin" / "python"
        return str(own) if own.exists() else sys.executable

    def image(self, environment: dict[str, str]) -> JSON:
        """Give the entry for the kubelet's list of images."""
        return {
            "image": self.manifest["spec"]["image"],
            "command": [self.python(), "-m", "dalston.engine_sdk", "worker"],
            "workingDir": str(self.folder),
            "env": environment,
        }


def example_recording() -> Path:
    """Give the recording of the examples; it may be missing."""
    return _CHECKOUT / "examples" / "jfk.flac"


def find_engines(chosen: Path | None) -> list[EngineFolder]:
    """Read every `<stage>/<id>/engine.yaml` of a folder, the checkout's own when None.

    Raises NoEngines, or NotAnEngine for a manifest that cannot be used.
    """
    root = (chosen or _CHECKOUT / "engines").resolve()
    paths = sorted(root.glob("*/*/engine.yaml"))
    if not paths:
        raise NoEngines(str(root))
    return [read_engine(path.parent) for path in paths]


def read_engine(folder: Path) -> EngineFolder:
    """Read the engine in a folder; raises NotAnEngine."""
    path = folder / "engine.yaml"
    try:
        manifest = yaml.load(path.read_text(), Loader=_LOADER)
    except (OSError, yaml.YAMLError) as error:
        raise NotAnEngine(f"{path}: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("kind") != "Engine":
        raise NotAnEngine(f"{path}: its kind is not Engine")
    return EngineFolder(folder=folder.resolve(), manifest=manifest)


def warmed(manifest: JSON) -> JSON:
    """Give the manifest with at least one worker that stays without work."""
    spec = dict(manifest["spec"])
    workers = dict(spec.get("workers") or {})
    workers["min"] = max(1, workers.get("min", 0))
    workers["max"] = max(workers["min"], workers.get("max", 1))
    return {**manifest, "spec": {**spec, "workers": workers}}


def with_default_model(manifest: JSON, model: str) -> JSON:
    """Give the manifest with that model as the default; it is added when the engine lacks it."""
    spec = manifest["spec"]
    models: list[JSON] = [
        {**known, "default": known["name"] == model} for known in spec.get("models", [])
    ]
    if not any(known["name"] == model for known in models):
        models.insert(0, {"name": model, "default": True})
    return {**manifest, "spec": {**spec, "models": models}}


def read_crds() -> Sequence[JSON]:
    """Read the CRDs; an installed package has no such files, and makes them from the models."""
    paths = sorted((_CHECKOUT / "crds").glob("*.yaml"))
    if paths:
        return [yaml.load(path.read_text(), Loader=_LOADER) for path in paths]
    from dalston.resources.generate import custom_resource_definition
    from dalston.resources.kinds import CUSTOM_KINDS

    return [custom_resource_definition(kind) for kind in CUSTOM_KINDS]


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml reads the CRDs ten times as fast as the loader in Python."""
