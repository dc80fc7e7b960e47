"""The command tree: names, options and help; the work is in the modules that the commands import."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dalston.cli.options import (
    SERVER_URL,
    STATE_DIR,
    ApiKey,
    AsJson,
    Kubeconfig,
    ServerUrl,
    StateDir,
)

if TYPE_CHECKING:
    from dalston.cli.server import Server


def _group(help: str, *, name: str | None = None) -> typer.Typer:
    return typer.Typer(
        name=name,
        help=help,
        no_args_is_help=True,
        add_completion=name is not None,
        pretty_exceptions_enable=False,
        # Boxes and colours are for terminals.
        rich_markup_mode="rich" if sys.stdout.isatty() else None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


app = _group(
    "Self-hosted speech-to-text: run it on this machine, and use it from the command line.",
    name="dalston",
)
jobs = _group("List, show, follow, cancel, retry and delete jobs.")
engines = _group("Show the engines of the cluster, and add one.")
keys = _group("Create, list and revoke API keys, in the cluster's Secret.")
app.add_typer(jobs, name="jobs")
app.add_typer(engines, name="engines")
app.add_typer(keys, name="keys")


class Format(StrEnum):
    """Formats of a transcript: what is said and nothing else, or as the API exports it."""

    TEXT = "text"
    TXT = "txt"
    SRT = "srt"
    VTT = "vtt"
    JSON = "json"


class Granularity(StrEnum):
    """The finest times that a transcript carries."""

    NONE = "none"
    SEGMENT = "segment"
    WORD = "word"
    CHARACTER = "character"


@app.command()
def up(
    state_dir: StateDir = STATE_DIR,
    host: Annotated[
        str, typer.Option(help="Address to serve on; other than loopback asks for API keys.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the gateway.")] = 8000,
    model: Annotated[
        str | None,
        typer.Option(help="Default model of faster-whisper: a name, a directory or a hub name."),
    ] = None,
    engines_dir: Annotated[
        Path | None,
        typer.Option(
            envvar="DALSTON_ENGINES_DIR", help="Folder with engines, as <stage>/<id>/engine.yaml."
        ),
    ] = None,
    warm: Annotated[
        bool, typer.Option("--warm/--no-warm", help="Keep one worker of each engine running.")
    ] = True,
) -> None:
    """Run the whole system on this machine; Ctrl-C stops it.

    Starts nats-server, an embedded control plane, the operator and the gateway, and applies the
    engines. A second `dalston up` says what is running.
    """
    from dalston.cli.up.command import UpOptions
    from dalston.cli.up.command import up as run

    options = UpOptions(
        state_dir=state_dir,
        host=host,
        port=port,
        engines_dir=engines_dir,
        model=model,
        warm=warm,
    )
    raise typer.Exit(run(options))


@app.command()
def down(state_dir: StateDir = STATE_DIR) -> None:
    """Stop the system that `dalston up` runs."""
    from dalston.cli.up.command import down as stop

    raise typer.Exit(stop(state_dir))


@app.command()
def transcribe(
    recordings: Annotated[list[str], typer.Argument(help="Recordings: files or addresses.")],
    language: Annotated[
        str | None,
        typer.Option("--language", "-l", help="Language spoken; found out if not given."),
    ] = None,
    diarize: Annotated[bool, typer.Option("--diarize", help="Tell speakers apart.")] = False,
    speakers: Annotated[int | None, typer.Option(help="Most speakers.", min=1, max=32)] = None,
    channels: Annotated[
        bool, typer.Option("--channels", help="Transcribe each channel on its own.")
    ] = False,
    translate: Annotated[bool, typer.Option("--translate", help="Translate to English.")] = False,
    timestamps: Annotated[Granularity, typer.Option(help="The finest times.")] = Granularity.WORD,
    vocabulary: Annotated[
        list[str] | None,
        typer.Option("--word", "-w", help="A word or phrase to expect; repeatable."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Model; the engine's default if not given.")
    ] = None,
    format: Annotated[
        Format | None,
        typer.Option(
            "--format", "-f", help="Format; if not given text, with speakers or channels txt."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder to write transcripts into.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait, or print the jobs' ids and leave.")
    ] = True,
    server: ServerUrl = SERVER_URL,
    api_key: ApiKey = None,
) -> None:
    """Transcribe recordings and print what they say.

    Examples:

        dalston transcribe talk.mp3

        dalston transcribe interview.wav --diarize --format srt --output subtitles/

        dalston transcribe https://example.org/talk.mp3 --no-wait
    """
    from dalston.cli.transcribe import TranscribeOptions, form_fields
    from dalston.cli.transcribe import transcribe as run

    fields = form_fields(
        language=language,
        diarize=diarize,
        speakers=speakers,
        channels=channels,
        translate=translate,
        timestamps=timestamps.value,
        vocabulary=vocabulary or [],
        model=model,
    )
    chosen = Format.JSON if as_json else format or _readable(diarize or channels)
    options = TranscribeOptions(
        sources=recordings,
        format=chosen.value,
        output=output,
        wait=wait,
        fields=fields,
    )
    raise typer.Exit(run(_server(server, api_key), options))


@app.command()
def demo(
    recording: Annotated[
        Path | None, typer.Argument(help="Recording; an example that comes along if not given.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Model of a system that is started for this.")
    ] = None,
    server: ServerUrl = SERVER_URL,
    api_key: ApiKey = None,
) -> None:
    """Transcribe a recording and print each segment with its times.

    Uses the system that runs at --server, or starts one for the purpose and stops it afterwards.
    """
    from dalston.cli.demo import demo as run

    raise typer.Exit(run(_server(server, api_key), recording, model=model))


@app.command()
def status(as_json: AsJson = False, server: ServerUrl = SERVER_URL, api_key: ApiKey = None) -> None:
    """Show whether the system is well, its queues and its engines."""
    from dalston.cli.status import status as run

    raise typer.Exit(run(_server(server, api_key), as_json=as_json))


@app.command()
def version() -> None:
    """Print the version."""
    from dalston import __version__

    typer.echo(__version__)


@jobs.command("list")
def jobs_list(
    status: Annotated[
        str | None, typer.Option(help="Only jobs with this status, such as failed.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1)] = 20,
    as_json: AsJson = False,
    server: ServerUrl = SERVER_URL,
    api_key: ApiKey = None,
) -> None:
    """List jobs, newest first."""
    from dalston.cli.jobs import list_jobs

    raise typer.Exit(
        list_jobs(_server(server, api_key), status=status, limit=limit, as_json=as_json)
    )


@jobs.command("get")
def jobs_get(
    id: Annotated[str, typer.Argument(show_default=False)],
    as_json: AsJson = False,
    server: ServerUrl = SERVER_URL,
    api_key: ApiKey = None,
) -> None:
    """Show a job and its stages."""
    from dalston.cli.jobs import get

    raise typer.Exit(get(_server(server, api_key), id, as_json=as_json))


@jobs.command("transcript")
def jobs_transcript(
    id: Annotated[str, typer.Argument(show_default=False)],
    format: Annotated[Format, typer.Option("--format", "-f", help="Format.")] = Format.TEXT,
    server: ServerUrl = SERVER_URL,
    api_key: ApiKey = None,
) -> None:
    """Print the transcript of a finished job."""
    from dalston.cli.jobs import transcript

    raise typer.Exit(transcript(_server(server, api_key), id, format=format.value))


_Ids = Annotated[list[str], typer.Argument(show_default=False)]


@jobs.command("watch")
def jobs_watch(ids: _Ids, server: ServerUrl = SERVER_URL, api_key: ApiKey = None) -> None:
    """Follow jobs until they have finished; exit code 1 when one failed."""
    from dalston.cli.jobs import watch

    raise typer.Exit(watch(_server(server, api_key), ids))


@jobs.command("cancel")
def jobs_cancel(ids: _Ids, server: ServerUrl = SERVER_URL, api_key: ApiKey = None) -> None:
    """Cancel jobs; running work stops."""
    from dalston.cli.jobs import act

    raise typer.Exit(act(_server(server, api_key), ids, "cancel"))


@jobs.command("retry")
def jobs_retry(ids: _Ids, server: ServerUrl = SERVER_URL, api_key: ApiKey = None) -> None:
    """Run the failed stages of finished jobs again."""
    from dalston.cli.jobs import act

    raise typer.Exit(act(_server(server, api_key), ids, "retry"))


@jobs.command("delete")
def jobs_delete(ids: _Ids, server: ServerUrl = SERVER_URL, api_key: ApiKey = None) -> None:
    """Delete jobs, their recordings and transcripts."""
    from dalston.cli.jobs import act

    raise typer.Exit(act(_server(server, api_key), ids, "delete"))


@engines.command("list")
def engines_list(
    as_json: AsJson = False, server: ServerUrl = SERVER_URL, api_key: ApiKey = None
) -> None:
    """List the engines with their models, load and workers."""
    from dalston.cli.engines import list_engines

    raise typer.Exit(list_engines(_server(server, api_key), as_json=as_json))


@engines.command("describe")
def engines_describe(
    name: Annotated[str, typer.Argument(show_default=False)],
    as_json: AsJson = False,
    kubeconfig: Kubeconfig = None,
    state_dir: StateDir = STATE_DIR,
) -> None:
    """Show what an engine can do, its settings and its state."""
    from dalston.cli.cluster import kubeconfig_of
    from dalston.cli.engines import describe_engine

    raise typer.Exit(describe_engine(kubeconfig_of(kubeconfig, state_dir), name, as_json=as_json))


@engines.command("add")
def engines_add(
    folder: Annotated[Path, typer.Argument(help="Folder with engine.yaml.")],
    state_dir: StateDir = STATE_DIR,
) -> None:
    """Add an engine from a folder to the system that `dalston up` runs here."""
    from dalston.cli.up.command import add_engine

    raise typer.Exit(add_engine(state_dir, folder))


@keys.command("create")
def keys_create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scopes: Annotated[
        list[str] | None, typer.Option("--scope", help="What it may do; repeatable.")
    ] = None,
    expires_days: Annotated[
        int | None, typer.Option(help="Days until it expires; never if not given.", min=1)
    ] = None,
    as_json: AsJson = False,
    kubeconfig: Kubeconfig = None,
    state_dir: StateDir = STATE_DIR,
) -> None:
    """Create a key and print it; only its hash is kept, so it cannot be shown again."""
    from dalston.cli.cluster import kubeconfig_of
    from dalston.cli.keys import create

    config = kubeconfig_of(kubeconfig, state_dir)
    raise typer.Exit(
        create(config, name, scopes=scopes or [], expires_days=expires_days, as_json=as_json)
    )


@keys.command("list")
def keys_list(
    as_json: AsJson = False, kubeconfig: Kubeconfig = None, state_dir: StateDir = STATE_DIR
) -> None:
    """List the keys, without the keys themselves."""
    from dalston.cli.cluster import kubeconfig_of
    from dalston.cli.keys import list_keys

    raise typer.Exit(list_keys(kubeconfig_of(kubeconfig, state_dir), as_json=as_json))


@keys.command("revoke")
def keys_revoke(
    id: Annotated[str, typer.Argument(help="Id, as `dalston keys list` shows it.")],
    kubeconfig: Kubeconfig = None,
    state_dir: StateDir = STATE_DIR,
) -> None:
    """Revoke a key: it is refused from now on."""
    from dalston.cli.cluster import kubeconfig_of
    from dalston.cli.keys import revoke

    raise typer.Exit(revoke(kubeconfig_of(kubeconfig, state_dir), id))


def _readable(with_speakers: bool) -> Format:
    return Format.TXT if with_speakers else Format.TEXT


def _server(url: str, api_key: str | None) -> Server:
    from dalston.cli.server import Server

    return Server(url, api_key)
