"""Authentication, limits, faults, logs, foreign encodings."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from dalston.localkube import LogRequest, protobuf
from dalston.localkube.errors import ApiError
from tests.localkube.client import NAMESPACE, PODS, Client
from tests.localkube.objects import config_map, pod

MAPS = f"{NAMESPACE}/configmaps"


@pytest.mark.parametrize("token", ["", "Bearer wrong"])
async def test_wrong_token_is_unauthorized(client: Client, token: str) -> None:
    headers = {"Authorization": token} if token else {}
    async with client.session.get(client.kube.url + MAPS, headers=headers) as response:
        body = await response.json()
    assert (response.status, body["reason"]) == (401, "Unauthorized")


async def test_token_in_the_path_is_accepted(client: Client) -> None:
    url = f"{client.kube.url}/token/{client.kube.token}{MAPS}"
    async with client.session.get(url) as response:
        assert response.status == 200


async def test_health_needs_no_token(client: Client) -> None:
    for path in ("/livez", "/readyz", "/healthz"):
        async with client.session.get(client.kube.url + path) as response:
            assert (response.status, await response.text()) == (200, "ok")


async def test_foreign_host_is_refused(client: Client) -> None:
    headers = {"Host": "evil.example", "Authorization": f"Bearer {client.kube.token}"}
    async with client.session.get(client.kube.url + MAPS, headers=headers) as response:
        assert response.status == 403


async def test_large_body_is_refused(client: Client) -> None:
    body = {"metadata": {"name": "c"}, "data": {"a": "x" * (3 * 1024 * 1024)}}
    answer = await client.post(MAPS, body)
    assert (answer.status, answer.body["reason"]) == (413, "RequestEntityTooLarge")


async def test_broken_json_is_a_bad_request(client: Client) -> None:
    headers = {"Authorization": f"Bearer {client.kube.token}", "Content-Type": "application/json"}
    url = client.kube.url + MAPS
    async with client.session.post(url, data=b"{", headers=headers) as response:
        assert (response.status, (await response.json())["reason"]) == (400, "BadRequest")


@pytest.mark.parametrize("path", ["/nothing", "/apis/none.io/v1/things", f"{NAMESPACE}/things"])
async def test_unknown_path_is_not_found(client: Client, path: str) -> None:
    answer = await client.get(path)
    assert answer.status == 404
    assert answer.message == "the server could not find the requested resource"


async def test_unfitting_method_is_refused(client: Client) -> None:
    assert (await client.put(MAPS, config_map())).status == 405


async def test_yaml_bodies_are_read(client: Client) -> None:
    headers = {"Authorization": f"Bearer {client.kube.token}", "Content-Type": "application/yaml"}
    body = b"metadata: {name: c}\ndata: {a: '1'}\n"
    url = client.kube.url + MAPS
    async with client.session.post(url, data=body, headers=headers) as response:
        assert (response.status, (await response.json())["data"]) == (201, {"a": "1"})


async def test_injected_refusals_hit_matching_requests_only(client: Client) -> None:
    client.kube.faults.refuse(429, times=2, method="POST", path="configmaps")
    statuses = [(await client.post(MAPS, config_map())).status for _ in range(3)]
    assert statuses == [429, 429, 201]
    assert (await client.get(f"{MAPS}/c")).status == 200


async def test_refusal_for_load_says_when_to_retry(client: Client) -> None:
    client.kube.faults.refuse(429)
    answer = await client.get(MAPS)
    assert answer.headers["Retry-After"] == "1"
    assert answer.body["details"]["retryAfterSeconds"] == 1


async def read_log(client: Client, **query: str) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {client.kube.token}"}
    url = f"{client.kube.url}{PODS}/p/log"
    async with client.session.get(url, params=query, headers=headers) as response:
        return response.status, await response.text()


async def test_logs_come_from_the_registered_source(client: Client) -> None:
    asked: list[LogRequest] = []

    async def source(request: LogRequest) -> AsyncIterator[bytes]:
        asked.append(request)
        yield b"one\n"
        yield b"two\n"

    client.kube.serve_logs(source)
    await client.post(PODS, pod())
    assert await read_log(client, tailLines="5", follow="true") == (200, "one\ntwo\n")
    assert asked == [
        LogRequest(namespace="default", pod="p", container="main", follow=True, tail=5)
    ]


async def test_log_of_an_unknown_container_is_refused(client: Client) -> None:
    await client.post(PODS, pod())
    status, text = await read_log(client, container="other")
    assert status == 400
    assert "container other is not valid for pod p" in text


def test_protobuf_of_a_config_map_is_read() -> None:
    def field(number: int, data: bytes) -> bytes:
        return bytes([number << 3 | 2, len(data)]) + data

    meta = field(1, field(1, b"v1") + field(2, b"ConfigMap"))
    raw = field(1, field(1, b"c")) + field(2, field(1, b"key") + field(2, b"value"))
    obj = protobuf.decode(b"k8s\x00" + meta + field(2, raw))
    assert obj == {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"name": "c"},
        "data": {"key": "value"},
    }


@pytest.mark.parametrize("body", [b"", b"k8s\x00\x0a\xff", b"junk"])
def test_broken_protobuf_is_refused(body: bytes) -> None:
    with pytest.raises(ApiError):
        protobuf.decode(body)
