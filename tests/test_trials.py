"""bench run --trials: the same number of settings for every method, and the scored split has no part in the choice."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file

from bench.cell import TRIAL_SEED
from bench.store.record import Record
from bench.store.store import Store

Bench = Any
METHODS = ["--methods", "ptv2,linear_probe", "--steps", "1", "--trials", "3", "--seeds", "2"]
LEARNING = [
    *METHODS, "--methods", "linear_probe,finetune", "--steps", "60", "--evaluations", "2", "--trials", "4",
]  # fmt: skip


def records(folder: str = "out") -> tuple[list[Record], list[Record]]:
    """(trials, scored cells) of a results folder, each by method, then in the order of their trials or seeds."""
    store = Store.open(Path(folder))
    order = {cell.id: place for place, cell in enumerate(store.planned())}
    found = sorted(store.records(), key=lambda record: order.get(record.id, -1))
    split: dict[str, list[Record]] = {"trial": [], "score": []}
    for record in found:
        split[record.cell.stage].append(record)
    return split["trial"], split["score"]


def test_every_method_gets_the_same_trials_and_the_best_is_run_with_all_seeds(bench: Bench) -> None:
    assert bench.run(*METHODS)[0] == 0
    trials, scored = records()
    assert [(trial.cell.method, trial.cell.seed) for trial in trials] == [
        (method, TRIAL_SEED) for method in ("ptv2", "linear_probe") for _ in range(3)
    ]
    assert len({trial.cell.budget for trial in trials} | {record.cell.budget for record in scored}) == 1
    assert [(record.cell.method, record.cell.seed) for record in scored] == [
        ("ptv2", 0), ("ptv2", 1), ("linear_probe", 0), ("linear_probe", 1),
    ]  # fmt: skip
    for record in scored:
        tried = {trial.id: trial for trial in trials}
        scores = [tried[each].selection_score for each in record.cell.tried]
        best = tried[record.cell.tried[scores.index(max(scores))]]
        assert record.cell.settings == best.cell.settings
        assert (record.cell.trials, record.cell.label) == (3, f"{record.cell.method} (chosen of 3 trials)")


def test_a_trial_has_no_score_no_prediction_and_keeps_no_tensors(bench: Bench) -> None:
    assert bench.run(*METHODS)[0] == 0
    trials, scored = records()
    store = Store.open(Path("out"))
    for record in trials:
        assert (record.scores, record.trivial, record.counts.scored) == ({}, {}, 0)
        assert record.selection_score is not None
        assert [path.name for path in store.cell_folder(record.id).iterdir()] == ["record.json"]
    assert all(record.scores and record.counts.scored for record in scored)
    assert "is a trial, which keeps no tensors" in bench.refusal(
        *bench("export", trials[0].id, "--to", "a", "--in", "out")
    )


@pytest.mark.parametrize("protocol", ["holdout", "paper"])
def test_a_trials_data_have_no_scored_part_and_are_else_those_of_its_cell(workshop: Any, protocol: str) -> None:
    from bench.resolved import resolve
    from bench.train.run_data import RunData

    (cell,) = workshop.cells("ptv2", protocol=protocol)
    backbone, data = workshop.backbone(), RunData()
    found = {}
    for stage in ("trial", "score"):
        found[stage] = data.of(resolve(cell.changed(stage=stage)), backbone)
        if stage == "trial":
            read = {split for _, _, split, _ in data._splits}
            assert read == ({"train"} if protocol == "holdout" else {"train", "dev"})
    assert (list(found["trial"].scored), list(found["trial"].scored_examples)) == ([], [])
    assert found["trial"].train_examples == found["score"].train_examples
    assert found["trial"].selection_examples == found["score"].selection_examples
    assert len(found["score"].scored_examples) == 12


def flip_labels(path: Path) -> None:
    other = {"entailment": "not_entailment", "not_entailment": "entailment"}
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row | {"label": other[row["label"]]}) + "\n" for row in rows))


def tell_labels(path: Path) -> None:
    """Let the hypothesis say the label, so that some settings learn it in a few steps and some do not."""
    says = {"entailment": "great great", "not_entailment": "terrible terrible"}
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row | {"hypothesis": says[row["label"]]}) + "\n" for row in rows))


def outcome_of(record: Record) -> tuple[Any, ...]:
    """What a cell came to before the scored split was read."""
    curve = [(point.step, point.train_loss, point.scores) for point in record.curve]
    return record.cell.method, record.cell.settings, record.selection_score, record.selected_step, curve


def test_no_dev_label_can_change_a_choice_a_weight_or_a_prediction(bench: Bench, superglue: Path) -> None:
    for split in ("train", "val"):
        tell_labels(superglue / f"RTE/{split}.jsonl")
    assert bench.run(*LEARNING)[0] == 0
    flip_labels(superglue / "RTE/val.jsonl")
    assert bench.run(*LEARNING, "--out", "flipped")[0] == 0
    (trials, scored), (flipped_trials, flipped) = records(), records("flipped")
    assert {trial.id for trial in trials}.isdisjoint({trial.id for trial in flipped_trials})
    assert list(map(outcome_of, flipped_trials)) == list(map(outcome_of, trials))
    assert list(map(outcome_of, flipped)) == list(map(outcome_of, scored))
    assert len({trial.selection_score for trial in trials}) > 1  # there was something to choose by
    for record, other in zip(scored, flipped, strict=True):
        folders = [Store.open(Path(out)).cell_folder(each.id) for out, each in (("out", record), ("flipped", other))]
        before, after = (load_file(folder / "tuned.safetensors") for folder in folders)
        assert before.keys() == after.keys()
        assert all(before[name].equal(after[name]) for name in before)
        said, said_then = (pq.read_table(folder / "predictions.parquet") for folder in folders)
        for column in ("predicted", "probabilities"):
            assert said[column].equals(said_then[column])
        assert not said["label"].equals(said_then["label"])
        assert other.scores["accuracy"] == pytest.approx(100 - record.scores["accuracy"])


def test_under_the_published_protocol_dev_labels_do_choose(bench: Bench, superglue: Path) -> None:
    """The control of the test above: what it compares does change where dev labels have a say."""
    paper = [*LEARNING, "--methods", "linear_probe", "--trials", "2", "--protocol", "paper"]
    for split in ("train", "val"):
        tell_labels(superglue / f"RTE/{split}.jsonl")
    assert bench.run(*paper)[0] == 0
    flip_labels(superglue / "RTE/val.jsonl")
    assert bench.run(*paper, "--out", "flipped")[0] == 0
    (trials, scored), (flipped_trials, _) = records(), records("flipped")
    assert list(map(outcome_of, flipped_trials)) != list(map(outcome_of, trials))
    assert {record.selection_score == record.scores["accuracy"] for record in scored} == {True}


# --- stopped and run again


def written() -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in Path("out").glob("cells/*/record.json")}


@pytest.mark.parametrize("stop_after", [2, 5, 7])
def test_a_run_stopped_anywhere_goes_on_and_does_nothing_twice(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, stop_after: int
) -> None:
    from bench.commands.progress import PlainProgress

    told: list[str] = []

    def stop(self: PlainProgress, record: Record) -> None:
        told.append(record.id)
        if len(told) == stop_after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(PlainProgress, "finished", stop)
        assert bench.run(*METHODS, "--lanes", "1")[0] == 130
    before = written()
    assert len(before) == stop_after
    if stop_after < 6:
        code, out, _ = bench.run(*METHODS, "--plan")
        assert (code, f"6 trials: 6 settings of 2 methods × 1 tasks × 1 models; {6 - stop_after} to run" in out) == (
            0,
            True,
        )
    time.sleep(0.01)
    assert bench.run(*METHODS, "--lanes", "1")[0] == 0
    after = written()
    assert len(after) == 6 + 4
    assert {cell: after[cell] for cell in before} == before
    code, out, _ = bench.run(*METHODS)
    assert (code, "2 seeds; 0 to run" in " ".join(out.split()), written() == after) == (0, True, True)


def test_more_trials_go_on_from_fewer(bench: Bench) -> None:
    assert bench.run("--trials", "2")[0] == 0
    before = written()
    code, out, _ = bench.run("--trials", "4", "--plan")
    assert (code, "4 trials: 4 settings of 1 methods × 1 tasks × 1 models; 2 to run" in out) == (0, True)
    assert bench.run("--trials", "4")[0] == 0
    _, scored = records()
    assert sorted(record.cell.label for record in scored) == ["ptv2 (chosen of 2 trials)", "ptv2 (chosen of 4 trials)"]
    assert written().items() >= before.items()


# --- trials that fail

PLUGIN = """
from pathlib import Path

