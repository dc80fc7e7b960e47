"""Defaults and checks of CustomResourceDefinitions; a definition serves from its first write on."""

from __future__ import annotations

import re
from typing import Any

from dalston.localkube import customkinds, errors, metadata
from dalston.localkube.builtin_rules import fixed
from dalston.localkube.errors import FieldError
from dalston.localkube.registry import Strategy

JSON = dict[str, Any]


def _prepare_definition(definition: JSON) -> None:
    spec = definition.setdefault("spec", {})
    names = spec.setdefault("names", {})
    kind = names.get("kind", "")
    names.setdefault("singular", kind.lower())
    names.setdefault("listKind", f"{kind}List")
    spec.setdefault("conversion", {"strategy": "None"})


def _reset_definition(definition: JSON) -> None:
    """A definition's status is the server's: names accepted at once, served from this write on."""
    spec = definition["spec"]
    at = metadata.now()
    definition["status"] = {
        "acceptedNames": spec.get("names", {}),
        "conditions": [
            _condition("NamesAccepted", "NoConflicts", "no conflicts found", at),
            _condition("Established", "InitialNamesAccepted", _ESTABLISHED, at),
        ],
        "storedVersions": [
            version["name"] for version in spec.get("versions") or () if version.get("storage")
        ],
    }


_ESTABLISHED = "the initial names have been accepted"


def _condition(kind: str, reason: str, message: str, at: str) -> JSON:
    return {
        "type": kind,
        "status": "True",
        "lastTransitionTime": at,
        "reason": reason,
        "message": message,
    }


def _validate_definition(definition: JSON, old: JSON | None) -> list[FieldError]:
    spec = definition["spec"]
    found = []
    for name in ("group", "scope", "versions"):
        if not spec.get(name):
            found.append(errors.required(f"spec.{name}"))
    for name in ("plural", "kind"):
        if not spec["names"].get(name):
            found.append(errors.required(f"spec.names.{name}"))
    if found:
        return found
    expected = f"{spec['names']['plural']}.{spec['group']}"
    if definition["metadata"].get("name") != expected:
        detail = f'must be spec.names.plural+"."+spec.group ("{expected}")'
        name = definition["metadata"].get("name")
        found.append(errors.invalid_value("metadata.name", name, detail))
    if spec["scope"] not in ("Namespaced", "Cluster"):
        choices = ["Cluster", "Namespaced"]
        found.append(errors.not_supported("spec.scope", spec["scope"], choices))
    storage = [version for version in spec["versions"] if version.get("storage")]
    if len(storage) != 1:
        detail = "must have exactly one version marked as storage version"
        found.append(errors.invalid_value("spec.versions", "object", detail))
    for index, version in enumerate(spec["versions"]):
        path = f"spec.versions[{index}].schema.openAPIV3Schema"
        if not (version.get("schema") or {}).get("openAPIV3Schema"):
            found.append(errors.required(path, "schemas are required"))
    if not found:
        try:
            customkinds.check_rules(customkinds.kind_of(definition))
        except (ValueError, KeyError, re.error) as problem:
            detail = f"the definition cannot be compiled: {problem}"
            found.append(errors.invalid_value("spec.versions", "object", detail))
    return found + fixed(definition, old, ("spec", "scope"))


CUSTOM_RESOURCE_DEFINITION = Strategy(
    prepare=_prepare_definition,
    validate=_validate_definition,
    reset=_reset_definition,
    generation=True,
    unconditional_update=False,
)
