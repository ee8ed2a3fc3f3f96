"""The tasks tell methods apart: what a frozen model shows to a linear layer is far from what tuning makes of it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoTokenizer

from bench.suites.smoke import ENTAILMENT, ENTITIES, MODELS, SENTIMENT
from bench.task import Task

STEPS = 110
BATCH_SIZE = 32
FIELDS = ("text", "premise", "hypothesis")
TASKS = {task.name: task for task in (SENTIMENT, ENTAILMENT, ENTITIES)}


@dataclass(frozen=True)
class Row:
    ids: list[int]
    types: list[int]
    read: list[int]  # positions a linear layer reads: [CLS], or the first piece of each word
    targets: list[int]


def rows(task: Task, split: str, tokenizer: Any) -> list[Row]:
    assert task.source.generate is not None
    found = []
    for row in task.source.generate(split):
        if task.kind == "tagging":
            encoded = tokenizer(row["words"], is_split_into_words=True)
            words = encoded.word_ids()
            read = [at for at, word in enumerate(words) if word is not None and word != words[at - 1]]
            labels = row["tags"]
        else:
            encoded, read, labels = tokenizer(*(row[name] for name in FIELDS if name in row)), [0], [row["label"]]
        targets = [task.classes.index(label) for label in labels]
        found.append(Row(encoded["input_ids"], encoded["token_type_ids"], read, targets))
    return found


def scores(model: Any, head: torch.nn.Linear, batch: list[Row]) -> tuple[Tensor, Tensor]:
    longest = max(len(row.ids) for row in batch)
    ids = torch.tensor([row.ids + [0] * (longest - len(row.ids)) for row in batch])
    types = torch.tensor([row.types + [0] * (longest - len(row.types)) for row in batch])
    states = model(input_ids=ids, token_type_ids=types, attention_mask=(ids != 0).long()).last_hidden_state
    chosen = torch.cat([states[at, row.read] for at, row in enumerate(batch)])
    return head(chosen), torch.tensor([target for row in batch for target in row.targets])


@cache
def tuned_accuracy(name: str, *, frozen: bool, pretrained: bool = True) -> float:
    """Dev accuracy of the tiny model; for tagging, over the words of names only."""
    torch.manual_seed(0)
    task = TASKS[name]
    folder = MODELS / "tiny"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    load = (
        AutoModel.from_pretrained
        if pretrained
        else lambda place: AutoModel.from_config(AutoConfig.from_pretrained(place))
    )
    model = load(folder).eval().requires_grad_(not frozen)
    head = torch.nn.Linear(model.config.hidden_size, len(task.classes))
    parameters = [*head.parameters(), *(() if frozen else model.parameters())]
    optimizer = torch.optim.AdamW(parameters, lr=1e-2 if frozen else 3e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min((step + 1) / 8, 1 - step / STEPS))
    train, order = rows(task, "train", tokenizer), random.Random(0)
    for _ in range(STEPS):
        loss = torch.nn.functional.cross_entropy(*scores(model, head, order.sample(train, BATCH_SIZE)))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        found, wanted = scores(model, head, rows(task, "dev", tokenizer))
    names = wanted > 0 if task.kind == "tagging" else torch.ones_like(wanted, dtype=torch.bool)
    return float((found.argmax(-1) == wanted)[names].float().mean())


def test_fine_tuning_beats_a_linear_layer_on_frozen_states_by_ten_points_on_average() -> None:
    gaps = [tuned_accuracy(name, frozen=False) - tuned_accuracy(name, frozen=True) for name in TASKS]
    assert sum(gaps) / len(gaps) >= 0.10


def test_pretraining_is_worth_ten_points_to_fine_tuning() -> None:
    learned = tuned_accuracy(SENTIMENT.name, frozen=False)
    assert learned - tuned_accuracy(SENTIMENT.name, frozen=False, pretrained=False) >= 0.10
