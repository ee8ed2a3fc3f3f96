"""Python and the command line say the same: rows, tables on the screen, CSV files."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest

import bench
from bench.report.tables.formats import comma_separated
from bench.report.tables.numbers import score_text
from tests.conftest import Bench


@pytest.fixture(scope="module")
def written(measured: bench.Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The text files of `bench report`, as the command writes them."""
    from bench.commands.report import report_folders
    from bench.request import ReportRequest

    to = tmp_path_factory.mktemp("written")
    flags = {"folders": [str(measured.folders[0])], "to": str(to), "format": "csv,md,tex"}
    report_folders(ReportRequest.read(flags))
    return to


def test_scores_are_the_means_of_the_rows(measured: bench.Results) -> None:
    scores = measured.scores.set_index(["label", "task", "metric"])
    means = measured.groupby(["label", "task", "metric"])["score"]
    assert len(scores) == means.ngroups + 2  # the averages
    for key, of_entry in means:
        entry = scores.loc[key]
        assert (entry["mean"], entry["n"]) == (pytest.approx(of_entry.mean(), abs=1e-12), 3)
        assert entry["sd"] == pytest.approx(of_entry.std(), abs=1e-12)
    main = measured[measured["main"]].groupby(["label", "task"])["score"].mean()
    for label in ("ptv2", "finetune"):
        assert scores.loc[(label, "average", "main"), "mean"] == pytest.approx(main[label].mean(), abs=1e-9)


@pytest.mark.parametrize(("name", "stem"), [("scores", "table"), ("verdicts", "verdicts")])
def test_every_number_is_that_of_the_command_s_csv(
    measured: bench.Results, written: Path, name: str, stem: str
) -> None:
    text = (written / f"{stem}-superglue.csv").read_text()
    own = getattr(measured, name).to_csv(index=False, float_format="%.6g", lineterminator="\n")
    assert own == text
    numbers = pd.read_csv(io.StringIO(text)).select_dtypes("number").stack()
    assert len(numbers) > 40 if name == "scores" else len(numbers) > 20


def test_the_tables_are_those_that_the_command_prints_and_writes(
    measured: bench.Results, written: Path, bench: Bench, tmp_path: Path
) -> None:
    code, printed, _ = bench("report", measured.folders[0], "--to", tmp_path / "to", "--format", "csv")
    assert code == 0
    for name, table in measured.tables.items():
        assert (written / f"{name}.csv").read_text() == comma_separated(table)
        for row in (table.header, *table.rows, *table.footer):
            assert "| " + " | ".join(row) + " |" in printed
            assert all(cell in table._repr_html_().replace("&lt;", "<") for cell in row)


def test_an_entry_of_the_table_is_the_mean_and_spread_of_the_rows(measured: bench.Results) -> None:
    table = measured.tables["table-superglue"]
    place = {column: len(table.header) - len(table.columns) + at for at, column in enumerate(table.columns)}
    shown = {(row[1], *column): row[at] for row in table.rows for column, at in place.items()}
    for key, of_entry in measured.groupby(["label", "task", "metric"])["score"]:
        assert shown[key] == score_text(of_entry.mean(), of_entry.std(), 3, 3)


def test_python_writes_the_files_that_the_command_writes(
    measured: bench.Results, written: Path, tmp_path: Path
) -> None:
    paths = measured.report(to=tmp_path / "report", format=["csv", "md", "tex"])
    assert sorted(path.name for path in paths) == sorted(path.name for path in written.iterdir())
    for path in paths:
        assert path.read_bytes() == (written / path.name).read_bytes()


def test_loading_gives_what_the_run_gave(measured: bench.Results) -> None:
    loaded = bench.load(measured.folders[0])
    assert isinstance(loaded, bench.Results)
    pd.testing.assert_frame_equal(pd.DataFrame(loaded), pd.DataFrame(measured))
    pd.testing.assert_frame_equal(loaded.verdicts, measured.verdicts)


def test_figures_are_those_of_the_report(measured: bench.Results, tmp_path: Path) -> None:
    paths = {path.name: path for path in measured.report(to=tmp_path, format="svg")}
    assert sorted(paths) == sorted(["figures.md", *(f"{name}.svg" for name in measured.figures)])
    assert paths["scale-superglue.svg"].read_bytes() == measured.figures["scale-superglue"].svg
    assert measured.figures._repr_html_().count("<img ") == len(paths) - 1


def test_another_reference_and_margin_are_asked_for_by_the_flags_names(measured: bench.Results, tmp_path: Path) -> None:
    measured.report(to=tmp_path, format="csv", reference="ptv2", margin=5.0)
    found = pd.read_csv(tmp_path / "verdicts-superglue.csv")
    assert (set(found["reference"]), set(found["margin"])) == ({"ptv2"}, {5.0})
    with pytest.raises(bench.UsageError, match=r"^margin 0 is not possible"):
        measured.report(margin=0.0)
    with pytest.raises(bench.UsageError, match="unknown argument 'formats'; did you mean 'format'"):
        measured.report(formats="csv")
    with pytest.raises(bench.UsageError, match="no folder is given"):
        bench.load()
    with pytest.raises(bench.UsageError, match=r"^nowhere is not a results folder"):
        bench.load("nowhere")
