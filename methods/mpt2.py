"""P-tuning v2's multi-task form: prefixes trained on all data sets of a kind first, then on each
(Liu et al. 2022, arXiv:2110.07602, section 3.3, "MPT-2").
"""

from __future__ import annotations

from pydantic import Field, field_validator

from bench.errors import unknown
from bench.registry import method
from bench.task import Suite, Task
from bench.tuning import Joint

from .ptv2 import PTuningV2

ALL = "suite"


@method("mpt2")
class MultiTaskPTuningV2(PTuningV2):
    """P-tuning v2 that begins with prefixes trained on the suite's tasks of the same kind, with a head for each.

    The first stage takes `joint_steps` steps, by default as many as the budget says: its steps, or its epochs over all
    the data sets. They come on top of the budget and are recorded apart. `tasks` names the data sets, comma-separated,
    where not all of the suite are wanted; the cell's own is among them in any case.
    """

    tasks: str = Field(ALL, min_length=1)
    joint_steps: int | None = Field(None, ge=1)
    keep_head: bool = True  # go on with the head the first stage trained; else with a new one

    space = {"learning_rate": (5e-3, 1e-2, 3e-2, 6e-2), "length": (20, 8, 64, 128)}

    @field_validator("tasks")
    @classmethod
    def _one_spelling(cls, tasks: str) -> str:
        names = {part.strip() for part in tasks.split(",")} - {""}
        if not names or (ALL in names and len(names) > 1):
            raise ValueError(f"give names of tasks, comma-separated, or {ALL!r} for all")
        return ",".join(sorted(names))

    def joint(self, task: Task, suite: Suite) -> Joint:
        known = {member.name for member in suite.tasks}
        names = known if self.tasks == ALL else set(self.tasks.split(","))
        for name in sorted(names - known):
            raise unknown(f"task of suite {suite.name!r}", name, known)
        chosen = tuple(
            member
            for member in suite.tasks
            if member.name in names | {task.name}
            and member.kind == task.kind
            and (self.head == "linear" or member.has_cloze)
        )
        return Joint(chosen, self.joint_steps, self.keep_head)
