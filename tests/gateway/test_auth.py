"""Who may do what with an API key."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from dalston_gateway.keys import Scope, create_key, revoke_key

from tests.deadlines import until
from tests.gateway.stack import Stack, stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

SPEECH = "/v1/speech-to-text"
NATIVE = "/v1/audio/transcriptions"
FILE = {"file": ("a.wav", b"RIFF")}
MODEL = {"model_id": "scribe_v1"}


@pytest_asyncio.fixture(loop_scope="module")
async def guarded(tmp_path: Path, nats_url: str) -> AsyncIterator[Stack]:
    """A gateway that asks for keys."""
    async with stack(tmp_path, nats_url, settings={"auth": True}) as running:
        yield running


async def key_of(gateway: Stack, *scopes: Scope, expires: datetime | None = None) -> str:
    """A key that the gateway knows by now."""
    key, text = await create_key(
        gateway.kube, namespace="default", scopes=frozenset(scopes), expires=expires
    )
    cache = gateway.services.keys.informer.cache
    await until(lambda: any(key.id in known for known in cache.values()), what="the key")
    return text


async def test_request_without_a_key_is_refused(guarded: Stack) -> None:
    answer = await guarded.http.post(SPEECH, data=MODEL, files=FILE)
    assert (answer.status_code, answer.json()["detail"]["code"]) == (401, "missing_api_key")
    answer = await guarded.http.get(NATIVE)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_request_with_a_wrong_key_is_refused(guarded: Stack) -> None:
    good = await key_of(guarded, Scope.TRANSCRIBE)
    for key in ("nonsense", "dk_abc_def", good[:-1] + ("A" if good[-1] != "A" else "B")):
        answer = await guarded.http.post(
            SPEECH, data=MODEL, files=FILE, headers={"xi-api-key": key}
        )
        detail = answer.json()["detail"]
        assert (answer.status_code, detail["code"]) == (401, "unauthorized")
        assert detail["status"] == "invalid_api_key"
    assert await guarded.jobs() == []
    assert guarded.stored_files() == []


async def test_both_headers_carry_a_key(guarded: Stack) -> None:
    key = await key_of(guarded, Scope.TRANSCRIBE, Scope.READ)
    for headers in ({"xi-api-key": key}, {"Authorization": f"Bearer {key}"}):
        answer = await guarded.http.post(SPEECH, data=MODEL, files=FILE, headers=headers)
        assert answer.status_code == 200


async def test_other_authorization_is_refused(guarded: Stack) -> None:
    answer = await guarded.http.get(
        f"{SPEECH}/transcripts/x", headers={"Authorization": "Basic eA=="}
    )
    assert answer.json()["detail"]["code"] == "invalid_authorization_header"


async def test_key_without_the_scope_is_refused(guarded: Stack) -> None:
    reader = {"xi-api-key": await key_of(guarded, Scope.READ)}
    answer = await guarded.http.post(SPEECH, data=MODEL, files=FILE, headers=reader)
    assert (answer.status_code, answer.json()["detail"]["code"]) == (
        403,
        "insufficient_permissions",
    )
    writer = {"xi-api-key": await key_of(guarded, Scope.TRANSCRIBE)}
    assert (await guarded.http.get(NATIVE, headers=writer)).status_code == 403


async def test_expired_key_is_refused(guarded: Stack) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    headers = {"xi-api-key": await key_of(guarded, Scope.ADMIN, expires=past)}
    assert (await guarded.http.get(NATIVE, headers=headers)).status_code == 401


async def test_revoked_key_is_refused_soon(guarded: Stack) -> None:
    text = await key_of(guarded, Scope.READ)
    headers = {"xi-api-key": text}
    assert (await guarded.http.get(NATIVE, headers=headers)).status_code == 200
    await revoke_key(guarded.kube, text.split("_")[1], namespace="default")

    async def refused() -> bool:
        return (await guarded.http.get(NATIVE, headers=headers)).status_code == 401

    await until(refused, what="the refusal")


async def test_keys_see_their_own_jobs_only(guarded: Stack) -> None:
    mine = {"xi-api-key": await key_of(guarded, Scope.TRANSCRIBE, Scope.READ)}
    other = {"xi-api-key": await key_of(guarded, Scope.TRANSCRIBE, Scope.READ)}
    admin = {"xi-api-key": await key_of(guarded, Scope.ADMIN)}
    made = await guarded.http.post(SPEECH, data=MODEL, files=FILE, headers=mine)
    id = made.json()["transcription_id"]
    for path in (f"{SPEECH}/transcripts/{id}", f"{NATIVE}/{id}", f"{NATIVE}/{id}/export/srt"):
        assert (await guarded.http.get(path, headers=mine)).status_code == 200
        assert (await guarded.http.get(path, headers=admin)).status_code == 200
        assert (await guarded.http.get(path, headers=other)).status_code == 404
    for method, path in (
        ("DELETE", f"{SPEECH}/transcripts/{id}"),
        ("DELETE", f"{NATIVE}/{id}"),
        ("PATCH", f"{NATIVE}/{id}"),
        ("POST", f"{NATIVE}/{id}/cancel"),
        ("POST", f"{NATIVE}/{id}/retry"),
    ):
        answer = await guarded.http.request(method, path, headers=other, json={})
        assert answer.status_code == 404, (method, path)
    listed = [
        (await guarded.http.get(NATIVE, headers=each)).json() for each in (mine, other, admin)
    ]
    assert [len(page["items"]) for page in listed] == [1, 0, 1]


async def test_idempotency_keys_of_different_callers_are_different(guarded: Stack) -> None:
    for _ in range(2):
        key = await key_of(guarded, Scope.TRANSCRIBE)
        headers = {"xi-api-key": key, "Idempotency-Key": "same"}
        answer = await guarded.http.post(SPEECH, data=MODEL, files=FILE, headers=headers)
        assert answer.status_code == 200
    assert len(await guarded.jobs()) == 2


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health", "/metrics", "/openapi.json"])
async def test_probes_need_no_key(guarded: Stack, path: str) -> None:
    assert (await guarded.http.get(path)).status_code == 200
