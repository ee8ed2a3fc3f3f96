"""AutoPrompt: the gradient's ranking, the candidates' losses and what is taken, against plain transformers."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
import torch
import transformers
from torch.nn.functional import cross_entropy

from bench.errors import UsageError
from bench.model.loading import load_backbone
from bench.model.passes import Passes
from bench.model.prompts import Prompts
from bench.model.source import find_model
from bench.plan.cells import plan
from bench.registry import build, find_method
from bench.request import RunRequest
from bench.train import search
from bench.train.loop import fit
from bench.train.search import prompt_losses
from bench.train.training import Training
from tests.conftest import WORDS, Workshop
from tests.model.families import FAMILIES
from tests.suites.layouts import LAYOUTS

SPECIAL = set(range(5))
LABEL_WORDS = {WORDS.index("yes"), WORDS.index("no")}
WHOLE = 36  # train rows of the made-up RTE that no slice holds out: a batch of so many is all of them


def lane_of(workshop, budget=None, **settings):
    (cell,) = workshop.cells("autoprompt", settings={"autoprompt": settings}, budget=budget or {})
    backbone = workshop.backbone()
    return workshop.lane(cell, backbone), backbone


def plain_loss(model, items, ids, embedded=None):
    """Mean cross-entropy over the label words, row by row through a plain model that reads the trigger as tokens."""
    words = [WORDS.index("yes"), WORDS.index("no")]
    losses = []
    for item in items:
        (row,) = item.rows
        tokens = torch.tensor([row.ids])
        tokens[0, row.slots] = ids
        inputs = {"input_ids": tokens}
        if embedded is not None:
            inputs = {"inputs_embeds": model.get_input_embeddings()(tokens).index_put(
                (torch.tensor(0), torch.tensor(row.slots)), embedded)}  # fmt: skip
        if row.decoder:
            inputs["decoder_input_ids"] = torch.tensor([row.decoder])
        elif getattr(model.config, "type_vocab_size", 0):
            inputs["token_type_ids"] = torch.tensor([row.types])
        scores = model(**inputs).logits[0, row.read, :][:, words]
        losses.append(cross_entropy(scores, torch.tensor(item.targets)))
    return torch.stack(losses).mean()


def plain(workshop, words="MaskedLM"):
    return getattr(transformers, f"AutoModelFor{words}").from_pretrained(workshop.model).eval()


def test_candidates_are_those_of_the_lowest_first_order_loss_of_a_plain_model(workshop, monkeypatch):
    lane, backbone = lane_of(workshop, length=4, candidates=20)
    seen = []
    propose = lane.attachment.propose
    monkeypatch.setattr(
        lane.attachment, "propose", lambda gradient, generator: seen.append(gradient) or propose(gradient, generator)
    )
    (twin, _), before = lane_of(workshop, length=4, candidates=20), lane.attachment.ids.clone()
    batch = [lane.data.train[number] for number in twin.next_batch()[0]]
    Training(backbone, [lane], 300).step([lane])

    model = plain(workshop)
    table = model.get_input_embeddings().weight.detach()
    vectors = table[before].clone().requires_grad_()
    plain_loss(model, batch, before, vectors).backward()
    torch.testing.assert_close(seen[0], vectors.grad, atol=1e-6, rtol=1e-4)
    for place in range(4):
        estimates = {
            token: float((table[token] - table[before[place]]) @ vectors.grad[place])
            for token in set(range(len(WORDS))) - SPECIAL - LABEL_WORDS
        }
        expected = sorted(estimates, key=estimates.get)[:20]
        lane.attachment.take(0)
        lane.attachment.restore({"trigger": before})
        assert lane.attachment.candidates(seen[0][place], place).tolist() == expected


@pytest.mark.parametrize(
    ("family", "words"), [("bert", "MaskedLM"), ("gpt2", "CausalLM"), ("gemma", "CausalLM"), ("t5", "Seq2SeqLM"),
                          ("bart", "Seq2SeqLM"), ("albert", "MaskedLM")],
)  # fmt: skip
@torch.no_grad()
def test_a_candidates_loss_is_that_of_a_plain_model_which_reads_it_as_tokens(family, words, tmp_path, fixed_superglue):
    workshop = Workshop(FAMILIES[family](tmp_path / family), fixed_superglue)
    lane, backbone = lane_of(workshop)
    items, table = lane.data.train[:6], lane.attachment.table
    triggers = torch.tensor([[20, 30, 40], [21, 31, 41], [22, 22, 8]])
    prompts = [Prompts(slots=table[ids]) for ids in triggers]
    found = prompt_losses(lane, prompts, items, Passes(backbone, 300))
    model = plain(workshop, words)
    expected = torch.stack([plain_loss(model, items, ids) for ids in triggers])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


@torch.no_grad()
def test_a_step_over_all_rows_and_tokens_takes_the_best_token_there_is(workshop):
    everything = {"steps": 1, "batch_size": 40, "evaluations": 1, "train_rows": 12}
    lane, backbone = lane_of(workshop, everything, length=1, candidates=1000)
    model, items = plain(workshop), lane.data.train
    tokens = sorted(set(range(len(WORDS))) - SPECIAL - LABEL_WORDS)
    losses = {token: float(plain_loss(model, items, torch.tensor([token]))) for token in tokens}
    begun = float(plain_loss(model, items, lane.attachment.ids))
    best = min(losses, key=losses.get)
    assert losses[best] < begun
    with torch.enable_grad():
        fit(backbone, [lane], 4000)
    assert (lane.status, lane.attachment.ids.tolist()) == ("done", [best])
    assert lane.found() == {"trigger": WORDS[best], "trigger_tokens": [WORDS[best]]}

    again, other = lane_of(workshop, {**everything, "steps": 4}, length=1, candidates=5)
    again.attachment.restore(lane.stored())
    with torch.enable_grad():
        fit(other, [again], 4000)
    # nothing is better: it stays, which is no error
    assert (again.status, again.step, again.attachment.ids.tolist()) == ("done", 4, [best])


def test_the_loss_over_all_rows_falls_and_never_rises(workshop):
    lane, backbone = lane_of(workshop, {"steps": 12, "batch_size": WHOLE, "evaluations": 1}, length=3, candidates=5)
    losses = []
    training = Training(backbone, [lane], 4000)
    for _ in range(12):
        training.step([lane])
        losses.append(lane.last_loss)
    assert all(later <= earlier + 1e-6 for earlier, later in pairwise(losses))
    assert losses[-1] < losses[0]


def test_it_begins_with_masks_or_where_there_are_none_with_words(workshop, tmp_path, fixed_superglue):
    assert lane_of(workshop)[0].attachment.ids.tolist() == [WORDS.index("[MASK]")] * 3
    drawn = [lane_of(workshop, init="vocab")[0], lane_of(Workshop(FAMILIES["gpt2"](tmp_path), fixed_superglue))[0]]
    for lane in drawn:
        ids = set(lane.attachment.ids.tolist())
        assert len(ids) > 1
        assert not ids & (SPECIAL | LABEL_WORDS)


def test_equal_cells_find_equal_triggers_alone_and_beside_neighbours(workshop):
    cells = workshop.cells("autoprompt", "ptv2", "prompt_tuning", seeds=(0, 1))
    backbone = workshop.backbone()
    together = [workshop.lane(cell, backbone) for cell in cells]
    fit(backbone, together, 300)
    mine = [lane for lane in together if lane.searches]
    assert len(mine) == 2
    for lane in mine:
        alone = workshop.lane(lane.cell, backbone)
        fit(backbone, [alone], 300)
        assert alone.found() == lane.found()
        assert alone.ledger.forward_passes == lane.ledger.forward_passes
    assert mine[0].found() != mine[1].found()


def test_the_order_stream_alone_says_what_a_search_looks_at(workshop):
    (cell,) = workshop.cells("autoprompt")
    backbone = workshop.backbone()
    found = {}
    for name in (None, "init", "dropout", "order"):
        lane = workshop.lane(cell.changed(streams={name: 7} if name else {}), backbone)
        fit(backbone, [lane], 300)
        found[name] = lane.found()
    assert found["init"] == found["dropout"] == found[None]
    assert found["order"] != found[None]


def test_every_pass_is_counted_for_a_search_and_for_others(workshop):
    """36 rows in batches of 8: an epoch's last has 4, what a search compares on always 8."""
    cells = workshop.cells("autoprompt", "ptv2")
    backbone = workshop.backbone()
    searched, tuned = (workshop.lane(cell, backbone) for cell in cells)
    fit(backbone, [searched, tuned], 300)
    rows = 5 * 8 + 4
    assert tuned.ledger.forward_passes == rows
    assert searched.ledger.forward_passes == rows + 6 * (1 + 4) * 8
    assert searched.ledger.tokens > 4 * tuned.ledger.tokens


