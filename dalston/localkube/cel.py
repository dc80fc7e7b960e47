"""`x-kubernetes-validations`: CEL rules, compiled once, evaluated where they stand in a schema.

A part of an object that an update leaves as it was is not evaluated again (validation ratcheting), which is
also what keeps status writes cheap. Rules run only on objects that passed the schema's own checks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dalston.localkube import celfunctions, formats
from dalston.localkube.errors import FieldError
from dalston.localkube.schema import Path, render

if TYPE_CHECKING:
    import cel

MISSING: Any = object()
"""Stands for "no old value" where None would mean null."""

_KEYWORDS = frozenset(
    "true false null in as break const continue else for function if import let loop package "
    "namespace return var void while".split()
)
_OLD_SELF = re.compile(r"\boldSelf\b")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def library() -> Any:
    """The CEL library; imported late because it takes a good part of a start."""
    import cel

    return cel


_FAILURES = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)
"""What the library raises for an expression that cannot be evaluated."""

View = Callable[[Any], Any]
"""Turns a JSON value into what CEL sees (numbers as doubles, times as timestamps, escaped names)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One validation rule, compiled."""

    source: str
    program: cel.Program
    transition: bool
    message: str
    message_program: cel.Program | None
    reason: str
    field_path: str
    functions: Mapping[str, Callable[..., Any]]


@dataclass(slots=True)
class RuleTree:
    """The rules of a schema node and of the nodes below it that have any."""

    shown: str
    rules: list[Rule] = field(default_factory=list)
    view: View | None = None
    properties: dict[str, RuleTree] = field(default_factory=dict)
    values: RuleTree | None = None
    items: RuleTree | None = None
    list_keys: tuple[str, ...] = ()

    def empty(self) -> bool:
        return not (self.rules or self.properties or self.values or self.items)


def compile_rules(schema: Mapping[str, Any], where: str = "") -> RuleTree | None:
    """The rules in `schema`, None when there are none. Raises ValueError for bad syntax."""
    tree = RuleTree(shown=schema.get("type", "object"))
    declared = schema.get("x-kubernetes-validations") or ()
    tree.rules = [_rule(rule, where) for rule in declared]
    if tree.rules:
        tree.view = compile_view(schema)
    for name, sub in (schema.get("properties") or {}).items():
        below = compile_rules(sub, f"{where}.{name}")
        if below is not None:
            tree.properties[name] = below
    extra = schema.get("additionalProperties")
    if isinstance(extra, Mapping):
        tree.values = compile_rules(extra, f"{where}.*")
    if isinstance(schema.get("items"), Mapping):
        tree.items = compile_rules(schema["items"], f"{where}[]")
        if schema.get("x-kubernetes-list-type") == "map":
            tree.list_keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
    return None if tree.empty() else tree


def _rule(declared: Mapping[str, Any], where: str) -> Rule:
    source = declared["rule"]
    expression = declared.get("messageExpression")
    used = set(_IDENTIFIER.findall(f"{source} {expression or ''}"))
    try:
        return Rule(
            source=source,
            program=library().compile(source),
            transition=bool(_OLD_SELF.search(source)),
            message=declared.get("message") or f"failed rule: {source.strip()}",
            message_program=library().compile(expression) if expression else None,
            reason=declared.get("reason") or "FieldValueInvalid",
            field_path=declared.get("fieldPath") or "",
            functions={n: f for n, f in celfunctions.FUNCTIONS.items() if n in used},
        )
    except ValueError as problem:
        raise ValueError(f"{where or '.'}: compilation failed: {problem}") from problem


def evaluate(tree: RuleTree, value: Any, *, old: Any, path: Path, found: list[FieldError]) -> None:
    """Adds to `found` what the rules say of `value`, `old` being its predecessor or MISSING."""
    if old is not MISSING and value == old:
        return
    if tree.rules:
        _evaluate_rules(tree, value, old=old, path=path, found=found)
    if isinstance(value, dict):
        before = old if isinstance(old, dict) else {}
        for name, below in tree.properties.items():
            if name in value and value[name] is not None:
                evaluate(
                    below,
                    value[name],
                    old=before.get(name, MISSING),
                    path=(path, name),
                    found=found,
                )
        if tree.values is not None:
            for name in value.keys() - tree.properties.keys():
                evaluate(
                    tree.values,
                    value[name],
                    old=before.get(name, MISSING),
                    path=(path, name),
                    found=found,
                )
    elif isinstance(value, list) and tree.items is not None:
        previous = _by_keys(old, tree.list_keys)
        for index, element in enumerate(value):
            before_item = previous.get(_keys_of(element, tree.list_keys), MISSING)
            evaluate(tree.items, element, old=before_item, path=(path, index), found=found)


def _keys_of(element: Any, keys: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(element.get(key) for key in keys) if isinstance(element, dict) else ()


def _by_keys(old: Any, keys: tuple[str, ...]) -> dict[tuple[Any, ...], Any]:
    """Old elements by their keys; only lists of type map can be correlated."""
    if not keys or not isinstance(old, list):
        return {}
    return {_keys_of(element, keys): element for element in old}


def _evaluate_rules(
    tree: RuleTree, value: Any, *, old: Any, path: Path, found: list[FieldError]
) -> None:
    rules = [rule for rule in tree.rules if not (rule.transition and old is MISSING)]
    if not rules:
        return
    view = tree.view or _same
    variables = {"self": view(value)}
    if any(rule.transition for rule in rules):
        variables["oldSelf"] = view(old)
    functions: dict[str, Callable[..., Any]] = {}
    for rule in rules:
        functions.update(rule.functions)
    context = library().Context(variables=variables, functions=functions)
    for rule in rules:
        problem = _broken(rule, context)
        if problem is not None:
            where = render(path) + rule.field_path
            text = _worded(rule.reason, problem, shown=tree.shown)
            found.append(FieldError(where.removeprefix("."), rule.reason, text))


def _worded(reason: str, problem: str, *, shown: str) -> str:
    if reason == "FieldValueForbidden":
        return f"Forbidden: {problem}"
    if reason == "FieldValueRequired":
        return f"Required value: {problem}"
    if reason == "FieldValueDuplicate":
        return f'Duplicate value: "{shown}"'
    return f'Invalid value: "{shown}": {problem}'


def _broken(rule: Rule, context: cel.Context) -> str | None:
    """Why `rule` refuses, None when it holds."""
    try:
        if rule.program.execute(context) is True:
            return None
    except KeyError as missing:
        return f"no such key: {missing.args[0]} evaluating rule: {rule.message}"
    except _FAILURES as problem:
        return f"{problem} evaluating rule: {rule.message}"
    if rule.message_program is not None:
        try:
            text = rule.message_program.execute(context)
        except _FAILURES:
            # The documented fallback of messageExpression is the rule's own message.
            return rule.message
        if isinstance(text, str) and text.strip() and "\n" not in text:
            return text
    return rule.message


def escape(name: str) -> str:
    """A property name as CEL rules write it (`__dash__` and the like)."""
    if name in _KEYWORDS:
        return f"__{name}__"
    escaped = name.replace("__", "__underscores__").replace(".", "__dot__")
    return escaped.replace("-", "__dash__").replace("/", "__slash__")


def compile_view(schema: Mapping[str, Any]) -> View:
    """The conversion to CEL values of one schema node; identity where nothing differs."""
    return _view(schema) or _same


def _same(value: Any) -> Any:
    return value


def _view(schema: Mapping[str, Any]) -> View | None:
    kind, wanted = schema.get("type"), schema.get("format")
    if schema.get("x-kubernetes-int-or-string"):
        return None
    if kind == "number":
        return lambda value: float(value) if isinstance(value, int) else value
    if kind == "string" and wanted in ("date-time", "datetime"):
        return lambda value: formats.parse_date_time(value) if value is not None else None
    if kind == "string" and wanted == "duration":
        return lambda value: formats.parse_duration(value) if value is not None else None
    if kind == "array" and isinstance(schema.get("items"), Mapping):
        element = _view(schema["items"])
        if element is not None:
            convert = element
            return lambda value: [convert(item) for item in value] if value else value
    if kind == "object":
        return _object_view(schema)
    return None


def _object_view(schema: Mapping[str, Any]) -> View | None:
    names: dict[str, tuple[str, View]] = {}
    for name, sub in (schema.get("properties") or {}).items():
        below, visible = _view(sub), escape(name)
        if below is not None or visible != name:
            names[name] = (visible, below or _same)
    extra = schema.get("additionalProperties")
    values = _view(extra) if isinstance(extra, Mapping) else None
    if not names and values is None:
        return None

    def view(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        seen: dict[str, Any] = {}
        for name, item in value.items():
            special = names.get(name)
            if special is not None:
                seen[special[0]] = special[1](item)
            else:
                seen[name] = values(item) if values is not None else item
        return seen

    return view
