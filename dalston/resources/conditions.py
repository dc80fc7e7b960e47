"""metav1.Condition lists: observations of a resource, keyed by type."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from pydantic import Field

from dalston.resources.meta import KubeModel, Time


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(KubeModel):
    """metav1.Condition: one observation, with a machine-readable reason and a message for people."""

    type: str = Field(max_length=316, description="Name of the condition, in CamelCase.")
    status: ConditionStatus = Field(description="True, False or Unknown.")
    reason: str = Field(
        min_length=1, max_length=1024, description="Why, as one CamelCase word of a closed set."
    )
    message: str = Field(default="", max_length=32768, description="Why, for people.")
    last_transition_time: Time = Field(description="When the status last changed.")
    observed_generation: int | None = Field(
        default=None, description="The metadata.generation that this observation is of."
    )


def find_condition(conditions: Sequence[Condition], type: str) -> Condition | None:
    """Give the condition of that type, or None."""
    return next((condition for condition in conditions if condition.type == type), None)


def condition_is(conditions: Sequence[Condition], type: str, status: ConditionStatus) -> bool:
    """Tell whether the condition of that type is present with that status."""
    found = find_condition(conditions, type)
    return found is not None and found.status == status


def set_condition(
    conditions: Sequence[Condition],
    *,
    type: str,
    status: ConditionStatus,
    reason: str,
    message: str = "",
    now: datetime,
    generation: int | None = None,
) -> list[Condition]:
    """Give the list with that condition set; its transition time moves only when the status changes."""
    previous = find_condition(conditions, type)
    same = previous is not None and previous.status == status
    updated = Condition(
        type=type,
        status=status,
        reason=reason,
        message=message,
        last_transition_time=previous.last_transition_time if same and previous else now,
        observed_generation=generation,
    )
    if previous is None:
        return [*conditions, updated]
    return [updated if condition.type == type else condition for condition in conditions]
