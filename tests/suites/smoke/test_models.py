"""The embedded checkpoints: small, loadable offline, at home in the language, and worth fine-tuning."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

from bench.suites.smoke import ENTAILMENT, MODELS, SENTIMENT, SMOKE
from bench.suites.smoke.pretrain import MAX_POSITIONS, main

MOST_BYTES = 12_000_000


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(MODELS / "tiny")


def test_the_models_together_are_small() -> None:
    assert sum(path.stat().st_size for path in MODELS.rglob("*") if path.is_file()) <= MOST_BYTES


@pytest.mark.parametrize("folder", SMOKE.models, ids=lambda folder: Path(folder).name)
def test_a_model_loads_in_float32_and_reads_every_position(folder: str) -> None:
    model = AutoModelForMaskedLM.from_pretrained(folder)
    assert model.dtype == torch.float32
    scores = model(input_ids=torch.full((1, MAX_POSITIONS), 7)).logits
    assert scores.shape == (1, MAX_POSITIONS, len(AutoTokenizer.from_pretrained(folder)))
    assert scores.isfinite().all()


@pytest.mark.parametrize("folder", SMOKE.models, ids=lambda folder: Path(folder).name)
def test_a_shifted_text_is_understood_as_well(folder: str) -> None:
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForMaskedLM.from_pretrained(folder).eval()
    ids = tokenizer("there was something good about the [MASK] .", return_tensors="pt")["input_ids"]
    hidden = int((ids[0] == tokenizer.mask_token_id).nonzero())
    wanted = tokenizer.convert_tokens_to_ids(["film", "book", "hotel", "meal", "room", "show", "song", "play"])
    for shift in (0, 60, 120):
        positions = torch.arange(ids.shape[1])[None] + shift
        with torch.no_grad():
            scores = model(input_ids=ids, position_ids=positions).logits[0, hidden].softmax(-1)
        assert scores[wanted].sum() > 0.3


def told(row: dict[str, Any]) -> list[str]:
    """Every text of a row."""
    texts = [str(row[name]) for name in ("text", "premise", "hypothesis", "question", "context") if name in row]
    return [*texts, " ".join(row.get("words", ())) or ".", *(each["choice"] for each in row.get("choices", ()))]


def test_no_row_and_no_pattern_has_an_unknown_word(tokenizer: Any) -> None:
    for task in SMOKE.tasks:
        assert task.source.generate is not None
        rows = [row for split in ("train", "dev") for row in task.source.generate(split)]
        texts = [text for row in rows for text in told(row)]
        texts += [re.sub(r"\{\w+\}|\[P\]", "", task.pattern)] if task.pattern else []
        assert texts
        assert tokenizer.unk_token_id not in {piece for ids in tokenizer(texts)["input_ids"] for piece in ids}


@pytest.mark.parametrize("task", [SENTIMENT, ENTAILMENT], ids=lambda task: task.name)
def test_each_verbalizer_word_is_one_token(task: Any, tokenizer: Any) -> None:
    for word in task.words.values():
        assert len(tokenizer(word, add_special_tokens=False)["input_ids"]) == 1


def test_a_word_can_have_two_tokens_and_word_ids_say_so(tokenizer: Any) -> None:
    encoded = tokenizer(["two", "dogs"], is_split_into_words=True)
    assert tokenizer.convert_ids_to_tokens(encoded["input_ids"]) == ["[CLS]", "two", "dog", "##s", "[SEP]"]
    assert encoded.word_ids() == [None, 0, 1, 1, None]


def test_the_pretraining_script_writes_a_checkpoint_that_loads(tmp_path: Path) -> None:
    main(["--size", "tiny", "--steps", "3", "--out", str(tmp_path)])
    assert AutoModelForMaskedLM.from_pretrained(tmp_path / "tiny").config.num_hidden_layers == 2
    assert len(AutoTokenizer.from_pretrained(tmp_path / "tiny")) > 300
