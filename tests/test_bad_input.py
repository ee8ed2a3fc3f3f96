"""Bad input gets one line and exit code 2, and leaves nothing behind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

Bench = Callable[..., tuple[int, str, str]]
Spoil = Callable[[Path], object]


def last_line(path: Path, line: str) -> str:
    """Put a line after a file's last one; returns `file:line` as a message should name it."""
    with path.open("a") as lines:
        lines.write(line + "\n")
    return f"{path}:{len(path.read_text().splitlines())}"


WRONG_FLAGS = {
    "unknown method": (["--methods", "ptv3"], "unknown method 'ptv3'; did you mean 'ptv2'? known: "),
    "unknown task": (["--tasks", "rtf"], "unknown task of suite 'superglue' 'rtf'; did you mean 'rte'? known: boolq"),
    "unknown suite": (["--suite", "superglu"], "unknown suite 'superglu'; did you mean 'superglue'?"),
    "unknown setting": (["--set", "ptv2.lengths=4"], "unknown setting of ptv2 'lengths'; did you mean 'length'?"),
    "setting of an unknown method": (["--set", "ptv3.length=4"], "unknown method 'ptv3'; did you mean 'ptv2'?"),
    "setting of an absent method": (["--set", "finetune.warmup=0"], "method 'finetune' is not in this run"),
    "unknown protocol": (["--protocol", "papr"], "unknown protocol 'papr'; did you mean 'paper'? known: holdout"),
    "unknown precision": (["--precision", "fp16"], "unknown precision 'fp16'; known: auto, bf16, fp32"),
    "unknown kind of device": (["--device", "tpux"], "--devices 'tpux' is not possible: use all, cpu or cuda"),
    "unsupported device": (["--device", "meta"], "--devices 'meta' is not possible: use all, cpu or cuda, some GPUs"),
    "no processes": (["--devices", "cpu:0"], "--devices 'cpu:0' is not possible: use all, cpu or cuda, some GPUs"),
    "more processes than cells": (
        ["--devices", "cpu:3"], "--devices cpu:3: 3 workers are more than the 1 cells of this grid; use cpu:1 or fewer",
    ),
    "unknown flag": (["--epoch", "3"], "unknown flag --epoch of bench run; did you mean --epochs?"),
    "setting too small": (["--set", "ptv2.length=0"], "ptv2.length=0 is not possible: Input should be greater than"),
    "negative learning rate": (["--set", "ptv2.learning_rate=-1"], "ptv2.learning_rate=-1 is not possible"),
    "learning rate that is no number": (["--set", "ptv2.learning_rate=NaN"], "ptv2.learning_rate=nan is not possible"),
    "endless learning rate": (["--set", "ptv2.learning_rate=Infinity"], "ptv2.learning_rate=inf is not possible"),
    "layers backwards": (["--set", "ptv2.layers=4-1"], "ptv2.layers='4-1' is not possible: layers count from 1"),
    "text for a number": (["--set", "ptv2.length=long"], "ptv2.length='long' is not possible: Input should be a valid"),
    "a switch for a number": (["--set", "ptv2.length=true"], "ptv2.length=True is not possible"),
    "text for one of a few": (["--set", "ptv2.reparam=gru"], "ptv2.reparam='gru' is not possible: Input should be"),
    "settings that clash": (
        ["--methods", "prompt_tuning", "--set", "prompt_tuning.init=text"],
        "these settings of prompt_tuning are not possible: init=text and init_text go together",
    ),
    "set without value": (["--set", "ptv2.length"], "--set 'ptv2.length': the form is METHOD.SETTING=VALUE"),
    "set without method": (["--set", "length=4"], "--set 'length=4': the form is METHOD.SETTING=VALUE"),
    "no trials": (["--trials", "0"], "--trials 0 is not possible: it must be at least 1"),
    "trials that are words": (["--trials", "many"], "--trials: it must be a whole number"),
    "the trials' own seed": (["--trials", "2", "--seeds", "1,990017"], "--seeds 990017: this is the seed that trials"),
    "an unknown stream": (
        ["--vary", "colour", "--seeds", "2"], "unknown random stream 'colour'; known: dropout, init, order, split.",
    ),
    "a stream with one seed": (["--vary", "init"], "--vary init: one seed has nothing to vary over; give --seeds 2"),
    "sweep without values": (["--sweep", "ptv2.length="], "--sweep 'ptv2.length=': the form is METHOD.SETTING=VALUE,V"),
    "sweep without setting": (["--sweep", "ptv2"], "--sweep 'ptv2': the form is METHOD.SETTING=VALUE,VALUE,…, like"),
    "sweep with a gap": (["--sweep", "ptv2.length=8,,32"], "--sweep 'ptv2.length=8,,32': the form is"),
    "sweep of an unknown setting": (["--sweep", "ptv2.lengths=4,8"], "unknown setting of ptv2 'lengths'; did you mean"),
    "sweep of an impossible value": (["--sweep", "ptv2.length=4,0"], "ptv2.length=0 is not possible: Input should be"),
    "sweep of an absent method": (["--sweep", "finetune.warmup=0,0.1"], "method 'finetune' is not in this run; add it"),
    "sweep of an unknown method": (["--sweep", "ptv3.length=4"], "unknown method 'ptv3'; did you mean 'ptv2'?"),
    "set and swept": (
        ["--set", "ptv2.length=4", "--sweep", "ptv2.length=4,8"],
        "ptv2.length is given by --set and by --sweep; leave one of them out",
    ),
    "seeds that are words": (["--seeds", "a,b"], "--seeds 'a,b' is not possible: give a number of seeds (5, "),
    "no seeds": (["--seeds", "0"], "--seeds '0'"),
    "empty seeds": (["--seeds", ","], "--seeds ','"),
    "no epochs": (["--epochs", "0"], "--epochs 0 is not possible: Input should be greater than or equal to 1"),
    "text for epochs": (["--epochs", "many"], "--epochs: it must be a whole number"),
    "short max length": (["--max-length", "4"], "--max-length 4 is not possible"),
    "a single row for both": (["--limit", "1"], "--limit 1 is not possible: Input should be greater"),
    "no lanes": (["--lanes", "0"], "--lanes 0 is not possible: it must be at least 1"),
    "missing data folder": (["--data", "nowhere"], "--data nowhere: no such folder; give the folder that holds RTE/"),
    "missing plugin": (["--plugin", "nowhere.py"], "--plugin nowhere.py: no such file"),
    "missing model folder": (["--models", "./nowhere"], "--models ./nowhere: no such folder"),
    "hub out of reach for a model": (
        ["--models", "somebody/some-model"],
        "cannot reach the hub for model 'somebody/some-model' (HF_HUB_OFFLINE is set), and it is not in the cache. "
        "To run offline give --models a local folder, or use the embedded suite: bench run --suite smoke",
    ),
    "prompt and text beyond the positions": (
        ["--methods", "prompt_tuning", "--set", "prompt_tuning.length=60", "--max-length", "32"],
        "prompt_tuning on rte: 60 prompt positions + 32 text tokens = 92, but model 'tiny-bert' has 64 positions; "
        "lower prompt_tuning.length or --max-length",
    ),
    "text beyond the positions": (
        ["--methods", "finetune", "--max-length", "65"],
        "finetune on rte: 65 text tokens, but model 'tiny-bert' has 64 positions; lower --max-length",
    ),
    "a pattern that leaves no room": (
        ["--methods", "finetune", "--set", "finetune.head=verbalizer", "--max-length", "8"], "raise --max-length",
    ),
    "layers beyond the model's depth": (
        ["--set", "ptv2.layers=2-3"], "nothing can be run: ptv2.layers=2-3, but model 'tiny-bert' has 2 layers",
    ),
    "data for a suite without any": (["--suite", "smoke", "--tasks", ""], "no chosen task of suite 'smoke' reads"),
}  # fmt: skip


