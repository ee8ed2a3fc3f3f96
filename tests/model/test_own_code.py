"""Code in a model's folder runs only where it is asked for, whatever stands on standard input."""

from __future__ import annotations

import io
import json
import runpy
import shutil
from pathlib import Path

import pytest

from tests.conftest import Bench

CODE = """
from pathlib import Path

Path(__file__)
Path({mark!r}).write_text("ran")
from transformers import BertConfig, BertForMaskedLM, BertModel, BertTokenizerFast


class Config(BertConfig):
    model_type = "homemade"


class Model(BertModel):
    config_class = Config


class Words(BertForMaskedLM):
    config_class = Config


class Tokens(BertTokenizerFast):
    pass
"""
OWN = {"AutoConfig": "own.Config", "AutoModel": "own.Model", "AutoModelForMaskedLM": "own.Words"}
REASON = "it needs code of its own (auto_map), which runs only with --trust-remote-code"


class Yes(io.StringIO):
    """A terminal that says yes to everything, and notes that it was asked."""

    asked = 0

    def readline(self, *_: object) -> str:
        self.asked += 1
        return "y\n"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Yes:
    terminal = Yes()
    monkeypatch.setattr("sys.stdin", terminal)
    return terminal


@pytest.fixture
def homemade(tiny_bert: Path, tmp_path: Path) -> Path:
    """A BERT whose folder brings code that leaves a mark when it is run."""
    folder = Path(shutil.copytree(tiny_bert, tmp_path / "homemade"))
    (folder / "own.py").write_text(CODE.format(mark=str(tmp_path / "mark")))
    return folder


def test_the_code_leaves_its_mark_when_somebody_runs_it(homemade: Path, tmp_path: Path) -> None:
    runpy.run_path(str(homemade / "own.py"))
    assert (tmp_path / "mark").read_text() == "ran"


def change(path: Path, **fields: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


@pytest.mark.parametrize("flags", [(), ("--plan",)], ids=["run", "plan"])
def test_a_model_that_needs_its_own_code_is_refused_in_one_line(
    bench: Bench, homemade: Path, tmp_path: Path, terminal: Yes, flags: tuple[str, ...]
) -> None:
    change(homemade / "config.json", model_type="homemade", auto_map=OWN)
    said = bench.refuses("--models", homemade, *flags)
    assert said == f"error: nothing can be run: model {homemade} cannot be used: {REASON}"
    assert not (tmp_path / "mark").exists()
    assert terminal.asked == 0


def test_beside_a_model_that_works_it_is_skipped_with_the_reason(
    bench: Bench, homemade: Path, tiny_bert: Path, tmp_path: Path, terminal: Yes
) -> None:
    change(homemade / "config.json", model_type="homemade", auto_map=OWN)
    code, out, _ = bench.run("--models", f"{homemade},{tiny_bert}")
    assert code == 0
    said = f"skipped: every method on every task with homemade: model {homemade} cannot be used: {REASON}"
    assert said in " ".join(out.split())
    assert "1 cells written" in out
    assert not (tmp_path / "mark").exists()
    assert terminal.asked == 0


def test_code_beside_a_family_that_transformers_has_is_left_alone(
    bench: Bench, homemade: Path, tmp_path: Path, terminal: Yes
) -> None:
    """Many repositories carry both; transformers' own classes are taken."""
    change(homemade / "config.json", auto_map=OWN)
    change(homemade / "tokenizer_config.json", auto_map={"AutoTokenizer": ["own.Tokens", "own.Tokens"]})
    (homemade / "generation_config.json").write_text(json.dumps({"auto_map": OWN, "custom_generate": "own.py"}))
    (homemade / "processor_config.json").write_text(json.dumps({"auto_map": {"AutoProcessor": "own.Tokens"}}))
    code, _, err = bench.run("--models", homemade)
    assert (code, err) == (0, "")
    assert not (tmp_path / "mark").exists()
    assert terminal.asked == 0


def test_a_tokenizers_own_class_is_not_asked_for(bench: Bench, homemade: Path, tmp_path: Path, terminal: Yes) -> None:
    owned = {"auto_map": {"AutoTokenizer": ["own.Tokens", "own.Tokens"]}, "tokenizer_class": "Tokens"}
    change(homemade / "config.json", model_type="bert")
    change(homemade / "tokenizer_config.json", **owned)
    code, _, err = bench.run("--models", homemade, "--plan")
    assert (code, err) == (0, "")  # tokenizer.json says all that is needed
    assert not (tmp_path / "mark").exists()
    assert terminal.asked == 0


def test_an_adapter_beside_a_model_is_refused(bench: Bench, homemade: Path) -> None:
    """transformers would put it into the model without a word."""
    config = {"peft_type": "LORA", "base_model_name_or_path": "somebody/else", "r": 2, "target_modules": ["query"]}
    (homemade / "adapter_config.json").write_text(json.dumps(config))
    said = bench.refuses("--models", homemade)
    assert (
        said
        == f"error: model folder {homemade} holds an adapter (adapter_config.json); give a model alone, or merge them"
    )
