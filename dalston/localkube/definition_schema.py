"""The schema of CustomResourceDefinition itself, for `kubectl explain` and server-side apply."""

from __future__ import annotations

from typing import Any

JSON = dict[str, Any]


def _object(about: str, /, *, required: str = "", **properties: JSON) -> JSON:
    schema: JSON = {"type": "object", "description": about, "properties": properties}
    if required:
        schema["required"] = required.split()
    return schema


def _string(description: str) -> JSON:
    return {"type": "string", "description": description}


def _boolean(description: str) -> JSON:
    return {"type": "boolean", "description": description}


def _integer(description: str) -> JSON:
    return {"type": "integer", "format": "int32", "description": description}


def _list(description: str, items: JSON, *, key: str = "") -> JSON:
    schema: JSON = {"type": "array", "description": description, "items": items}
    schema["x-kubernetes-list-type"] = "map" if key else "atomic"
    if key:
        schema["x-kubernetes-list-map-keys"] = [key]
    return schema


def _free(description: str) -> JSON:
    return {
        "type": "object",
        "description": description,
        "x-kubernetes-preserve-unknown-fields": True,
    }


_STRINGS: JSON = {"type": "string"}
_NAMES = _object(
    "How the resource is called.",
    required="kind plural",
    plural=_string("Plural name, as in the URL."),
    singular=_string("Singular name; the kind in lower case when absent."),
    kind=_string("Name of the kind, in CamelCase."),
    listKind=_string("Kind of a list; KINDList when absent."),
    shortNames=_list("Short names for the command line.", _STRINGS),
    categories=_list("Groups of resources that list this one too.", _STRINGS),
)
_COLUMN = _object(
    "A column of `kubectl get`.",
    required="name type jsonPath",
    name=_string("Heading."),
    type=_string("integer, number, string, boolean or date."),
    jsonPath=_string("Where the value stands in an object."),
    priority=_integer("0 is always shown, more only in wide output."),
    format=_string("Hint for printing."),
    description=_string("What the column means."),
)
_SCALE = _object(
    "Paths of the scale subresource.",
    required="specReplicasPath statusReplicasPath",
    specReplicasPath=_string("Wanted number."),
    statusReplicasPath=_string("Present number."),
    labelSelectorPath=_string("Selector of the pods, as text."),
)
_VERSION = _object(
    "One version of the resource.",
    required="name served storage",
    name=_string("Name, such as v1alpha1."),
    served=_boolean("Whether the API serves it."),
    storage=_boolean("Whether objects are stored in it; exactly one version."),
    deprecated=_boolean("Whether its use brings a warning."),
    deprecationWarning=_string("Text of that warning."),
    schema=_object(
        "Shape of the objects.",
        openAPIV3Schema=_free("Structural OpenAPI v3 schema, with CEL rules."),
    ),
    subresources=_object("Subresources.", status=_free("Splits the status off."), scale=_SCALE),
    additionalPrinterColumns=_list("Columns of `kubectl get`.", _COLUMN),
    selectableFields=_list(
        "Fields that field selectors may name.",
        _object("A field.", required="jsonPath", jsonPath=_string("Its path.")),
    ),
)
_CONDITION = _object(
    "A condition.",
    type=_string("Its type."),
    status=_string("True, False or Unknown."),
    reason=_string("One word why."),
    message=_string("Why, for people."),
    lastTransitionTime={"type": "string", "format": "date-time", "description": "Last change."},
)
OPENAPI: JSON = _object(
    "Declares a kind of resource that the API server then serves.",
    required="spec",
    spec=_object(
        "The declaration.",
        required="group names scope versions",
        group=_string("API group."),
        names=_NAMES,
        scope=_string("Cluster or Namespaced."),
        versions=_list("All versions.", _VERSION),
        conversion=_object("Conversion between versions.", strategy=_string("None.")),
        preserveUnknownFields=_boolean("Must be false."),
    ),
    status=_object(
        "What became of it.",
        conditions=_list("Conditions.", _CONDITION, key="type"),
        acceptedNames=_NAMES,
        storedVersions=_list("Versions in which objects were ever stored.", _STRINGS),
    ),
)
