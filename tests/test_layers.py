"""Import rules that import-linter cannot see: engines are scripts, not packages."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.speech import CHECKOUT

SDKS = ("dalston.engine_sdk", "dalston.realtime_sdk")


def imported(source: str) -> Iterator[str]:
    """Every module that the source imports by absolute name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def forbidden(source: str, *, beside: frozenset[str] = frozenset()) -> list[str]:
    """What an engine imports of this project but the SDKs and the packages beside its module."""
    tops = ((name, name.partition(".")[0]) for name in imported(source))
    ours = (name for name, top in tops if top.startswith("dalston") and top not in beside)
    return [name for name in ours if not name.startswith(SDKS)]


def test_forbidden_finds_what_is_not_the_sdk() -> None:
    source = (
        "from dalston.engine_sdk import Engine\nfrom dalston import bus\nimport dalston_gateway"
    )
    assert forbidden(source) == ["dalston.bus", "dalston_gateway"]


@pytest.mark.parametrize(
    "folder", sorted(CHECKOUT.glob("engines/*/*/")), ids=lambda folder: folder.name
)
def test_engine_imports_the_sdk_alone(folder: Path) -> None:
    beside = frozenset(path.parent.name for path in folder.glob("*/__init__.py"))
    found = {path.name: forbidden(path.read_text(), beside=beside) for path in folder.rglob("*.py")}
    assert {name: names for name, names in found.items() if names} == {}
