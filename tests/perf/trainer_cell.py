"""One cell as a script of PEFT and the HF Trainer does it: train on RTE, evaluate along the way, score the best step.

    python -m tests.perf.trainer_cell --model DIR --data DIR --method ptv2 --settings '{"learning_rate": 0.005, …}'

`--data` is a folder with RTE's train.jsonl and val.jsonl. A tenth of the rows is held out, the step with the best
accuracy on them is loaded at the end, and val is read once; a trial (`--trial`) ends before that. Prints the accuracy.
tests/perf/grid_time.py starts one for each cell of a grid.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, EvalPrediction, Trainer, TrainingArguments
from transformers.utils import logging

from tests.perf.peft_trainer import adapted, collator, fp32_classifier
from tests.perf.rte_rows import token_rows

EVALUATIONS = 10  # along the way, where steps are given and not epochs: as `bench run --steps`
EVALUATION_ROWS = 128  # a batch


def accuracy(prediction: EvalPrediction) -> dict[str, float]:
    scores = prediction.predictions[0] if isinstance(prediction.predictions, tuple) else prediction.predictions
    return {"accuracy": float((scores.argmax(-1) == prediction.label_ids).mean())}


def budget(args: argparse.Namespace) -> dict[str, Any]:
    """TrainingArguments for how long to train and when to evaluate and save."""
    if args.steps is None:
        return {"num_train_epochs": args.epochs, "eval_strategy": "epoch", "save_strategy": "epoch"}
    every = max(1, args.steps // EVALUATIONS)
    return {
        "max_steps": args.steps, "eval_strategy": "steps", "save_strategy": "steps", "eval_steps": every,
        "save_steps": every,
    }  # fmt: skip


def run(args: argparse.Namespace, folder: str) -> float:
    """The accuracy: of val, or a trial's on the rows held out."""
    settings = json.loads(args.settings)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    rows = token_rows(tokenizer, args.data / "train.jsonl", args.max_length)
    random.Random(0).shuffle(rows)
    held_out = len(rows) // 10
    trainer = Trainer(
        model=adapted(fp32_classifier(args.model), args.method, settings),
        args=TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=args.batch_size,
            per_device_eval_batch_size=EVALUATION_ROWS,
            learning_rate=settings["learning_rate"],
            bf16=args.precision == "bf16",
            use_cpu=args.device == "cpu",
            train_sampling_strategy=args.sampling,
            load_best_model_at_end=True,
            metric_for_best_model="accuracy",
            save_total_limit=1,
            save_only_model=True,
            report_to="none",
            disable_tqdm=True,
            seed=args.seed,
            label_names=["labels"],
            **budget(args),
        ),
        train_dataset=rows[held_out:],
        eval_dataset=rows[:held_out],
        data_collator=collator(tokenizer),
        compute_metrics=accuracy,
    )
    trainer.train()
    if args.trial:
        return float(trainer.state.best_metric or 0.0)
    val: Any = token_rows(tokenizer, args.data / "val.jsonl", args.max_length)
    scores: Any = trainer.predict(val).metrics
    trainer.save_model()
    return float(scores["test_accuracy"])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="folder")
    parser.add_argument("--data", required=True, type=Path, help="folder with RTE's train.jsonl and val.jsonl")
    parser.add_argument("--method", required=True, choices=("ptv2", "lora", "finetune"))
    parser.add_argument("--settings", required=True, help="JSON: learning_rate, and length of ptv2 or r of lora")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--steps", type=int, default=None, help="instead of epochs")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--max-length", type=int, default=128)
    parser.add_argument("--precision", default="bf16", choices=("bf16", "fp32"))
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--sampling", default="random", choices=("random", "group_by_length"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trial", action="store_true")
    return parser.parse_args()


def main() -> None:
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        print(f"accuracy {run(arguments(), folder):.4f}")


if __name__ == "__main__":
    main()
