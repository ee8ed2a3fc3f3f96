"""The rules of methods and tasks, asked of what a plugin brings, or of any by name, on an embedded model or another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, get_args

from bench.check import methods as method_rules
from bench.check import tasks as task_rules
from bench.check.finding import Finding, Skipped, attempt, in_words
from bench.check.rig import Rig
from bench.model.needs import HeadKind
from bench.registry import find_suite, temporary
from bench.task import Suite, Task


@dataclass(frozen=True)
class Ground:
    """What rules are tried on: a suite of tasks of several kinds, a model, and settings per method."""

    suite: str
    model: str
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def check_method(name: str, ground: Ground) -> Iterator[Finding]:
    """A finding for the method's settings, then one for each task of the suite with each head."""
    yield attempt(f"method {name}", "settings", partial(method_rules.settings_are_possible, name))
    rig = Rig(ground.suite, ground.model, settings=ground.settings)
    for task in find_suite(ground.suite).tasks:
        for head in get_args(HeadKind):
            yield _joined(
                f"method {name}",
                f"{task.name} ({task.kind}), {head} head",
                [
                    attempt(name, in_words(rule), partial(rule, rig, name, task.name, head))
                    for rule in method_rules.CHECKS
                ],
            )


def check_task(task: Task, suite: Suite, ground: Ground, data: Path | None) -> Iterator[Finding]:
    """A finding for each rule of tasks, and one for each method of its suite: whether it trains on it.

    Rows are the task's own where it generates them or `data` has its files, else made up from its declaration.
    """
    from bench.model.pretrained import load_tokenizer
    from bench.model.source import find_model

    about, tokenizer = f"task {task.name}", load_tokenizer(find_model(ground.model))
    try:
        tried, folder, rows = task_rules.with_rows(task, tokenizer, data)
    except Skipped as reason:
        yield Finding(about, "rows", "skipped", str(reason))
        return
    yield Finding(about, "rows", "told", rows)
    of_task = task_rules.TaskRig(tried, tokenizer, folder, exact=folder is None)
    for rule in task_rules.CHECKS:
        yield attempt(about, in_words(rule), partial(rule, of_task))
    alone = suite.model_copy(update={"name": f"check of {task.name}", "tasks": (tried,), "average": ()})
    with temporary(alone):
        rig = Rig(alone.name, ground.model, folder, ground.settings)
        for name in suite.methods or find_suite(ground.suite).methods:
            ask = partial(method_rules.trains_what_it_should, rig, name, task.name)
            yield attempt(about, f"trains with {name}", ask)


def _joined(about: str, check: str, findings: Iterable[Finding]) -> Finding:
    """One finding of several: failed when one is, skipped when all that say more than a reason are."""
    every = list(findings)
    failed = [finding for finding in every if finding.status == "failed"]
    if failed:
        return Finding(about, check, "failed", "; ".join(f"{finding.check}: {finding.note}" for finding in failed))
    skipped = [finding for finding in every if finding.status == "skipped"]
    passed = [finding.check for finding in every if finding.status == "passed"]
    if len(skipped) >= len(every) - 1:  # whether it is refused with a reason can always be asked
        return Finding(about, check, "skipped", skipped[0].note)
    return Finding(about, check, "passed", ", ".join(passed))
