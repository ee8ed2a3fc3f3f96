"""`bench check`: findings on environment, models, data and plugins, or on results folders, a line each as they come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from bench.check.conformance import Ground, check_method, check_task
from bench.check.environment import environment
from bench.check.finding import Finding
from bench.check.folders import data_folder
from bench.check.models import check_models
from bench.check.results import check_results
from bench.commands.folders import RESULTS
from bench.commands.own_data import show_own_data
from bench.errors import UsageError
from bench.registry import find_suite, find_tasks, is_declared, load_plugin, named_methods, suites
from bench.request import CheckRequest, RunRequest
from bench.task import Suite, Task

STYLES = {"passed": "green", "failed": "bold red", "skipped": "yellow", "told": "dim"}
MARKS = {"passed": "passed ", "failed": "FAILED ", "skipped": "skipped", "told": "       "}


def check_all(request: CheckRequest) -> int:
    """Print every finding; 1 when one failed, else 0. UsageError for a name that nobody knows."""
    plugins = [load_plugin(path) for path in request.plugin]
    console = Console()
    request = show_own_data(request, console)
    if request.tasks and request.suite is None:
        raise UsageError(f"--tasks {','.join(request.tasks)}: of which suite? give --suite")
    methods = named_methods([*request.methods, *(name for plugin in plugins for name in plugin.methods)])
    tasks = _tasks(request, [name for plugin in plugins for name in plugin.suites])
    counts = Counter[str]()
    for finding in _findings(request, list(methods), tasks):
        counts[finding.status] += 1
        line = Text.assemble((MARKS[finding.status], STYLES[finding.status]), f" {finding.about}: {finding.check}")
        line.append(f": {finding.note}" if finding.note else "", "dim")
        console.print(line, highlight=False, soft_wrap=not console.is_terminal)
    console.print(", ".join(f"{counts[status]} {status}" for status in ("passed", "failed", "skipped")))
    return 1 if counts["failed"] else 0


def _tasks(request: CheckRequest, brought: list[str]) -> list[tuple[Task, Suite]]:
    """The tasks to be held to the rules, each with its suite: those of the plugins, and those named."""
    chosen = [(task, find_suite(name)) for name in brought for task in find_suite(name).tasks]
    if request.suite is None:
        return chosen
    suite = find_suite(request.suite)
    if is_declared(suite.name) and not request.models:
        return chosen  # a user's own rows: what is read of them is told, and nothing trains
    return [*chosen, *((task, suite) for task in find_tasks(suite, request.tasks))]


def _findings(request: CheckRequest, methods: list[str], tasks: list[tuple[Task, Suite]]) -> Iterator[Finding]:
    embedded = find_suite(RunRequest().suite)
    references = request.models or embedded.models[:1]
    if request.folders:
        for folder in request.folders:
            yield from check_results(folder)
        if request == CheckRequest(folders=request.folders):
            return
    yield from environment(RESULTS)
    models: list[str] = []
    if request.models or methods or tasks:
        models, findings = check_models(references)
        yield from findings
    own = find_suite(request.suite) if request.suite and is_declared(request.suite) else None
    if request.data is not None or own:
        known = {id(task): task for suite in suites().values() for task in suite.tasks if not task.is_data}
        of_suites = [task for task, _ in tasks] or known.values()
        yield from data_folder(request.data, own.tasks if own else of_suites)
    for model in models:
        ground = Ground(embedded.name, model, request.set)
        for name in methods:
            yield from check_method(name, ground)
        for task, suite in tasks:
            yield from check_task(task, suite, ground, request.data)
