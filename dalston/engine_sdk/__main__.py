"""`python -m dalston.engine_sdk`: worker, try, check, new."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; gives the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m dalston.engine_sdk", description="Run and write batch engines."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("worker", help="serve the engine in the current folder")
    chosen = parser.parse_args(arguments)
    if chosen.command == "worker":
        from dalston.engine_sdk.process import run_worker

        run_worker(Path.cwd())
    return 0


if __name__ == "__main__":
    sys.exit(main())
