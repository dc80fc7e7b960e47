"""kopf's part: watching TranscriptionJobs and Engines, liveness, and the life of the process.

Handlers are low-level ones that only hand objects over; kopf keeps no state and writes nothing.
"""

import logging
from collections.abc import Iterable
from typing import Any, cast

import kopf
from kubernetes.aio.client.configuration import Configuration

from dalston.resources.kinds import ENGINE, TRANSCRIPTION_JOB
from dalston.resources.meta import GROUP, VERSION
from dalston.resources.transcription_status import FINISHED_PHASES
from dalston_operator.operator import Operator

_PAGE = 500


def registry(operator: Operator, configuration: Configuration) -> kopf.OperatorRegistry:
    """Give the handlers that feed an operator."""
    handlers = kopf.OperatorRegistry()
    # It tells of every handler that succeeded, which here is every event.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return await connection(configuration)

    @kopf.on.event(GROUP, VERSION, TRANSCRIPTION_JOB.plural, registry=handlers)
    async def job_event(type: str | None, body: kopf.Body, **_: Any) -> None:
        operator.job_seen(type, dict(body))

    @kopf.on.event(GROUP, VERSION, ENGINE.plural, registry=handlers)
    async def engine_event(type: str | None, body: kopf.Body, **_: Any) -> None:
        await operator.engine_seen(type, dict(body))

    return handlers


class NoDiff(kopf.DiffBaseStorage):
    """Remembers no earlier state: reconcilers need no diff, and building one costs with every event."""

    def build(
        self, *, body: kopf.Body, extra_fields: Iterable[Any] | None = None
    ) -> kopf.BodyEssence:
        """Give nothing to compare."""
        return cast(kopf.BodyEssence, {})

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        """Give nothing to compare with."""
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Write nothing."""


def settings() -> kopf.OperatorSettings:
    """Give kopf's settings: no Events of its own, no peering, finished jobs not watched."""
    given = kopf.OperatorSettings()
    given.posting.enabled = False
    given.peering.standalone = True
    given.scanning.disabled = True
    given.persistence.diffbase_storage = NoDiff()
    given.execution.max_workers = 2
    given.watching.server_timeout = 300
    given.watching.connect_timeout = 5
    given.watching.chunk_size = _PAGE
    given.networking.request_timeout = 15
    unfinished = ",".join(f"status.phase!={phase}" for phase in sorted(FINISHED_PHASES))
    given.watching.field_selectors[GROUP, VERSION, TRANSCRIPTION_JOB.plural] = unfinished
    return given


async def connection(configuration: Configuration) -> kopf.ConnectionInfo:
    """Give kopf the same credentials as the rest uses; asked again when they expire."""
    header = await configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
    scheme, _, token = (header or "").partition(" ")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        scheme=scheme or None,
        token=token or None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
    )
