"""What every object passes before it is stored: pruning, defaults, schema, names, rules."""

from __future__ import annotations

from typing import Any

from dalston.localkube import cel, errors, metadata
from dalston.localkube.errors import ApiError, FieldError
from dalston.localkube.schema import Findings
from dalston.localkube.targets import Target, WriteOptions

JSON = dict[str, Any]


def admit(target: Target, obj: JSON, *, old: JSON | None, options: WriteOptions) -> None:
    """Defaults, prunes and validates `obj`; raises 422 (or 400 for unknown fields)."""
    kind, schema = target.kind, target.version.schema
    status_only = target.subresource == "status"
    unknown = metadata.tidy(obj["metadata"])
    found = Findings()
    if schema is not None and status_only:
        if schema.status is not None and "status" in obj:
            obj["status"] = schema.status(obj["status"], (None, "status"), found)
    elif schema is not None:
        schema.check(obj, None, found)
    if not status_only and not (found.errors and not kind.custom):
        _prepared(target, obj)
    unknown += found.unknown
    if unknown:
        _report_unknown(target, unknown, options)
    problems = list(found.errors)
    if old is not None and problems:
        problems = [problem for problem in problems if not _unchanged(problem, obj, old)]
    problems += metadata.validate(kind, obj["metadata"])
    if old is not None:
        problems += metadata.validate_update(obj["metadata"], old["metadata"])
    if not problems and not status_only:
        problems += _kind_problems(target, obj, old)
    if schema is not None and schema.rules is not None:
        problems += _rule_problems(schema.rules, obj, old=old, problems=problems)
    if problems:
        meta = obj["metadata"]
        raise invalid(target, meta.get("name", meta.get("generateName", "")), problems)


def invalid(target: Target, name: str, problems: list[FieldError]) -> ApiError:
    """422 for `problems` of the addressed kind."""
    return errors.invalid(target.kind.group, target.kind.kind, name=name, errors=problems)


def _prepared(target: Target, obj: JSON) -> None:
    try:
        target.kind.strategy.prepare(obj)
    except (AttributeError, KeyError, TypeError) as problem:
        raise _unreadable(target, problem) from problem


def _kind_problems(target: Target, obj: JSON, old: JSON | None) -> list[FieldError]:
    try:
        return target.kind.strategy.validate(obj, old)
    except (AttributeError, KeyError, TypeError) as problem:
        raise _unreadable(target, problem) from problem


def _unreadable(target: Target, problem: Exception) -> ApiError:
    """400 for a built-in object whose parts have the wrong types."""
    kind, version = target.kind.kind, target.version.name
    return errors.bad_request(
        f'{kind} in version "{version}" cannot be handled as a {kind}: json: cannot unmarshal: '
        f"{type(problem).__name__}: {problem}"
    )


def _report_unknown(target: Target, unknown: list[str], options: WriteOptions) -> None:
    texts = [f'unknown field "{path}"' for path in unknown]
    if options.field_validation == "Strict":
        kind, version = target.kind.kind, target.version.name
        raise errors.bad_request(
            f'{kind} in version "{version}" cannot be handled as a {kind}: strict decoding error: '
            + ", ".join(texts)
        )
    if options.field_validation == "Warn":
        options.warnings.extend(texts)


_BLOCKING = frozenset(
    ("FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid")
)


def _rule_problems(
    rules: cel.RuleTree, obj: JSON, *, old: JSON | None, problems: list[FieldError]
) -> list[FieldError]:
    if any(problem.reason in _BLOCKING for problem in problems):
        detail = (
            "some validation rules were not checked because the object was invalid; correct the "
            "existing errors to complete validation"
        )
        return [FieldError("<nil>", "FieldValueInvalid", f"Invalid value: null: {detail}")]
    found: list[FieldError] = []
    before = cel.MISSING if old is None else old
    cel.evaluate(rules, obj, old=before, path=None, found=found)
    return found


def _unchanged(problem: FieldError, new: JSON, old: JSON) -> bool:
    """Whether the refused value was there before: an update may leave what it did not touch."""
    steps = problem.path.replace("[", ".[").split(".")
    if problem.reason == "FieldValueRequired":
        steps = steps[:-1]
    after: Any = new
    before: Any = old
    for step in steps:
        key: Any = int(step[1:-1]) if step.startswith("[") and step[1:-1].isdigit() else step
        try:
            after, before = after[key], before[key]
        except (KeyError, IndexError, TypeError):
            return False
    return bool(after == before)
