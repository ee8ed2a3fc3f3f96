"""A notebook as a user writes it, run by a kernel."""

from __future__ import annotations

from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

CELLS = (
    "import bench\nresults = bench.run(**grid, seeds=2, methods=['ptv2', 'finetune'], out='out')",
    "results",
    "results.figures['scale-superglue']",
    "results.report(format='html,csv')",
    "bench.run(**grid, method='ptv2')",
    "import threading\n[thread.name for thread in threading.enumerate() if 'rich' in thread.name.lower()]",
    "bench.preview(**grid, seeds=3, methods=['ptv2'], out='out', probe=False)",
)


@pytest.fixture(scope="module")
def cells(small: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The cells with their outputs, in the order of CELLS."""
    folder = tmp_path_factory.mktemp("notebook")
    grid = {name: value for name, value in small.items() if name not in ("seeds", "methods")}
    shown = repr({**grid, "models": [str(model) for model in grid["models"]], "data": str(grid["data"])})
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in (f"grid = {shown}", *CELLS)])
    client = nbclient.NotebookClient(
        book, timeout=120, kernel_name="python3", allow_errors=True, resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return list(book.cells[1:])


def content(cell: Any, kind: str) -> str:
    """What a cell shows of a kind of content."""
    return "".join(
        str(output.data[kind]) for output in cell.outputs if "data" in output and kind in output.data
    )  # fmt: skip


def test_only_the_wrong_call_is_an_error_and_it_names_its_argument(cells: list[Any]) -> None:
    errors = {number: out for number, cell in enumerate(cells) for out in cell.outputs if out.output_type == "error"}
    assert list(errors) == [4]
    assert (errors[4].ename, errors[4].evalue.partition(";")[0]) == ("UsageError", "unknown argument 'method'")


def test_a_run_has_one_display_with_its_last_state_and_few_lines(cells: list[Any]) -> None:
    displays = [output for output in cells[0].outputs if output.output_type == "display_data"]
    assert len(displays) == 1
    assert "4 of 4 cells" in displays[0].data["text/html"]
    lines = "".join(output.text for output in cells[0].outputs if output.get("name") == "stdout").splitlines()
    assert len(lines) < 10
    assert lines[0] == "4 cells: 2 methods × 1 tasks × 1 models × 2 seeds; 4 to run → out"


def test_results_are_shown_as_the_tables_of_the_report(cells: list[Any]) -> None:
    shown = content(cells[1], "text/html")
    assert "Suite superglue: against finetune" in shown
    assert shown.count("<table") == 5  # recommendation, scores, costs, verdicts, rows
    assert "4 of 4 cells finished" in shown


def test_a_figure_stands_in_the_notebook(cells: list[Any]) -> None:
    shown = content(cells[2], "text/html")
    assert shown.startswith("<figure><p><b>superglue: score against model size</b></p>")
    assert '<img src="data:image/svg+xml;base64,' in shown
    assert content(cells[2], "image/png").startswith("iVBOR")


def test_the_page_stands_in_a_frame_of_its_own(cells: list[Any]) -> None:
    assert "<iframe srcdoc=" in content(cells[3], "text/html")


def test_no_thread_of_a_display_is_left(cells: list[Any]) -> None:
    assert content(cells[5], "text/plain") == "[]"


def test_a_preview_is_a_table_of_cells_with_what_the_plan_says(cells: list[Any]) -> None:
    shown = content(cells[6], "text/html")
    assert "3 cells: 1 methods × 1 tasks × 1 models × 3 seeds; 1 to run → out" in shown
    assert shown.count("to run") == 2