@pytest.mark.parametrize(("flags", "message"), WRONG_FLAGS.values(), ids=WRONG_FLAGS)
def test_a_wrong_flag_is_one_line_that_says_what_to_do(bench: Bench, flags: list[str], message: str) -> None:
    assert message in bench.refuses(*flags)
    assert not Path("out").exists()


def test_data_out_of_reach_says_how_to_run_offline(bench: Bench) -> None:
    at = bench.base.index("--data")
    del bench.base[at : at + 2]
    said = bench.refuses()
    assert "cannot reach the hub for dataset 'aps/super_glue'" in said
    assert "To run offline: --data DIR (a folder with RTE/train.jsonl)" in said


NO_DEV = "the dev split of task 'rte' is missing: no RTE/(val|dev).jsonl"
SPOILED_DATA = {
    "a file instead of the folder": (lambda data: (shutil.rmtree(data), data.write_text("")), "a file, not a folder"),
    "a file missing": (lambda data: (data / "RTE/val.jsonl").unlink(), NO_DEV),
    "a folder in a file's place": (
        lambda data: ((data / "RTE/val.jsonl").unlink(), (data / "RTE/val.jsonl").mkdir()), NO_DEV,
    ),
    "bytes that are no text": (
        lambda data: (data / "RTE/train.jsonl").write_bytes(b'{"premise": "\xff"}\n'), "RTE/train.jsonl: 'utf-8' codec",
    ),
    "an empty file": (lambda data: (data / "RTE/val.jsonl").write_text("\n"), "RTE/val.jsonl has no rows"),
    "a single train row": (
        lambda data: (data / "RTE/train.jsonl").write_text((data / "RTE/val.jsonl").read_text().splitlines()[0]),
        "nothing can be held out of 1 train row; give it more",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "message"), SPOILED_DATA.values(), ids=SPOILED_DATA)
