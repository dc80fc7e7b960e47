"""Stock kubectl, unmodified, against the control plane."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dalston.localkube import LocalKube, LogRequest
from tests.localkube.client import NAMESPACE, WIDGETS, Client
from tests.localkube.objects import widget

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")

WIDGET_FILE = Path(__file__).with_name("widgets.yaml")


class Kubectl:
    """Runs kubectl with a kubeconfig and a cache of its own."""

    def __init__(self, kube: LocalKube, folder: Path) -> None:
        self.environment = {**os.environ, "KUBECONFIG": str(folder / "config"), "HOME": str(folder)}
        kube.write_kubeconfig(folder / "config")

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            "kubectl",
            *arguments,
            env=self.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def __call__(self, *arguments: str, stdin: Any = None, fails: bool = False) -> str:
        process = await self.start(*arguments)
        text = yaml.safe_dump(stdin).encode() if stdin is not None else None
        async with asyncio.timeout(30):
            output, _ = await process.communicate(text)
        assert (process.returncode != 0) is fails, output.decode()
        return output.decode()


@pytest.fixture
async def kubectl(kube: LocalKube, tmp_path: Path) -> Kubectl:
    return Kubectl(kube, tmp_path)


async def test_custom_resource_from_definition_to_deletion(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", str(WIDGET_FILE))
    await kubectl("wait", "--for=condition=Established", "crd/widgets.example.org", "--timeout=5s")
    assert "widget.example.org/w created" in await kubectl("apply", "-f", "-", stdin=widget())
    again = await kubectl("apply", "-f", "-", stdin=widget(size=3))
    assert "widget.example.org/w configured" in again
    lines = (await kubectl("get", "wd")).splitlines()
    assert lines[0].split() == ["NAME", "COLOR", "READY", "AGE"]
    assert lines[1].split()[:2] == ["w", "red"]
    wide = await kubectl("get", "gadgets", "-o", "wide")
    assert wide.splitlines()[0].split() == ["NAME", "COLOR", "READY", "SIZE", "AGE"]
    assert await kubectl("get", "wd", "w", "-o", "jsonpath={.spec.size}") == "3"
    assert "scaled" in await kubectl("scale", "wd/w", "--replicas=4")
    assert "Replicas:  4" in await kubectl("describe", "wd", "w")
    assert "labeled" in await kubectl("label", "wd", "w", "a=b")
    assert "annotated" in await kubectl("annotate", "wd", "w", "a=b")
    await kubectl("patch", "wd", "w", "--type=merge", "-p", '{"spec":{"size":5}}')
    assert 'widget.example.org "w" deleted' in await kubectl("delete", "wd", "w")


async def test_invalid_objects_are_refused_in_the_servers_words(
    kubectl: Kubectl, widgets: Client
) -> None:
    wrong = await kubectl("apply", "-f", "-", stdin=widget(size=99), fails=True)
    assert "spec.size in body should be less than or equal to 32" in wrong
    unknown = await kubectl("apply", "-f", "-", stdin=widget(bogus=1), fails=True)
    assert 'strict decoding error: unknown field "spec.bogus"' in unknown


async def test_explain_prints_the_schema(kubectl: Kubectl, widgets: Client) -> None:
    text = await kubectl("explain", "wd.spec")
    assert "color\t<string> -required-" in text
    assert "Its color." in text
    assert "valueFrom\t<EnvVarSource>" in await kubectl(
        "explain", "pod.spec.containers", "--recursive"
    )


async def test_server_side_apply(kubectl: Kubectl, widgets: Client) -> None:
    await kubectl("apply", "--server-side", "-f", "-", stdin=widget(size=3))
    await widgets.merge(f"{WIDGETS}/w", {"spec": {"size": 4}}, fieldManager="other")
    text = await kubectl("apply", "--server-side", "-f", "-", stdin=widget(size=5), fails=True)
    assert 'conflict with "other" using example.org/v1' in text
    await kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=widget(size=5))
    assert await kubectl("get", "wd", "w", "-o", "jsonpath={.spec.size}") == "5"


async def test_imperative_commands_on_built_in_kinds(kubectl: Kubectl) -> None:
    await kubectl("create", "secret", "generic", "s", "--from-literal=a=b")
    assert (await kubectl("get", "secret", "s")).split()[4:7] == ["s", "Opaque", "1"]
    await kubectl("create", "deployment", "d", "--image=x:1", "--replicas=2")
    await kubectl("set", "image", "deployment/d", "x=x:2")
    assert "0/2" in await kubectl("get", "deployment", "d")
    assert "Image:         x:2" in await kubectl("describe", "deployment", "d")
    await kubectl("create", "job", "j", "--image=x", "--", "sleep", "1")
    assert "Completions:      1" in await kubectl("describe", "job", "j")
    listed = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": n}} for n in "ab"]
    items = {"apiVersion": "v1", "kind": "List", "items": listed}
    assert "configmap/b created" in await kubectl("apply", "-f", "-", stdin=items)
    await kubectl("create", "namespace", "team")
    await kubectl("delete", "namespace", "team")
    assert "yes" in await kubectl("auth", "can-i", "create", "pods")


async def test_watch_and_wait_follow_changes(kubectl: Kubectl, widgets: Client) -> None:
    await widgets.post(WIDGETS, widget())
    watching = await kubectl.start("get", "wd", "-w")
    waiting = await kubectl.start("wait", "wd/w", "--for=condition=Ready", "--timeout=20s")
    assert watching.stdout is not None
    async with asyncio.timeout(20):
        assert b"NAME" in await watching.stdout.readline()
        assert b"red" in await watching.stdout.readline()
        status = {"conditions": [{"type": "Ready", "status": "True"}]}
        await widgets.merge(f"{WIDGETS}/w/status", {"status": status})
        assert b"True" in await watching.stdout.readline()
        output, _ = await waiting.communicate()
    watching.terminate()
    await watching.communicate()
    assert b"condition met" in output


async def test_logs_and_events(kubectl: Kubectl, client: Client) -> None:
    async def source(request: LogRequest) -> AsyncIterator[bytes]:
        yield f"{request.container} follow={request.follow} tail={request.tail}\n".encode()

    client.kube.serve_logs(source)
    await kubectl("run", "p", "--image=x", "--restart=Never")
    assert await kubectl("logs", "-f", "p", "--tail=3") == "p follow=True tail=3\n"
    uid = await kubectl("get", "pod", "p", "-o", "jsonpath={.metadata.uid}")
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default", "uid": uid},
        "reason": "Began",
        "message": "it began",
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }
    await client.post(f"{NAMESPACE}/events", event)
    assert "Began" in await kubectl("describe", "pod", "p")
    assert "it began" in await kubectl("events")
    assert "pod/p" in await kubectl("get", "events")


async def test_edit_saves_what_the_editor_wrote(kubectl: Kubectl, widgets: Client) -> None:
    await widgets.post(WIDGETS, widget())
    kubectl.environment["KUBE_EDITOR"] = "sed -i s/fast/slow/"
    assert "edited" in await kubectl("edit", "wd", "w")
    assert (await widgets.get(f"{WIDGETS}/w")).body["spec"]["mode"] == "slow"
