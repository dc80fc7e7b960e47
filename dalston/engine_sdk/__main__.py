"""`python -m dalston.engine_sdk`: worker, try, check, new."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from dalston.engine_sdk.process import run_worker
from dalston.engine_sdk.trying import Trial, parse_assignments, try_engine
from dalston.observability import LogSettings, setup_logging
from dalston.resources.stages import Stage


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; gives the exit status."""
    chosen = _parser().parse_args(arguments)
    if chosen.command == "worker":
        run_worker(Path.cwd())
    setup_logging("engine-sdk", settings=LogSettings(format="text", level="WARNING"))
    try:
        return _run(chosen)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2


def _run(chosen: argparse.Namespace) -> int:
    if chosen.command == "try":
        return _try(chosen)
    if chosen.command == "check":
        from dalston.engine_sdk.conformance import check_engine  # a worker starts without it

        return check_engine(
            chosen.folder, model=chosen.model, parameters=parse_assignments(chosen.parameter)
        )
    return _new(chosen)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dalston.engine_sdk", description="Run, try, check and write batch engines."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("worker", help="serve the engine in the current folder")

    trying = commands.add_parser("try", help="run an engine on a file, without any server")
    trying.add_argument("folder", type=Path, help="the engine's folder")
    trying.add_argument("audio", type=Path, help="a recording")
    trying.add_argument("--stage", type=Stage, help="one of an engine with several stages")
    trying.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE",
        help="an option of the transcript, such as language=en or speakers.mode=diarize",
    )  # fmt: skip
    trying.add_argument(
        "--input", action="append", default=[], metavar="STAGE=FILE",
        help="results of an earlier stage, as `try` printed them",
    )  # fmt: skip
    trying.add_argument("--output", type=Path, metavar="FOLDER", help="where to copy output files")
    _add_engine_arguments(trying)

    checking = commands.add_parser("check", help="check that an engine keeps the contract")
    checking.add_argument("folder", type=Path, help="the engine's folder")
    _add_engine_arguments(checking)

    new = commands.add_parser("new", help="write a small engine to begin with")
    new.add_argument("stage", type=Stage, choices=list(Stage), help="the stage that it performs")
    new.add_argument("id", help="its name, such as my-engine")
    new.add_argument("--root", type=Path, default=Path("engines"), help="folder of all engines")
    return parser


def _add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", help="name of a model; the engine's default when absent")
    parser.add_argument(
        "--parameter", action="append", default=[], metavar="NAME=VALUE",
        help="a parameter of the engine, over the values in its manifest",
    )  # fmt: skip


def _try(chosen: argparse.Namespace) -> int:
    if not chosen.audio.is_file():
        print(f"there is no file {chosen.audio}", file=sys.stderr)
        return 2
    inputs = parse_assignments(chosen.input)
    return try_engine(
        Trial(
            folder=chosen.folder,
            audio=chosen.audio,
            stage=chosen.stage,
            model=chosen.model,
            options=parse_assignments(chosen.option),
            parameters=parse_assignments(chosen.parameter),
            inputs={Stage(name): Path(path) for name, path in inputs.items()},
            output=chosen.output,
        )
    )


def _new(chosen: argparse.Namespace) -> int:
    from dalston.engine_sdk.scaffold import create_engine

    try:
        folder = create_engine(chosen.root, stage=chosen.stage, engine_id=chosen.id)
    except FileExistsError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"wrote {folder}; next: python -m dalston.engine_sdk check {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