def test_spoiled_data_is_named(bench: Bench, superglue: Path, spoil: Spoil, message: str) -> None:
    spoil(superglue)
    assert message in bench.refuses()
    assert not Path("out").exists()


SPOILED_ROWS = {
    "malformed": ('{"premise": "a", ', "not valid JSON"),
    "no object": ("[1, 2]", "expected a JSON object, found list"),
    "a missing field": (
        '{"premise": "a", "label": "entailment"}',
        "field 'hypothesis' is missing (task 'rte'); the row has label, premise",
    ),
    "a number for text": ('{"premise": 1, "hypothesis": "b", "label": "entailment"}', "field 'premise' must be text"),
    "an unknown label": (
        '{"premise": "a", "hypothesis": "b", "label": "maybe"}',
        "unknown label 'maybe' for task 'rte'; known: entailment, not_entailment",
    ),
}


@pytest.mark.parametrize(("row", "message"), SPOILED_ROWS.values(), ids=SPOILED_ROWS)
def test_a_spoiled_row_is_named_with_file_and_line(bench: Bench, superglue: Path, row: str, message: str) -> None:
    place = last_line(superglue / "RTE/train.jsonl", row)
    assert f"{place}: {message}" in bench.refuses()
    assert not Path("out").exists()


def test_every_task_is_read_before_any_training(bench: Bench, superglue: Path) -> None:
    place = last_line(superglue / "BoolQ/val.jsonl", "{")
    assert place in bench.refuses("--tasks", "rte,cb,boolq")
    assert not Path("out").exists()


def _spoil_config(**changes: object) -> Spoil:
    def spoil(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, **changes}))

    return spoil


def _cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


SPOILED_MODELS = {
    "no config": (lambda folder: (folder / "config.json").unlink(), "has no config.json"),
    "a config that is no JSON": (lambda folder: (folder / "config.json").write_text("{"), "config.json: Expecting"),
    "a config of nothing": (lambda folder: (folder / "config.json").write_text("{}"), "names no model_type"),
    "a config of odd sizes": (_spoil_config(num_hidden_layers=[2]), "does not describe a transformers checkpoint"),
    "a config transformers refuses": (_spoil_config(hidden_size="wide"), "cannot be loaded"),
    "an unknown architecture": (_spoil_config(model_type="bertle"), "model type `bertle`"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "has no tokenizer"),
    "a spoiled tokenizer": (lambda folder: (folder / "tokenizer.json").write_text("{}"), "cannot be loaded"),
    "no safetensors": (lambda folder: (folder / "model.safetensors").unlink(), "has no *.safetensors weights"),
    "weights cut off": (lambda folder: _cut_in_half(folder / "model.safetensors"), "is no whole safetensors file"),
    "weights that are none": (
        lambda folder: (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1"),
        "is no whole safetensors file (its header is cut off)",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "message"), SPOILED_MODELS.values(), ids=SPOILED_MODELS)
def test_a_spoiled_model_is_named(bench: Bench, tiny_bert: Path, tmp_path: Path, spoil: Spoil, message: str) -> None:
    folder = Path(shutil.copytree(tiny_bert, tmp_path / "spoiled"))
    spoil(folder)
    said = bench.refuses("--models", folder)
    assert message in said
    assert str(folder) in said
    assert not Path("out").exists()


def test_a_file_for_a_model_is_refused(bench: Bench, tiny_bert: Path) -> None:
    assert "a file, not a folder" in bench.refuses("--models", tiny_bert / "config.json")


def test_a_tokenizer_without_the_label_words_is_left_out_before_any_training(
    bench: Bench, tiny_bert: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_bert, tmp_path / "wordless"))
    text = (folder / "tokenizer.json").read_text()
    (folder / "tokenizer.json").write_text(text.replace('"maybe"', '"perhaps"'))
    flags = ("--tasks", "rte,cb", "--methods", "ptuning_v1", "--models", f"{tiny_bert},{folder}")
    code, out, _ = bench.run(*flags)
    assert code == 1
    assert "the tokenizer does not know the label word 'maybe'" in " ".join(out.split())
    assert len(list(Path("out/cells").iterdir())) == 3  # cb on the model that knows it, and rte on both
    alone = (*flags[:4], "--tasks", "cb", "--models", folder, "--out", "alone")
    assert "the tokenizer does not know the label word 'maybe'" in bench.refuses(*alone)
    assert not Path("alone").exists()


