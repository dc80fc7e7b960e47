"""`dalston transcribe`: sends recordings, waits for their transcripts and prints or stores these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlparse

from dalston.cli import console
from dalston.cli.exit_codes import ExitCode
from dalston.cli.jobs import follow, outcome, transcript_text
from dalston.cli.problems import Problem, Refused
from dalston.cli.progress import Progress, progress
from dalston.cli.server import Client, Server

JSON = dict[str, Any]
EXTENSIONS = {"text": "txt", "txt": "txt", "srt": "srt", "vtt": "vtt", "json": "json"}


@dataclass(frozen=True, kw_only=True)
class TranscribeOptions:
    """What the user chose; `fields` are those of the API's form."""

    sources: Sequence[str]
    format: str
    output: Path | None
    wait: bool
    fields: Mapping[str, Any]


def form_fields(
    *,
    language: str | None,
    diarize: bool,
    speakers: int | None,
    channels: bool,
    translate: bool,
    timestamps: str,
    vocabulary: Sequence[str],
    model: str | None,
) -> dict[str, Any]:
    """Give the fields of the API's form; what was not chosen is left to the server."""
    fields: dict[str, Any] = {"timestamps": timestamps}
    if language:
        fields["language"] = language
    if channels:
        fields["speakers.mode"] = "channels"
    elif diarize or speakers is not None:
        fields["speakers.mode"] = "diarize"
    if speakers is not None:
        fields["speakers.max"] = str(speakers)
    if translate:
        fields["task"] = "translate"
    if vocabulary:
        fields["vocabulary"] = list(vocabulary)
    if model:
        fields["engine"] = model
    return fields


@dataclass(frozen=True)
class _Submitted:
    source: str
    name: str
    job: JSON


def transcribe(server: Server, options: TranscribeOptions) -> ExitCode:
    """Transcribe every source; gives the exit code, the worst of them all."""
    _check(options)
    with server.connect() as client:
        with progress(wanted=options.wait) as bars:
            submitted, code = _submit_all(client, options, bars)
            if not options.wait:
                for each in submitted:
                    console.say(each.job["id"])
                return code
            try:
                finished = [_wait(client, each, bars) for each in submitted]
            except KeyboardInterrupt:
                ids = " ".join(each.job["id"] for each in submitted)
                console.tell(f"not waiting any more; follow with: dalston jobs watch {ids}")
                raise
        for each in finished:
            code = max(code, _deliver(client, each, options, alone=len(options.sources) == 1))
    return code


def _check(options: TranscribeOptions) -> None:
    several = len(options.sources) > 1
    if (
        several
        and options.format not in ("text", "txt")
        and options.wait
        and options.output is None
    ):
        raise Problem(
            f"several transcripts as {options.format} do not fit one output",
            advice="give a folder for them with --output",
            code=ExitCode.USAGE,
        )
    for source in options.sources:
        if not is_url(source) and not Path(source).is_file():
            raise Problem(f"{source}: no such file", code=ExitCode.USAGE)


def is_url(source: str) -> bool:
    """Tell whether a source is an address and no path."""
    return urlparse(source).scheme in ("http", "https")


def name_of(source: str) -> str:
    """Give the file name of a source, without folders and query."""
    if is_url(source):
        return PurePosixPath(urlparse(source).path).name or "recording"
    return Path(source).name


def _submit_all(
    client: Client, options: TranscribeOptions, bars: Progress
) -> tuple[list[_Submitted], ExitCode]:
    submitted = []
    code = ExitCode.OK
    for source in options.sources:
        try:
            job = _submit(client, source, options.fields, bars)
        except Refused as refusal:
            if len(options.sources) == 1:
                raise
            console.tell(f"{source}: {refusal.message}")
            code = ExitCode.FAILED
        else:
            submitted.append(_Submitted(source, name_of(source), job))
    return submitted, code


def _submit(client: Client, source: str, fields: Mapping[str, Any], bars: Progress) -> JSON:
    if is_url(source):
        return client.submit_url(source, fields)
    path = Path(source)
    size = max(1, path.stat().st_size)

    def sent(count: int) -> None:
        bars.show(source, what="uploading", percent=100 * count / size)

    return client.upload(path, fields, sent=sent)


def _wait(client: Client, submitted: _Submitted, bars: Progress) -> _Submitted:
    job = submitted.job
    for job in follow(client, submitted.job["id"]):
        bars.show(submitted.source, what=outcome(job), percent=job.get("progress") or 0)
    bars.finish(submitted.source, what=outcome(job))
    return _Submitted(submitted.source, submitted.name, job)


def _deliver(
    client: Client, finished: _Submitted, options: TranscribeOptions, *, alone: bool
) -> ExitCode:
    job = finished.job
    if job["status"] != "succeeded":
        console.tell(f"{finished.source}: {outcome(job)} (job {job['id']})")
        return ExitCode.FAILED
    for warning in job.get("warnings") or []:
        console.tell(f"{finished.source}: {warning}")
    text = transcript_text(client, job["id"], options.format)
    if options.output is not None:
        path = options.output / f"{finished.name}.{EXTENSIONS[options.format]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        console.say(str(path))
        return ExitCode.OK
    if not alone:
        console.say(f"== {finished.source}")
    console.say(text.rstrip("\n"))
    return ExitCode.OK
