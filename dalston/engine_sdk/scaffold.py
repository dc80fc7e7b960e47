"""`new`: a folder with a small working engine, which passes `check`."""

import re
from pathlib import Path
from string import Template

from dalston import __version__
from dalston.resources.stages import Stage

_ID = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

_MANIFEST = Template("""\
apiVersion: dalston.io/v1alpha1
kind: Engine
metadata:
  name: $id
spec:
  stages: [$stage]
  image: ghcr.io/dalston/engine-$id:$version
  parameters:
    schema:
      type: object
      additionalProperties: false
      properties: {}
    values: {}
  resources:
    cpu: "1"
    memory: 1Gi
  workers:
    min: 0
    max: 1
    idleSeconds: 300
    concurrency: 1
""")

_ENGINE = Template('''\
"""$STAGE: what this engine does, in one sentence."""

from dalston.engine_sdk import $imports


class $class_name(Engine):
    """How it does that."""

    def process(self, task: Task) -> $result:
        """Perform one task."""
$body
''')

_DOCKERFILE = Template("""\
# Built from the repository's root:
#   docker build -f $folder/Dockerfile -t ghcr.io/dalston/engine-$id:$version .
FROM python:3.11-slim

WORKDIR /opt/dalston
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY dalston dalston
COPY operator operator
COPY gateway gateway
COPY $folder/requirements.txt requirements.txt
RUN pip install --no-cache-dir -r requirements.txt ".[engine-sdk]"
COPY $folder engine

WORKDIR /opt/dalston/engine
USER 65532:65532
ENTRYPOINT ["python", "-m", "dalston.engine_sdk", "worker"]
""")

_README = Template("""\
# $id

Performs $STAGE: what comes in, what goes out, which models and parameters there are.

    python -m dalston.engine_sdk try $folder examples/jfk.flac
    python -m dalston.engine_sdk check $folder
""")

_TEST = Template('''\
"""The engine keeps the contract."""

from pathlib import Path

from dalston.engine_sdk.conformance import Verdict, findings

FOLDER = Path(__file__).parents[1]


def test_${name}_passes_the_conformance_checks() -> None:
    failed = [found for found in findings(FOLDER) if found.verdict is Verdict.FAILED]
    assert failed == []
''')

_REQUIREMENTS = "# What the image needs beside dalston[engine-sdk], with versions.\n"

_BODIES: dict[Stage, tuple[str, tuple[str, ...], str]] = {
    Stage.PREPARE: (
        "PrepareResult",
        ("Part", "Track", "WavWriter", "open_decoder"),
        """\
assert task.source is not None, "PREPARE tasks have a source"
name = "track-0.wav"
with open_decoder(task.source) as decoder, WavWriter(task.output(name)) as writer:
    for block in decoder.blocks():
        task.check_cancelled()
        writer.write(block[0])
    seconds, found = writer.seconds, decoder.probe
if seconds < 0.1:
    raise InputError("AudioTooShort", "Send at least 0.1 seconds of audio.")
return PrepareResult(
    duration=seconds,
    channels=found.channels,
    sample_rate=found.sample_rate,
    container=found.container,
    codec=found.codec,
    tracks=(Track(index=0, audio=name, duration=seconds, speech=((0.0, seconds),)),),
    parts=(Part(index=0, track=0, start=0.0, end=seconds),),
)""",
    ),
    Stage.TRANSCRIBE: (
        "TranscribeResult",
        ("Segment", "read_wav"),
        """\
assert task.audio is not None, "TRANSCRIBE tasks have audio"
samples = read_wav(task.audio)  # float32, 16 kHz
if len(samples) == 0:
    raise InputError("AudioTooShort", "There is no audio in this part.")
task.check_cancelled()
end = len(samples) / 16_000
return TranscribeResult(segments=(Segment(start=0.0, end=end, text="..."),))""",
    ),
    Stage.ALIGN: (
        "AlignResult",
        ("TranscribeResult",),
        """\
spoken = task.results_of(TranscribeResult)
if not spoken:
    raise InputError("NothingToAlign", "There is no text to align.")
task.check_cancelled()
return AlignResult(aligned=False, segments=spoken[0].segments)""",
    ),
    Stage.DIARIZE: (
        "DiarizeResult",
        ("Turn", "read_wav"),
        """\
if task.prepared is None:
    raise InputError("NoAudio", "There is no prepared audio.")
turns = {}
for track in task.prepared.tracks:
    task.check_cancelled()
    end = len(read_wav(task.track_audio(track.index))) / 16_000
    turns[track.index] = (Turn(start=0.0, end=end, speaker="speaker_0"),)
return DiarizeResult(turns=turns, exclusive=turns)""",
    ),
    Stage.DETECT: (
        "DetectResult",
        (),
        """\
if task.prepared is None:
    raise InputError("NoAudio", "There is no prepared audio.")
task.check_cancelled()
return DetectResult(events=())""",
    ),
    Stage.REFINE: (
        "RefineResult",
        ("TranscribeResult",),
        """\
spoken = task.results_of(TranscribeResult)
if not spoken:
    raise InputError("NothingToRefine", "There is no text to refine.")
task.check_cancelled()
return RefineResult(segments=None)""",
    ),
    Stage.MERGE: (
        "MergeResult",
        ("Transcript", "TranscribeResult"),
        """\
if task.prepared is None:
    raise InputError("NoAudio", "There is no prepared audio.")
task.check_cancelled()
segments = [segment for part in task.results_of(TranscribeResult) for segment in part.segments]
text = " ".join(segment.text for segment in segments)
return MergeResult(
    transcript=Transcript(
        duration=task.prepared.duration, text=text, segments=tuple(segments)
    )
)""",
    ),
}


def create_engine(root: Path, *, stage: Stage, engine_id: str) -> Path:
    """Write `<root>/<stage>/<id>` and give it; raises ValueError, FileExistsError."""
    if not _ID.fullmatch(engine_id):
        raise ValueError(f"an engine's id is a DNS label (a-z, 0-9, -), not {engine_id!r}")
    folder = root / stage / engine_id
    (folder / "tests").mkdir(parents=True)
    for name, content in _contents(stage, engine_id).items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def _contents(stage: Stage, engine_id: str) -> dict[str, str]:
    result, imports, body = _BODIES[stage]
    needed = {"Engine", "Task", result, *imports} | (
        {"InputError"} if "InputError" in body else set()
    )
    names = {
        "id": engine_id,
        "name": engine_id.replace("-", "_"),
        "class_name": "".join(word.capitalize() for word in engine_id.split("-")),
        "stage": str(stage),
        "STAGE": stage.upper(),
        "folder": f"engines/{stage}/{engine_id}",
        "version": __version__,
        "result": result,
        "imports": _import_list(needed),
        "body": "\n".join(f"        {line}" if line else "" for line in body.splitlines()),
    }
    return {
        "engine.yaml": _MANIFEST.substitute(names),
        "engine.py": _ENGINE.substitute(names),
        "requirements.txt": _REQUIREMENTS,
        "Dockerfile": _DOCKERFILE.substitute(names),
        "README.md": _README.substitute(names),
        f"tests/test_{names['name']}.py": _TEST.substitute(names),
    }


def _import_list(names: set[str]) -> str:
    """Write the names as formatters do: classes first, one line if it fits."""
    ordered = sorted(names, key=lambda name: (name[0].islower(), name))
    line = ", ".join(ordered)
    if len(line) <= 65:
        return line
    return "(\n" + "".join(f"    {name},\n" for name in ordered) + ")"
