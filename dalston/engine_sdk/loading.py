"""Finding an engine in its folder: `engine.yaml`, and the one Engine subclass of `engine.py`."""

import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from dalston.engine_sdk.engine import Engine
from dalston.engine_sdk.errors import EngineDefect
from dalston.resources.engine import Engine as EngineManifest

MANIFEST = "engine.yaml"
MODULE = "engine.py"


def read_manifest(folder: Path) -> EngineManifest:
    """Read `engine.yaml`; raises EngineDefect, or pydantic's ValidationError."""
    return EngineManifest.model_validate(read_manifest_object(folder))


def read_manifest_object(folder: Path) -> dict[str, Any]:
    """Read `engine.yaml` as it is; raises EngineDefect."""
    path = folder / MANIFEST
    if not path.is_file():
        raise EngineDefect(f"there is no {path}")
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise EngineDefect(f"{path} is no YAML: {error}") from error
    if not isinstance(found, dict):
        raise EngineDefect(f"{path} holds no object")
    return found


def parameter_defaults(folder: Path) -> dict[str, Any]:
    """Give the parameters of the engine's own manifest: schema defaults, then its values."""
    if not (folder / MANIFEST).is_file():
        return {}
    parameters = read_manifest(folder).spec.parameters
    properties = parameters.schema_.get("properties", {})
    defaults = {name: each["default"] for name, each in properties.items() if "default" in each}
    return {**defaults, **parameters.values}


def load_engine_class(folder: Path) -> type[Engine]:
    """Import `engine.py` and give its Engine subclass; raises EngineDefect unless there is one.

    The folder comes first on the module path, so engines can have modules beside `engine.py`.
    """
    path = (folder / MODULE).resolve()
    if not path.is_file():
        raise EngineDefect(f"there is no {path}")
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    classes = engine_classes(_import(path))
    if len(classes) != 1:
        names = ", ".join(sorted(found.__name__ for found in classes)) or "none"
        raise EngineDefect(f"{path} must define exactly one subclass of Engine; it has {names}")
    return classes[0]


def engine_classes(module: ModuleType) -> list[type[Engine]]:
    """Give the concrete Engine subclasses that a module defines itself."""
    return [
        found
        for found in vars(module).values()
        if inspect.isclass(found)
        and issubclass(found, Engine)
        and found.__module__ == module.__name__
        and not inspect.isabstract(found)
    ]


def _import(path: Path) -> ModuleType:
    # A name of its own: several engines in one process all have an `engine.py`.
    name = f"dalston_engine_{path.parent.name.replace('-', '_')}_{abs(hash(path)):x}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