def test_a_search_that_no_gradient_guides_fails(workshop):
    lane, backbone = lane_of(workshop)
    chosen = lane.head.chosen
    lane.head.chosen = lambda *given: chosen(*given) * 0
    fit(backbone, [lane], 300)
    assert lane.status == "failed"
    assert lane.reason == "the prompts should be searched for by a gradient but had none in step 1"


def test_a_candidate_whose_loss_is_no_number_is_not_taken(workshop, monkeypatch):
    lane, backbone = lane_of(workshop, {"steps": 1, "evaluations": 1})
    losses = torch.tensor([1.0, torch.nan, torch.nan, torch.nan, torch.nan])
    monkeypatch.setattr(search, "prompt_losses", lambda *_: losses)
    before = lane.attachment.ids.clone()
    fit(backbone, [lane], 300)
    assert torch.equal(lane.attachment.ids, before)


def test_bf16_and_a_choice_of_candidates(workshop, superglue):
    LAYOUTS["copa"](superglue)
    request = RunRequest(
        suite="superglue", tasks=("rte", "copa"), methods=("autoprompt",), models=(str(workshop.model),), seeds=(0,),
        data=superglue, set={"autoprompt": {"length": 2, "candidates": 3}},
        steps=3, batch_size=4, max_length=40, evaluations=1,
    )  # fmt: skip
    cells = plan(request, "bf16").cells
    backbone = load_backbone(find_model(str(workshop.model)), torch.device("cpu"), "bf16", True)
    lanes = [Workshop(workshop.model, superglue).lane(cell, backbone) for cell in cells]
    fit(backbone, lanes, 300)
    assert [(lane.task.name, lane.status) for lane in lanes] == [("rte", "done"), ("copa", "done")]
    for lane in lanes:
        assert not set(lane.attachment.ids.tolist()) & (SPECIAL - {WORDS.index("[MASK]")})


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"learning_rate": 0.1}, "a search has no optimizer, so learning_rate would change nothing"),
        ({"words_per_class": 5}, "words_per_class goes with label_words=search"),
        ({"length": 0}, "autoprompt.length=0"),
    ],
)
def test_settings_that_would_change_nothing_are_refused(settings, reason):
    with pytest.raises(UsageError, match=reason):
        build(find_method("autoprompt"), settings)


