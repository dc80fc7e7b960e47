"""The `dalston` command: `up` for the whole system on one machine, the rest are clients of its APIs.

Modules are imported when a command needs them: start-up time is part of every command.
"""

import sys


def main() -> None:
    """Run the command line; the entry point of the distribution."""
    from dalston.cli.app import app
    from dalston.cli.problems import Problem

    try:
        app()
    except Problem as problem:
        print(f"dalston: {problem.message}", file=sys.stderr)
        if problem.advice:
            print(f"  {problem.advice}", file=sys.stderr)
        sys.exit(problem.code)
