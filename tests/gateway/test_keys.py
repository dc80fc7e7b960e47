"""API keys in their Secret."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from dalston_gateway.keys import (
    SECRET_NAME,
    Scope,
    create_key,
    list_keys,
    parse_keys,
    revoke_key,
)

from dalston.kube.kinds import SECRETS
from tests.gateway.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMESPACE = "default"


async def test_keys_are_stored_as_hashes(gateway: Stack) -> None:
    key, text = await create_key(gateway.kube, namespace=NAMESPACE, name="laptop")
    assert text.startswith(f"dk_{key.id}_")
    assert len(text.rsplit(f"dk_{key.id}_", 1)[1]) == 43
    secret = await gateway.kube.get(SECRETS, SECRET_NAME, namespace=NAMESPACE)
    stored = base64.b64decode(secret["data"][key.id]).decode()
    assert key.hash in stored
    assert text not in stored


async def test_keys_are_listed_and_revoked(gateway: Stack) -> None:
    assert await list_keys(gateway.kube, namespace=NAMESPACE) == []
    made = [(await create_key(gateway.kube, namespace=NAMESPACE))[0] for _ in range(3)]
    listed = await list_keys(gateway.kube, namespace=NAMESPACE)
    assert {key.id for key in listed} == {key.id for key in made}
    assert await revoke_key(gateway.kube, made[0].id, namespace=NAMESPACE)
    assert not await revoke_key(gateway.kube, made[0].id, namespace=NAMESPACE)
    left = {key.id for key in await list_keys(gateway.kube, namespace=NAMESPACE)}
    assert left == {made[1].id, made[2].id}


async def test_entries_that_are_no_keys_are_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    data = {"a": "!!", "b": base64.b64encode(b"[]").decode(), "c": ""}
    assert parse_keys({"data": data}) == {}
    assert len(caplog.records) == 3


async def test_key_expires_at_its_time(gateway: Stack) -> None:
    now = datetime.now(UTC)
    key, _ = await create_key(
        gateway.kube, namespace=NAMESPACE, expires=now, scopes=frozenset({Scope.READ})
    )
    assert key.is_expired(now)
    assert not key.is_expired(now - timedelta(seconds=1))
    assert key.allows(Scope.READ)
    assert not key.allows(Scope.TRANSCRIBE)
