"""One active process by a coordination/v1 Lease.

The holder renews every `renew_seconds`; another takes the Lease when it was not renewed for
`duration_seconds` as measured on the taker's own clock, so that skewed clocks do no harm. The holder
gives up before that, counted from when it sent its last renewal that was answered, so that two
never act at once.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Self

from dalston.kube.client import JSON, KubeClient
from dalston.kube.errors import AlreadyExists, ApiError, ApiUnavailable, Conflict, NotFound
from dalston.kube.kinds import LEASES

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LeaseTimes:
    """Times of the election, in seconds; the defaults are those of Kubernetes' controllers."""

    duration_seconds: float = 15.0
    give_up_seconds: float = 10.0
    renew_seconds: float = 5.0
    retry_seconds: float = 2.0

    @classmethod
    def of(cls, duration: float) -> Self:
        """Give times in the proportions of the defaults."""
        return cls(duration, duration * 2 / 3, duration / 3, duration / 7.5)


class LeaseLost(Exception):
    """The Lease could not be renewed in time: this process must not act any more."""


class Lease:
    """A Lease named `name` that `identity` wants to hold."""

    def __init__(
        self,
        client: KubeClient,
        *,
        namespace: str,
        name: str,
        identity: str,
        times: LeaseTimes | None = None,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._times = times or LeaseTimes()
        self._held: JSON | None = None
        self._seen: tuple[str, float] | None = None

    @property
    def held(self) -> bool:
        """Whether this process holds the Lease, as far as it knows."""
        return self._held is not None

    async def acquire(self, *, on_wait: Callable[[str], None] | None = None) -> None:
        """Wait until this process holds the Lease; `on_wait` is told who holds it meanwhile."""
        while not await self._try():
            if on_wait is not None and self._seen is not None:
                on_wait(self._seen[0])
            await asyncio.sleep(self._times.retry_seconds)

    async def hold(self) -> None:
        """Renew until cancelled; raises LeaseLost when renewing failed for too long."""
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        while True:
            await asyncio.sleep(self._times.renew_seconds)
            asked = loop.time()
            try:
                async with asyncio.timeout_at(renewed + self._times.give_up_seconds):
                    if not await self._try():
                        raise LeaseLost(f"{self._name} was taken by another process")
                renewed = asked
            except TimeoutError:
                logger.warning("cannot renew the lease %s: no answer in time", self._name)
            except (ApiError, ApiUnavailable) as error:
                logger.warning("cannot renew the lease %s: %s", self._name, error)
            if loop.time() - renewed >= self._times.give_up_seconds:
                self._held = None
                raise LeaseLost(f"{self._name} was not renewed for {loop.time() - renewed:.0f} s")

    async def release(self) -> None:
        """Let go of the Lease, so that another takes it at once."""
        if self._held is None:
            return
        body = {**self._held, "spec": {**self._held["spec"], "holderIdentity": ""}}
        self._held = None
        try:
            await self._client.replace(LEASES, self._name, body, namespace=self._namespace)
        except (ApiError, ApiUnavailable) as error:
            logger.warning("cannot release the lease %s: %s", self._name, error)

    async def _try(self) -> bool:
        """Create, renew or take over; False while somebody else holds it."""
        try:
            lease = self._held or await self._client.get(
                LEASES, self._name, namespace=self._namespace
            )
            if self._held is None and not self._free(lease):
                return False
            body = {**lease, "spec": self._spec(lease.get("spec", {}))}
            self._held = await self._client.replace(
                LEASES, self._name, body, namespace=self._namespace
            )
        except NotFound:
            body = {
                "apiVersion": LEASES.api_version,
                "kind": LEASES.kind,
                "metadata": {"name": self._name},
                "spec": self._spec({}),
            }
            try:
                self._held = await self._client.create(LEASES, body, namespace=self._namespace)
            except AlreadyExists:
                return False
        except Conflict:
            self._held = None
            return await self._still_ours()
        return True

    async def _still_ours(self) -> bool:
        """After a conflict: read again, since a lost answer to our own write looks the same."""
        lease = await self._client.get(LEASES, self._name, namespace=self._namespace)
        if lease.get("spec", {}).get("holderIdentity") != self._identity:
            return False
        self._held = lease
        return True

    def _free(self, lease: JSON) -> bool:
        """Whether it is ours, unheld, or unchanged for longer than its duration."""
        spec = lease.get("spec", {})
        holder = spec.get("holderIdentity") or ""
        if holder in ("", self._identity):
            return True
        now = asyncio.get_running_loop().time()
        version = f"{holder}@{lease['metadata']['resourceVersion']}"
        if self._seen is None or self._seen[0] != version:
            self._seen = (version, now)
            return False
        return now - self._seen[1] > float(
            spec.get("leaseDurationSeconds") or self._times.duration_seconds
        )

    def _spec(self, previous: JSON) -> JSON:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        same = previous.get("holderIdentity") == self._identity
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(ceil(self._times.duration_seconds), 1),
            "acquireTime": previous.get("acquireTime", now) if same else now,
            "renewTime": now,
            "leaseTransitions": int(previous.get("leaseTransitions") or 0) + (0 if same else 1),
        }
