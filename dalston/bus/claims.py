"""Claims: the fence between executors of one task.

The claim on a part says which attempt counts and who executes it. Its revision grows with every
change and names the folder of the executor's files, so two executors never write to one place. An
executor whose claim was taken over or removed writes no manifest.
"""

from typing import NamedTuple

from nats.js import JetStreamContext
from nats.js.errors import (
    KeyDeletedError,
    KeyNotFoundError,
    KeyWrongLastSequenceError,
    NoKeysError,
    NotFoundError,
)
from nats.js.kv import KeyValue

from dalston.bus import subjects
from dalston.bus.settings import BusSettings
from dalston.pipeline.tasks import TaskId

_ABSENT = (KeyNotFoundError, KeyDeletedError, NotFoundError)


class Claim(NamedTuple):
    """A claim as stored: the attempt, the worker that executes it, and the bucket's revision."""

    attempt: int
    owner: str
    revision: int


class Claims:
    """The bucket of claims."""

    def __init__(self, js: JetStreamContext, settings: BusSettings) -> None:
        self._js = js
        self._settings = settings
        self._bucket: KeyValue | None = None

    async def take(self, task: TaskId, owner: str) -> Claim | None:
        """Claim a task for an owner, taking it over from an earlier one; None when superseded.

        Whoever holds a delivery is entitled to the claim: JetStream gives a message to a second
        worker only when the first was silent for too long.
        """
        bucket = await self._open()
        value = f"{task.attempt} {owner}".encode()
        while True:
            current = await self.get(task)
            try:
                if current is None:
                    revision = await bucket.create(subjects.claim(task), value)
                elif current.attempt > task.attempt:
                    return None
                else:
                    revision = await bucket.update(
                        subjects.claim(task), value, last=current.revision
                    )
            except KeyWrongLastSequenceError:
                continue
            return Claim(task.attempt, owner, revision)

    async def get(self, task: TaskId) -> Claim | None:
        """Read the claim on a part, whichever attempt it is of."""
        bucket = await self._open()
        try:
            entry = await bucket.get(subjects.claim(task))
        except _ABSENT:
            return None
        attempt, owner = (entry.value or b"").decode().split(" ", 1)
        return Claim(int(attempt), owner, entry.revision or 0)

    async def holds(self, task: TaskId, claim: Claim) -> bool:
        """Tell whether the claim is still the one in force."""
        current = await self.get(task)
        return current is not None and current.revision == claim.revision

    async def count(self) -> int:
        """Count the claims."""
        bucket = await self._open()
        try:
            return len(await bucket.keys())
        except NoKeysError:
            return 0

    async def _open(self) -> KeyValue:
        if self._bucket is None:
            self._bucket = await self._js.key_value(subjects.CLAIMS)
        return self._bucket
