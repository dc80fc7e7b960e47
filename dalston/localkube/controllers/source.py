"""What the controllers know of one kind: the informer's cache, ahead of it by their own writes.

A controller that has created a pod must not create it again because the watch is slow. What a write
answered is therefore put into the cache at once (`assume`); of two versions the newer one stays. An
assumed object that the watch never shows is dropped after `_DOUBT` seconds.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from dalston.kube import Informer, Kind, KubeClient, WatchEvent, WatchEventType

JSON = dict[str, Any]
Key = tuple[str, str]
"""Namespace and name."""
Listener = Callable[[WatchEventType, JSON], None]

_DOUBT = 10.0


def key_of(obj: JSON) -> Key:
    """Namespace and name of an object."""
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def controller_of(obj: JSON) -> JSON | None:
    """The owner reference that says who controls an object."""
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            found: JSON = owner
            return found
    return None


def _version(obj: JSON) -> int:
    return int(obj["metadata"]["resourceVersion"])


def _uid(obj: JSON) -> str:
    return str(obj["metadata"]["uid"])


class Source:
    """A live cache of one kind, with an index by controller, for any number of listeners.

    Listeners are called on the event loop after the cache has changed, with the newest object.
    """

    def __init__(self, client: KubeClient, kind: Kind, *, fields: str | None = None) -> None:
        self.kind = kind
        self.listeners: list[Listener] = []
        self._objects: dict[Key, JSON] = {}
        self._owned: dict[str, dict[Key, JSON]] = {}
        self._assumed: set[Key] = set()
        self._gone: deque[str] = deque(maxlen=1024)
        self._informer: Informer[JSON] = Informer(
            client, kind, project=lambda item: item, on_event=self._observe, fields=fields
        )

    async def run(self) -> None:
        """Keep the cache until cancelled."""
        await self._informer.run()

    @property
    def synced(self) -> asyncio.Event:
        """Set once all that exists has been seen."""
        return self._informer.synced

    def get(self, key: Key) -> JSON | None:
        """The newest known version of an object."""
        return self._objects.get(key)

    def all(self) -> Iterator[JSON]:
        """Every object known."""
        return iter(list(self._objects.values()))

    def owned_by(self, uid: str) -> list[JSON]:
        """The objects that the object of that uid controls."""
        return list(self._owned.get(uid, {}).values())

    def assume(self, obj: JSON) -> None:
        """Take in what a write answered."""
        if _uid(obj) in self._gone or not self._put(obj):
            return
        key = key_of(obj)
        self._assumed.add(key)
        asyncio.get_running_loop().call_later(_DOUBT, self._doubt, key, _uid(obj))

    def _doubt(self, key: Key, uid: str) -> None:
        known = self._objects.get(key)
        if key in self._assumed and known is not None and _uid(known) == uid:
            self._assumed.discard(key)
            if key not in self._informer.cache:
                self._drop(key)
                self._tell(WatchEventType.DELETED, known)

    def _observe(self, event: WatchEvent[JSON]) -> None:
        obj, key = event.object, key_of(event.object)
        known = self._objects.get(key)
        if event.type is WatchEventType.DELETED:
            self._gone.append(_uid(obj))
            if known is not None and _uid(known) == _uid(obj):
                self._assumed.discard(key)
                self._drop(key)
                self._tell(event.type, known)
            return
        if known is None or _version(known) <= _version(obj):
            self._assumed.discard(key)
        self._put(obj)
        self._tell(event.type, self._objects[key])

    def _put(self, obj: JSON) -> bool:
        key = key_of(obj)
        known = self._objects.get(key)
        if known is not None and _version(known) > _version(obj):
            return False
        if known is not None:
            self._drop(key)
        self._objects[key] = obj
        owner = controller_of(obj)
        if owner is not None:
            self._owned.setdefault(owner["uid"], {})[key] = obj
        return True

    def _drop(self, key: Key) -> None:
        obj = self._objects.pop(key)
        owner = controller_of(obj)
        if owner is not None:
            siblings = self._owned[owner["uid"]]
            del siblings[key]
            if not siblings:
                del self._owned[owner["uid"]]

    def _tell(self, type: WatchEventType, obj: JSON) -> None:
        for listener in self.listeners:
            listener(type, obj)
