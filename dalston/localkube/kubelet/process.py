"""One run of a container as processes that outlive the kubelet, and whose exit code does too.

A run has a folder. A tiny shell, leader of a session of its own, starts the command, waits for it,
writes its exit code into the folder and ends whatever is left of the session. It holds a lock on a file
in the folder all its life: whoever cannot take the lock knows that the run goes on. A kubelet takes the
lock before it starts the shell, so that no run ever starts twice. When the machine runs out of memory,
its kernel ends pods before the control plane.

    lock    held while the run goes on        exit    exit code, once the command has ended
    pid     of the shell, written by it       reason  why the kubelet killed it (OOMKilled)
    main    pid of the command                message why it could not be started
    log     standard output and error
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dalston.localkube.kubelet.proc import session_members, table, variable_of

_SHELL = """
trap : HUP INT TERM
run=$1 folder=$2; shift 2
echo $$ >"$run/pid"
cd "$folder" || { echo 128 >"$run/exit"; exit; }
/bin/sh -c '
    echo 500 2>/dev/null >/proc/self/oom_score_adj
    echo $$ >"$0/main"
    exec "$@"' "$run" "$@" </dev/null
code=$?
echo $code >"$run/exit"
kill -KILL 0
"""
RUN_VARIABLE = "DALSTON_RUN"
"""Environment variable that holds the run's folder in each of its processes."""

_KILLED = 128 + signal.SIGKILL
_MAIN_WAIT = 30.0
_TAIL_LINES = 80
_TAIL_BYTES = 2048
_WHOLE = ("reason", "message")


