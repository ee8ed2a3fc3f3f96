"""What holds for every task of every suite: it is declared whole, and its made-up data become Examples."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.data.examples import read_examples
from bench.registry import find_suite, suites
from bench.report.read import published
from bench.score.metrics import metrics_of
from bench.task import Example, Split, Task
from tests.suites.layouts import LAYOUTS

SUITES = {name: suite for name, suite in suites().items() if name != "smoke"}  # the embedded one makes its rows
TASKS = {task.name: task for suite in SUITES.values() for task in suite.tasks}
NOT_ON_THE_HUB = {"conll05_wsj", "conll05_brown", "srl_ewt"}
NOT_IN_THE_PAPER = {"srl_ewt", *(task.name for task in SUITES["glue"].tasks if task.name not in ("sst2", "rte"))}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder with all tasks' data, as for the suite `universal`."""
    folder = tmp_path_factory.mktemp("data")
    for write in LAYOUTS.values():
        write(folder)
    return folder


def examples(task: Task, split: Split, data: Path) -> list[Example]:
    reading = read_examples(task, split, data)
    assert reading.left_out == {}
    return reading.examples


def fields(form: str | None) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", form or ""))


def test_every_task_has_a_layout() -> None:
    assert set(LAYOUTS) == set(TASKS)


def test_the_universal_suite_has_every_task_once() -> None:
    names = [task.name for task in find_suite("universal").tasks]
    assert sorted(names) == sorted(TASKS)


def test_the_universal_suite_has_every_published_task_and_metric() -> None:
    table = published.read()
    main = table[table["source"].isin(["table 2", "table 3", "table 4"])]
    assert set(main["task"]) == set(TASKS) - NOT_IN_THE_PAPER
    for name, metric in set(zip(main["task"], main["metric"], strict=True)):
        # the paper does not say whether its F1 of roles counts the predicate's span
        assert metric in (*TASKS[name].metrics, "f1" if name.startswith("conll05") or name == "conll12" else "")


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_s_average_is_of_its_own_tasks(suite: str) -> None:
    assert set(SUITES[suite].average) <= {task.name for task in SUITES[suite].tasks}


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
class TestEveryTask:
    def test_is_declared_whole(self, task: Task) -> None:
        assert set(metrics_of(task)) == set(task.metrics)
        assert task.licence
        assert task.citation
        assert task.obtain.endswith(".")
        assert all("{split}" in place for place in task.source.local)
        assert (task.source.hub is None) == (task.name in NOT_ON_THE_HUB)
        assert set(task.splits("paper")) == set(task.sizes)

    def test_has_a_cloze_form_of_single_lower_case_words(self, task: Task) -> None:
        assert task.has_cloze == (task.facts.cloze is not None)
        assert all(re.fullmatch("[a-z]+", word) for word in task.words.values())
        assert len(set(task.words.values())) == len(task.words)
        if task.pattern is not None:
            assert task.pattern.count("[P]") == 1

    def test_reads_its_layout(self, task: Task, data: Path) -> None:
        for split in task.splits("paper"):
            found = examples(task, split, data)
            assert 12 <= len(found) <= 60
            assert len({example.id for example in found}) == len(found)
            for example in found:
                CHECKS[task.kind](task, example)
            if task.kind == "classification":
                assert {example.labels for example in found} == {(label,) for label in range(len(task.classes))}


def _classification(task: Task, example: Example) -> None:
    wanted = fields(task.plain) | fields(task.pattern)
    assert wanted <= set(example.texts)
    assert all(example.texts[name].strip() for name in wanted)


def _choice(task: Task, example: Example) -> None:
    assert len(example.choices) >= 2
    assert set(example.labels) <= set(range(len(example.choices)))
    assert example.labels
    for choice in example.choices:
        assert choice["choice"].strip()
        assert fields(task.plain) | fields(task.pattern) <= {*example.texts, *choice}


def _tagging(task: Task, example: Example) -> None:
    assert len(example.words) == len(example.labels)
    verbs = [place for place, label in enumerate(example.labels) if task.classes[label] == "B-V"]
    assert list(example.marks) == verbs


def _regression(task: Task, example: Example) -> None:
    assert fields(task.plain) <= set(example.texts)
    assert example.labels == ()
    assert example.value is not None


def _span(task: Task, example: Example) -> None:
    context = example.texts["context"]
    assert all(context[answer.start : answer.start + len(answer.text)] == answer.text for answer in example.answers)
    assert example.answers or task.answerless
    assert example.group is not None


CHECKS = {
    "classification": _classification,
    "choice": _choice,
    "tagging": _tagging,
    "span": _span,
    "regression": _regression,
}


def test_an_answerless_task_has_questions_without_an_answer(data: Path) -> None:
    assert {example.labels for example in examples(TASKS["squad2"], "train", data)} == {(0,), (1,)}


def test_every_set_of_the_hub_has_a_revision_of_its_own() -> None:
    """A commit, or a branch with the commit that was looked at; of the hub's conversions none is known."""
    for task in TASKS.values():
        if task.source.hub is not None:
            revision = task.source.revision or ""
            assert re.fullmatch("[0-9a-f]{40}", revision) or task.source.commit or revision == "refs/convert/parquet"


def test_rte_is_one_task_in_glue_and_superglue(data: Path) -> None:
    """GLUE's table of it has the same pairs under other names."""
    rte = find_suite("glue").task("rte")
    assert rte is find_suite("superglue").task("rte")
    (folder := data.parent / "tables" / "RTE").mkdir(parents=True)
    for split, name in (("train", "train"), ("dev", "dev")):
        read = examples(rte, split, data)
        texts = [[each.texts[name] for name in ("premise", "hypothesis")] for each in read]
        lines = [
            "\t".join([each.id, *pair, rte.classes[each.labels[0]]]) for each, pair in zip(read, texts, strict=True)
        ]
        (folder / f"{name}.tsv").write_text("\n".join(["index\tsentence1\tsentence2\tlabel", *lines]) + "\n")
        assert examples(rte, split, folder.parent) == read


def test_conll03_s_iob1_becomes_bio(data: Path) -> None:
    task = TASKS["conll03"]
    first = {task.classes[example.labels[0]] for example in examples(task, "train", data)}
    assert {tag[:2] for tag in first} <= {"O", "B-"}


def test_the_two_test_sets_of_conll05_share_train_and_dev(data: Path) -> None:
    wsj, brown = TASKS["conll05_wsj"], TASKS["conll05_brown"]
    assert examples(wsj, "train", data) == examples(brown, "train", data)
    assert examples(wsj, "test", data) != examples(brown, "test", data)
