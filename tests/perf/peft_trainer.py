"""The other side of a comparison: the PEFT library under the HF Trainer, as its users write it."""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig, PrefixTuningConfig, TaskType, get_peft_model
from transformers import (
    AutoModelForSequenceClassification,
    DataCollatorWithPadding,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.training_args import OptimizerNames

from tests.perf.step_clock import StepClock

LEARNING_RATES = {"ptv2": 5e-3, "lora": 5e-4, "finetune": 2e-5}


@dataclass(frozen=True)
class Batching:
    """How the Trainer makes batches: its sampler, and whether all are padded to the longest that a row may be."""

    sampling: str = "random"
    pad_to: int | None = None

    @property
    def name(self) -> str:
        if self.pad_to:
            return f"padded to {self.pad_to}"
        return "grouped by length" if self.sampling == "group_by_length" else "random batches"


class Ticking(TrainerCallback):
    """Ends the training once the clock has counted enough. Batch making counts, as it does for a user."""

    def __init__(self, clock: StepClock) -> None:
        self.clock = clock

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        control.should_training_stop = self.clock.tick()


class SampledTrainer(Trainer):
    """The HF Trainer on an even sample of the batches that its sampler makes of the whole training set."""

    warmup = 0  # steps before those that are to be even

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        order, size = list(super()._get_train_sampler(train_dataset) or ()), self.args.train_batch_size
        batches = [order[start : start + size] for start in range(0, len(order) - size + 1, size)]
        first = random.choices(batches, k=self.warmup)
        return [row for batch in first + even_sample(batches, self.args.max_steps - self.warmup) for row in batch]


def even_sample(batches: list[list[int]], count: int) -> list[list[int]]:
    """`count` batches at equal strides from a random start, in random order; all of them when there are no more."""
    stride = max(1.0, len(batches) / count)
    start = random.random() * stride
    chosen = [batches[int(start + stride * place) % len(batches)] for place in range(min(count, len(batches)))]
    random.shuffle(chosen)
    return chosen


def adapted(model: Any, method: str, settings: dict[str, Any]) -> Any:
    """A classifier of transformers with PEFT's counterpart of one of our methods; fine-tuning takes it as it is.

    `settings` are `length` of ptv2 and `r` of lora, with our names.
    """
    if method == "ptv2":
        return get_peft_model(
            model, PrefixTuningConfig(task_type=TaskType.SEQ_CLS, num_virtual_tokens=settings["length"])
        )
    if method == "lora":  # on the modules that PEFT has for the family, as ours are: query and value
        return get_peft_model(model, LoraConfig(task_type=TaskType.SEQ_CLS, r=settings["r"], lora_alpha=16))
    if method == "finetune":
        return model
    raise ValueError(f"no counterpart of {method} here")


def collator(tokenizer: Any, pad_to: int | None = None) -> DataCollatorWithPadding:
    """Pads each batch to its longest row, or all to `pad_to` tokens."""
    if pad_to is None:
        return DataCollatorWithPadding(tokenizer)
    return DataCollatorWithPadding(tokenizer, padding="max_length", max_length=pad_to)


def time_steps(
    model: Any, rows: list[dict[str, Any]], tokenizer: Any, batching: Batching, clock: StepClock, **arguments: Any
) -> str:
    """Train until the clock has enough; returns the optimizer's name. `arguments` are more of TrainingArguments.

    Batches are spread evenly over an epoch, so that long and short ones come in their true proportion in few steps (a
    length-grouped epoch starts with its longest).
    """
    clock.start()
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            output_dir=folder,
            max_steps=clock.warmup + clock.steps,
            train_sampling_strategy=batching.sampling,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            **arguments,
        )
        trainer = SampledTrainer(
            model=model,
            args=settings,
            train_dataset=rows,
            data_collator=collator(tokenizer, batching.pad_to),
            callbacks=[Ticking(clock)],
        )
        trainer.warmup = clock.warmup
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    if not clock.complete:
        raise RuntimeError("the Trainer ended before the clock had enough steps")
    return str(OptimizerNames(settings.optim).value)


def fp32_classifier(folder: str) -> Any:
    """transformers' classifier with two classes, weights in fp32 on the CPU."""
    return AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2, dtype=torch.float32)
