"""Finding models: a directory, packaged weights, or a name on a hub, in that order.

Nothing is fetched unless allowed; loading, and fetching from a hub, is the engine's part.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pydantic_settings import BaseSettings, SettingsConfigDict

from dalston.engine_sdk.errors import ModelMissing
from dalston.resources.engine import EngineModel


def _default_folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "dalston" / "models"


class ModelSettings(BaseSettings):
    """Where models are; environment variables `DALSTON_MODELS_…`."""

    model_config = SettingsConfigDict(env_prefix="DALSTON_MODELS_")

    dir: Path | None = None
    """Folder with packaged weights, one folder a model; `dalston/models` in the user's cache when
    absent."""

    allow_download: bool = False
    """Whether models may be fetched from a hub: off, so that nothing leaves or enters unasked."""


class ResolvedModel(NamedTuple):
    """Where a model is: in a directory, or (directory is None) on a hub under `hub_name`."""

    name: str
    directory: Path | None
    hub_name: str | None = None

    @property
    def reference(self) -> str:
        """What loaders take: the directory, or the name on the hub."""
        return str(self.directory) if self.directory is not None else self.hub_name or self.name


@dataclass(frozen=True)
class ModelResolver:
    """Finds the models of one engine; `declared` are those of its manifest."""

    declared: tuple[EngineModel, ...] = ()
    folder: Path | None = None
    allow_download: bool = False

    @classmethod
    def from_settings(
        cls, declared: Iterable[EngineModel] = (), settings: ModelSettings | None = None
    ) -> "ModelResolver":
        """Make one that follows the environment."""
        settings = settings or ModelSettings()
        return cls(tuple(declared), settings.dir or _default_folder(), settings.allow_download)

    @property
    def default(self) -> str | None:
        """Name of the model for tasks that name none; None when the engine declares no models."""
        marked = next((model for model in self.declared if model.default), None)
        chosen = marked or next(iter(self.declared), None)
        return chosen.name if chosen is not None else None

    def find(self, name: str) -> EngineModel | None:
        """Give the declared model of that name."""
        return next((model for model in self.declared if model.name == name), None)

    def resolve(self, name: str | None = None, source: str | None = None) -> ResolvedModel:
        """Tell where a model is; the default one when no name is given.

        `source` overrides what the manifest says. Raises ModelMissing with the step to take.
        """
        name = name or self.default
        if name is None:
            raise ModelMissing("This engine declares no models: add one to spec.models.")
        declared = self.find(name)
        source = source or (declared.source if declared is not None else None) or name
        directory = self._directory(name, source)
        if directory is not None:
            return ResolvedModel(name, directory)
        if self.allow_download and not _is_path(source):
            return ResolvedModel(name, None, source)
        raise ModelMissing(self._advice(name, source))

    def _directory(self, name: str, source: str) -> Path | None:
        explicit = Path(source).expanduser()
        if "/" in source and explicit.is_dir():
            return explicit.resolve()
        for key in (source, name):
            if self.folder is not None and _stays_inside(key) and (self.folder / key).is_dir():
                return self.folder / key
        return None

    def _advice(self, name: str, source: str) -> str:
        if _is_path(source):
            return f"Model {name!r}: there is no directory {source}."
        place = f"{self.folder}/{name}" if self.folder is not None else "DALSTON_MODELS_DIR"
        return (
            f"Model {name!r} is not on this machine. Put its files into {place}, give a directory "
            f"as the model's `source`, or set DALSTON_MODELS_ALLOW_DOWNLOAD=true to fetch "
            f"{source!r} from the hub."
        )


def _is_path(source: str) -> bool:
    return source.startswith(("/", "~", "."))


def _stays_inside(key: str) -> bool:
    return not _is_path(key) and ".." not in PurePosixPath(key).parts