@dataclass(frozen=True, slots=True)
class Exit:
    """How a run ended; times are Unix seconds."""

    code: int
    reason: str
    started_at: float
    finished_at: float
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run, where, with which environment (nothing else is inherited)."""

    argv: Sequence[str]
    folder: Path
    env: Mapping[str, str]
    niceness: int = 0


class Run:
    """One run of a container: its `folder`, named by its number, 0 for the first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.number = int(folder.name)
        self._exited = asyncio.Event()
        self._pidfd: int | None = None
        # Remembered, so that a run whose folder somebody removed can still be ended.
        self._shell: int | None = None
        self._main: int | None = None

    @property
    def log(self) -> Path:
        """Output of the command; `log.1` beside it is the older part."""
        return self.folder / "log"

    @property
    def started_at(self) -> float:
        """When the shell started; now, while it has not."""
        try:
            return (self.folder / "pid").stat().st_mtime
        except FileNotFoundError:
            return time.time()

    def started(self) -> bool:
        """Whether it ever started."""
        return self._number("pid") is not None

    async def start(self, command: Command) -> None:
        """Start the command; when it runs already, only watch it. Raises OSError."""
        await asyncio.to_thread(self._spawn, command)
        self._watch()

    async def adopt(self) -> bool:
        """Watch a run that an earlier kubelet started; False when it has ended."""
        if not self.goes_on():
            return False
        await asyncio.to_thread(self._await_main)
        self._watch()
        return True

    def goes_on(self) -> bool:
        """Whether its shell lives."""
        if not self.folder.exists():
            return False
        lock = self._lock()
        if lock is not None:
            os.close(lock)
        return lock is None

    async def wait(self) -> Exit:
        """Wait until the run has ended, with all its processes."""
        await self._exited.wait()
        await asyncio.to_thread(self._sweep)
        return self.exit()

    def exit(self) -> Exit:
        """How it ended; code 137 when its shell could not note the exit code."""
        path = self.folder / "exit"
        code = self._number("exit")
        if code is None:
            code = _KILLED
            with contextlib.suppress(FileNotFoundError):
                path.write_text(f"{code}\n")
        reason = self._text("reason") or ("Completed" if code == 0 else "Error")
        ended_at = path.stat().st_mtime if path.exists() else time.time()
        return Exit(code, reason, self.started_at, ended_at, self._text("message"))

    def log_tail(self) -> str:
        """The last lines of the output, as many as a real kubelet reports: 80, or 2 KiB."""
        try:
            with self.log.open("rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(file.tell() - _TAIL_BYTES, 0))
                text = file.read().decode(errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-_TAIL_LINES:])

    def terminate(self, number: int = signal.SIGTERM) -> None:
        """Ask the command, and only it, to end."""
        main = self._main
        if main is not None and not self._exited.is_set():
            _kill(main, number)

    def kill(self, reason: str = "") -> None:
        """End all processes of the run; `reason` is kept as that of its end."""
        if self._exited.is_set():
            return
        if reason:
            with contextlib.suppress(FileNotFoundError):
                (self.folder / "reason").write_text(reason)
        self._remember()
        if self._shell is not None:
            self._kill_members(self._shell)

    def kill_now(self) -> None:
        """End a run that nobody watches, if it goes on; blocks."""
        if self.goes_on():
            self._await_main()
            self.kill()

    def members(self, processes: dict[int, tuple[int, int]]) -> list[int]:
        """Those of the processes (`proc.table()`) that belong to the run."""
        if self._shell is None or self._exited.is_set():
            return []
        return session_members(self._shell, processes)

    def release(self) -> None:
        """Stop watching; the run goes on."""
        if self._pidfd is not None:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None

    def _kill_members(self, shell: int) -> None:
        """All but the shell, which then notes the exit code and ends."""
        for pid in session_members(shell):
            if pid != shell:
                _kill(pid, signal.SIGKILL)

    def _spawn(self, command: Command) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = self._lock()
        if lock is None:
            return
        try:
            if self.started():
                return
            log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                self._launch(command, lock=lock, log=log)
            finally:
                os.close(log)
        finally:
            os.close(lock)

    def _launch(self, command: Command, *, lock: int, log: int) -> None:
        nice = shutil.which("nice") if command.niceness else None
        prefix = [nice, "-n", str(command.niceness)] if nice else []
        shell = ["/bin/sh", "-c", _SHELL, "pod", str(self.folder), str(command.folder)]
        argv = [*prefix, *shell, *command.argv]
        os.posix_spawn(
            argv[0],
            argv,
            {**command.env, RUN_VARIABLE: str(self.folder)},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, lock, 0),
                (os.POSIX_SPAWN_DUP2, log, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
            ],
            setsid=True,
            setsigdef=[signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP],
            setsigmask=[],
        )
        self._await_main()

    def _await_main(self) -> None:
        """The shell needs a few milliseconds to say who it is; blocks."""
        deadline = time.monotonic() + _MAIN_WAIT
        while self._number("main") is None and self._number("exit") is None:
            if time.monotonic() > deadline:
                raise OSError(f"the shell of {self.folder} did not start")
            time.sleep(0.001)

    def _lock(self) -> int | None:
        """The lock's descriptor; None while the run goes on."""
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def _remember(self) -> None:
        self._shell = self._shell or self._number("pid")
        self._main = self._main or self._number("main")

    def _watch(self) -> None:
        self._remember()
        shell = self._shell
        if shell is None:
            self._exited.set()
            return
        try:
            self._pidfd = os.pidfd_open(shell)
        except ProcessLookupError:
            self._exited.set()
            return
        asyncio.get_running_loop().add_reader(self._pidfd, self._ended, shell)

    def _ended(self, shell: int) -> None:
        self.release()
        # An adopted shell is somebody else's child.
        with contextlib.suppress(ChildProcessError):
            os.waitpid(shell, os.WNOHANG)
        self._exited.set()

    def _sweep(self) -> None:
        """End what outlived the shell."""
        shell = self._shell
        for pid in session_members(shell) if shell is not None else ():
            if variable_of(pid, RUN_VARIABLE) == str(self.folder):
                _kill(pid, signal.SIGKILL)

    def _number(self, name: str) -> int | None:
        text = self._text(name)
        return int(text) if text else None

    def _text(self, name: str) -> str:
        try:
            text = (self.folder / name).read_text()
        except FileNotFoundError:
            return ""
        # A line without its end is still being written.
        return text.strip() if text.endswith("\n") or name in _WHOLE else ""


def _kill(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def end_strays(root: Path) -> int:
    """Kill processes of runs under `root` whose shell is gone; returns how many. Reads /proc."""
    count = 0
    for pid in table():
        folder = variable_of(pid, RUN_VARIABLE)
        if folder and Path(folder).is_relative_to(root) and not Run(Path(folder)).goes_on():
            _kill(pid, signal.SIGKILL)
            count += 1
    return count
