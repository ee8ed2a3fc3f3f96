"""A random tiny BERT on disk and a folder of task data, so that tests run offline in seconds."""

from __future__ import annotations

import json
import random
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from bench.plan import Grid, plan
from bench.registry import find_suite
from bench.spec import Cell

if TYPE_CHECKING:
    from bench.model.backbone import Backbone
    from bench.train.lane import Lane

warnings.filterwarnings("ignore", message=".*the official split has.*")

WORDS = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "yes", "no", "maybe", "question", "answer", ":", "?", ".", ",",
    *(f"word{number}" for number in range(60)),
]  # fmt: skip


def write_tiny_bert(
    folder: Path, *, layers: int = 2, hidden: int = 32, positions: int = 64, lm_head: bool = True
) -> Path:
    """A BERT checkpoint with random weights over WORDS."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForMaskedLM, BertModel, PreTrainedTokenizerFast

    vocabulary = {word: index for index, word in enumerate(WORDS)}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    inner.normalizer = normalizers.Lowercase()
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )  # fmt: skip
    tokenizer.save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=4,
        intermediate_size=2 * hidden, max_position_embeddings=positions,
    )  # fmt: skip
    torch.manual_seed(0)
    model = BertForMaskedLM(config) if lm_head else BertModel(config)
    with torch.no_grad():
        for weight in model.parameters():  # larger than usual, so that outputs of random weights differ visibly
            weight.add_(torch.randn_like(weight) * 0.1)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("models") / "tiny-bert")


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without a language-model head."""
    return write_tiny_bert(tmp_path_factory.mktemp("models") / "tiny-encoder", lm_head=False)


def write_superglue(folder: Path, train: int = 40, dev: int = 12) -> Path:
    """RTE, CB and BoolQ in the official layout, with made-up sentences."""
    rng = random.Random(0)

    def text() -> str:
        return " ".join(f"word{rng.randrange(60)}" for _ in range(rng.randint(3, 12))) + "."

    rows = {
        "RTE": lambda at: {
            "premise": text(), "hypothesis": text(), "label": ("entailment", "not_entailment")[at % 2], "idx": at,
        },
        "CB": lambda at: {
            "premise": text(), "hypothesis": text(), "idx": at,
            "label": ("entailment", "contradiction", "neutral")[at % 3],
        },
        "BoolQ": lambda at: {"passage": text(), "question": text(), "label": at % 2 == 0, "idx": at},
    }  # fmt: skip
    for name, row in rows.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for split, count in (("train", train), ("val", dev)):
            lines = [json.dumps(row(at)) for at in range(count)]
            (folder / name / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def superglue(tmp_path: Path) -> Path:
    """A fresh local data folder that a test may spoil."""
    return write_superglue(tmp_path / "data")


@pytest.fixture(scope="session")
def fixed_superglue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A local data folder that tests only read."""
    return write_superglue(tmp_path_factory.mktemp("superglue"))


class Workshop:
    """Cells, backbones and lanes over the tiny BERT, as the runner would make them."""

    def __init__(self, model: Path, data: Path) -> None:
        self.model, self.data = model, data

    def cells(self, *methods: str, settings: dict[str, dict[str, Any]] | None = None, **grid: Any) -> tuple[Cell, ...]:
        budget = {"steps": 6, "batch_size": 8, "max_length": 32, "evaluations": 2, **grid.pop("budget", {})}
        asked = {name: {**SMALL.get(name, {}), **(settings or {}).get(name, {})} for name in methods}
        grid = {"tasks": ("rte",), "seeds": (0,), **grid}
        return plan(
            Grid(suite="superglue", methods=methods, models=(str(self.model),), data=self.data, budget=budget,
                 settings=asked, **grid)
        ).cells  # fmt: skip

    def backbone(self, frozen: bool = True) -> Backbone:
        from bench.model.backbone import load_backbone
        from bench.model.source import find_model

        return load_backbone(find_model(str(self.model)), torch.device("cpu"), "fp32", frozen)

    def lane(self, cell: Cell, backbone: Backbone) -> Lane:
        from bench.registry import build, find_method
        from bench.runner import DataRoom
        from bench.train.lane import Lane

        task, method = find_suite("superglue").task(cell.task), build(find_method(cell.method), cell.settings)
        return Lane(cell, method, task, backbone, DataRoom().lane_data(cell, task, method, backbone))


SMALL = {
    "prompt_tuning": {"length": 5},
    "ptuning_v1": {"length": 4},
    "ptv2": {"length": 6, "learning_rate": 1e-2},
    "finetune": {"learning_rate": 1e-3},
}


@pytest.fixture(scope="session")
def workshop(tiny_bert: Path, fixed_superglue: Path) -> Workshop:
    return Workshop(tiny_bert, fixed_superglue)
