"""P-tuning v2's multi-task form: a first stage over the data sets of a kind, and what its cells depend on."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from bench.errors import UsageError
from bench.joint import stage_cells, stage_key
from bench.model.attachment import LayerPrefixes
from bench.plan.cells import plan
from bench.registry import build, find_method
from bench.request import RunRequest
from bench.resolved import resolve
from bench.runner import Runner
from bench.store.store import Store
from bench.task import Source, Suite, Task
from bench.train import joint
from bench.train.joint import first_stage
from bench.train.options import Options
from bench.train.run_data import RunData
from tests.conftest import Quiet, Workshop, pieces, write_superglue

ALL_THREE = {"mpt2": {"tasks": "boolq,cb,rte"}}
SHORT = {"steps": 2, "evaluations": 1}


def by_task(workshop, **changes):
    return {cell.task: cell for cell in workshop.cells("mpt2", tasks=("rte", "cb"), settings=ALL_THREE, **changes)}


def trained_stage(cell, backbone):
    return first_stage(resolve(cell), backbone, RunData(), 300)


def measured(cells, folder):
    return Runner(Store.create(folder), Options(torch.device("cpu")), Quiet()).run(pieces(cells))


def started(workshop, cell):
    backbone = workshop.backbone()
    return trained_stage(cell, backbone), workshop.lane(cell, backbone)


def respell(path: Path, number: int) -> None:
    """Give one row of a file another text."""
    lines = path.read_text().splitlines()
    row = json.loads(lines[number])
    name = next(name for name in ("premise", "passage") if name in row)
    lines[number] = json.dumps({**row, name: "word59 " + row[name]})
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def spoiled(tiny_bert, tmp_path):
    return Workshop(tiny_bert, write_superglue(tmp_path / "spoiled"))


def test_another_row_in_a_siblings_train_split_is_another_cell(spoiled):
    before, plain = by_task(spoiled), spoiled.cells("ptv2")
    assert [each.task for each in before["rte"].joint] == ["boolq", "cb", "rte"]
    respell(spoiled.data / "CB" / "train.jsonl", 3)
    after = by_task(spoiled)
    assert after["rte"].id != before["rte"].id
    assert after["cb"].id != before["cb"].id
    assert spoiled.cells("ptv2")[0].id == plain[0].id


def test_a_siblings_dev_split_changes_nothing(spoiled):
    before = by_task(spoiled, budget=SHORT)["rte"]
    start = trained_stage(before, spoiled.backbone())
    respell(spoiled.data / "CB" / "val.jsonl", 3)
    assert by_task(spoiled, budget=SHORT)["rte"].id == before.id
    (spoiled.data / "CB" / "val.jsonl").unlink()  # it is not even read
    again = trained_stage(before, spoiled.backbone())
    assert all(torch.equal(start.attachment[name], again.attachment[name]) for name in start.attachment)


def test_version_length_and_steps_of_the_first_stage_are_in_the_id(workshop):
    cell = by_task(workshop)["rte"]
    boolq = cell.joint[0]
    for change in ({"task_version": 9}, {"max_length": 16}, {"data_fingerprint": "x"}):
        joint = (boolq.model_copy(update=change), *cell.joint[1:])
        assert type(cell).model_validate({**cell.model_dump(), "joint": joint}).id != cell.id
    (longer,) = workshop.cells("mpt2", settings={"mpt2": {**ALL_THREE["mpt2"], "joint_steps": 7}})
    assert longer.id != cell.id


def test_cells_of_other_methods_keep_their_ids(workshop):
    (cell,) = workshop.cells("ptv2")
    assert cell.joint == ()
    assert type(cell).model_validate({k: v for k, v in cell.model_dump().items() if k != "joint"}).id == cell.id


def test_the_stage_is_the_same_for_every_task_and_not_for_every_seed(workshop):
    cells = by_task(workshop)
    rte, cb, other_seed = map(resolve, (cells["rte"], cells["cb"], by_task(workshop, seeds=(1,))["rte"]))
    assert stage_key(rte) == stage_key(cb)
    assert stage_key(other_seed) != stage_key(rte)
    assert {part.cell.seed for part in stage_cells(rte)}.isdisjoint({rte.cell.seed})


def scored(folder: Path):
    store = Store.open(folder)
    tables = {
        record.cell.task: pq.read_table(store.cell_folder(record.id) / "predictions.parquet").to_pydict()
        for record in store.records()
    }
    return {task: table["probabilities"] for task, table in tables.items()}, store.records()


def test_a_run_trains_a_shared_stage_once_and_cells_come_to_the_same_as_alone(workshop, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(joint, "first_stage", lambda *given: calls.append(given[0].task) or first_stage(*given))
    cells = by_task(workshop, budget=SHORT)
    measured(cells.values(), tmp_path / "both")
    assert len(calls) == 1
    for task, cell in cells.items():
        measured([cell], tmp_path / task)
    assert len(calls) == 3
    together, records = scored(tmp_path / "both")
    for task in cells:
        (alone,) = scored(tmp_path / task)[0].values()
        torch.testing.assert_close(torch.tensor(together[task]), torch.tensor(alone), atol=1e-5, rtol=0)
    for record in records:
        assert (record.costs.steps, record.costs.joint_steps) == (2, 2)
        assert record.costs.joint_tokens > 0
        assert record.costs.joint_seconds > 0


def test_every_batch_is_of_one_data_set_drawn_in_proportion_to_its_rows(workshop, monkeypatch):
    seen = []

    def counted(_, lanes):
        (lane,) = lanes
        seen.append((lane.task.name, len(lane.next_batch()[0])))
        lane.step += 1
        return 0

    monkeypatch.setattr("bench.train.joint.Training.step", counted)
    monkeypatch.setattr("bench.train.watches.Watches.check", lambda *_: None)
    settings = {"mpt2": {"tasks": "cb,rte", "joint_steps": 400}}
    (cell,) = workshop.cells("mpt2", settings=settings, budget={"batch_size": 4})
    start = trained_stage(cell, workshop.backbone())
    assert start.steps == len(seen) == 400
    share = sum(name == "rte" for name, _ in seen) / 400
    assert 0.4 < share < 0.6  # both have 36 rows
    assert {size for _, size in seen} == {4}


def test_training_goes_on_from_the_stages_prefixes_and_head(workshop):
    start, lane = started(workshop, by_task(workshop)["rte"])  # as many steps as have each data set in them
    assert torch.equal(lane.attachment.vectors, start.attachment["vectors"])
    assert torch.equal(lane.head.linear.weight, start.heads["rte"]["linear.weight"])
    assert sorted(start.heads) == ["boolq", "cb", "rte"]
    assert start.heads["cb"]["linear.weight"].shape == (3, 32)
    fresh = {"mpt2": {**ALL_THREE["mpt2"], "keep_head": False}}
    (cell,) = workshop.cells("mpt2", settings=fresh)
    plain = workshop.lane(workshop.cells("ptv2")[0], workshop.backbone())
    lane = workshop.lane(cell, workshop.backbone())
    assert torch.equal(lane.head.linear.weight, plain.head.linear.weight)
    assert not torch.equal(lane.attachment.vectors, plain.attachment.vectors)


def test_the_attachment_is_told_of_all_steps_of_the_stage_once_and_of_each_by_its_number(workshop, monkeypatch):
    told = []
    monkeypatch.setattr(LayerPrefixes, "begin", lambda _, num_steps: told.append(("begin", num_steps)))
    monkeypatch.setattr(LayerPrefixes, "after_step", lambda _, step: told.append(("after", step)))
    trained_stage(by_task(workshop)["rte"], workshop.backbone())
    assert told == [("begin", 6), *(("after", step) for step in range(1, 7))]


@pytest.mark.parametrize(
    ("settings", "budget", "steps"),
    [
        ({}, {"steps": 5}, 5),
        ({"joint_steps": 9}, {"steps": 5}, 9),
        ({}, {"steps": None, "epochs": 2, "batch_size": 25}, 2 * 5),  # 3 × 36 rows
    ],
)
def test_the_stage_takes_the_budgets_measure_or_its_own(workshop, settings, budget, steps):
    (cell,) = workshop.cells("mpt2", settings={"mpt2": {**ALL_THREE["mpt2"], **settings}}, budget=budget)
    assert trained_stage(cell, workshop.backbone()).steps == steps


def test_rows_held_out_of_a_sibling_are_not_trained_on(workshop):
    data, cells = RunData(), by_task(workshop)
    of_cb = next(part for part in stage_cells(resolve(cells["rte"])) if part.task.name == "cb")
    rows = data.train_alone(of_cb, workshop.backbone())
    held_out = {example.id for example in data.parts(cells["cb"], of_cb.task).selection}
    assert (len(rows.train_examples), len(held_out)) == (36, 4)
    assert not held_out & {example.id for example in rows.train_examples}


def test_a_stage_that_diverges_fails_its_cells_with_the_reason(workshop, tmp_path, monkeypatch):
    attach = type(build(find_method("mpt2"), {})).attach

    def broken(self, backbone, task):
        attachment = attach(self, backbone, task)
        with torch.no_grad():
            attachment.vectors.fill_(torch.nan)
        return attachment

    monkeypatch.setattr(find_method("mpt2"), "attach", broken)
    (record,) = measured([by_task(workshop)["rte"]], tmp_path / "out")
    assert record.status == "diverged"
    assert record.reason.startswith("in the first stage, on ")
    assert "the loss was nan at step 1" in record.reason


def test_a_suite_with_one_task_of_a_kind_is_a_skip_with_the_reason():
    skips = plan(RunRequest(methods=("mpt2", "ptv2"), tasks=("consequence", "sentiment")), "fp32").skips
    assert {(skip.method, skip.task, skip.reason) for skip in skips} == {
        ("mpt2", "consequence",
         "suite 'smoke' has no other choice task to train on together with 'consequence' first")
    }  # fmt: skip


def test_a_method_that_changes_weights_has_no_first_stage(workshop, monkeypatch):
    monkeypatch.setattr(find_method("mpt2"), "changes_weights", True)
    with pytest.raises(UsageError, match="mpt2 changes the model's weights, where a first stage that several cells sh"):
        by_task(workshop)


def test_a_verbalizer_trains_with_the_tasks_that_have_a_cloze_form():
    def task(name, **more):
        return Task(name=name, kind="classification", source=Source(), plain="{a}", classes=("x", "y"),
                    metrics=("accuracy",), **more)  # fmt: skip

    cloze = {"pattern": "{a} [MASK]", "words": {"x": "yes", "y": "no"}}
    suite = Suite(name="s", tasks=(task("one", **cloze), task("two"), task("three", **cloze)))
    for head, names in (("linear", ["one", "two", "three"]), ("verbalizer", ["one", "three"])):
        joint = build(find_method("mpt2"), {"head": head}).joint(suite.task("one"), suite)
        assert [each.name for each in joint.tasks] == names


def test_the_named_data_sets_have_one_spelling_and_must_be_the_suites(workshop):
    kind = find_method("mpt2")
    assert build(kind, {"tasks": "rte, cb,rte"}).tasks == build(kind, {"tasks": "cb,rte"}).tasks == "cb,rte"
    with pytest.raises(UsageError, match="comma-separated, or 'suite' for all"):
        build(kind, {"tasks": "suite,rte"})
    with pytest.raises(UsageError, match="unknown task of suite 'superglue' 'rtte'; did you mean 'rte'"):
        workshop.cells("mpt2", settings={"mpt2": {"tasks": "rtte"}})


def test_data_of_the_suite_that_is_not_there_is_one_error_that_says_what_to_do(bench, superglue):
    (superglue / "CB" / "train.jsonl").unlink()
    said = bench.refuses("--methods", "mpt2")
    assert "the train split of task 'cb' is missing" in said
    assert "mpt2 trains on all classification tasks of a suite first; its settings may name fewer" in said


def test_from_the_command_line(bench):
    flags = ["--methods", "mpt2", "--tasks", "rte,cb", "--set", "mpt2.tasks=rte,cb", "--set", "mpt2.joint_steps=3"]
    code, out, err = bench.run(*flags)
    assert (code, err) == (0, "")
    assert out.count("after 3 steps on several data sets") == 2
    records = Store.open(Path("out")).records()
    assert [(record.costs.steps, record.costs.joint_steps) for record in records] == [(2, 3), (2, 3)]
