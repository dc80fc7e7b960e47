"""The `dalston` command: `up` for the whole system on one machine, the rest are clients of its APIs.

Modules are imported when a command needs them: start-up time is part of every command.
"""


def main() -> None:
    """Run the command line; the entry point of the distribution."""
    from dalston.cli.app import app

    app()
