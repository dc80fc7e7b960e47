"""The folders of a container's runs, and what to run in the next."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from dalston.localkube.kubelet.context import PodContext
from dalston.localkube.kubelet.environment import ConfigError, container_environment, expand
from dalston.localkube.kubelet.process import Command, Run
from dalston.localkube.kubelet.volumes import mount_variables

JSON = dict[str, Any]

_START_ERROR = 128
_KEPT_RUNS = 2


class Runs:
    """The runs of one container, under `folder`: the current one and the one before are kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def numbers(self) -> list[int]:
        """The runs that have a folder, oldest first."""
        if not self._folder.exists():
            return []
        return sorted(int(entry.name) for entry in self._folder.iterdir() if entry.name.isdigit())

    def run(self, number: int) -> Run:
        """The run of that number."""
        return Run(self._folder / str(number))

    def forget_old(self) -> None:
        """Remove the folders that nobody asks for any more."""
        for number in self.numbers()[:-_KEPT_RUNS]:
            shutil.rmtree(self._folder / str(number), ignore_errors=True)


async def command_of(context: PodContext, container: JSON) -> Command:
    """What the container runs. Raises ImageMissing or ConfigError."""
    image = context.images.find(str(container["image"]))
    unsupported = [name for name in ("lifecycle",) if container.get(name)]
    if container.get("restartPolicy"):
        unsupported.append("restartPolicy of a container")
    if unsupported:
        raise ConfigError(f"{', '.join(unsupported)}: not supported by this kubelet")
    scratch = context.folder / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    own = {"TMPDIR": str(scratch), "HOSTNAME": context.pod["metadata"]["name"]}
    base = {**context.base, **own, **image.env, **mount_variables(container, context.volumes)}
    variables = await container_environment(
        context.pod, container, base=base, lookup=context.lookup
    )
    argv = [
        expand(str(part), variables) for part in (container.get("command") or image.command)
    ] + [expand(str(part), variables) for part in container.get("args") or ()]
    if not argv:
        raise ConfigError("no command specified")
    folder = Path(container.get("workingDir") or image.working_dir or scratch)
    niceness = context.settings.niceness
    return Command(argv=argv, folder=folder, env=variables, niceness=niceness)


def cannot_start(command: Command) -> str:
    """Why the command cannot be started at all; empty when it can be tried."""
    if not command.folder.is_dir():
        return f"working directory {command.folder} does not exist"
    program = command.argv[0]
    if "/" in program:
        path = command.folder / program
        if not path.exists():
            return f'exec: "{program}": no such file or directory'
        found = os.access(path, os.X_OK)
    else:
        found = shutil.which(program, path=command.env.get("PATH", os.defpath)) is not None
    return "" if found else f'exec: "{program}": executable file not found in $PATH'


def note_start_error(run: Run, message: str) -> None:
    """Leave a run that could not be started behind as one that failed."""
    run.folder.mkdir(parents=True, exist_ok=True)
    run.log.write_text(f"{message}\n")
    (run.folder / "message").write_text(message)
    (run.folder / "reason").write_text("StartError")
    (run.folder / "exit").write_text(f"{_START_ERROR}\n")
