"""The state folder: one supervisor at a time, ports and tokens that stay."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dalston.cli.up.state import AlreadyRunning, Running, StateFolder


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    folder = StateFolder(tmp_path / "state")
    folder.create()
    return folder


def test_lock_is_held_by_one(state: StateFolder) -> None:
    with state.locked(), pytest.raises(AlreadyRunning), state.locked():
        pass


def test_lock_ends_with_the_killed_holder(state: StateFolder) -> None:
    code = (
        "import sys, time; from pathlib import Path; from dalston.cli.up.state import StateFolder\n"
        "with StateFolder(Path(sys.argv[1])).locked(): print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(state.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert state.is_locked()
        holder.kill()
    assert not state.is_locked()


def test_token_stays_and_is_private(state: StateFolder) -> None:
    token = state.token.read_text()
    state.create()
    assert state.token.read_text() == token
    assert state.token.stat().st_mode & 0o077 == 0


def test_ports_stay_unless_taken(state: StateFolder) -> None:
    first = state.ports()
    assert state.ports() == first
    with socket.socket() as other:
        other.bind(("127.0.0.1", first.nats))
        other.listen()
        second = state.ports()
    assert second.nats != first.nats
    assert second.kubernetes == first.kubernetes


def test_running_is_read_back(state: StateFolder) -> None:
    running = Running(
        pid=os.getpid(),
        started="2026-01-01T00:00:00+00:00",
        gateway="http://127.0.0.1:8000",
        kubernetes="http://127.0.0.1:6443",
        nats="nats://127.0.0.1:4222",
        kubeconfig="/x/kubeconfig",
        parts={"nats": 1},
    )
    state.write_running(running)
    assert state.read_running() == running
    state.forget_running()
    assert state.read_running() is None
