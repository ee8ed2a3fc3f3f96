"""What every task inherits by being in a suite: the rules of `bench check` on its official layout, a baseline that is
the best constant answer, and every method trains on it.
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from bench.check.finding import in_words
from bench.check.tasks import CHECKS, SHORT, TaskRig
from bench.data.slots import Slots
from bench.plan.cells import plan
from bench.registry import methods, suites
from bench.request import RunRequest
from bench.runner import Runner
from bench.score.metrics import score
from bench.score.trivial import trivial
from bench.store.store import Store
from bench.task import Task
from bench.train.options import Options
from tests.conftest import Quiet, pieces
from tests.suites.layouts import LAYOUTS

TASKS = {(name, task.name): task for name, suite in suites().items() if name != "universal" for task in suite.tasks}
every_task = pytest.mark.parametrize("task", TASKS.values(), ids=[name for _, name in TASKS])
every_rule = pytest.mark.parametrize("rule", CHECKS, ids=map(in_words, CHECKS))


class Rigs(dict[str, TaskRig]):
    """Of each task its examples in the official layout, read once."""

    def __init__(self, tokenizer: object, folder: Path) -> None:
        super().__init__()
        self.tokenizer, self.folder = tokenizer, folder

    def of(self, task: Task) -> TaskRig:
        if task.name not in self:
            self[task.name] = TaskRig(task, self.tokenizer, None if task.source.generate else self.folder)
        return self[task.name]


@pytest.fixture(scope="module")
def rigs(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Rigs:
    folder = tmp_path_factory.mktemp("layouts")
    for write in LAYOUTS.values():
        write(folder)
    return Rigs(AutoTokenizer.from_pretrained(tiny_bert), folder)


@every_rule
@every_task
def test_a_task_keeps_the_rules(task, rule, rigs):
    rule(rigs.of(task))


@every_task
def test_a_plain_form_is_read_at_cls(task, rigs):
    rig = rigs.of(task)
    if not task.facts.has_forms:
        pytest.skip("it has no form")
    for slots in (Slots(), Slots(5), Slots(5, "pattern")):
        for item in rig.items("plain", slots, SHORT):
            assert all([row.ids[at] for at in row.read] == [rig.tokenizer.cls_token_id] for row in item.rows)


@every_task
def test_the_trivial_baseline_is_the_best_constant_answer(task, rigs):
    train, scored = rigs.of(task).examples("train"), rigs.of(task).scored
    found = trivial(task, train, scored)
    assert set(found) == set(task.metrics)
    if task.kind == "span":
        unanswered = sum(not example.answers for example in scored)
        assert found == dict.fromkeys(task.metrics, pytest.approx(100 * unanswered / len(scored)))
    elif task.kind in ("tagging", "regression"):
        assert found[task.main_metric] == 0.0
    else:
        most = len(task.classes) or min(len(example.choices) for example in train)
        constants = [[[label]] * len(scored) for label in range(most)]
        for name, value in found.items():
            assert value in [pytest.approx(score(task, scored, constant)[name]) for constant in constants]


# What differs between tasks of a kind is how a row is laid out, which these tell between them.
FEW = ("linear_probe", "prompting", "prompt_tuning", "ptv2")
FIRST = {task.kind: key for key, task in reversed(TASKS.items())}.values()  # of each kind one
TRAININGS = [
    pytest.param(*key, tuple(methods()), id=f"{key[1]}: all", marks=() if key in FIRST else pytest.mark.slow)
    for key in TASKS
] + [pytest.param(*key, FEW, id=key[1]) for key in TASKS if key not in FIRST]


@pytest.mark.parametrize(("suite", "name", "tried"), TRAININGS)
def test_methods_train_on_it(suite, name, tried, tiny_bert, tmp_path):
    import torch

    task, own = TASKS[suite, name], suites()[suite].tasks
    siblings = [each.name for each in own if each.kind == task.kind and each.name != name][:1]  # for a joint stage
    for each in (name, *siblings):
        LAYOUTS.get(each, lambda _: None)(tmp_path / "data")
    embedded = task.source.generate is not None  # its words are not in the tiny BERT's vocabulary
    model = suites()[suite].models[0] if embedded else str(tiny_bert)
    settings = {"prompt_tuning": {"length": 5}, "ptuning_v1": {"length": 4}, "ptv2": {"length": 4},
                "mpt2": {"length": 4, "tasks": ",".join((name, *siblings))}}  # fmt: skip
    request = RunRequest(
        suite=suite, tasks=(name,), methods=tried, models=(model,), seeds=(0,),
        data=None if embedded else tmp_path / "data",
        steps=3, batch_size=4, max_length=40, evaluations=1, scored_rows=12, train_rows=40,
        set={method: given for method, given in settings.items() if method in tried},
    )  # fmt: skip
    store = Store.create(tmp_path / "out")
    planned = plan(request, "fp32")
    unfit = ({"mpt2"} if not siblings else set()) | ({"prompting", "autoprompt"} if not task.has_cloze else set())
    assert {skip.method.partition(" ")[0] for skip in planned.skips} == unfit & set(tried)
    records = Runner(store, Options(torch.device("cpu")), Quiet()).run(pieces(planned.cells))
    assert [(record.status, record.reason) for record in records] == [("done", None)] * len(planned.cells)
    assert len(planned.cells) + len(planned.skips) == len(tried)
    for record in records:
        assert set(record.scores) == set(record.trivial) == set(TASKS[suite, name].metrics)
        assert all(math.isfinite(value) for value in record.scores.values())
        assert record.counts.scored > 0
