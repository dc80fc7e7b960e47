"""`dalston status`: whether the system is well, and what it has to do."""

from __future__ import annotations

from dalston.cli import console
from dalston.cli.engines import show_engines
from dalston.cli.exit_codes import ExitCode
from dalston.cli.server import Server


def status(server: Server, *, as_json: bool) -> ExitCode:
    """Print the state; fails when something that the system needs does not answer."""
    with server.connect() as client:
        found = client.status()
    well = found["status"] == "ok"
    if as_json:
        console.show_json(found)
        return ExitCode.OK if well else ExitCode.FAILED
    counts = ", ".join(f"{count} {state}" for state, count in found["jobs"].items() if count)
    console.show_fields(
        [
            ("server", f"{server.url} ({found['version']})"),
            ("state", found["status"]),
            *found["checks"].items(),
            ("jobs", counts or "none"),
            ("tasks", f"{found['queued']} wait, {found['running']} run"),
        ]
    )
    if found["engines"]:
        console.say()
        show_engines(found["engines"])
    return ExitCode.OK if well else ExitCode.FAILED