def test_the_record_says_the_trigger_and_what_it_cost_and_the_report_sets_it_beside_the_others(bench, tmp_path):
    small = ["--set", "autoprompt.length=2", "--set", "autoprompt.candidates=3"]
    code, out, err = bench.run("--methods", "autoprompt,ptv2", *small)
    assert (code, err) == (0, "")
    assert "(candidates=3, length=2): a step puts 5 batches through the backbone, and one back" in out
    records = {
        record["cell"]["method"]: record
        for record in map(json.loads, (path.read_text() for path in tmp_path.glob("out/cells/*/record.json")))
    }
    found = records["autoprompt"]["found"]
    assert len(found["trigger_tokens"]) == 2
    assert found["trigger"] == " ".join(found["trigger_tokens"])
    assert records["ptv2"]["found"] == {}
    assert records["autoprompt"]["parameters"]["trained"] == records["autoprompt"]["parameters"]["stored"] == 2
    passes = {name: record["costs"]["forward_passes"] for name, record in records.items()}
    assert passes == {"autoprompt": 5 * 2 * 4, "ptv2": 2 * 4}
    shown = json.loads(bench("show", records["autoprompt"]["id"], "--in", "out")[1])
    assert shown["found"] == found
    _, out, _ = bench("report", "out", "--format", "md")
    text = (tmp_path / "out" / "report" / "table-superglue.md").read_text()
    assert "against the line with the fewest in the same steps: autoprompt (candidates=3, length=2) 5 times." in text
