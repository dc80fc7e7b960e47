"""The command tree: names, options and help; the work is in the modules that the commands import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="dalston",
    help="Self-hosted speech-to-text: run it on this machine, and use it from the command line.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

StateDir = Annotated[
    Path,
    typer.Option("--state-dir", envvar="DALSTON_STATE_DIR", help="Folder that keeps everything."),
]
_STATE_DIR = Path(".dalston")


@app.command()
def up(
    state_dir: StateDir = _STATE_DIR,
    host: Annotated[str, typer.Option(help="Address to serve on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the gateway.")] = 8000,
    model: Annotated[
        str | None,
        typer.Option(help="Default model of faster-whisper: a name, a directory or a hub name."),
    ] = None,
    engines_dir: Annotated[
        Path | None,
        typer.Option(
            envvar="DALSTON_ENGINES_DIR", help="Folder of engines: <stage>/<id>/engine.yaml."
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

    raise typer.Exit(
        run(
            UpOptions(
                state_dir=state_dir,
                host=host,
                port=port,
                engines_dir=engines_dir,
                model=model,
                warm=warm,
            )
        )
    )


@app.command()
def down(state_dir: StateDir = _STATE_DIR) -> None:
    """Stop the system that `dalston up` runs in a state folder."""
    from dalston.cli.up.command import down as stop

    raise typer.Exit(stop(state_dir))
