"""Exit codes of the `dalston` command."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command ended with."""

    OK = 0
    FAILED = 1
    """The job failed, or the command could not do what it was asked."""
    USAGE = 2
    """The command line is wrong."""
    UNREACHABLE = 3
    """The server cannot be reached."""
    INTERRUPTED = 130
    """Ctrl-C."""
