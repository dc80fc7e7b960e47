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
from dalston.bus.errors import BusUnavailable, answered
from dalston.bus.settings import BusSettings
from dalston.pipeline.tasks import TaskId

_ABSENT = (KeyNotFoundError, KeyDeletedError, NotFoundError)


class Claim(NamedTuple):
    """A claim as stored: the attempt, the worker that executes it, and the bucket's revision."""

    attempt: int
    owner: str
    revision: int


class Claims:
    """The bucket of claims; every method may raise BusUnavailable."""

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
        key, value = subjects.claim(task), f"{task.attempt} {owner}".encode()
        last = 0  # nobody has claimed the part yet, in all but a few cases
        while True:
            try:
                if last == 0:
                    revision = await answered(bucket.create(key, value))
                else:
                    revision = await answered(bucket.update(key, value, last=last))
                return Claim(task.attempt, owner, revision)
            except KeyWrongLastSequenceError:
                current = await self.get(task)
            if current is not None and current.attempt > task.attempt:
                return None
            last = current.revision if current is not None else 0

    async def get(self, task: TaskId) -> Claim | None:
        """Read the claim on a part, whichever attempt it is of.

        The stream's leader answers, never a replica that may lag: what is read is in force.
        """
        bucket = await self._open()
        try:
            entry = await answered(bucket.get(subjects.claim(task)))
        except _ABSENT:
            return None
        attempt, owner = (entry.value or b"").decode().split(" ", 1)
        return Claim(int(attempt), owner, entry.revision or 0)

    async def holds(self, task: TaskId, claim: Claim) -> bool:
        """Tell whether the claim is still the one in force."""
        current = await self.get(task)
        return current is not None and current.revision == claim.revision

    async def jobs(self) -> set[str]:
        """Give the uids of all jobs that have claims."""
        bucket = await self._open()
        try:
            keys = await answered(bucket.keys())
        except NoKeysError:
            return set()
        return {key.split(".", 1)[0] for key in keys}

    async def _open(self) -> KeyValue:
        if self._bucket is None:
            try:
                self._bucket = await answered(self._js.key_value(subjects.CLAIMS))
            except NotFoundError as error:
                raise BusUnavailable("the bucket of claims does not exist yet") from error
        return self._bucket
