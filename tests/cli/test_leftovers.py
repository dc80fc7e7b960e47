"""What a killed supervisor left behind is found by its mark and ended."""

import os
import subprocess
import sys
from pathlib import Path

from dalston.cli.up import leftovers


def _start(root: Path, code: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, leftovers.MARK: leftovers.mark_of(root)}
    process = subprocess.Popen(
        [sys.executable, "-c", f"{code}; print(flush=True); import signal; signal.pause()"],
        env=environment,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_marked_processes_are_ended(tmp_path: Path) -> None:
    gentle = _start(tmp_path, "pass")
    stubborn = _start(tmp_path, "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    with gentle, stubborn:
        assert leftovers.marked(tmp_path) == sorted([gentle.pid, stubborn.pid])
        assert leftovers.marked(tmp_path / "other") == []
        leftovers.end([gentle.pid, stubborn.pid], grace=0.3)
    assert (gentle.returncode, stubborn.returncode) == (-15, -9)
