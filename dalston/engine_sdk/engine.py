"""The class that every batch engine is: load once, then process tasks."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Literal

from dalston.engine_sdk.models import ModelResolver
from dalston.engine_sdk.task import Task
from dalston.pipeline.results import StageResult

Device = Literal["cpu", "cuda"]


@dataclass(frozen=True, kw_only=True)
class EngineContext:
    """What an engine is given: its settings, its models, and what it may use of the machine.

    `name` is that of the Engine object, `parameters` its `spec.parameters.values` over the defaults of
    their schema, `threads` the processor threads that all tasks at once may use.
    """

    name: str
    parameters: dict[str, Any] = field(default_factory=dict)
    models: ModelResolver = field(default_factory=ModelResolver)
    device: Device = "cpu"
    threads: int = 1


class Engine(ABC):
    """An engine: performs the stages that its `engine.yaml` names.

    `engine.py` holds exactly one subclass. One object serves all tasks of a worker; with
    `workers.concurrency` above 1, `process` is called in several threads at once.
    """

    def __init__(self, context: EngineContext) -> None:
        self.context = context

    def load(self) -> None:  # noqa: B027 - most engines have nothing to load
        """Load models; called once, in an engine thread, before the first task."""

    @abstractmethod
    def process(self, task: Task) -> StageResult:
        """Perform one task and give the result of its stage (`PrepareResult`, ...).

        Runs in a thread and may block. Raise InputError for what is the input's fault; any other
        exception counts as a failure of the worker, and the task is tried again. Long work calls
        `task.progress()` and `task.check_cancelled()` every few seconds.
        """
