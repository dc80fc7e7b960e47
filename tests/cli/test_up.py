"""`dalston up` with the real parts: ready, repeated, killed, stopped."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dalston.cli.up import leftovers
from dalston.cli.up.state import LOOPBACK
from tests.deadlines import until
from tests.stack import Stack

pytestmark = pytest.mark.stack


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Stack]:
    """A system of the test's own, not started yet, without warm workers."""
    system = Stack(tmp_path / "state", options=("--no-warm",))
    yield system
    system.stop()
    leftovers.end(leftovers.marked(system.state_dir), grace=0.0)


def test_up_says_where_everything_is(stack: Stack) -> None:
    assert stack.url in stack.output
    assert "kubectl --kubeconfig" in stack.output
    assert set(stack.running.parts) == {"nats", "localkube", "operator", "gateway"}


def test_engines_are_warm(stack: Stack) -> None:
    found = stack.kubectl_json("get", "engines")["items"]
    assert {item["metadata"]["name"]: item["status"]["ready"] for item in found} == {
        "audio-prepare": 1,
        "faster-whisper": 1,
        "final-merger": 1,
    }


def test_second_up_says_what_is_running(stack: Stack) -> None:
    done = stack.cli("up", "--port", str(stack.port))
    assert done.returncode == 0, done.stderr
    assert f"process {stack.supervisor}" in done.stdout
    assert stack.url in done.stdout


def test_up_names_a_taken_port(tmp_path: Path) -> None:
    system = Stack(tmp_path / "state")
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        system.port = other.getsockname()[1]
        done = subprocess.run(system.command(), capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert f"port {system.port} of 127.0.0.1 is in use" in done.stderr
    assert "--port" in done.stderr


async def test_killed_parts_come_back(own: Stack) -> None:
    own.start()
    for part in ("nats", "localkube", "operator", "gateway"):
        killed = own.kill(part)
        await until(lambda part=part: f"{part} is back" in own.output, seconds=30, what=part)
        assert own.running.parts[part] != killed


def test_interrupt_stops_everything(own: Stack) -> None:
    own.start()
    assert own.stop() == 0
    assert leftovers.marked(own.state_dir) == []
    assert own.state.read_running() is None
    assert "stopped after" in own.output


def test_key_is_asked_for_where_it_is_wanted(own: Stack) -> None:
    own.environment = {"DALSTON_GATEWAY_AUTH": "true"}
    own.start()
    refused = own.cli("status")
    assert refused.returncode == 1
    assert "DALSTON_API_KEY" in refused.stderr
    key = own.cli("keys", "create", "test").stdout.strip()
    assert own.cli("status", DALSTON_API_KEY=key).returncode == 0


def test_down_stops_everything(own: Stack) -> None:
    own.start()
    done = own.cli("down")
    assert done.returncode == 0, done.stderr
    assert leftovers.marked(own.state_dir) == []
    assert not own.state.is_locked()


async def test_parts_and_pods_end_with_a_killed_supervisor(tmp_path: Path) -> None:
    system = Stack(tmp_path / "state")
    system.start()
    system.kill_supervisor()
    await until(lambda: not leftovers.marked(system.state_dir), seconds=30)
    assert not system.state.is_locked()


async def test_missing_model_is_said_where_everybody_looks(own: Stack) -> None:
    own.model, own.options = "nosuchmodel", ()
    own.start(warm=False)
    await until(lambda: "engine faster-whisper has no worker yet" in own.output, seconds=30)
    assert "Model 'nosuchmodel' is not on this machine" in own.output


def test_up_ends_what_a_killed_supervisor_left(own: Stack) -> None:
    own.start()
    stopped = own.running.parts["localkube"]
    os.kill(stopped, signal.SIGSTOP)  # it cannot act on the word that its supervisor is gone
    own.kill_supervisor()
    own.start()
    assert "processes that an earlier run left behind" in own.output
    assert stopped not in leftovers.marked(own.state_dir)
