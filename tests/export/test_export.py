"""`bench export`: PEFT loads what is written, and its model gives the cell's predictions."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

import bench as face

Grid = dict[str, dict[str, Any]]  # settings by method
SMALL = {"suite": "superglue", "tasks": "rte", "seeds": 1, "steps": 2, "batch_size": 4, "precision": "fp32",
         "devices": "cpu", "max_length": 48}  # fmt: skip  # no text is cut
EXPORTED: tuple[Grid, ...] = (
    {
        "ptv2": {"offset_positions": True, "head": "verbalizer", "length": 5},
        "prefix_tuning": {"length": 5},
        "ptuning_v1": {"head": "linear", "length": 4},  # in front, where the form has no marks
        "prompt_tuning": {"length": 5},
        "lora": {"learning_rate": 0.01},
        "adalora": {"target_r": 2, "learning_rate": 0.01},
        "mpt2": {"offset_positions": True, "head": "verbalizer", "length": 5, "tasks": "rte,cb"},
        "ia3": {"head": "verbalizer"},
        "peft": {"config": "LOHA:r=2"},
    },
    {
        "ptv2": {"length": 5},  # two texts, told apart by token types, at the positions of pretraining
        "prompt_tuning": {"length": 5, "head": "linear"},
        "peft": {"config": "VERA:r=4"},  # projections that all layers share
    },
)
REFUSED: tuple[Grid, ...] = (
    {"ptv2": {"layers": "2"}, "ptuning_v1": {}, "autoprompt": {"candidates": 2}, "prompting": {}},
    {"ptuning_v1": {"tune_backbone": True}},
)
REASONS = {"ptv2": "every layer", "prompting": "nothing was trained"}


def cells_of(grids: tuple[Grid, ...]) -> list[tuple[int, str]]:
    """A grid's place, and each of its methods."""
    return [(at, method) for at, grid in enumerate(grids) for method in grid]


@pytest.fixture(scope="module")
def measured(tiny_bert, fixed_superglue, tmp_path_factory):
    """A grid's results folder, and the ids of its cells by method; trained at once."""

    @cache
    def run(grids: str, at: int) -> tuple[Path, dict[str, str]]:
        grid, out = {"exported": EXPORTED, "refused": REFUSED}[grids][at], tmp_path_factory.mktemp(grids) / "out"
        rows = face.run(**SMALL, methods=list(grid), set=grid, models=[tiny_bert], data=fixed_superglue, out=out)
        assert set(rows["status"]) == {"done"}
        return out, dict(zip(rows["method"], rows["id"], strict=True))

    return run


def run_one(bench, method, *settings, model=None) -> str:
    flags = [part for setting in settings for part in ("--set", setting)]
    flags += ["--models", str(model)] if model else []
    code, _, err = bench.run("--methods", method, *flags)
    assert code == 0, err
    (folder,) = Path("out/cells").iterdir()
    return folder.name


def peft_model(folder, tiny_bert):
    import peft
    import transformers

    said = json.loads((folder / "head.json").read_text())
    base = getattr(transformers, said["base"]).from_pretrained(tiny_bert)
    return peft.PeftModel.from_pretrained(base, folder).eval(), said


def with_positions(inputs, said):
    """The inputs of a call as head.json has them."""
    if "first_position" in said:
        inputs["position_ids"] = torch.arange(inputs["input_ids"].shape[1])[None] + said["first_position"]
    return inputs


@torch.no_grad()
def probabilities(model, said, folder, tokenizer, rows):
    """Of each row's classes, in plain transformers and PEFT."""
    found = []
    for row in rows:
        if said["head"] == "linear":
            inputs = with_positions(tokenizer(row["premise"], row["hypothesis"], return_tensors="pt"), said)
            head = load_file(folder / "head.safetensors")
            states = model(**inputs).last_hidden_state[0]
            state = states[-inputs["input_ids"].shape[1]]  # behind PEFT's vectors
            scores = head["linear.weight"] @ state + head["linear.bias"]
        else:
            text = f"{row['premise']} Question: {row['hypothesis'].rstrip('.')}? Answer: [MASK]."
            inputs = with_positions(tokenizer(text, return_tensors="pt"), said)
            inputs.pop("token_type_ids")
            logits = model(**inputs).logits[0]
            at = int((inputs["input_ids"][0] == tokenizer.mask_token_id).nonzero()) - inputs["input_ids"].shape[1]
            scores = torch.stack([logits[at, ids].mean() for ids in said["words"].values()])
        found.append(scores.softmax(0))
    return torch.stack(found)


