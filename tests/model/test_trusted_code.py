"""`--trust-remote-code`: a model's own code runs, is part of what the model is, and stands in the record."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from transformers import dynamic_module_utils

import bench as public
from bench.errors import UnfitModel, UsageError
from bench.model.source import find_model, known_model
from bench.model.trust import brings_code, check_origin, is_trusted, trusting
from tests.conftest import Bench
from tests.model.test_own_code import CODE, OWN, change

TRUST = "--trust-remote-code"


@pytest.fixture
def homemade(tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A BERT of a family that its own code alone knows; the code leaves a mark when it runs."""
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))  # of processes begun from this one
    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.syspath_prepend(tmp_path / "modules")
    folder = Path(shutil.copytree(tiny_bert, tmp_path / "homemade"))
    (folder / "own.py").write_text(CODE.format(mark=str(tmp_path / "mark")))
    change(folder / "config.json", model_type="homemade", architectures=["WordsForMaskedLM"], auto_map=OWN)
    return folder


@pytest.fixture
def ran(tmp_path: Path):
    """Whether the code has run since the last time."""

    def asked() -> bool:
        mark = tmp_path / "mark"
        had = mark.exists()
        mark.unlink(missing_ok=True)
        return had

    return asked


def record(folder: Path) -> dict:
    (path,) = folder.glob("cells/*/record.json")
    return json.loads(path.read_text())


def test_it_runs_where_it_is_asked_for_and_stands_in_the_record(bench: Bench, homemade: Path, tiny_bert, ran) -> None:
    assert bench.run("--models", homemade, TRUST)[0] == 0
    assert ran()
    own = record(Path("out"))
    assert own["provenance"]["remote_code"] == known_model(str(homemade), True).code
    assert own["cell"]["model_fingerprint"] == known_model(str(homemade), True).fingerprint
    assert TRUST in own["provenance"]["command"]
    assert bench.run("--models", tiny_bert, TRUST, "--out", "plain")[0] == 0
    plain = record(Path("plain"))
    assert own["scores"] == plain["scores"]  # the class is BERT under another name
    assert "remote_code" not in plain["provenance"]
    assert plain["cell"]["model_fingerprint"] == find_model(str(tiny_bert)).fingerprint
    assert not is_trusted()


def test_changed_code_is_another_model(homemade: Path) -> None:
    def fingerprint(trusted: bool) -> str:
        known_model.cache_clear()
        return known_model(str(homemade), trusted).fingerprint

    before = fingerprint(True)
    assert fingerprint(True) == before != fingerprint(False)
    untrusted = fingerprint(False)
    with (homemade / "own.py").open("a") as file:
        file.write("# a remark\n")
    changed = fingerprint(True)
    (homemade / "deeper").mkdir()
    (homemade / "deeper" / "more.py").write_text("")
    assert len({before, changed, fingerprint(True)}) == 3
    assert fingerprint(False) == untrusted


def test_workers_of_a_pool_trust_it_too(bench: Bench, homemade: Path, ran) -> None:
    assert bench.run("--models", homemade, TRUST, "--seeds", "2", "--devices", "cpu:2")[0] == 0
    assert len(list(Path("out").glob("cells/*/record.json"))) == 2


def test_a_grid_file_and_python_say_it_too(bench: Bench, homemade: Path, superglue: Path, ran) -> None:
    Path("grid.toml").write_text("trust-remote-code = true\n")
    assert bench.run("-c", "grid.toml", "--models", homemade, "--plan", "--no-probe")[0] == 0
    assert ran()
    asked = {"suite": "superglue", "tasks": ["rte"], "methods": ["linear_probe"], "models": str(homemade)}
    small = {"data": superglue, "seeds": 1, "steps": 2, "batch_size": 4, "max_length": 24, "devices": "cpu"}
    results = public.run(**asked, **small, out="python", trust_remote_code=True)
    assert list(results["status"].unique()) == ["done"]
    with pytest.raises(UsageError, match="which runs only with trust_remote_code"):
        public.run(**asked, **small, out="other")


def test_a_cell_of_it_answers_and_is_exported_only_with_the_flag(bench: Bench, homemade, superglue, ran) -> None:
    assert bench.run("--models", homemade, TRUST)[0] == 0
    cell = record(Path("out"))["id"]
    ran()
    rows = superglue / "RTE" / "val.jsonl"
    asks = f"which runs only where it is asked for; give {TRUST} if you trust it"
    for command in (["predict", cell, "--data", rows, "--in", "out"], ["export", cell, "--to", "to", "--in", "out"]):
        said = bench.refusal(*bench(*command))
        assert said == f"error: the cell of homemade was trained with the code that its model brings, {asks}"
        assert not ran()
        assert bench(*command, TRUST)[0] == 0, command
    assert "trust_remote_code=True" in Path("to/README.md").read_text()


def test_a_cell_that_ran_without_asks_for_it_to_be_left_out(bench: Bench, homemade: Path, superglue, ran) -> None:
    change(homemade / "config.json", model_type="bert")
    assert bench.run("--models", homemade)[0] == 0
    cell = record(Path("out"))["id"]
    said = bench.refusal(*bench("predict", cell, "--data", superglue / "RTE" / "val.jsonl", "--in", "out", TRUST))
    assert said.endswith(f"was trained without the code that its model brings; leave {TRUST} out")
    assert not ran()


def test_check_runs_it_only_with_the_flag(bench: Bench, homemade: Path, ran) -> None:
    code, out, _ = bench("check", "--models", homemade)
    assert (code, ran()) == (1, False)
    assert TRUST in out
    code, out, _ = bench("check", "--models", homemade, TRUST)
    assert (code, ran()) == (0, True), out


@pytest.mark.parametrize(
    ("auto_map", "said"),
    [
        ({"AutoConfig": "somebody/else--own.Config"}, "that of another repository, somebody/else, at no commit"),
        ({"AutoConfig": "own.Config", "AutoModel": "x/y--own.Model"}, "that of another repository, x/y, at no commit"),
        ({"AutoConfig": "../out/own.Config"}, "'../out/own.Config', which is no class of a module beside it"),
        ({"AutoConfig": "a/../../own.Config"}, "which is no class of a module beside it"),
        ({"AutoConfig": "/etc/own.Config"}, "which is no class of a module beside it"),
        ({"AutoConfig": "own"}, "which is no class of a module beside it"),
        ({"AutoConfig": 7}, "'7', which is no class of a module beside it"),
    ],
)
def test_code_from_elsewhere_is_refused_though_it_is_trusted(
    bench: Bench, homemade: Path, ran, auto_map: dict[str, str], said: str
) -> None:
    change(homemade / "config.json", auto_map=auto_map)
    assert said in bench.refuses("--models", homemade, TRUST)
    assert not ran()


def test_of_the_hub_own_code_of_the_repository_is_at_its_commit() -> None:
    own = [{"auto_map": {"AutoConfig": "me/mine--own.Config", "AutoModel": "own.Model"}}]
    assert brings_code(own)
    check_origin(own, "me/mine")
    with pytest.raises(UnfitModel, match="another repository, me/mine"):
        check_origin(own, "me/other")
    assert not brings_code([{}, {"auto_map": None}])


def test_trust_ends_with_the_command_that_asked_for_it() -> None:
    def asks_and_breaks() -> None:
        with trusting(True):
            assert is_trusted()
            raise KeyError

    with pytest.raises(KeyError):
        asks_and_breaks()
    assert not is_trusted()
