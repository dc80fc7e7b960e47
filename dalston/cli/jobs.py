"""`dalston jobs`: lists, shows, follows, cancels, retries and deletes jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from dalston.cli import console
from dalston.cli.exit_codes import ExitCode
from dalston.cli.problems import Refused
from dalston.cli.progress import progress
from dalston.cli.server import Client, Server

JSON = dict[str, Any]
_PAGE = 100
FINISHED = frozenset({"succeeded", "failed", "cancelled"})


def is_finished(job: JSON) -> bool:
    """Tell whether a job has ended."""
    return job["status"] in FINISHED


def outcome(job: JSON) -> str:
    """Give a job's state in words: the stage that runs, or why it failed."""
    status: str = job["status"]
    error = job.get("error")
    if error:
        return f"{status}: {error.get('message') or error.get('code')}"
    running = [stage["name"] for stage in job.get("stages") or [] if stage["state"] == "running"]
    return ", ".join(running) if running and status not in FINISHED else status


def follow(client: Client, job: str) -> Iterator[JSON]:
    """Yield the job now and after every change until it has finished."""
    state = client.get(job)
    yield state
    while not is_finished(state):
        for state in client.events(job):
            yield state
        if not is_finished(state):  # the server ended the stream: look, then listen again
            state = client.get(job)
            yield state


def list_jobs(server: Server, *, status: str | None, limit: int, as_json: bool) -> ExitCode:
    """Print the newest jobs."""
    with server.connect() as client:
        jobs = _newest(client, status=status, limit=limit)
    if as_json:
        console.show_json(jobs)
        return ExitCode.OK
    if not jobs:
        console.tell("no jobs")
        return ExitCode.OK
    console.show_table(
        ("ID", "STATUS", "PROGRESS", "LANGUAGE", "DURATION", "AGE"), [_row(job) for job in jobs]
    )
    return ExitCode.OK


def _newest(client: Client, *, status: str | None, limit: int) -> list[JSON]:
    """Read as many jobs as are wanted, page by page, newest first."""
    jobs: list[JSON] = []
    cursor: str | None = None
    while len(jobs) < limit:
        size = min(_PAGE, limit - len(jobs))
        wanted = {"limit": size, "status": status, "cursor": cursor}
        page = client.jobs({name: value for name, value in wanted.items() if value is not None})
        jobs += page["items"]
        cursor = page.get("next_cursor")
        if not cursor:
            break
    return jobs


def _row(job: JSON) -> tuple[str, ...]:
    return (
        job["id"],
        job["status"],
        f"{job.get('progress') or 0}%",
        job.get("language") or "",
        console.clock(job.get("duration_seconds")),
        console.age(job.get("created_at")),
    )


def get(server: Server, job: str, *, as_json: bool) -> ExitCode:
    """Print one job."""
    with server.connect() as client:
        found = client.get(job)
    if as_json:
        console.show_json(found)
    else:
        _show(found)
    return ExitCode.OK


def _show(job: JSON) -> None:
    console.show_fields(
        [
            ("id", job["id"]),
            ("status", outcome(job)),
            ("progress", f"{job.get('progress') or 0}%"),
            ("created", job.get("created_at") or ""),
            ("finished", job.get("finished_at") or ""),
            ("language", job.get("language") or ""),
            ("duration", console.clock(job.get("duration_seconds"))),
            *(("warning", warning) for warning in job.get("warnings") or []),
        ]
    )
    stages = job.get("stages") or []
    if stages:
        console.say()
        head = ("STAGE", "STATE", "ENGINE", "MODEL", "PARTS", "QUEUED", "RAN", "MESSAGE")
        console.show_table(head, [_stage_row(stage) for stage in stages])


def _stage_row(stage: JSON) -> tuple[str, ...]:
    total = stage.get("parts_total") or 0
    return (
        stage["name"],
        stage["state"],
        stage.get("engine") or "",
        stage.get("model") or "",
        f"{stage.get('parts_done') or 0}/{total}" if total else "",
        _seconds(stage.get("queue_seconds")),
        _seconds(stage.get("run_seconds")),
        stage.get("message") or "",
    )


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"


def transcript(server: Server, job: str, *, format: str) -> ExitCode:
    """Print the transcript of a finished job."""
    with server.connect() as client:
        console.say(transcript_text(client, job, format).rstrip("\n"))
    return ExitCode.OK


def transcript_text(client: Client, job: str, format: str) -> str:
    """Give the transcript in a format; `text` is what is said and nothing else."""
    if format != "text":
        return client.export(job, format)
    text: str = json.loads(client.export(job, "json"))["text"]
    return text + "\n"


def watch(server: Server, jobs: Sequence[str]) -> ExitCode:
    """Follow jobs until all have finished; fails when one of them failed."""
    code = ExitCode.OK
    with server.connect() as client, progress() as bars:
        for job in jobs:
            for state in follow(client, job):
                bars.show(job, what=outcome(state), percent=state.get("progress") or 0)
                if not console.interactive():
                    console.say(f"{job}  {state.get('progress') or 0}%  {outcome(state)}")
            if console.interactive():
                console.say(f"{job}  {outcome(state)}")
            if state["status"] != "succeeded":
                code = ExitCode.FAILED
    return code


def act(server: Server, jobs: Sequence[str], verb: str) -> ExitCode:
    """Cancel, retry or delete jobs; goes on after one that cannot be."""
    code = ExitCode.OK
    with server.connect() as client:
        for job in jobs:
            try:
                if verb == "delete":
                    client.delete(job)
                else:
                    client.act(job, verb)
            except Refused as refusal:
                if len(jobs) == 1:
                    raise
                console.tell(f"{job}: {refusal.message}")
                code = ExitCode.FAILED
            else:
                console.say(f"{job}  {_DONE[verb]}")
    return code


_DONE = {"cancel": "cancelling", "retry": "runs again", "delete": "deleted"}
