"""API keys: `dk_<key id>_<secret>`, stored as hashes in one Secret.

The secret part has 256 random bits, so a plain SHA-256 is as good as a slow hash and costs nothing on
each request. A key is shown once, when it is made.
"""

import base64
import binascii
import hashlib
import hmac
import logging
import re
import secrets
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from dalston.kube import AlreadyExists, Informer, KubeClient, NotFound
from dalston.kube.kinds import SECRETS
from dalston.resources.meta import MANAGED_BY_LABEL, MANAGER

logger = logging.getLogger(__name__)

SECRET_NAME = "dalston-api-keys"
_KEY = re.compile(r"dk_([a-z0-9]{10})_[A-Za-z0-9_-]{43}")
_ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


class Scope(StrEnum):
    """What a key may do: create and change jobs, read them, or everything with everybody's."""

    TRANSCRIBE = "transcribe"
    READ = "read"
    ADMIN = "admin"


class ApiKey(BaseModel):
    """A key as stored, under its id; `expires` None means never."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    hash: str
    name: str = ""
    scopes: frozenset[Scope]
    created: datetime
    expires: datetime | None = None

    def allows(self, scope: Scope) -> bool:
        """Tell whether the key has the scope; admin has all."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def is_expired(self, now: datetime) -> bool:
        """Tell whether the key's time is over."""
        return self.expires is not None and now >= self.expires


async def create_key(
    kube: KubeClient,
    *,
    namespace: str,
    name: str = "",
    scopes: frozenset[Scope] = frozenset({Scope.TRANSCRIBE, Scope.READ}),
    expires: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Make a key and store its hash; gives it and its text, which cannot be read again."""
    id = "".join(secrets.choice(_ID_ALPHABET) for _ in range(10))
    text = f"dk_{id}_{secrets.token_urlsafe(32)}"
    key = ApiKey(
        id=id,
        hash=_digest(text),
        name=name,
        scopes=scopes,
        created=datetime.now(UTC).replace(microsecond=0),
        expires=expires,
    )
    data = {id: base64.b64encode(key.model_dump_json(exclude={"id"}).encode()).decode()}
    try:
        await kube.patch(SECRETS, SECRET_NAME, {"data": data}, namespace=namespace)
    except NotFound:
        await _create_secret(kube, namespace=namespace, data=data)
    return key, text


async def _create_secret(kube: KubeClient, *, namespace: str, data: dict[str, str]) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET_NAME, "labels": {MANAGED_BY_LABEL: MANAGER}},
        "type": "Opaque",
        "data": data,
    }
    try:
        await kube.create(SECRETS, body, namespace=namespace)
    except AlreadyExists:
        await kube.patch(SECRETS, SECRET_NAME, {"data": data}, namespace=namespace)


async def list_keys(kube: KubeClient, *, namespace: str) -> list[ApiKey]:
    """Give all keys, oldest first."""
    try:
        secret = await kube.get(SECRETS, SECRET_NAME, namespace=namespace)
    except NotFound:
        return []
    return sorted(parse_keys(secret).values(), key=lambda key: (key.created, key.id))


async def revoke_key(kube: KubeClient, id: str, *, namespace: str) -> bool:
    """Remove a key; tells whether it was there. Gateways refuse it as soon as their watch tells."""
    if all(key.id != id for key in await list_keys(kube, namespace=namespace)):
        return False
    await kube.patch(SECRETS, SECRET_NAME, {"data": {id: None}}, namespace=namespace)
    return True


def parse_keys(secret: dict[str, Any]) -> dict[str, ApiKey]:
    """Read the Secret; entries that are no keys are logged and passed over."""
    found = {}
    for id, encoded in (secret.get("data") or {}).items():
        try:
            text = base64.b64decode(encoded, validate=True)
            found[id] = ApiKey.model_validate({**_object(text), "id": id})
        except (binascii.Error, ValidationError, ValueError) as error:
            logger.error("entry %s of Secret %s is no key: %s", id, SECRET_NAME, error)
    return found


def _object(text: bytes) -> dict[str, Any]:
    parsed = orjson.loads(text)
    if not isinstance(parsed, dict):
        raise ValueError("not a JSON object")
    return parsed


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class ApiKeys:
    """A live view of the keys; `run()` is its task."""

    def __init__(self, kube: KubeClient, namespace: str) -> None:
        self._namespace = namespace
        self.informer: Informer[dict[str, ApiKey]] = Informer(
            kube,
            SECRETS,
            project=parse_keys,
            namespace=namespace,
            fields=f"metadata.name={SECRET_NAME}",
        )

    async def run(self) -> None:
        """Watch until cancelled."""
        await self.informer.run()

    def find(self, text: str, now: datetime) -> ApiKey | None:
        """Give the key that the text is, unless it is expired; None for anything else."""
        match = _KEY.fullmatch(text)
        if match is None:
            return None
        known = self.informer.get(self._namespace, SECRET_NAME) or {}
        key = known.get(match.group(1))
        # Compared in constant time, with some hash even when there is no such key.
        fits = hmac.compare_digest(_digest(text), key.hash if key else _digest(""))
        return key if key is not None and fits and not key.is_expired(now) else None
