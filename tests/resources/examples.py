"""Makes engines and jobs for tests: complete ones, from the few fields that a test is about."""

from datetime import UTC, datetime
from typing import Any

from dalston.resources import Engine, ObjectMeta, Stage, TranscriptionJob

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
"""When tests of pure functions take place."""

URL = {"url": "https://example.com/speech.wav"}


def engine(name: str, *stages: Stage, generation: int = 1, **spec: Any) -> Engine:
    """An engine that performs those stages; `spec` in wire form."""
    wire = {"stages": [*stages], "image": f"example/{name}:1", **spec}
    meta = ObjectMeta(name=name, uid=f"uid-{name}", generation=generation)
    return Engine(metadata=meta, spec=wire)


def offering(stage: Stage, name: str | None = None, **capabilities: Any) -> Engine:
    """An engine for one stage, named after it, with those capabilities."""
    return engine(name or f"any-{stage}", stage, capabilities=capabilities)


def all_engines(**transcriber: Any) -> list[Engine]:
    """One engine for each stage; the capabilities are those of the one for TRANSCRIBE."""
    able: dict[Stage, dict[str, Any]] = {
        Stage.TRANSCRIBE: {"wordTimestamps": True, **transcriber},
        Stage.DIARIZE: {"diarization": True},
        Stage.DETECT: {"audioEvents": True, "entities": ["name"]},
    }
    return [offering(stage, **able.get(stage, {})) for stage in Stage]


def job(name: str = "job", *, annotations: dict[str, str] | None = None, **spec: Any) -> Any:
    """A job as it is created; `spec` in wire form, the source is a URL unless given."""
    meta = ObjectMeta(
        name=name,
        uid=f"uid-{name}",
        generation=1,
        creation_timestamp=NOW,
        annotations=annotations or {},
    )
    return TranscriptionJob(metadata=meta, spec={"source": URL, **spec})


EVERYTHING: dict[str, Any] = {
    "speakers": {"mode": "diarize"},
    "detect": {"audioEvents": True},
    "refine": {"noVerbatim": True},
}
"""Options that need every stage but ALIGN, which depends on what TRANSCRIBE can do."""
