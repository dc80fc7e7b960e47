"""The reference of the command line, from the command tree."""

import inspect
from typing import Any

import typer

from dalston.cli.app import app
from dalston.cli.exit_codes import ExitCode
from scripts.reference.markdown import cell, code, table


def page() -> str:
    """The page."""
    command = typer.main.get_command(app)
    text = f"# The `dalston` command\n\n{command.help}\n\n"
    text += "".join(_commands(command, "dalston"))
    rows = [(str(int(each)), _meaning(each)) for each in ExitCode]
    return text + "## Exit codes\n\n" + table(("Code", "Meaning"), rows)


def _commands(command: Any, path: str) -> list[str]:
    children = getattr(command, "commands", {})
    if not children:
        return [_command(command, path)]
    return [text for name, child in children.items() for text in _commands(child, f"{path} {name}")]


def _command(command: Any, path: str) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    usage = " ".join([path, *(_argument(each) for each in arguments), "[OPTIONS]"])
    text = f"## `{path}`\n\n```\n{usage}\n```\n\n{_help(command.help)}\n\n"
    rows = [
        (code(_argument(each)), "", cell(getattr(each, "help", None) or "")) for each in arguments
    ]
    rows += [(_names(each), _default(each), _meaning_of(each)) for each in options]
    return text + (table(("Option", "Default", "Meaning"), rows) if rows else "")


def _help(text: str | None) -> str:
    cleaned = inspect.cleandoc(text or "").replace("\b\n", "")
    lines = []
    for line in cleaned.splitlines():
        lines.append(f"    {line.strip()}" if line.startswith("  ") else line)
    return "\n".join(lines)


def _argument(argument: Any) -> str:
    name = argument.name.upper() + ("..." if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def _names(option: Any) -> str:
    names = [code(name) for name in option.opts]
    return ", ".join([*names, *(code(name) for name in option.secondary_opts)])


def _default(option: Any) -> str:
    default = option.default
    if default is None or default == () or callable(default):
        return ""
    if isinstance(default, bool):
        if not option.secondary_opts:
            return ""
        return code(option.opts[0] if default else option.secondary_opts[0])
    return code(str(getattr(default, "value", default)))


def _meaning_of(option: Any) -> str:
    variable = option.envvar
    return cell(option.help or "") + (f" Environment: {code(str(variable))}." if variable else "")


def _meaning(each: ExitCode) -> str:
    return {
        ExitCode.OK: "done",
        ExitCode.FAILED: "the job failed, or the command could not do what it was asked",
        ExitCode.USAGE: "the command line is wrong",
        ExitCode.UNREACHABLE: "the server cannot be reached",
        ExitCode.INTERRUPTED: "interrupted with Ctrl-C",
    }[each]