def test_layers_beyond_one_model_are_skipped_with_the_reason(bench: Bench) -> None:
    code, out, _ = bench.run("--methods", "ptv2,finetune", "--set", "ptv2.layers=3", "--plan")
    assert code == 0
    reason = "ptv2.layers=3, but model 'tiny-bert' has 2 layers"
    assert f"skipped: ptv2 (layers=3) on rte with tiny-bert: {reason}" in _unwrapped(out)
    assert "1 cells" in out


def test_a_verbalizer_without_a_language_model_head_is_skipped_with_the_reason(
    bench: Bench, tiny_encoder: Path
) -> None:
    reason = "model 'tiny-encoder' has no language-model head for a verbalizer"
    code, out, _ = bench.run("--models", tiny_encoder, "--methods", "ptuning_v1,ptv2", "--plan")
    assert code == 0
    assert f"skipped: ptuning_v1 on rte with tiny-encoder: {reason}" in _unwrapped(out)
    said = bench.refuses("--models", tiny_encoder, "--methods", "ptuning_v1")
    assert said == f"error: nothing can be run: {reason}"


def _unwrapped(text: str) -> str:
    return " ".join(text.split())


def test_an_unknown_report_format_is_refused(bench: Bench) -> None:
    assert "did you mean 'csv'?" in bench.refusal(*bench("report", "out", "--format", "cvs"))


@pytest.mark.parametrize("command", ["report", "show"])
def test_reading_a_folder_of_no_results_is_refused(bench: Bench, tmp_path: Path, command: str) -> None:
    flags = {"report": ["report", tmp_path], "show": ["show", "0", "--in", tmp_path]}[command]
    assert "is not a results folder (no store.json in it)" in bench.refusal(*bench(*flags))
    before = "no results folder under results/; make one with `bench run`, or name one"
    assert before in bench.refusal(*bench(command, *flags[1:2] if command == "show" else ()))


SPOILED_GRIDS = {
    "no TOML": ("methods = [", "is not valid TOML"),
    "unknown key": ('method = ["ptv2"]', "unknown key in grid.toml 'method'; did you mean 'methods'?"),
    "text for a number": ('lanes = "two"', 'grid.toml: lanes = "two" is not possible: it must be a whole number'),
    "a switch for a number": ("epochs = true", "grid.toml: epochs = true is not possible: it must be a whole number"),
    "a number for names": ("methods = 5", "grid.toml: methods = 5 is not possible: it must be a list of names"),
    "numbers for names": ("methods = [5]", "grid.toml: methods = [5] is not possible: it must be a list of names"),
    "a number for text": ("protocol = 3", "grid.toml: protocol = 3 is not possible: it must be text"),
    "text for a switch": ('save_tuned = "no"', "it must be true or false"),
    "seeds that are none": ("seeds = [[1]]", "grid.toml: seeds = [[1]] is not possible: give a number of seeds"),
    "settings without a method": ("[set]\nlength = 4", "grid.toml: set.length must be a table of settings"),
    "a sweep of another kind": ("sweep = 4", "grid.toml: sweep = 4 is not possible: it must be a table of tables"),
    "a sweep without a list": (
        "[sweep.ptv2]\nlength = 8",
        "grid.toml: sweep.ptv2.length must be a list of values, like [8, 32]",
    ),
    "a sweep of nothing": ("[sweep.ptv2]\nlength = []", "grid.toml: sweep.ptv2.length must be a list of values"),
    "a sweep without a method": ("[sweep]\nptv2 = 8", "grid.toml: sweep.ptv2 must be a table of lists of values"),
    "no trials": ("trials = 0", "grid.toml: trials = 0 is not possible: it must be at least 1"),
    "settings of another kind": ("set = 4", "grid.toml: set = 4 is not possible"),
    "an impossible setting": ("[set.ptv2]\nlength = 0", "ptv2.length=0 is not possible"),
}


@pytest.mark.parametrize(("text", "message"), SPOILED_GRIDS.values(), ids=SPOILED_GRIDS)
def test_a_spoiled_grid_file_is_refused(bench: Bench, text: str, message: str) -> None:
    Path("grid.toml").write_text(text)
    if text.startswith("seeds"):
        del bench.base[bench.base.index("--seeds") :][:2]
    grid = [flag for flag in bench.base if not text.startswith("seeds") or flag not in ("--seeds", "1")]
    bench.base = grid
    assert message in bench.refuses("-c", "grid.toml")
    assert not Path("out").exists()


def test_a_missing_grid_file_is_refused(bench: Bench) -> None:
    assert "cannot read nowhere.toml: No such file" in bench.refuses("-c", "nowhere.toml")
