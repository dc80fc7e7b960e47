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


def forbidden(source: str) -> list[str]:
    """What an engine imports of this project besides the SDKs."""
    ours = (name for name in imported(source) if name.partition(".")[0].startswith("dalston"))
    return [name for name in ours if not name.startswith(SDKS)]


def test_forbidden_finds_what_is_not_the_sdk() -> None:
    source = (
        "from dalston.engine_sdk import Engine\nfrom dalston import bus\nimport dalston_gateway"
    )
    assert forbidden(source) == ["dalston.bus", "dalston_gateway"]


@pytest.mark.parametrize(
    "path", sorted(CHECKOUT.glob("engines/*/*/*.py")), ids=lambda path: path.parent.name
)
def test_engine_imports_the_sdk_alone(path: Path) -> None:
    assert forbidden(path.read_text()) == []
