"""A name that nobody knows is answered with the one that was meant, and with none where none is close."""

from __future__ import annotations

import pytest

from bench.errors import nearest, unknown
from bench.model.families.scales import SCALES

METHODS = ("adalora", "autoprompt", "bitfit", "finetune", "ia3", "linear_probe", "lora", "mpt2", "peft",
           "prefix_tuning", "prompt_tuning", "prompting", "ptuning_v1", "ptv2")  # fmt: skip
TASKS = ("boolq", "cb", "copa", "multirc", "record", "rte", "wic", "wsc")
MODELS = (*SCALES, "tiny", "bert-large-cased", "roberta-large", "EleutherAI/pythia-70m", "EleutherAI/pythia-410m",
          "google/bert_uncased_L-2_H-128_A-2")  # fmt: skip
COMMANDS = ("run", "report", "status", "check", "list", "show", "export")
FLAGS = ("--methods", "--models", "--seeds", "--steps", "--set", "--max-length", "--format", "--reference")

MEANT = [
    ("ptv3", METHODS, "ptv2"),
    ("PTV2", METHODS, "ptv2"),
    ("pvt2", METHODS, "ptv2"),
    ("fine-tuning", METHODS, "finetune"),
    ("fintune", METHODS, "finetune"),
    ("prompt-tuning", METHODS, "prompt_tuning"),
    ("prompttuning", METHODS, "prompt_tuning"),
    ("prompt_tuuning", METHODS, "prompt_tuning"),
    ("prefix", METHODS, "prefix_tuning"),
    ("linear-probe", METHODS, "linear_probe"),
    ("lroa", METHODS, "lora"),
    ("ptuning", METHODS, "ptuning_v1"),
    ("RTE", TASKS, "rte"),
    ("BoolQ", TASKS, "boolq"),
    ("superglew", ("superglue", "glue", "smoke"), "superglue"),
    ("roberta-lrge", MODELS, "roberta-large"),
    ("roberta-lareg", MODELS, "roberta-large"),
    ("roberta_large", MODELS, "roberta-large"),
    ("RoBERTa-large", MODELS, "roberta-large"),
    ("bert-lrge-cased", MODELS, "bert-large-cased"),
    ("pythia-70m", MODELS, "EleutherAI/pythia-70m"),
    ("EleutherAI/pythia-140m", MODELS, "EleutherAI/pythia-410m"),
    ("pythai", MODELS, "pythia"),
    ("71m", ("14m", "31m", "70m", "1b"), "70m"),
    ("bert-miniature", MODELS, "bert-miniatures"),
    ("tinny", MODELS, "tiny"),
    ("rum", COMMANDS, "run"),
    ("repotr", COMMANDS, "report"),
    ("lst", COMMANDS, "list"),
    ("--formats", FLAGS, "--format"),
    ("--method", FLAGS, "--methods"),
    ("-methods", FLAGS, "--methods"),
    ("--max_length", FLAGS, "--max-length"),
    ("--ref", FLAGS, "--reference"),
]  # fmt: skip

NOT_MEANT = [
    ("roberta-lrge", ("bert-miniatures", "pythia", "paper", "tiny")),
    ("xlnet-base-cased", MODELS),
    ("microsoft/deberta-v3-base", MODELS),
    ("gpt2", MODELS),
    ("t5-small", MODELS),
    ("roberta-base", MODELS),
    ("bert-base-cased", MODELS),
    ("bert-large-uncased", MODELS),
    ("bert", MODELS),
    ("prompt", METHODS),
    ("boolean", TASKS),
    ("mistral", MODELS),
    ("houlsby", METHODS),
    ("compacter", METHODS),
    ("p", METHODS),
    ("", METHODS),
    ("squad", TASKS),
    ("mnli", TASKS),
    ("train", COMMANDS),
    ("superglue", COMMANDS),
    ("--lr", FLAGS),
    ("--gpu", FLAGS),
    ("fp16", ("fp32", "bf16", "int8")),
]


@pytest.mark.parametrize(("asked", "known", "meant"), MEANT, ids=[asked for asked, *_ in MEANT])
def test_a_slip_of_the_hand_finds_the_name_that_was_meant(
    asked: str, known: tuple[str, ...], meant: str | None
) -> None:
    assert nearest(asked, known) == meant


@pytest.mark.parametrize(("asked", "known"), NOT_MEANT, ids=[asked for asked, _ in NOT_MEANT])
def test_another_name_is_no_slip(asked: str, known: tuple[str, ...]) -> None:
    assert nearest(asked, known) is None


def test_the_error_names_it_and_all_that_are_known() -> None:
    said = str(unknown("task", "rtee", ["wic", "rte"], "Look it up."))
    assert said == "unknown task 'rtee'; did you mean 'rte'? known: rte, wic. Look it up."
    assert str(unknown("task", "squad", ["wic", "rte"])) == "unknown task 'squad'; known: rte, wic."
    assert str(unknown("task", "squad", [])) == "unknown task 'squad'; known: none."
