"""The reference of the settings: every pydantic-settings class with the docstrings of its fields."""

import ast
import inspect
import socket
import textwrap
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from scripts.reference.markdown import cell, code, table

_PACKAGES = {
    "All parts": ("dalston.kube", "dalston.bus", "dalston.artifacts"),
    "Gateway": ("dalston_gateway",),
    "Operator": ("dalston_operator",),
    "Workers": ("dalston.engine_sdk", "dalston.fetch"),
    "Embedded control plane": ("dalston.localkube",),
}


def page() -> str:
    """The page."""
    text = "# Settings\n\nEvery setting is an environment variable. What is not given has the default.\n\n"
    for title, packages in _PACKAGES.items():
        found = [each for package in packages for each in _classes(package)]
        if found:
            text += f"## {title}\n\n" + "".join(_class(each) for each in found)
    return text


def _classes(package: str) -> list[type[BaseSettings]]:
    """The settings classes that the modules of a package define, in the order of their names."""
    module = import_module(package)
    names = [package]
    for folder in getattr(module, "__path__", []):
        names += [
            found.name
            for found in walk_packages([folder], prefix=f"{package}.")
            if "BaseSettings" in _source(folder, found.name.removeprefix(f"{package}."))
        ]
    classes = {}
    for name in names:
        for each in vars(import_module(name)).values():
            if _is_settings(each) and each.__module__ == name:
                classes[f"{name}.{each.__name__}"] = each
    return [classes[key] for key in sorted(classes)]


def _source(folder: str, name: str) -> str:
    path = Path(folder, *name.split(".")).with_suffix(".py")
    return path.read_text() if path.exists() else ""


def _is_settings(each: Any) -> bool:
    return inspect.isclass(each) and issubclass(each, BaseSettings) and each is not BaseSettings


def _class(settings: type[BaseSettings]) -> str:
    texts = _docstrings(settings)
    prefix = settings.model_config.get("env_prefix", "")
    rows = []
    for name, field in settings.model_fields.items():
        alias = field.validation_alias
        variable = alias if isinstance(alias, str) else f"{prefix}{name}".upper()
        rows.append(
            (code(variable), _default(field), cell(texts.get(name, field.description or "")))
        )
    summary = inspect.cleandoc(settings.__doc__ or "").split("\n\n")[0]
    return f"{summary}\n\n" + table(("Variable", "Default", "Meaning"), rows)


def _default(field: Any) -> str:
    if field.default_factory is not None:
        made = field.default_factory()
        if made == socket.gethostname():
            return "host name"
        return code(str(made)) if made else ""
    if field.default is PydanticUndefined:
        return "required"
    return "" if field.default in (None, "") else code(str(field.default))


def _docstrings(settings: type[BaseSettings]) -> dict[str, str]:
    """The string that follows each field in the source."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(settings)))
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    texts = {}
    for field, text in zip(body, body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            texts[field.target.id] = str(text.value.value)
    return texts
