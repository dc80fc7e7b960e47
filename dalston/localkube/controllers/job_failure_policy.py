"""podFailurePolicy: what one failed pod means for its Job. The first rule that matches decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dalston.localkube.controllers.job_facts import JobFacts
from dalston.localkube.controllers.pods import PodFacts

JSON = dict[str, Any]

COUNT, IGNORE, FAIL_JOB = "Count", "Ignore", "FailJob"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`action` is Count, Ignore or FailJob; `message` says which rule matched."""

    action: str = COUNT
    message: str = ""


def judge(job: JobFacts, pod: PodFacts, *, namespace: str) -> Verdict:
    """Apply the Job's rules to a failed pod."""
    for index, rule in enumerate(job.failure_rules):
        found = _matched(rule, pod, namespace)
        if found:
            action = str(rule["action"])
            known = action if action in (COUNT, IGNORE, FAIL_JOB) else COUNT
            return Verdict(known, f"{found} matching {action} rule at index {index}")
    return Verdict()


def _matched(rule: JSON, pod: PodFacts, namespace: str) -> str:
    """What of the pod matches the rule, in words; empty when nothing does."""
    if "onExitCodes" in rule:
        wanted = rule["onExitCodes"]
        values, inside = set(wanted["values"]), wanted["operator"] == "In"
        for end in pod.exits:
            named = wanted.get("containerName") in (None, end.container)
            if end.code != 0 and named and (end.code in values) is inside:
                return (
                    f"Container {end.container} for pod {namespace}/{pod.name} failed with "
                    f"exit code {end.code}"
                )
        return ""
    for pattern in rule.get("onPodConditions") or ():
        if (pattern["type"], pattern.get("status", "True")) in pod.conditions:
            return f"Pod {namespace}/{pod.name} has condition {pattern['type']}"
    return ""
