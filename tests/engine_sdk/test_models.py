"""Where models are found: a directory, packaged weights, a hub; in that order."""

from pathlib import Path

import pytest

from dalston.engine_sdk import EngineModel, ModelMissing, ModelResolver, ModelSettings

DECLARED = (
    EngineModel(name="small"),
    EngineModel(name="best", source="org/best-model", default=True),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Packaged weights of `small`."""
    (tmp_path / "models" / "small").mkdir(parents=True)
    return tmp_path / "models"


def test_packaged_weights_are_found_by_name(folder: Path) -> None:
    found = ModelResolver(DECLARED, folder).resolve("small")
    assert (found.directory, found.reference) == (folder / "small", str(folder / "small"))


def test_directory_comes_before_packaged_weights(folder: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    assert ModelResolver(DECLARED, folder).resolve("small", str(mine)).directory == mine


def test_hub_is_named_only_when_allowed(folder: Path) -> None:
    found = ModelResolver(DECLARED, folder, allow_download=True).resolve("best")
    assert (found.directory, found.reference) == (None, "org/best-model")
    with pytest.raises(ModelMissing, match="DALSTON_MODELS_ALLOW_DOWNLOAD=true"):
        ModelResolver(DECLARED, folder).resolve("best")


def test_default_model_is_the_marked_one(folder: Path) -> None:
    assert ModelResolver(DECLARED, folder).default == "best"
    assert ModelResolver(DECLARED[:1], folder).resolve().name == "small"
    with pytest.raises(ModelMissing, match="declares no models"):
        ModelResolver((), folder).resolve()


@pytest.mark.parametrize("name", ["../secrets", "/etc", "~root", "a/../../b"])
def test_name_never_leads_out_of_the_folder(name: str, folder: Path) -> None:
    (folder.parent / "secrets").mkdir()
    with pytest.raises(ModelMissing):
        ModelResolver((), folder).resolve(name, "unknown")


def test_missing_directory_is_named(folder: Path) -> None:
    with pytest.raises(ModelMissing, match="no directory /nowhere"):
        ModelResolver((), folder, allow_download=True).resolve("small-2", "/nowhere")


def test_settings_follow_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DALSTON_MODELS_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert ModelResolver.from_settings().folder == tmp_path / "dalston" / "models"
    monkeypatch.setenv("DALSTON_MODELS_DIR", "/models")
    monkeypatch.setenv("DALSTON_MODELS_ALLOW_DOWNLOAD", "true")
    resolver = ModelResolver.from_settings(settings=ModelSettings())
    assert (resolver.folder, resolver.allow_download) == (Path("/models"), True)