import torch

from bench.model.attachment import SlotPrompts
from bench.registry import method
from bench.tuning import Method
from bench.data.slots import Slots


@method("moody")
class Moody(Method):
    "Goes wrong for some of its space."
    mood: str = "fine"
    space = {"mood": ("fine", "failed", "diverged")}

    def slots(self):
        return Slots(2)

    def attach(self, backbone, task):
        if self.mood == "failed" and not Path("mended").exists():
            raise RuntimeError("no luck")
        vectors = torch.randn(2, backbone.geometry.hidden)
        return SlotPrompts(vectors.fill_(torch.nan) if self.mood == "diverged" else vectors)
"""
MOODY = ["--plugin", "mine.py", "--methods", "moody"]


def test_what_fails_or_diverges_loses_and_only_a_failure_is_an_error(bench: Bench) -> None:
    Path("mine.py").write_text(PLUGIN)
    code, out, _ = bench.run(*MOODY, "--trials", "3")
    trials, scored = records()
    assert {trial.cell.settings["mood"]: trial.status for trial in trials} == {
        mood: "done" if mood == "fine" else mood for mood in ("fine", "failed", "diverged")
    }
    assert [record.cell.settings["mood"] for record in scored] == ["fine"]
    assert (code, "1 of 4 cells failed; they are tried again next time" in out) == (1, True)
    Path("mended").touch()
    code, out, _ = bench.run(*MOODY, "--trials", "3")
    assert (code, "3 trials: 3 settings of 1 methods × 1 tasks × 1 models; 1 to run" in out) == (0, True)
    assert "1 trials and 0 cells written" in out  # as good as the first, but later


def test_where_every_trial_fails_the_cells_are_skipped_with_exit_code_1(bench: Bench) -> None:
    Path("mine.py").write_text(
        PLUGIN.replace('"fine", "failed"', '"diverged", "failed"').replace('= "fine"', '= "failed"')
    )
    code, out, _ = bench.run(*MOODY, "--trials", "2")
    assert code == 1
    skipped = (
        "skipped: moody (chosen of 2 trials) on rte with tiny-bert: none of its 2 trials finished; the first failed"
    )
    assert skipped in " ".join(out.split())
    assert records()[1] == []
    code, out, _ = bench("report", "out", "--format", "md")
    assert (code, "no setting could be chosen: all of 2 trials failed or diverged" in out) == (0, True)


# --- what is shown


def test_show_tells_what_was_tried_and_leaves_json_alone_on_standard_output(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert bench.run("--trials", "3")[0] == 0
    trials, (scored,) = records()
    code, out, err = bench("show", scored.id, "--in", "out")
    assert (code, json.loads(out)["id"]) == (0, scored.id)
    assert "Chosen by: best accuracy on the slice held out of train, of equals the earlier trial" in err
    lines = {trial.id: next(line for line in err.splitlines() if trial.id in line) for trial in trials}
    for trial in trials:
        learning_rate, length = trial.cell.settings["learning_rate"], trial.cell.settings["length"]
        assert f"learning_rate={learning_rate}, length={length} " in lines[trial.id]
        assert f" {trial.selection_score:.2f} " in lines[trial.id]
    assert [trial_id for trial_id, line in lines.items() if "✓" in line] == [
        trial.id for trial in trials if trial.cell.settings == scored.cell.settings
    ]
    code, out, err = bench("show", trials[0].id, "--in", "out")
    assert (code, json.loads(out)["cell"]["stage"], err) == (0, "trial", "")


def test_the_plan_shows_the_trials_and_says_how_many_cells_follow(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    code, out, _ = bench.run("--trials", "20", "--seeds", "5", "--vary", "init", "--plan")
    assert code == 0
    assert "ptv2: its space holds 16 of the 20 settings that were asked for" in out
    assert "16 trials: 16 settings of 1 methods × 1 tasks × 1 models; 16 to run" in out
    assert "5 cells: 1 methods × 1 tasks × 1 models × 5 seeds; 4 more vary init alone → out" in out
    assert len(re.findall(r"^[0-9a-f]{16} .* trial +to run", out, re.MULTILINE)) == 16
    assert not Path("out").exists()


def test_trials_that_differ_from_task_to_task_are_counted_as_what_each_task_has(bench: Bench) -> None:
    code, out, _ = bench.run("--tasks", "rte,cb,boolq", "--trials", "4", "--plan")
    assert (code, "12 trials: 4 settings of 1 methods × 3 tasks × 1 models; 12 to run" in out) == (0, True)


def test_trials_of_a_swept_method_draw_from_the_rest_of_its_space(bench: Bench) -> None:
    assert bench.run("--sweep", "ptv2.length=4,6", "--trials", "2")[0] == 0
    trials, scored = records()
    assert [trial.cell.settings["length"] for trial in trials] == [4, 4, 6, 6]
    assert all(set(trial.cell.drawn) == {"learning_rate"} for trial in trials)
    assert [record.cell.label for record in scored] == [
        "ptv2 (length=4, chosen of 2 trials)", "ptv2 (length=6, chosen of 2 trials)",
    ]  # fmt: skip


def test_each_swept_budget_chooses_by_trials_of_its_own(bench: Bench) -> None:
    asked = ["--sweep", "budget.steps=1,2", "--trials", "2"]
    at = bench.base.index("--steps")
    del bench.base[at : at + 2]
    code, out, _ = bench.run(*asked)
    assert code == 0
    assert len([line for line in out.splitlines() if line.startswith("chosen: ") and "steps × batch 4" in line]) == 2
    trials, scored = records()
    assert sorted(trial.cell.budget.steps for trial in trials) == [1, 1, 2, 2]
    of = {trial.id: trial.cell.budget.steps for trial in trials}
    assert [(record.cell.budget.steps, {of[each] for each in record.cell.tried}) for record in scored] == [
        (1, {1}), (2, {2}),
    ]  # fmt: skip
    code, out, _ = bench("report", "out", "--format", "md")
    assert code == 0
    assert all(f"ptv2 [{steps} steps × batch 4]" in out for steps in (1, 2))
