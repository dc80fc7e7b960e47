"""JSON merge patch (RFC 7396) and JSON patch (RFC 6902), applied to a private copy of an object."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from dalston.localkube import builtin_types, errors
from dalston.localkube.registry import Version
from dalston.localkube.strategic import strategic_merge

JSON = dict[str, Any]

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


def merge_patch(target: Any, patch: Any) -> Any:
    """`target` changed as the merge patch says: null deletes, objects merge, the rest replaces."""
    if not isinstance(patch, dict):
        return patch
    result = target if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


class _PatchError(Exception):
    """An operation that cannot be carried out."""


def json_patch(target: Any, operations: Any) -> Any:
    """`target` after all operations. Raises ApiError 422 when one of them fails."""
    if not isinstance(operations, list):
        raise errors.bad_request("json patch must be a list of operations")
    holder = {"": target}
    for number, operation in enumerate(operations):
        try:
            _operate(holder, operation)
        except (_PatchError, KeyError, IndexError, ValueError, TypeError, AttributeError) as why:
            raise errors.ApiError(
                422,
                "Invalid",
                "the server rejected our request due to an error in our request",
                details={
                    "causes": [
                        {
                            "reason": "UnexpectedServerResponse",
                            "message": f"operation {number} ({operation}): {why}",
                        }
                    ]
                },
            ) from why
    return holder[""]


def _tokens(pointer: str) -> list[str]:
    if pointer and not pointer.startswith("/"):
        raise _PatchError(f"invalid pointer {pointer!r}")
    # The document itself hangs under the empty key, so that the root is no special case.
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")]


def _parent(document: Any, tokens: list[str]) -> Any:
    for token in tokens[:-1]:
        document = document[int(token)] if isinstance(document, list) else document[token]
    return document


def _read(document: Any, pointer: str) -> Any:
    tokens = _tokens(pointer)
    parent = _parent(document, tokens)
    return parent[int(tokens[-1])] if isinstance(parent, list) else parent[tokens[-1]]


def _add(document: Any, pointer: str, value: Any) -> None:
    tokens = _tokens(pointer)
    parent = _parent(document, tokens)
    if isinstance(parent, list):
        index = len(parent) if tokens[-1] == "-" else int(tokens[-1])
        if not 0 <= index <= len(parent):
            raise _PatchError(f"index {index} is out of bounds")
        parent.insert(index, value)
    elif isinstance(parent, dict):
        parent[tokens[-1]] = value
    else:
        raise _PatchError(f"{pointer} has no container")


def _remove(document: Any, pointer: str) -> Any:
    tokens = _tokens(pointer)
    parent = _parent(document, tokens)
    return parent.pop(int(tokens[-1]) if isinstance(parent, list) else tokens[-1])


def _replace(document: Any, pointer: str, value: Any) -> None:
    tokens = _tokens(pointer)
    parent = _parent(document, tokens)
    key: Any = int(tokens[-1]) if isinstance(parent, list) else tokens[-1]
    parent[key]
    parent[key] = value


def _operate(document: Any, operation: JSON) -> None:
    name, pointer = operation["op"], operation["path"]
    if name == "add":
        _add(document, pointer, operation["value"])
    elif name == "remove":
        _remove(document, pointer)
    elif name == "replace":
        _replace(document, pointer, operation["value"])
    elif name == "move":
        _add(document, pointer, _remove(document, operation["from"]))
    elif name == "copy":
        _add(document, pointer, copy.deepcopy(_read(document, operation["from"])))
    elif name == "test":
        if _read(document, pointer) != operation.get("value"):
            raise _PatchError(f"testing value {pointer} failed")
    else:
        raise _PatchError(f"unknown operation {name!r}")


def mutation(media: str, patch: Any, version: Version) -> Callable[[JSON], Any]:
    """What a PATCH of type `media` does to an object of `version`."""
    if media == JSON_PATCH:
        return lambda obj: json_patch(obj, patch)
    if not isinstance(patch, dict):
        raise errors.bad_request("the patch must be an object")
    if media == STRATEGIC and version.message:
        schema = builtin_types.full_schema(version.message)
        return lambda obj: strategic_merge(obj, patch, schema)
    return lambda obj: merge_patch(obj, patch)
