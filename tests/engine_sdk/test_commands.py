"""try, check and new, as commands."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from dalston.engine_sdk import OptionError, Stage
from dalston.engine_sdk.__main__ import main
from dalston.engine_sdk.conformance import Verdict, findings
from dalston.engine_sdk.scaffold import create_engine
from dalston.engine_sdk.trying import Trial, parse_assignments, parse_options, try_engine
from tests import media
from tests.speech import CHECKOUT


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Commands set logging up for their process; tests share one."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


JFK = CHECKOUT / "examples" / "jfk.flac"


@pytest.mark.parametrize("stage", list(Stage))
def test_new_engine_passes_the_check(stage: Stage, tmp_path: Path) -> None:
    folder = create_engine(tmp_path, stage=stage, engine_id=f"my-{stage}")
    found = list(findings(folder))
    assert [each for each in found if each.verdict is Verdict.FAILED] == []
    assert len(found) >= 7


@pytest.mark.parametrize("stage", list(Stage))
def test_new_engine_runs_on_a_recording(stage: Stage, tmp_path: Path) -> None:
    folder = create_engine(tmp_path, stage=stage, engine_id="mine")
    if stage in (Stage.ALIGN, Stage.REFINE):
        spoken = tmp_path / "spoken.json"
        spoken.write_text('{"segments": [{"text": "ask not"}]}')
        inputs = {Stage.TRANSCRIBE: spoken}
    else:
        inputs = {}
    out = io.StringIO()
    assert try_engine(Trial(folder=folder, audio=JFK, inputs=inputs), out=out) == 0
    report = json.loads(out.getvalue())
    assert report["audio_seconds"] == pytest.approx(11.0, abs=0.1)
    assert len(report["results"]) == 1


def test_new_refuses_a_bad_name_and_an_existing_folder(tmp_path: Path) -> None:
    assert main(["new", "align", "Bad_Name", "--root", str(tmp_path)]) == 2
    assert main(["new", "align", "good", "--root", str(tmp_path)]) == 0
    assert main(["new", "align", "good", "--root", str(tmp_path)]) == 2


def test_try_copies_output_files(tmp_path: Path) -> None:
    folder = create_engine(tmp_path, stage=Stage.PREPARE, engine_id="mine")
    arguments = ["try", str(folder), str(JFK), "--output", str(tmp_path / "out")]
    assert main(arguments) == 0
    assert media.decode(tmp_path / "out" / "track-0.wav").shape[1] == pytest.approx(176_000, abs=99)


def test_try_tells_the_inputs_fault_by_its_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = create_engine(tmp_path, stage=Stage.PREPARE, engine_id="mine")
    text = tmp_path / "text.wav"
    text.write_text("no audio")
    assert main(["try", str(folder), str(text)]) == 42
    assert "UndecodableAudio" in capsys.readouterr().err
    assert main(["try", str(folder), str(JFK), "--option", "lang=en"]) == 43
    assert "UnknownOption" in capsys.readouterr().err
    assert main(["try", str(folder), str(tmp_path / "none.wav")]) == 2


def test_options_are_read_by_their_names() -> None:
    values = parse_assignments(["language=de", "speakers.mode=diarize", "vocabulary=[Ada, Alan]"])
    options = parse_options(values)
    assert (options.language, options.vocabulary) == ("de", ["Ada", "Alan"])
    assert options.speakers.mode == "diarize"
    with pytest.raises(OptionError, match="language"):
        parse_options({"language": "not a language"})


def broken(folder: Path, name: str, old: str, new: str) -> list[str]:
    """Break a file of an engine; gives what the check finds."""
    path = folder / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return [f"{f.check}: {f.message}" for f in findings(folder) if f.verdict is Verdict.FAILED]


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("engine.yaml", "idleSeconds: 300", "idleSecond: 300", "idleSecond is no field"),
        ("engine.yaml", "max: 1", "max: 100000", "workers.max"),
        ("engine.yaml", "name: mine", "name: yours", "the folder is called 'mine'"),
        ("engine.yaml", "[transcribe]", "[align]", "lacks the stage 'transcribe'"),
        ("engine.yaml", "values: {}", "values: {beam: 5}", "values.beam is not in the schema"),
        ("engine.yaml", "kind: Engine", "kind: Motor", "apiVersion and kind"),
        ("engine.yaml", "spec:", "spec: [", "no YAML"),
        ("engine.py", "class Mine(Engine)", "class Mine", "exactly one subclass"),
        ("engine.py", "import", "import nothing,", "ImportError"),
        ("engine.py", "return Transcribe", "return None  # ", "gave NoneType"),
        ("engine.py", "assert task", "raise OSError; assert task", "not OSError"),
        ("engine.py", "    def process", "    def load(self): 1 / 0\n\n    def process", "load()"),
    ],
)
def test_check_finds_what_is_wrong(
    name: str, old: str, new: str, expected: str, tmp_path: Path
) -> None:
    folder = create_engine(tmp_path, stage=Stage.TRANSCRIBE, engine_id="mine")
    assert any(expected in found for found in broken(folder, name, old, new))


def test_check_finds_missing_files(tmp_path: Path) -> None:
    folder = create_engine(tmp_path, stage=Stage.ALIGN, engine_id="mine")
    (folder / "README.md").unlink()
    assert main(["check", str(folder)]) == 1


def test_check_finds_an_engine_that_cannot_be_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dalston.engine_sdk.conformance._STOP_SECONDS", 0.3)
    folder = create_engine(tmp_path, stage=Stage.REFINE, engine_id="mine")
    sleeping = "import time; time.sleep(1) # task.check_cancelled()"
    found = broken(folder, "engine.py", "task.check_cancelled()", sleeping)
    assert any("went on for" in each for each in found)
