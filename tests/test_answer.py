"""`bench run` ends with the answer, and has measured alone what shared a loop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import bench as face
from bench.store import alone


def test_a_run_ends_with_which_method_to_use(bench: Any) -> None:
    code, out, _ = bench.run("--methods", "ptv2,linear_probe", "--seeds", "2")
    assert code == 0
    lines = out.splitlines()
    at = lines.index("# Which method to use: superglue, by rte, tiny-bert")
    assert lines[at - 1].endswith("next: bench report out")
    assert lines[at + 2].split(" ")[0] in ("Use", "Undecided", "Nothing")
    assert sum(line.startswith("| ") for line in lines[at:]) == 2 + 2  # the heading, its rule, and the two lines
    assert not Path("out/alone").exists()  # it was over in a moment
    assert "Which method" not in bench.run("--methods", "ptv2,linear_probe", "--seeds", "2")[1], "nothing is new"


def test_one_method_alone_gets_no_answer(bench: Any) -> None:
    assert "Which method" not in bench.run()[1]


def test_what_shared_a_loop_is_measured_alone_after_the_run(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The records stay as they were, and table and frame have the same numbers."""
    monkeypatch.setattr(alone, "SHARE", 1000.0)
    code, out, _ = bench.run("--methods", "ptv2,linear_probe,finetune", "--seeds", "2", "--steps", "8")
    assert code == 0
    assert "measuring alone what shared a loop or a GPU: 2 cells" in out
    assert "≈" not in out
    assert "≤" not in out
    files = {path.stem: json.loads(path.read_text()) for path in Path("out/alone").iterdir()}
    assert len(files) == 2
    frame = face.load("out")
    assert set(frame["alone"]) == {"measured"}
    assert set(frame.groupby("method")["lanes"].max().to_dict().items()) == {
        ("finetune", 1.0), ("ptv2", 4.0), ("linear_probe", 4.0),
    }  # fmt: skip
    of_ptv2 = frame[frame["method"] == "ptv2"]
    assert of_ptv2["alone_seconds"].nunique() == 1
    seconds = {each["train_seconds"] + each["evaluate_seconds"] for each in files.values()}
    assert of_ptv2["alone_seconds"].iloc[0] in seconds
    assert set(of_ptv2["alone_peak_bytes"]) <= {each["peak_bytes"] for each in files.values()}
    finetune = frame[frame["method"] == "finetune"]
    assert (finetune["alone_seconds"] == finetune["train_seconds"] + finetune["evaluate_seconds"]).all()
    assert bench("report", "out", "--format", "csv")[0] == 0
    assert "measured" in Path("out/report/recommendation-superglue.csv").read_text()


def test_no_probe_leaves_the_measuring_out(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alone, "SHARE", 1000.0)
    _, out, _ = bench.run("--methods", "ptv2,linear_probe", "--no-probe")
    assert "measuring alone" not in out
    assert not Path("out/alone").exists()


def test_a_broken_measurement_is_left_out_by_name(bench: Any) -> None:
    bench.run("--methods", "ptv2,linear_probe")
    Path("out/alone").mkdir()
    Path("out/alone/feedfeedfeedfeed.json").write_text("{}")
    code, out, err = bench("report", "out", "--format", "csv")
    assert code == 0
    assert "left out: out/alone/feedfeedfeedfeed.json is no measurement that can be read here" in err
    assert "Which method to use" in out
