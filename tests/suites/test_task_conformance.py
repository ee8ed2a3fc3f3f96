"""What every task inherits by being in a suite: its labels come through tokenisation and back, slots or not; perfect
scores make 100 of every metric; its trivial baseline is what the constant answer scores; every method trains on it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from bench.data.examples import read_examples
from bench.data.rows import Item
from bench.data.slots import Slots
from bench.plan.cells import plan
from bench.registry import methods, suites
from bench.request import RunRequest
from bench.runner import Runner
from bench.score.answers import Found
from bench.score.kind import kind_of
from bench.score.metrics import metrics_of, score
from bench.score.predicted import PredictedRows, Prediction
from bench.score.table import prediction_table
from bench.score.trivial import trivial
from bench.store.predictions import read_predictions, write_predictions
from bench.store.store import Store
from bench.task import Example, Split, Task
from bench.train.options import Options
from tests.data.encoder import Form, encoder
from tests.suites.layouts import LAYOUTS

TASKS = {(name, task.name): task for name, suite in suites().items() if name != "universal" for task in suite.tasks}
SLOTS = [Slots(), Slots(5), Slots(5, "pattern")]
LONG, SHORT = 256, 40  # tokens: nothing is cut, and much is
every_task = pytest.mark.parametrize("task", TASKS.values(), ids=[name for _, name in TASKS])
FORMS = {
    f"{task.name}, {form}, {slots.count} slots {slots.place}": (task, form, slots)
    for task in TASKS.values()
    for form in ("plain", *(["cloze"] if task.has_cloze else []))
    for slots in SLOTS
}
every_form = pytest.mark.parametrize(("task", "form", "slots"), FORMS.values(), ids=FORMS)


@pytest.fixture(scope="module")
def tokenizer(tiny_bert: Path):
    return AutoTokenizer.from_pretrained(tiny_bert)


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Task, Split], list[Example]]:
    """Examples of a split in the official layout."""
    folder = tmp_path_factory.mktemp("layouts")
    for write in LAYOUTS.values():
        write(folder)

    def reader(task: Task, split: Split) -> list[Example]:
        found = read_examples(task, split, folder).examples
        return found[:60] if task.source.generate else found

    return reader


def encoded(
    tokenizer, task: Task, found: Sequence[Example], form: Form, slots: Slots, length: int = LONG
) -> list[Item]:
    return encoder(tokenizer, task, form, slots, length)(found)


def perfect(task: Task, item: Item) -> np.ndarray:
    """Scores that say exactly what is wanted of an item."""
    if task.positions_compete:
        bits = [[int(target) >> column & 1 for column in range(task.columns)] for target in item.targets]
        return np.array(bits, np.float32) * 10
    if not task.classes:
        return np.array([[target] for target in item.targets], np.float32)
    return np.array(
        [[10.0 * (target == column) for column in range(task.columns)] for target in item.targets], np.float32
    )


def answers(task: Task, found: Sequence[Example], items: Sequence[Item]) -> list[Found]:
    said = []
    for number, example in enumerate(found):
        own = [item for item in items if item.example == number]
        assert own, f"{example.id} is in no item"
        said.append(kind_of(task).answer(task, example, own, [perfect(task, item) for item in own]))
    return said


def predictions(task: Task, said: Sequence[Found]) -> list[Prediction]:
    return [kind_of(task).prediction(found, 0.0) for found in said]


def random_prediction(task: Task, example: Example, rng: random.Random) -> Prediction:
    """A text, a number, or a number of a class or candidate for each thing asked; often wrong."""
    if "context" in example.texts:
        return rng.choice(["", "word1", *(answer.text for answer in example.answers)])
    if example.value is not None:
        return rng.random()
    most = len(example.choices) or len(task.classes)
    return [rng.randrange(most) for _ in (example.words or [None])]


@every_form
def test_labels_come_through_tokenisation_and_back_and_perfect_scores_make_100(task, form, slots, tokenizer, read):
    found = read(task, task.scored)
    items = encoded(tokenizer, task, found, form, slots)
    assert not any(item.cut for item in items)
    scores = score(task, found, predictions(task, answers(task, found, items)))
    assert scores == dict.fromkeys(task.metrics, pytest.approx(100.0))


@every_task
def test_predictions_on_disk_give_every_score(task, read, tmp_path):
    found, rng = read(task, task.scored), random.Random(task.name)
    said = [random_prediction(task, example, rng) for example in found]
    blank = [Found(probabilities=(1.0,) * len(task.classes)) for _ in found]
    write_predictions(tmp_path / "predictions.parquet", prediction_table(task, found, blank, said))
    rows = PredictedRows(**read_predictions(tmp_path / "predictions.parquet"))
    scores = {name: metric.score(task, rows) for name, metric in metrics_of(task).items()}
    assert scores == pytest.approx(score(task, found, said))


@every_form
def test_positions_are_where_the_encoder_says(task, form, slots, tokenizer, read):
    for item in encoded(tokenizer, task, read(task, task.scored), form, slots, SHORT):
        for row in item.rows:
            assert len(row.ids) == len(row.types) <= SHORT + slots.count
            assert len(row.slots) == slots.count
            assert {row.ids[at] for at in row.slots} <= {tokenizer.pad_token_id}
            assert not set(row.slots) & set(row.read)
            if form == "cloze":
                assert {row.ids[at] for at in row.read} == {tokenizer.mask_token_id}
            if task.facts.has_forms and form == "plain":
                assert [row.ids[at] for at in row.read] == [tokenizer.cls_token_id]


@every_task
def test_slots_move_what_is_read_and_nothing_else(task, tokenizer, read):
    found = read(task, task.scored)
    without, with_slots = (encoded(tokenizer, task, found, "plain", Slots(count)) for count in (0, 7))
    for one, other in zip(without, with_slots, strict=True):
        assert (one.targets, one.places, one.spans) == (other.targets, other.places, other.spans)
        for first, second in zip(one.rows, other.rows, strict=True):
            assert [at + 7 for at in first.read] == second.read
            assert first.ids == second.ids[7:]


@every_task
def test_when_texts_are_cut_every_example_is_still_answered_once(task, tokenizer, read):
    found = read(task, task.scored)
    said = answers(task, found, encoded(tokenizer, task, found, "plain", Slots(), SHORT))
    scores = score(task, found, predictions(task, said))
    assert all((-100 if found[0].value is not None else 0) <= value <= 100 for value in scores.values())


@every_task
def test_the_trivial_baseline_is_the_best_constant_answer(task, read):
    train, scored = read(task, "train"), read(task, task.scored)
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


@every_task
def test_a_random_answer_is_not_perfect(task, read):
    """A metric that gives 100 to anything would pass the tests above."""
    rng, found = random.Random(0), read(task, task.scored)
    said = [random_prediction(task, example, rng) for example in found]
    assert all(value < 100 for value in score(task, found, said).values())


class Quiet:
    """An audience that listens to nothing."""

    def loop(self, cells):
        from contextlib import nullcontext

        return nullcontext()

    def step(self, progress) -> None: ...

    def finished(self, record) -> None: ...


@pytest.mark.parametrize(("suite", "name"), TASKS, ids=[name for _, name in TASKS])
def test_every_method_trains_on_it(suite, name, tiny_bert, tmp_path):
    import torch

    task, own = TASKS[suite, name], suites()[suite].tasks
    siblings = [each.name for each in own if each.kind == task.kind and each.name != name][:1]  # for a joint stage
    for each in (name, *siblings):
        LAYOUTS.get(each, lambda _: None)(tmp_path / "data")
    embedded = task.source.generate is not None  # its words are not in the tiny BERT's vocabulary
    model = suites()[suite].models[0] if embedded else str(tiny_bert)
    request = RunRequest(
        suite=suite, tasks=(name,), methods=tuple(methods()), models=(model,), seeds=(0,),
        data=None if embedded else tmp_path / "data",
        steps=3, batch_size=4, max_length=40, evaluations=1, scored_rows=12, train_rows=100,
        set={"prompt_tuning": {"length": 5}, "ptuning_v1": {"length": 4}, "ptv2": {"length": 4},
             "mpt2": {"length": 4, "tasks": ",".join((name, *siblings))}},
    )  # fmt: skip
    store = Store.create(tmp_path / "out")
    planned = plan(request, "fp32")
    unfit = ({"mpt2"} if not siblings else set()) | ({"prompting", "autoprompt"} if not task.has_cloze else set())
    assert {skip.method.partition(" ")[0] for skip in planned.skips} == unfit
    with store.writing():
        records = Runner(store, Options(torch.device("cpu")), Quiet()).run(planned.cells)
    assert [(record.status, record.reason) for record in records] == [("done", None)] * len(planned.cells)
    assert len(planned.cells) + len(planned.skips) == len(methods())
    for record in records:
        assert set(record.scores) == set(record.trivial) == set(TASKS[suite, name].metrics)
        assert all(math.isfinite(value) for value in record.scores.values())
        assert record.counts.scored > 0
