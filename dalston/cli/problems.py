"""What a command cannot do, and what the user can: one line each, and an exit code."""

from __future__ import annotations

from dalston.cli.exit_codes import ExitCode


class Problem(Exception):
    """Ends the command: `message` says what is wrong, `advice` what to do about it."""

    def __init__(self, message: str, *, advice: str = "", code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.code = code


class Unreachable(Problem):
    """The server cannot be reached."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"cannot reach {url}: {reason}",
            advice="start it with `dalston up`, or name another with --server or DALSTON_SERVER",
            code=ExitCode.UNREACHABLE,
        )


class Refused(Problem):
    """The server's answer has a status of 400 or more."""

    def __init__(self, status: int, message: str, *, advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.status = status
