"""Writes dalston/localkube/builtin_types.json: the fields of the built-in kinds.

Usage: python scripts/builtin_types.py API_MODULE APIMACHINERY_MODULE, the folders of the Go modules
k8s.io/api and k8s.io/apimachinery. Names, wire numbers, types and list semantics only.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

OUTPUT = Path(__file__).parent.parent / "dalston/localkube/builtin_types.json"
PACKAGES = {
    "core": "core/v1",
    "batch": "batch/v1",
    "apps": "apps/v1",
    "policy": "policy/v1",
    "coordination": "coordination/v1",
    "events": "events/v1",
    "scheduling": "scheduling/v1",
    "authentication": "authentication/v1",
    "authorization": "authorization/v1",
    "autoscaling": "autoscaling/v1",
}
ROOTS = [
    *(
        "core." + name
        for name in ("Namespace Pod Secret ConfigMap ServiceAccount Service Event Node".split())
    ),
    "batch.Job",
    *("apps.Deployment", "apps.ReplicaSet"),
    *("policy.PodDisruptionBudget", "policy.Eviction"),
    *("coordination.Lease", "events.Event", "scheduling.PriorityClass"),
    *(
        "authorization.SelfSubjectAccessReview",
        "authentication.SelfSubjectReview",
        "autoscaling.Scale",
        "meta.DeleteOptions",
    ),
]
FIELD = re.compile(r"^  (optional|repeated|map<string, ([\w.]+)>)\s*([\w.]*)\s+(\w+) = (\d+);$")
INLINE = re.compile(r'json:",inline".*?protobuf:"bytes,\d+,opt,name=(\w+)"')
POINTER = re.compile(r'\*(?:int32|int64|bool|string)\s+`json:"(\w+)')


def qualify(type_name: str, package: str) -> str:
    if type_name in ("string", "int32", "int64", "bool", "bytes", "double"):
        return type_name
    parts = type_name.strip(".").split(".")
    if len(parts) == 1:
        return f"{package}.{parts[0]}"
    if "meta" in parts:
        return f"meta.{parts[-1]}"
    if "api" in parts and "apimachinery" not in parts:
        return f"{parts[parts.index('api') + 1]}.{parts[-1]}"
    return parts[-1]  # Quantity, IntOrString, RawExtension


def in_sources(pattern: re.Pattern[str], folder: Path) -> set[str]:
    return {
        match for file in folder.glob("types*.go") for match in pattern.findall(file.read_text())
    }


def messages(folder: Path, package: str) -> dict[str, dict[str, str]]:
    inline, pointers = in_sources(INLINE, folder), in_sources(POINTER, folder)
    found: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    markers: list[str] = []
    for line in (folder / "generated.proto").read_text().splitlines():
        if line.startswith("message "):
            current = found.setdefault(f"{package}.{line.split()[1]}", {})
        elif line.startswith("  // +"):
            markers.append(line.strip().removeprefix("// +").split(" ")[0])
        elif match := FIELD.match(line):
            label, value, type_name, name, number = match.groups()
            shape = {"optional": "", "repeated": "[]"}.get(label, "{}")
            text = f"{number} {shape}{qualify(value or type_name, package)}"
            flags = " inline" * (name in inline) + " zero" * (name in pointers)
            current[name] = text + flags + semantics(markers)
            markers = []
        elif not line.strip():
            markers = []
    return found


def semantics(markers: list[str]) -> str:
    pairs = dict(marker.split("=", 1) for marker in markers if "=" in marker)
    keys = [marker.split("=", 1)[1] for marker in markers if marker.startswith("listMapKey=")]
    text = ""
    if pairs.get("patchMergeKey"):
        text += f" merge={pairs['patchMergeKey']}"
    elif "merge" in pairs.get("patchStrategy", ""):
        text += " merge"
    if "retainKeys" in pairs.get("patchStrategy", ""):
        text += " retain"
    if pairs.get("listType") == "map":
        text += f" map={','.join(keys)}"
    elif pairs.get("listType") == "set":
        text += " set"
    elif pairs.get("structType") == "atomic" or pairs.get("mapType") == "atomic":
        text += " atomic"
    return text


def main(api: str, machinery: str) -> None:
    every = messages(Path(machinery) / "pkg/apis/meta/v1", "meta")
    for package, folder in PACKAGES.items():
        every |= messages(Path(api) / folder, package)
    reached: dict[str, dict[str, str]] = {}
    queue = list(ROOTS)
    while queue:
        name = queue.pop()
        if name in reached or name not in every:
            continue
        reached[name] = every[name]
        queue += [re.sub(r"^[\[\]{}]+", "", text.split()[1]) for text in every[name].values()]
    lines = [
        f"{json.dumps(name)}: {json.dumps(fields)}" for name, fields in sorted(reached.items())
    ]
    OUTPUT.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
