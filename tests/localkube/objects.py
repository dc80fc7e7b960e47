"""Objects that tests create."""

from __future__ import annotations

from typing import Any

JSON = dict[str, Any]


def widget(name: str = "w", **spec: Any) -> JSON:
    return {
        "apiVersion": "example.org/v1",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"color": "red", **spec},
    }


def config_map(name: str = "c", **metadata: Any) -> JSON:
    return {"metadata": {"name": name, **metadata}, "data": {"a": "1"}}


def pod(name: str = "p", **spec: Any) -> JSON:
    return {
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "main", "image": "x"}], **spec},
    }


def job(name: str = "j", **spec: Any) -> JSON:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "x"}]}}
    return {"metadata": {"name": name}, "spec": {"template": template, **spec}}
