"""`bench check FOLDER` names whatever is not what was written any more, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Bench
from tests.store.test_healing import spoil


@pytest.fixture
def results(bench: Bench) -> Path:
    assert bench.run("--tasks", "rte,copa")[0] == 0
    assert bench.run("--methods", "ptuning_v1", "--set", "ptuning_v1.learning_rate=1e30")[0] == 1
    return Path("out")


def failed(out: str) -> list[str]:
    return [line for line in out.splitlines() if line.startswith("FAILED")]


def test_a_whole_folder_passes_in_one_line(bench: Bench, results: Path) -> None:
    code, out, err = bench("check", results)
    assert (code, err) == (0, "")
    assert out.splitlines() == [f"passed  {results}: whole: 2 finished cells", "1 passed, 0 failed, 0 skipped"]


def test_every_broken_file_has_its_line_and_the_exit_code_is_one(bench: Bench, results: Path) -> None:
    first, second = sorted(results.glob("cells/*"))
    broken = [
        first / "record.json", second / "predictions.parquet", second / "tuned.safetensors",
        *results.glob("failed/*.json"), *results.glob("plans/*.json"), *results.glob("suites/*.json"),
        *results.glob("examples/*.parquet"),
    ]  # fmt: skip
    assert len(broken) >= 9
    for path in broken:
        spoil(path)
    code, out, _ = bench("check", results)
    assert code == 1
    lines = failed(out)
    assert len(lines) == len(broken)
    assert [path for path in broken if not any(str(path) in line for line in lines)] == []
    assert f"0 passed, {len(broken)} failed, 0 skipped" in out


def test_what_is_gone_is_told_apart(bench: Bench, results: Path) -> None:
    first, second = sorted(results.glob("cells/*"))
    (first / "tuned.safetensors").unlink()
    code, out, _ = bench("check", results)
    assert code == 0
    assert f"cell {first.name}: whole: {first / 'tuned.safetensors'} is gone" in out
    (first / "predictions.parquet").unlink()
    (second / "record.json").unlink()
    code, out, _ = bench("check", results)
    assert code == 1
    assert failed(out) == [
        f"FAILED  cell {first.name}: whole: {first / 'predictions.parquet'} is gone",
        f"FAILED  cell {second.name}: whole: {second} has no record",
    ]


def test_what_was_set_aside_is_told(bench: Bench, results: Path) -> None:
    spoil(sorted(results.glob("cells/*/record.json"))[0])
    assert bench.run("--tasks", "rte,copa")[0] == 0
    code, out, _ = bench("check", results)
    assert code == 0
    assert f"{results / 'broken'}: set aside: 1 broken cells were set aside to be measured again" in out


def test_several_folders_are_looked_at_one_after_another(bench: Bench, results: Path, tmp_path: Path) -> None:
    code, out, _ = bench("check", results, tmp_path / "nowhere")
    assert code == 1
    assert failed(out) == [
        f"FAILED  {tmp_path}/nowhere: whole: {tmp_path}/nowhere is not a results folder (no store.json in it); "
        "`bench run --out` makes one"
    ]


def test_with_a_flag_the_rest_is_looked_at_too(bench: Bench, results: Path) -> None:
    _, out, _ = bench("check", results, "--methods", "linear_probe")
    assert f"passed  {results}: whole" in out
    assert "python" in out.lower()


def test_predict_export_and_show_refuse_what_is_broken(bench: Bench, results: Path) -> None:
    path = sorted(results.glob("cells/*/record.json"))[0]
    spoil(path)
    Path("rows.csv").write_text("premise,hypothesis\nword1,word2\n")
    cell = path.parent.name
    for command in (["show"], ["predict", "--data", "rows.csv"], ["export", "--to", "exported"]):
        said = bench.refusal(*bench(command[0], cell, *command[1:], "--in", results))
        assert str(path) in said
    assert not Path("exported").exists()
