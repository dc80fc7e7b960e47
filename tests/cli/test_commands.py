"""The commands against a running system: results, exit codes, plain output."""

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dalston.cli.up.state import LOOPBACK, free_port
from tests.deadlines import until, within
from tests.recordings import Recording
from tests.speech import CHECKOUT, Sample
from tests.stack import Stack

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def job(stack: Stack, jfk: Sample) -> str:
    """Id of a finished job."""
    sent = stack.cli("transcribe", str(jfk.path), "--no-wait")
    assert sent.returncode == 0, sent.stderr
    id = sent.stdout.strip()
    watched = stack.cli("jobs", "watch", id)
    assert watched.returncode == 0, watched.stderr
    return id


def test_transcribe_prints_the_text(stack: Stack, jfk: Sample) -> None:
    done = stack.cli("transcribe", str(jfk.path))
    assert done.returncode == 0, done.stderr
    assert "ask not what your country can do for you" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


def test_transcribe_writes_files(stack: Stack, jfk: Sample, tmp_path: Path) -> None:
    both = [str(jfk.path), str(jfk.path)]
    done = stack.cli("transcribe", *both, "--format", "srt", "--output", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "-->" in (tmp_path / "jfk.flac.srt").read_text()


def test_transcribe_json_is_the_transcript(stack: Stack, jfk: Sample) -> None:
    done = stack.cli("transcribe", str(jfk.path), "--json")
    transcript = json.loads(done.stdout)
    assert transcript["duration"] == pytest.approx(11.0, abs=0.1)
    assert transcript["segments"][0]["words"]


def test_recording_that_is_none_fails(stack: Stack, tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("no recording\n" * 100)
    done = stack.cli("transcribe", str(text))
    assert done.returncode == 1
    assert "text.wav" in done.stderr or "dalston:" in done.stderr
    assert "Traceback" not in done.stderr


async def test_interrupt_leaves_the_job_and_says_how_to_follow(
    stack: Stack, conversation: Recording
) -> None:
    known = {each["id"] for each in _listed(stack)}
    waiting = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dalston.cli", "transcribe", str(conversation.path)),
        *("--server", stack.url),
        stderr=subprocess.PIPE,
        cwd=CHECKOUT,
    )
    new = await until(lambda: [j["id"] for j in _listed(stack) if j["id"] not in known])
    waiting.send_signal(signal.SIGINT)
    _, told = await within(10, waiting.communicate())
    assert waiting.returncode == 130
    assert f"dalston jobs watch {new[0]}" in told.decode()
    assert stack.cli("jobs", "delete", new[0]).returncode == 0


def _listed(stack: Stack) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(stack.cli("jobs", "list", "--json").stdout)
    return found


def test_missing_file_is_a_usage_error(stack: Stack) -> None:
    done = stack.cli("transcribe", "nowhere.wav")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nowhere.wav: no such file" in done.stderr


def test_unknown_option_is_a_usage_error(stack: Stack) -> None:
    assert stack.cli("transcribe", "--frobnicate").returncode == 2


def test_server_that_is_not_there_says_what_to_do(stack: Stack, jfk: Sample) -> None:
    server = f"http://{LOOPBACK}:{free_port()}"
    done = stack.cli("transcribe", str(jfk.path), "--server", server)
    assert done.returncode == 3
    assert f"cannot reach {server}" in done.stderr
    assert "dalston up" in done.stderr


def test_job_is_shown_with_its_stages(stack: Stack, job: str) -> None:
    done = stack.cli("jobs", "get", job)
    assert done.returncode == 0, done.stderr
    assert "faster-whisper" in done.stdout
    assert "tiny.en" in done.stdout
    assert json.loads(stack.cli("jobs", "get", job, "--json").stdout)["id"] == job


def test_job_is_listed(stack: Stack, job: str) -> None:
    done = stack.cli("jobs", "list", "--limit", "100")
    assert job in done.stdout
    assert job not in stack.cli("jobs", "list", "--status", "failed").stdout


def test_transcript_of_a_job_is_printed(stack: Stack, job: str) -> None:
    done = stack.cli("jobs", "transcript", job, "--format", "vtt")
    assert done.stdout.startswith("WEBVTT")


def test_unknown_job_is_named(stack: Stack) -> None:
    done = stack.cli("jobs", "get", "nosuchjob")
    assert done.returncode == 1
    assert "nosuchjob" in done.stderr
    assert "dalston jobs list" in done.stderr


def test_deleted_job_is_gone(stack: Stack, jfk: Sample) -> None:
    id = stack.cli("transcribe", str(jfk.path), "--no-wait").stdout.strip()
    assert stack.cli("jobs", "cancel", id).returncode == 0
    assert stack.cli("jobs", "delete", id).returncode == 0
    assert stack.cli("jobs", "get", id).returncode == 1


def test_engines_are_listed_and_described(stack: Stack) -> None:
    assert "tiny.en*" in stack.cli("engines", "list").stdout
    described = stack.cli("engines", "describe", "faster-whisper")
    assert "transcribe" in described.stdout
    assert "WorkersReady" in described.stdout


def test_key_is_created_listed_and_revoked(stack: Stack) -> None:
    created = json.loads(stack.cli("keys", "create", "a-test", "--json").stdout)
    assert created["key"].startswith("dk_")
    listed = stack.cli("keys", "list").stdout
    assert created["id"] in listed
    assert created["key"] not in listed
    assert stack.cli("keys", "revoke", created["id"]).returncode == 0
    assert stack.cli("keys", "revoke", created["id"]).returncode == 1


def test_status_is_well(stack: Stack) -> None:
    done = stack.cli("status")
    assert done.returncode == 0, done.stderr
    assert "faster-whisper" in done.stdout


def test_demo_prints_times_and_text(stack: Stack) -> None:
    done = stack.cli("demo")
    assert done.returncode == 0, done.stderr
    assert "00:0" in done.stdout
    assert "your country" in done.stdout


def test_example_manifest_gives_the_text(stack: Stack) -> None:
    stack.kubectl("apply", "-f", str(CHECKOUT / "examples" / "transcriptionjob.yaml"))
    assert stack.cli("jobs", "watch", "ask-not").returncode == 0
    text = stack.cli("jobs", "transcript", "ask-not").stdout
    assert "my fellow Americans" in text
    stack.kubectl("delete", "tj", "ask-not")
