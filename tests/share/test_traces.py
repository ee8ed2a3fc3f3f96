"""What is said of the machine that measured, and where: what results/README.md states, and nothing else."""

from __future__ import annotations

import getpass
import json
import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import safe_open

from bench.report.files import collect, write
from bench.share.push import FORMATS
from bench.share.union import Extras, joined
from bench.store.store import Store
from tests.share.test_anonymised import bytes_of

PLACES = ("home-of-ann", "secret project")  # what the folder of the fixture's results, models and data is called


def fields(tree: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text of JSON with the names that lead to it."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from fields(value, f"{name}.{key}" if name else key)
    elif isinstance(tree, list):
        for value in tree:
            yield from fields(value, name)
    elif isinstance(tree, str):
        yield name, tree


def files_that_say(folder: Path, words: tuple[str, ...]) -> set[str]:
    return {name for name, content in bytes_of(folder) if any(word.encode() in content for word in words)}


def test_a_record_says_where_model_and_data_lay_and_what_was_typed(measured: Path) -> None:
    said = {
        name
        for path in measured.glob("cells/*/record.json")
        for name, text in fields(json.loads(path.read_text()))
        if any(place in text for place in PLACES)
    }
    assert said == {"cell.model_path", "cell.data_path", "provenance.command"}
    assert {re.sub(r"^.*\.", "", name) for name in files_that_say(measured, PLACES)} == {"json"}
    assert {path.parent.name for path in measured.rglob("*.json") if PLACES[1] in path.read_text()} <= {
        "plans", *(path.name for path in measured.glob("cells/*")),
    }  # fmt: skip


def test_no_host_no_user_and_no_variable_of_the_environment_is_in_a_results_folder(measured: Path) -> None:
    names = {platform.node(), *(os.environ.get(name, "") for name in ("HOSTNAME", "PYTEST_CURRENT_TEST"))}
    names |= {f"/{getpass.getuser()}/", str(Path.home())} - {"//", "/"}
    assert files_that_say(measured, tuple(name for name in names if len(name) > 3)) == set()


def test_a_report_says_in_its_page_alone_where_results_models_and_data_lay(measured: Path, tmp_path: Path) -> None:
    write(collect([measured]), ("md", "tex", "csv", "png", "svg", "html"), to=tmp_path / "report")
    assert files_that_say(tmp_path / "report", PLACES) == {"report.html"}
    page = (tmp_path / "report" / "report.html").read_text()
    data = json.loads(re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[0])
    said = {name for name, text in fields(data) if any(place in text for place in PLACES)}
    assert said == {"setups.model_path", "setups.data_path", "setups.results", "provenance.command"}
    assert b"Software\x00Matplotlib" in next((tmp_path / "report").glob("*.png")).read_bytes()
    assert not re.search(r"<dc:date>|\d{4}-\d\d-\d\dT", next((tmp_path / "report").glob("*.svg")).read_text())


def test_what_is_pushed_says_none_of_it(measured: Path, tmp_path: Path) -> None:
    union = joined(Store.open(measured), None, tmp_path / "joined", Extras(tuned=True), "hub:us/ours")
    write(collect([union.store.path]), FORMATS, to=union.store.path / "report", samples=0)
    names = (*PLACES, platform.release(), platform.node())
    assert files_that_say(union.store.path, tuple(name for name in names if len(name) > 3)) == set()  # tensors say "vm"


def test_trained_tensors_say_whose_cell_they_are(measured: Path) -> None:
    for path in measured.glob("cells/*/tuned.safetensors"):
        with safe_open(path, "pt") as file:
            assert file.metadata() == {"cell": path.parent.name}


def test_an_export_says_where_its_model_lay_and_answers_say_nothing(bench: Any, measured: Path, tmp_path: Path) -> None:
    records = Store.open(measured).records()
    (record, *_) = [each for each in records if (each.cell.method, each.cell.task) == ("ptv2", "rte")]
    code, _, err = bench("export", record.id, "--in", measured, "--to", tmp_path / "exported")
    assert code == 0, err
    assert files_that_say(tmp_path / "exported", PLACES) == {"README.md", "head.json", "adapter_config.json"}
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"premise": "question word1", "hypothesis": "word2"}\n')
    for ending in ("csv", "jsonl", "parquet"):
        (tmp_path / "answers").mkdir(exist_ok=True)
        assert bench("predict", record.id, "--in", measured, "--data", rows,
                     "--to", tmp_path / f"answers/x.{ending}")[0] == 0  # fmt: skip
    assert files_that_say(tmp_path / "answers", PLACES) == set()


def test_without_names_nothing_of_it_is_left(bench: Any, measured: Path, tmp_path: Path) -> None:
    code, _, err = bench("report", measured, "--anonymous", "--to", tmp_path / "blind")
    assert code == 0, err
    assert files_that_say(tmp_path / "blind", (*PLACES, "my-bert", platform.node(), platform.release())) == set()
    assert not re.search(r"\b20\d\d-\d\d-\d\d", (tmp_path / "blind" / "report.html").read_text())
