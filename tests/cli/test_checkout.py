"""Engines on disk: what `dalston up` reads and changes."""

from pathlib import Path

import pytest

from dalston.cli.up import checkout
from dalston.resources import Engine

_MANIFEST = """
apiVersion: dalston.io/v1alpha1
kind: Engine
metadata: {name: faster-whisper}
spec:
  stages: [transcribe]
  image: example/engine:1
  models: [{name: base, default: true}, {name: tiny.en, languages: [en]}]
"""


@pytest.fixture
def engine(tmp_path: Path) -> checkout.EngineFolder:
    folder = tmp_path / "transcribe" / "faster-whisper"
    folder.mkdir(parents=True)
    (folder / "engine.yaml").write_text(_MANIFEST)
    return checkout.find_engines(tmp_path)[0]


def test_engine_is_warmed(engine: checkout.EngineFolder) -> None:
    warmed = Engine.model_validate(checkout.warmed(engine.manifest))
    assert (warmed.spec.workers.min, warmed.spec.workers.max) == (1, 1)


@pytest.mark.parametrize("model", ["tiny.en", "/srv/models/large", "base"])
def test_default_model_is_chosen(engine: checkout.EngineFolder, model: str) -> None:
    changed = Engine.model_validate(checkout.with_default_model(engine.manifest, model))
    default = changed.spec.default_model()
    assert default is not None
    assert default.name == model
    assert sum(each.default for each in changed.spec.models) == 1


def test_image_runs_the_engine_with_its_own_python(engine: checkout.EngineFolder) -> None:
    own = engine.folder / ".venv" / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.touch()
    image = engine.image({"A": "b"})
    assert image["image"] == "example/engine:1"
    assert image["command"][0] == str(own)
    assert image["workingDir"] == str(engine.folder)


def test_absent_engines_are_named(tmp_path: Path) -> None:
    with pytest.raises(checkout.NoEngines, match=str(tmp_path)):
        checkout.find_engines(tmp_path)


def test_manifest_of_another_kind_is_refused(engine: checkout.EngineFolder) -> None:
    (engine.folder / "engine.yaml").write_text("kind: Pod")
    with pytest.raises(checkout.NotAnEngine, match=r"engine\.yaml: its kind is not Engine"):
        checkout.read_engine(engine.folder)


def test_the_checkout_has_its_own_engines_and_crds() -> None:
    names = {engine.name for engine in checkout.find_engines(None)}
    assert {"audio-prepare", "final-merger"} <= names
    assert len(checkout.read_crds()) == 3
    assert checkout.example_recording().is_file()


def test_crds_are_made_where_there_are_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = sorted(checkout.read_crds(), key=_name)
    monkeypatch.setattr(checkout, "_CHECKOUT", tmp_path)
    assert sorted(checkout.read_crds(), key=_name) == files


def _name(crd: checkout.JSON) -> str:
    name: str = crd["metadata"]["name"]
    return name
