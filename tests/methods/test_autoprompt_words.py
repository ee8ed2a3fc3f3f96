"""AutoPrompt's label words: which are found, how they score, what cannot be searched."""

from __future__ import annotations

import pytest
import torch

from bench.data.batches import collate
from bench.errors import UsageError
from bench.methods.parts.trigger_tokens import capitalised_tokens
from bench.train.loop import fit
from tests.conftest import WORDS, Workshop
from tests.methods.test_autoprompt import SPECIAL, WHOLE, lane_of, plain
from tests.model.families import FAMILIES
from tests.model.test_vocabulary import WORDS as PIECES
from tests.model.test_vocabulary import byte_level
from tests.suites.layouts import LAYOUTS


def test_label_words_are_those_whose_embeddings_tell_the_classes_apart(workshop):
    """Planted: an example's state is one of its class's words' output embeddings, and a little noise."""
    lane, backbone = lane_of(workshop, label_words="search", words_per_class=2)
    table = backbone.model.get_output_embeddings().weight.detach()
    planted = [[30, 50], [41, 12]]
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(80) % 2
    sources = torch.tensor([planted[label][at // 2 % 2] for at, label in enumerate(labels.tolist())])
    noise = 0.01 * torch.randn(80, table.shape[1], generator=generator)
    lane.head.choose(3 * (table[sources] - table.mean(0)) + noise, labels)
    assert [set(words) for words in lane.head.words.tolist()] == [set(words) for words in planted]


@torch.no_grad()
def test_searched_label_words_score_by_the_sum_of_their_probabilities(workshop):
    lane, backbone = lane_of(workshop, label_words="search", words_per_class=3)
    with torch.enable_grad():
        fit(backbone, [lane], 300)
    words = lane.head.words
    assert lane.status == "done"
    assert len(set(words.flatten().tolist())) == 6
    assert lane.found()["label_words"] == {
        name: [WORDS[token] for token in ids] for name, ids in zip(lane.task.classes, words.tolist(), strict=True)
    }
    assert not bool(lane.attachment.allowed[words].any())
    model, item = plain(workshop), lane.data.scored[0]
    (row,) = item.rows
    ids = torch.tensor([row.ids])
    ids[0, row.slots] = lane.attachment.ids
    hidden = model.bert(ids).last_hidden_state[0, row.read]
    probabilities = model(ids).logits[0, row.read].softmax(-1)[0]
    expected = torch.stack([probabilities[each].sum() for each in words])
    batch = collate([item], backbone.pad_id, backbone.device)
    found = lane.head.scores(hidden[None], batch, {"words": words[None]})[0, 0]
    torch.testing.assert_close(found.softmax(-1), expected / expected.sum(), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(lane.head.states(hidden), model.cls.predictions.transform(hidden))


def test_label_words_are_searched_with_one_more_pass_over_the_train_rows(workshop):
    lane, backbone = lane_of(workshop, {"steps": 1, "evaluations": 1}, label_words="search")
    fit(backbone, [lane], 300)
    assert lane.ledger.forward_passes == WHOLE + 8 + 5 * 8


def test_label_words_of_a_class_without_rows_are_refused(workshop):
    lane, _ = lane_of(workshop, label_words="search")
    with pytest.raises(UsageError, match="no train row is 'not_entailment'"):
        lane.head.choose(torch.randn(4, 32), torch.zeros(4, dtype=torch.long))


def test_label_words_of_candidates_are_a_skip(workshop, superglue):
    LAYOUTS["copa"](superglue)
    with pytest.raises(UsageError, match="task 'copa' scores its candidates, not words of classes"):
        Workshop(workshop.model, superglue).cells(
            "autoprompt", tasks=("copa",), settings={"autoprompt": {"label_words": "search"}}
        )


def test_word_scores_that_are_no_table_of_words_fail_the_lane_that_searches_and_not_its_neighbour(
    tmp_path, fixed_superglue
):
    workshop = Workshop(FAMILIES["mobilebert"](tmp_path / "mobilebert"), fixed_superglue)
    lane, backbone = lane_of(workshop, label_words="search")
    (cell,) = workshop.cells("ptv2")
    neighbour = workshop.lane(cell, backbone)
    fit(backbone, [lane, neighbour], 300)
    assert (lane.status, neighbour.status) == ("failed", "done")
    assert lane.reason is not None
    assert "MobileBertForMaskedLM is no table of words" in lane.reason


def test_log_odds_and_not_the_nearest_words_choose(workshop):
    """A word far along the direction of both classes is none that tells them apart."""
    lane, backbone = lane_of(workshop, label_words="search", words_per_class=1)
    table = backbone.model.get_output_embeddings().weight.detach()
    labels = torch.arange(60) % 2
    direction = table[30] - table[41]
    shared = 5 * table[50]
    states = shared + torch.where(labels[:, None] == 0, direction, -direction)
    lane.head.choose(states, labels)
    margins = table @ direction
    text = [token for token in range(len(WORDS)) if token not in SPECIAL]
    best = [max(text, key=lambda token: margins[token]), min(text, key=lambda token: margins[token])]
    assert lane.head.words.flatten().tolist() == best


def test_a_token_begins_with_a_capital_letter_after_the_space_that_belongs_to_it():
    capitalised = capitalised_tokens(byte_level(), 16)
    assert [at for at in range(16) if capitalised[at]] == [PIECES.index("Paris"), PIECES.index("\u0120The")]
