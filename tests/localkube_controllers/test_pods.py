"""Pods as processes: environment, volumes, ends, restarts, memory, probes, deletion, logs."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from dalston.kube.kinds import CONFIG_MAPS, EVENTS, JOBS, PODS, SECRETS
from tests.deadlines import until
from tests.localkube_controllers.cluster import (
    PYTHON,
    Cluster,
    alive,
    condition,
    container,
    ended,
    pod,
    state,
)


async def test_pod_has_the_environment_its_spec_says(cluster: Cluster) -> None:
    await cluster.create(SECRETS, {"metadata": {"name": "s"}, "stringData": {"key": "from secret"}})
    await cluster.create(CONFIG_MAPS, {"metadata": {"name": "c"}, "data": {"COLOR": "blue"}})
    env = [
        {"name": "PLAIN", "value": "plain"},
        {"name": "JOINED", "value": "$(PLAIN)-$(COLOR)-$(UNKNOWN)"},
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a']"}}},
        {"name": "ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "key"}}},
        {
            "name": "NONE",
            "valueFrom": {"secretKeyRef": {"name": "x", "key": "y", "optional": True}},
        },
    ]
    names = "PLAIN JOINED NAME LABEL ADDRESS NODE SECRET NONE FROM_IMAGE COLOR DALSTON_TEST_LEAK"
    script = f"for name in {names}; do printenv $name || echo none; done"
    fields = {"env": env, "envFrom": [{"configMapRef": {"name": "c"}}]}
    body = pod(script, container=fields)
    body["metadata"]["labels"] = {"a": "label-a"}
    os.environ["DALSTON_TEST_LEAK"] = "leaked"
    try:
        await cluster.create(PODS, body)
        found = await cluster.one(PODS, "pod", ended)
    finally:
        del os.environ["DALSTON_TEST_LEAK"]
    printed = (await cluster.kubectl("logs", "pod")).splitlines()
    assert printed == [
        "plain",
        "plain-blue-$(UNKNOWN)",
        "pod",
        "label-a",
        found["status"]["podIP"],
        "localkube",
        "from secret",
        "none",
        "yes",
        "blue",
        "none",
    ]


async def test_volumes_are_folders_named_by_the_environment(
    cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "file").write_text("of the host\n")
    await cluster.create(SECRETS, {"metadata": {"name": "s"}, "stringData": {"key": "secret\n"}})
    volumes: list[Any] = [
        {"name": "scratch", "emptyDir": {}},
        {"name": "host-files", "hostPath": {"path": str(tmp_path / "host")}},
        {"name": "keys", "secret": {"secretName": "s"}},
    ]
    mounts = [{"name": entry["name"], "mountPath": f"/{entry['name']}"} for entry in volumes]
    script = (
        "cat $DALSTON_MOUNT_HOST_FILES/file $DALSTON_MOUNT_KEYS/key;"
        "echo scratch > $DALSTON_MOUNT_SCRATCH/file && cat $DALSTON_MOUNT_SCRATCH/file"
    )
    await cluster.run_pod(script, volumes=volumes, container={"volumeMounts": mounts})
    await cluster.one(PODS, "pod", ended)
    assert await cluster.kubectl("logs", "pod") == "of the host\nsecret\nscratch\n"


async def test_unsupported_volume_keeps_the_pod_waiting_with_the_reason(cluster: Cluster) -> None:
    await cluster.run_pod("exit 0", volumes=[{"name": "v", "persistentVolumeClaim": {}}])
    found = await cluster.one(PODS, "pod", lambda pod: "message" in state(pod).get("waiting", {}))
    assert state(found)["waiting"]["reason"] == "CreateContainerConfigError"
    assert "persistentVolumeClaim is not supported" in state(found)["waiting"]["message"]


async def test_unknown_image_waits_until_it_is_listed(cluster: Cluster) -> None:
    body = pod("exit 0")
    body["spec"]["containers"][0]["image"] = "test/other:1"
    await cluster.create(PODS, body)
    found = await cluster.one(PODS, "pod", lambda pod: "message" in state(pod).get("waiting", {}))
    assert state(found)["waiting"]["reason"] == "ErrImagePull"
    (cluster.folder / "images.json").write_text(
        '[{"image": "test/other:1", "command": ["sh", "-c"]}]'
    )
    await cluster.one(PODS, "pod", lambda pod: pod["status"]["phase"] == "Succeeded")


async def test_missing_secret_waits_until_it_exists(cluster: Cluster) -> None:
    source = {"secretKeyRef": {"name": "late", "key": "key"}}
    await cluster.run_pod("exit 0", container={"env": [{"name": "A", "valueFrom": source}]})
    found = await cluster.one(PODS, "pod", lambda pod: "message" in state(pod).get("waiting", {}))
    assert state(found)["waiting"]["message"] == 'secret "late" not found'
    await cluster.create(SECRETS, {"metadata": {"name": "late"}, "stringData": {"key": "x"}})
    await cluster.one(PODS, "pod", lambda pod: pod["status"]["phase"] == "Succeeded")


async def test_program_that_does_not_exist_is_a_start_error(cluster: Cluster) -> None:
    await cluster.run_pod("", container={"command": ["/no/such/program"]})
    found = await cluster.one(PODS, "pod", ended)
    assert state(found)["terminated"]["reason"] == "StartError"
    assert "no such file" in state(found)["terminated"]["message"]
    assert state(found)["terminated"]["exitCode"] == 128


async def test_init_containers_run_first_and_in_order(cluster: Cluster, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    inits = [container(f"echo {name} >> {trace}", name=name) for name in ("one", "two")]
    await cluster.run_pod(f"echo main >> {trace}", initContainers=inits)
    found = await cluster.one(PODS, "pod", ended)
    assert trace.read_text().split() == ["one", "two", "main"]
    assert condition(found, "Initialized")


async def test_failed_init_container_fails_the_pod(cluster: Cluster) -> None:
    await cluster.run_pod("exit 0", initContainers=[container("exit 5", name="init")])
    found = await cluster.one(PODS, "pod", ended)
    assert found["status"]["phase"] == "Failed"
    assert found["status"]["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 5
    assert "terminated" not in state(found)


async def test_crashing_container_restarts_with_backoff(cluster: Cluster) -> None:
    await cluster.run_pod("exit 1", restart="Always")

    def backs_off(pod: Any) -> bool:
        return bool(state(pod).get("waiting", {}).get("reason") == "CrashLoopBackOff")

    found = await cluster.one(PODS, "pod", backs_off)
    entry = found["status"]["containerStatuses"][0]
    assert found["status"]["phase"] == "Running"
    assert entry["restartCount"] >= 1
    assert entry["lastState"]["terminated"]["exitCode"] == 1
    await cluster.one(PODS, "pod", lambda pod: _restarts(pod) >= 3)


def _restarts(pod: Any) -> int:
    entries = pod["status"].get("containerStatuses")
    return int(entries[0]["restartCount"]) if entries else 0


async def test_container_beyond_its_memory_limit_is_oom_killed(cluster: Cluster) -> None:
    # The child holds the memory: all processes of the container count.
    child = "b = bytearray(120 << 20); print(len(b), flush=True); import time; time.sleep(60)"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', '{child}'])"
    fields = {"image": PYTHON, "resources": {"limits": {"memory": "64Mi"}}}
    await cluster.run_pod(script, container=fields)
    found = await cluster.one(PODS, "pod", ended)
    assert state(found)["terminated"]["reason"] == "OOMKilled"
    assert state(found)["terminated"]["exitCode"] == 137


async def test_readiness_follows_the_probe(cluster: Cluster, tmp_path: Path) -> None:
    flag = tmp_path / "ready"
    probe = {"exec": {"command": ["test", "-e", str(flag)]}, "periodSeconds": 1}
    await cluster.run_pod(
        "sleep 60", container={"readinessProbe": {**probe, "failureThreshold": 1}}
    )
    found = await cluster.one(PODS, "pod", lambda pod: "running" in state(pod))
    assert not condition(found, "Ready")
    flag.touch()
    await cluster.one(PODS, "pod", lambda pod: condition(pod, "Ready"))
    flag.unlink()
    await cluster.one(PODS, "pod", lambda pod: not condition(pod, "Ready"))


async def test_failed_liveness_probe_restarts_the_container(cluster: Cluster) -> None:
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}
    body = pod("exec sleep 60", restart="Always", container={"livenessProbe": probe})
    await cluster.create(PODS, body)
    found = await cluster.one(PODS, "pod", lambda pod: _restarts(pod) >= 1)
    last = found["status"]["containerStatuses"][0]["lastState"]
    assert last["terminated"]["exitCode"] == 143
    events = await cluster.until(EVENTS, lambda events: "Unhealthy" in _reasons(events))
    assert "Killing" in _reasons(events)


def _reasons(events: list[Any]) -> set[str]:
    return {event["reason"] for event in events}


SERVER = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/ok" else 500)
        self.end_headers()
address = os.environ["ADDRESS"], int(os.environ["PORT"])
http.server.HTTPServer(address, Handler).serve_forever()
"""