@pytest.mark.parametrize(("grid", "method"), cells_of(EXPORTED))
def test_pefts_model_gives_the_cells_predictions(bench, grid, method, measured, tiny_bert, fixed_superglue, tmp_path):
    from transformers import AutoTokenizer

    results, cells = measured("exported", grid)
    code, out, err = bench("export", cells[method][:6], "--to", "adapter", "--in", results)
    assert (code, err) == (0, ""), err
    assert "adapter_model.safetensors" in out
    folder = tmp_path / "adapter"
    model, said = peft_model(folder, tiny_bert)
    rows = [json.loads(line) for line in (fixed_superglue / "RTE" / "val.jsonl").read_text().splitlines()]
    found = probabilities(model, said, folder, AutoTokenizer.from_pretrained(tiny_bert), rows)
    kept = pq.read_table(results / "cells" / cells[method] / "predictions.parquet").to_pylist()
    expected = torch.tensor([row["probabilities"] for row in kept])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def seq2seq_probabilities(model, said, tokenizer, rows, family):
    """Of each row's classes by their words, in plain transformers and PEFT, from what head.json says to feed."""
    sentinel = 86 if family == "t5" else tokenizer.mask_token_id
    found = []
    for row in rows:
        text = f"{row['premise']} Question: {row['hypothesis'].rstrip('.')}? Answer: great."
        ids = [sentinel if token == "great" else tokenizer.convert_tokens_to_ids(token)
               for token in tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"])]  # fmt: skip
        fed = [0, sentinel] if family == "t5" else [3, *ids[: ids.index(sentinel)]]
        logits = model(
            input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)), decoder_input_ids=torch.tensor([fed])
        ).logits[0, -1]  # fmt: skip
        found.append(torch.stack([logits[ids].mean() for ids in said["words"].values()]).softmax(0))
    return torch.stack(found)


@pytest.mark.parametrize("family", ["t5", "bart"])
@pytest.mark.parametrize("method", ["prompt_tuning", "lora"])
def test_pefts_encoder_decoder_gives_the_cells_predictions(bench, family, method, superglue, tmp_path):
    from transformers import AutoTokenizer

    from tests.model.families import FAMILIES

    model = FAMILIES[family](tmp_path / family)
    settings = ["prompt_tuning.length=5"] if method == "prompt_tuning" else ["lora.head=verbalizer"]
    bench.base += ["--max-length", "48"]  # no text is cut
    cell = run_one(bench, method, *settings, model=model)
    code, _, err = bench("export", cell, "--to", "adapter", "--in", "out")
    assert (code, err) == (0, ""), err
    theirs, said = peft_model(tmp_path / "adapter", model)
    assert said["base"] == "AutoModelForSeq2SeqLM"
    assert "of the decoder, fed with its start token" in said["reads"]
    rows = [json.loads(line) for line in (superglue / "RTE" / "val.jsonl").read_text().splitlines()]
    found = seq2seq_probabilities(theirs, said, AutoTokenizer.from_pretrained(model), rows, family)
    kept = pq.read_table(tmp_path / "out" / "cells" / cell / "predictions.parquet").to_pylist()
    expected = torch.tensor([row["probabilities"] for row in kept])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("family", "method", "settings", "reason"),
    [
        ("t5", "prompt_tuning", ["prompt_tuning.head=linear", "prompt_tuning.length=5"], ""),
        ("t5", "lora", [], ""),
        ("bart", "ia3", [], ""),
        ("t5", "ptv2", [], "in the decoder, its are in the encoder"),
        ("xlnet", "lora", ["lora.head=verbalizer"], ""),
        ("roberta", "ptv2", ["ptv2.length=5"], ""),  # positions that begin behind the padding's
        ("electra", "ptv2", ["ptv2.length=5"], ""),
        ("gpt2", "ptv2", ["ptv2.length=5"], ""),
        ("llama", "ptv2", ["ptv2.length=5"], ""),  # rotary positions
        ("llama", "ptv2", ["ptv2.length=5", "ptv2.offset_positions=true"], ""),
        ("falcon", "ptv2", ["ptv2.length=5"], ""),  # one head of keys and values
        ("distilbert", "ptv2", ["ptv2.length=5"], "differs by"),  # it has no cache
        ("xlnet", "prompt_tuning", ["prompt_tuning.length=5"], ""),
    ],
)
def test_other_families_are_exported_where_pefts_model_gives_the_same(
    bench, family, method, settings, reason, tmp_path
):
    from tests.model.families import FAMILIES

    cell = run_one(bench, method, *settings, model=FAMILIES[family](tmp_path / family))
    said = bench("export", cell, "--to", "adapter", "--in", "out")
    if reason:
        assert reason in bench.refusal(*said)
    else:
        assert (said[0], said[2]) == (0, ""), said[2]  # its probe compares what PEFT's model gives with ours


@pytest.mark.parametrize(("grid", "method"), cells_of(REFUSED))
def test_what_peft_cannot_reproduce_is_refused_in_one_line(bench, grid, method, measured, tmp_path):
    results, cells = measured("refused", grid)
    said = bench.refusal(*bench("export", cells[method], "--to", "adapter", "--in", results))
    assert REASONS.get(method, "inside the task's pattern") in said
    assert not (tmp_path / "adapter").exists()


def test_bad_arguments_of_export_are_one_line(bench, tmp_path):
    cell = run_one(bench, "lora")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    assert "not an empty folder" in bench.refusal(*bench("export", cell, "--to", "full", "--in", "out"))
    assert "no cell in out" in bench.refusal(*bench("export", "zzz", "--to", "new", "--in", "out"))
    (tmp_path / "out" / "cells" / cell / "tuned.safetensors").unlink()
    assert "--save-tuned" in bench.refusal(*bench("export", cell, "--to", "new", "--in", "out"))
