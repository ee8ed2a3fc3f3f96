"""Discrete prompting: nothing trains, and the scores are the pretrained model's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from bench.errors import UsageError
from bench.registry import build, find_method, find_suite
from bench.score.evaluate import predict
from bench.train.loop import fit
from tests.conftest import Workshop
from tests.model.families import FAMILIES

WORDS = {"entailment": "yes", "not_entailment": "no"}


def fitted(workshop, **settings):
    (cell,) = workshop.cells("prompting", settings={"prompting": settings}, budget={"max_length": 36})  # cuts none
    backbone = workshop.backbone()
    lane = workshop.lane(cell, backbone)
    fit(backbone, [lane], 300)
    (predictions,) = predict(backbone, [lane.scored()], 300)
    return lane, predictions


def sentence(example, answer):
    premise, hypothesis = (example.texts[name].rstrip(" .") for name in ("premise", "hypothesis"))
    return f"{example.texts['premise']} question: {hypothesis}? answer: {answer}." if premise else ""


@torch.no_grad()
def test_zero_shot_scores_are_the_models_own_at_the_mask(workshop):
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    lane, predictions = fitted(workshop)
    model = AutoModelForMaskedLM.from_pretrained(workshop.model).eval()
    tokenizer = AutoTokenizer.from_pretrained(workshop.model)
    wanted = tokenizer.convert_tokens_to_ids(["yes", "no"])
    for example, ours in zip(lane.data.scored_examples, predictions.scored_answers, strict=True):
        inputs = tokenizer(sentence(example, "[MASK]"), return_tensors="pt")
        at = int((inputs.input_ids[0] == tokenizer.mask_token_id).nonzero())
        expected = model(**inputs).logits[0, at, wanted].softmax(-1)
        assert ours.probabilities == pytest.approx(expected.tolist(), abs=1e-5)


@torch.no_grad()
def test_a_decoder_tells_the_next_word_after_its_demonstrations(tmp_path, fixed_superglue):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    workshop = Workshop(FAMILIES["llama"](tmp_path / "llama"), fixed_superglue)
    lane, predictions = fitted(workshop, shots=1)
    shown = lane.data.context
    assert (shown.laid, shown.cut, shown.dropped) == (1, 0, 0)
    model = AutoModelForCausalLM.from_pretrained(workshop.model).eval()
    tokenizer = AutoTokenizer.from_pretrained(workshop.model)
    from bench.data.context import demonstrations

    rte = find_suite("superglue").task("rte")
    (shot,) = demonstrations(rte, lane.data.train_examples, 1, lane.cell.seed)
    before = sentence(shot, WORDS[rte.classes[shot.labels[0]]])
    wanted = tokenizer.convert_tokens_to_ids(["yes", "no"])
    for example, ours in zip(lane.data.scored_examples, predictions.scored_answers, strict=True):
        inputs = tokenizer(f"{before} {sentence(example, '')}".removesuffix(" ."), return_tensors="pt")
        expected = model(input_ids=inputs.input_ids).logits[0, -1, wanted].softmax(-1)
        assert ours.probabilities == pytest.approx(expected.tolist(), abs=1e-5)


def test_demonstrations_come_from_the_rows_that_are_trained_on(workshop):
    lane, _ = fitted(workshop, shots=1)
    kept = {example.id for example in lane.data.train_examples}
    assert not kept & {example.id for example in lane.data.selection_examples}
    assert lane.data.context.laid == 1


def test_no_step_is_taken_and_nothing_is_stored(workshop):
    lane, _ = fitted(workshop)
    assert (lane.status, lane.step, lane.num_steps, lane.best.step) == ("done", 0, 0, 0)
    assert lane.training_tensors() == {}
    assert lane.stored() == {}
    (point,) = lane.ledger.curve
    assert (point.step, point.epoch, point.train_loss) == (0, 0, None)


def test_it_shares_a_loop_with_lanes_that_train(workshop):
    cells = workshop.cells("prompting", "ptv2", settings={"prompting": {"shots": 1}})
    backbone = workshop.backbone()
    lanes = [workshop.lane(cell, backbone) for cell in cells]
    fit(backbone, lanes, 300)
    assert [(lane.status, lane.step) for lane in lanes] == [("done", 0), ("done", 6)]


def test_a_record_counts_what_was_laid_and_what_found_no_room(bench):
    code, _, err = bench.run("--methods", "prompting", "--set", "prompting.shots=9", "--max-length", "24")
    assert code == 0
    assert "of 9 demonstrations laid; there is no room or no train row for the others" in err
    (path,) = Path("out").glob("cells/*/record.json")
    record = json.loads(path.read_text())
    counts = record["counts"]
    assert counts["demonstrations"] >= 1
    assert counts["demonstrations"] + counts["demonstrations_dropped"] == 9
    assert (counts["train"], counts["train_items"]) == (0, 0)
    assert (record["parameters"]["trained"], record["parameters"]["stored"], record["costs"]["steps"]) == (0, 0, 0)
    assert not (path.parent / "tuned.safetensors").exists()


def test_no_room_for_any_is_refused_before_anything_runs(bench):
    said = bench.refuses("--methods", "prompting", "--set", "prompting.shots=2", "--max-length", "64")
    assert "prompting (shots=2) on rte, model 'tiny-bert': no demonstration fits in the 0 positions" in said


@pytest.mark.parametrize(("name", "value"), [("learning_rate", 1e-2), ("dropout", 0.0), ("schedule", "constant")])
def test_a_setting_of_training_is_refused(name, value):
    with pytest.raises(ValidationError, match=f"nothing trains, so {name} would change nothing"):
        find_method("prompting")(**{name: value})
    with pytest.raises(UsageError, match="nothing trains"):
        build(find_method("prompting"), {name: value})