async def test_pods_serve_the_same_port_and_are_probed_on_their_own_address(
    cluster: Cluster,
) -> None:
    port = _free_port()
    env = [
        {"name": "ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "PORT", "value": str(port)},
    ]
    probes: dict[str, Any] = {
        "tcp": {"tcpSocket": {"port": port}},
        "ok": {"httpGet": {"path": "/ok", "port": "http"}},
        "bad": {"httpGet": {"path": "/bad", "port": port}},
    }
    common = {"image": PYTHON, "env": env, "ports": [{"name": "http", "containerPort": port}]}
    for name, probe in probes.items():
        fields = {**common, "readinessProbe": {**probe, "periodSeconds": 1}}
        await cluster.run_pod(SERVER, name=name, container=fields)
    await cluster.one(PODS, "tcp", lambda pod: condition(pod, "Ready"))
    await cluster.one(PODS, "ok", lambda pod: condition(pod, "Ready"))
    bad = await cluster.get(PODS, "bad")
    assert "running" in state(bad)
    assert not condition(bad, "Ready")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_startup_probe_holds_back_readiness(cluster: Cluster, tmp_path: Path) -> None:
    flag = tmp_path / "started"
    probe = {"exec": {"command": ["test", "-e", str(flag)]}, "failureThreshold": 60}
    await cluster.run_pod("sleep 60", container={"startupProbe": {**probe, "periodSeconds": 1}})
    found = await cluster.one(PODS, "pod", lambda pod: "running" in state(pod))
    assert found["status"]["containerStatuses"][0]["started"] is False
    flag.touch()
    found = await cluster.one(PODS, "pod", lambda pod: condition(pod, "Ready"))
    assert found["status"]["containerStatuses"][0]["started"] is True


async def test_deletion_lets_the_command_finish(cluster: Cluster, tmp_path: Path) -> None:
    done = tmp_path / "done"
    script = f"trap 'touch {done}; exit 0' TERM; while :; do sleep 0.05; done"
    await cluster.run_pod(script)
    await cluster.one(PODS, "pod", lambda pod: "running" in state(pod))
    await until(lambda: _traps(cluster.folder), what="trap is set")
    await cluster.delete(PODS, "pod")
    await cluster.gone(PODS, "pod")
    assert done.exists()
    await until(lambda: not list((cluster.folder / "pods").iterdir()), what="folder is gone")


def _traps(folder: Path) -> bool:
    """Whether the command of the only pod catches SIGTERM."""
    [main] = folder.glob("pods/*/containers/main/0/main")
    status = Path(f"/proc/{main.read_text().strip()}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) & 1 << 14)


async def test_deletion_kills_what_does_not_end_in_time(cluster: Cluster) -> None:
    script = "trap '' TERM; while :; do sleep 0.05; done"
    await cluster.run_pod(script, terminationGracePeriodSeconds=1)
    await cluster.one(PODS, "pod", lambda pod: "running" in state(pod))
    await until(lambda: _ignores(cluster.folder), what="signal is ignored")
    began = time.monotonic()
    await cluster.delete(PODS, "pod")
    await cluster.gone(PODS, "pod")
    assert 0.5 < time.monotonic() - began < 4


def _ignores(folder: Path) -> bool:
    [main] = folder.glob("pods/*/containers/main/0/main")
    status = Path(f"/proc/{main.read_text().strip()}/status").read_text()
    ignored = next(line for line in status.splitlines() if line.startswith("SigIgn"))
    return bool(int(ignored.split()[1], 16) & 1 << 14)


async def test_children_in_the_background_end_with_the_command(
    cluster: Cluster, tmp_path: Path
) -> None:
    mine = tmp_path / "pid"
    await cluster.run_pod(f"sleep 60 & echo $! > {mine}; exit 4")
    found = await cluster.one(PODS, "pod", ended)
    assert state(found)["terminated"]["exitCode"] == 4
    assert not alive(int(mine.read_text()))


async def test_pod_deadline_fails_it(cluster: Cluster) -> None:
    await cluster.run_pod("sleep 60", activeDeadlineSeconds=1, terminationGracePeriodSeconds=1)
    found = await cluster.one(PODS, "pod", ended)
    assert found["status"]["phase"] == "Failed"
    assert found["status"]["reason"] == "DeadlineExceeded"


async def test_pods_run_with_lower_priority(cluster: Cluster) -> None:
    await cluster.run_pod("nice")
    await cluster.one(PODS, "pod", ended)
    assert await cluster.kubectl("logs", "pod") == f"{os.nice(0) + 10}\n"


@pytest.mark.parametrize(
    ("options", "expected"), [((), "one\ntwo\nthree\n"), (("--tail=1",), "three\n")]
)
async def test_kubectl_logs_prints_the_output(
    cluster: Cluster, options: tuple[str, ...], expected: str
) -> None:
    await cluster.run_pod("echo one; echo two >&2; echo three")
    await cluster.one(PODS, "pod", ended)
    assert await cluster.kubectl("logs", "pod", *options) == expected


async def test_kubectl_logs_follows_until_the_end(cluster: Cluster, tmp_path: Path) -> None:
    go = tmp_path / "go"
    await cluster.run_pod(f"echo begin; while [ ! -e {go} ]; do sleep 0.02; done; echo end")
    await cluster.one(PODS, "pod", lambda pod: "running" in state(pod))
    following = asyncio.create_task(cluster.kubectl("logs", "-f", "pod"))
    await until(lambda: _log(cluster.folder) == "begin\n", what="first line")
    go.touch()
    assert await following == "begin\nend\n"


def _log(folder: Path) -> str:
    [log] = folder.glob("pods/*/containers/main/0/log")
    return log.read_text()


async def test_previous_log_of_a_restarted_container(cluster: Cluster, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    script = (
        f"test -e {marker} && {{ echo second; exec sleep 60; }}; touch {marker}; echo first; exit 1"
    )
    await cluster.run_pod(script, restart="Always")
    await cluster.one(PODS, "pod", lambda pod: _restarts(pod) == 1 and "running" in state(pod))
    assert await cluster.kubectl("logs", "--previous", "pod") == "first\n"


async def test_logs_of_a_waiting_container_say_why(cluster: Cluster) -> None:
    await cluster.run_pod("exit 0", container={"image": "test/none:1"})
    await cluster.one(PODS, "pod", lambda pod: "message" in state(pod).get("waiting", {}))
    assert "waiting to start: ErrImagePull" in await cluster.kubectl("logs", "pod")


async def test_describe_tells_the_story(cluster: Cluster) -> None:
    await cluster.run_job("exit 1", backoffLimit=0)
    await cluster.one(JOBS, "job", ended)
    wanted = {"SuccessfulCreate", "Scheduled", "Started", "BackoffLimitExceeded"}
    await cluster.until(EVENTS, lambda events: wanted <= _reasons(events))
    assert "BackoffLimitExceeded" in await cluster.kubectl("describe", "job", "job")


async def test_unavailable_device_leaves_the_pod_pending(cluster: Cluster) -> None:
    limits = {"nvidia.com/gpu": "1"}
    await cluster.run_pod("exit 0", container={"resources": {"limits": limits}})

    def refused(pod: Any) -> bool:
        entries = pod["status"].get("conditions") or []
        return any(entry.get("reason") == "Unschedulable" for entry in entries)

    found = await cluster.one(PODS, "pod", refused)
    assert found["status"]["phase"] == "Pending"
    message = found["status"]["conditions"][0]["message"]
    assert message.startswith("0/1 nodes are available: 1 Insufficient nvidia.com/gpu.")


async def test_times_of_log_lines_are_refused(cluster: Cluster) -> None:
    await cluster.run_pod("exit 0")
    await cluster.one(PODS, "pod", ended)
    assert "kept without times" in await cluster.kubectl("logs", "--timestamps", "pod")


async def test_failed_container_tells_the_end_of_its_log_where_asked(cluster: Cluster) -> None:
    policy = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    body = pod("echo the model is missing; exit 3", container=policy)
    await cluster.create(PODS, body)
    found = await cluster.one(PODS, "pod", ended)
    assert state(found)["terminated"]["message"] == "the model is missing"
