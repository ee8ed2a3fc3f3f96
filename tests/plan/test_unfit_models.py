"""One model of a grid that cannot be used is skipped with the reason; the others run, and the end says so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.data import tokens
from bench.train import memory
from tests.conftest import Bench, write_tiny_bert
from tests.model.test_own_code import change


def without(*names: str) -> Callable[[Path], None]:
    def remove(folder: Path) -> None:
        change(folder / "tokenizer_config.json", **dict.fromkeys(names))

    return remove


def vocabulary(edit: Callable[[dict[str, int]], object]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "tokenizer.json"
        content = json.loads(path.read_text())
        edit(content["model"]["vocab"])
        path.write_text(json.dumps(content))

    return spoil


def tiny_positions(folder: Path) -> None:
    shutil.rmtree(folder)
    write_tiny_bert(folder, positions=4)


def slow_only(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("a\nb\n")
    change(folder / "tokenizer_config.json", tokenizer_class="BertJapaneseTokenizer")


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda folder: (folder / "config.json").unlink(), "has no config.json"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "has no tokenizer"),
    "an adapter": (lambda folder: (folder / "adapter_config.json").write_text("{}"), "holds an adapter"),
    "cut weights": (lambda folder: (folder / "model.safetensors").write_bytes(b"no"), "is no whole safetensors file"),
    "broken config": (lambda folder: (folder / "config.json").write_text("{"), "cannot read"),
    "broken tokenizer": (lambda folder: (folder / "tokenizer.json").write_text("{}"), "it cannot be loaded"),
    "lacking weights": (lambda folder: change(folder / "config.json", num_hidden_layers=5), "its weights lack bert."),
    "other sizes": (lambda folder: change(folder / "config.json", hidden_size=64), "of other sizes than its config"),
    "slow tokenizer": (slow_only, "it cannot be loaded: its tokenizer does not say which characters"),
    "few positions": (tiny_positions, "24 text tokens, but model 'unfit' has 4 positions"),
}
LIMITS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no mask": (without("mask_token"), "its tokenizer has no mask token"),
    "more words than embeddings": (vocabulary(lambda vocab: vocab.update(x=204)), "its embedding has 84 rows"),
}


@pytest.fixture
def unfit(tiny_bert: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bert, tmp_path / "unfit"))


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_with_a_model_is_skipped_and_ends_with_exit_code_1(
    bench: Bench, unfit: Path, tiny_bert: Path, fault: str
) -> None:
    spoil, reason = FAULTS[fault]
    spoil(unfit)
    code, out, _ = bench.run("--models", f"{unfit},{tiny_bert}", "--methods", "linear_probe")
    said = " ".join(out.split())
    assert code == 1, out
    assert "1 cells written" in said
    assert reason in " ".join(out.splitlines()[-3:])  # and at the end again
    code, out, _ = bench.run("--models", f"{unfit},{tiny_bert}", "--methods", "linear_probe", "--plan", "--no-probe")
    assert code == 0
    assert reason in " ".join(out.split())


@pytest.mark.parametrize("limit", LIMITS)
def test_what_a_model_is_not_made_for_is_skipped(bench: Bench, unfit: Path, tiny_bert: Path, limit: str) -> None:
    spoil, reason = LIMITS[limit]
    spoil(unfit)
    code, out, _ = bench.run("--models", f"{unfit},{tiny_bert}", "--methods", "prompting")
    assert code == 0
    assert reason in " ".join(out.split())
    assert "1 cells written" in out


@pytest.mark.parametrize(
    "spoil",
    [
        without("pad_token"), without("unk_token"), without("cls_token", "sep_token"),
        vocabulary(lambda vocab: [vocab.pop(word) for word in list(vocab)[-9:]]),
    ],
    ids=["no pad", "no unk", "no cls and sep", "fewer words than embeddings"],
)  # fmt: skip
def test_what_a_model_can_do_without(bench: Bench, unfit: Path, tiny_bert: Path, spoil) -> None:
    spoil(unfit)
    code, out, _ = bench.run("--models", f"{unfit},{tiny_bert}", "--methods", "linear_probe")
    assert (code, "skipped" in out) == (0, False)
    assert "2 cells written" in out


def test_a_label_word_that_a_tokenizer_does_not_know(bench: Bench, unfit: Path, tiny_bert: Path) -> None:
    def forget(vocab: dict[str, int]) -> None:
        vocab["other"] = vocab.pop("yes")

    vocabulary(forget)(unfit)
    code, out, _ = bench.run("--models", f"{unfit},{tiny_bert}", "--methods", "prompting,linear_probe")
    assert code == 1
    assert "3 cells written" in out
    line = "skipped: prompting on rte with unfit: the tokenizer does not know the label word 'yes'"
    assert out.count(line) == 2


def test_a_tokenizer_that_raises_on_a_text(bench: Bench, unfit: Path, tiny_bert: Path, monkeypatch) -> None:
    change(unfit / "tokenizer_config.json", model_max_length=60)  # another tokenizer by its settings
    whole = tokens.TokenStore._tokenised

    def tokenised(store, tokenizer, texts):
        if "unfit" in str(tokenizer.name_or_path):
            texts = [object()]
        return whole(store, tokenizer, texts)

    vocabulary(lambda vocab: vocab.update(another=vocab.pop("#")))(unfit)
    monkeypatch.setattr(tokens.TokenStore, "_tokenised", tokenised)
    code, out, err = bench.run("--models", f"{unfit},{tiny_bert}", "--methods", "linear_probe")
    assert code == 1, err
    assert "skipped: linear_probe on rte with unfit: the tokenizer of" in out
    assert "1 cells written" in out


def test_a_model_that_does_not_fit_the_memory(bench: Bench, unfit: Path, tiny_bert: Path, monkeypatch) -> None:
    shutil.rmtree(unfit)
    write_tiny_bert(unfit, hidden=512)
    monkeypatch.setattr(memory, "available_bytes", lambda _: 12_000_000)
    code, out, _ = bench.run("--models", f"{unfit},{tiny_bert}", "--methods", "finetune")
    assert code == 1, out
    assert "skipped: finetune on rte with unfit: model 'unfit' with finetune in fp32 needs about" in out
    assert "1 cells written" in out


def test_a_name_that_is_nobodys_still_ends_everything(bench: Bench, tiny_bert: Path) -> None:
    assert bench.refuses("--models", f"./nowhere,{tiny_bert}") == "error: --models ./nowhere: no such folder"
