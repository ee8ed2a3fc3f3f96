"""Results go to a hub and come back the same, whoever pushes and in whatever order."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from pyarrow import parquet

import bench as face
from bench.share import push
from bench.store.store import Store
from tests.conftest import Bench
from tests.share.conftest import Become, seeds_of
from tests.share.writable_hub import WritableHub
from tests.store.edited import edit

REPO, HUB = "us/our-results", "hub:us/our-results"
TEXTS = ("md", "csv", "tex")


@pytest.fixture
def us(bench: Bench, become: Become, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Without figures and page, which take seconds: a test that looks at them says so."""
    monkeypatch.setattr(push, "FORMATS", ("md", "csv"))
    become("us")
    return bench


def said(command: tuple[int, str, str]) -> str:
    """What a command that must succeed has said; the hub's bars and our warnings apart."""
    code, out, err = command
    assert code == 0, err
    assert [line for line in err.splitlines() if line.startswith("error")] == []
    return out


def report_files(us: Bench, *folders: object, to: Path) -> dict[str, str]:
    said(us("report", *folders, "--format", ",".join(TEXTS), "--to", to))
    return {path.name: path.read_text() for path in sorted(to.iterdir())}


def test_a_report_of_what_was_pushed_is_that_of_the_folder(
    us: Bench, mine: Path, become: Become, tmp_path: Path
) -> None:
    here = report_files(us, mine, to=tmp_path / "here")
    assert "added 8 cells in" in said(us("push", mine, "--to", HUB, "--with-predictions"))
    become("somebody else", token=None)
    there = report_files(us, HUB, to=tmp_path / "there")
    assert here == there
    assert {"table-superglue.md", "verdicts-superglue.csv"} <= set(there)


def test_a_table_of_what_was_pushed_is_that_of_the_folder(us: Bench, mine: Path, hub: WritableHub) -> None:
    said(us("push", mine, "--to", HUB))
    here, there = face.load(mine), face.load(HUB)
    commit = hub.commits["dataset", REPO][-1][0]
    assert set(there["results"]) == {f"{HUB}@{commit}"}
    pd.testing.assert_frame_equal(here.drop(columns="results"), there.drop(columns="results"))
    csv = pd.read_csv(pd.io.common.BytesIO(hub.files(REPO)["table.csv"]), float_precision="round_trip")
    assert csv["score"].tolist() == here["score"].tolist()
    assert csv["id"].tolist() == here["id"].tolist()


def test_what_is_sent_by_default_has_no_text_of_the_data_and_no_tensor(us: Bench, mine: Path, hub: WritableHub) -> None:
    out = said(us("push", mine, "--to", HUB))
    assert "4 cells with what metrics count of each example in the place of predictions" in out
    files = hub.files(REPO)
    kept = {name.rpartition("/")[2] for name in files if name.startswith("cells/")}
    assert kept == {"record.json", "predictions.parquet", "terms.parquet"}
    assert [name for name in files if name.startswith("examples/")] == []
    tasks = {record.id: record.cell.task for record in Store.open(mine).records()}
    sent = {tasks[name.split("/")[1]] for name in files if name.endswith("predictions.parquet")}
    assert sent == {"rte"}  # copa's answers are its texts
    assert not any(word in content for content in files.values() for word in (b"word1 ", b"word5."))


def test_predictions_without_texts_give_the_same_verdicts(us: Bench, mine: Path, tmp_path: Path) -> None:
    here = report_files(us, mine, to=tmp_path / "here")
    said(us("push", mine, "--to", HUB))
    assert report_files(us, HUB, to=tmp_path / "there") == here
    tasks = {record.id: record.cell.task for record in Store.open(mine).records()}
    (count,) = {
        parquet.read_table(path).num_rows
        for path in mine.glob("cells/*/predictions.parquet")
        if tasks[path.parent.name] == "rte"
    }
    (shared,) = {parquet.read_table(path)["id"].to_pylist()[-1] for path in _shared(tmp_path)}
    assert shared == str(count - 1)


def _shared(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "home-of-us/own/shared").rglob("predictions.parquet"))


@pytest.mark.parametrize("flag", ["--with-examples", "--with-tuned", "--with-predictions"])
def test_what_is_asked_for_goes_too(flag: str, us: Bench, mine: Path, hub: WritableHub) -> None:
    said(us("push", mine, "--to", HUB, flag))
    files = hub.files(REPO)
    of_cells = [name.rpartition("/")[2] for name in files if name.startswith("cells/")]
    assert of_cells.count("tuned.safetensors") == (8 if flag == "--with-tuned" else 0)
    assert of_cells.count("predictions.parquet") == (4 if flag == "--with-tuned" else 8)
    assert any(name.startswith("examples/") for name in files) == (flag == "--with-examples")


@pytest.mark.parametrize("flags", [(), ("--with-examples",)])
def test_the_page_shows_texts_only_where_they_go_too(
    flags: tuple[str, ...], us: Bench, mine: Path, hub: WritableHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push, "FORMATS", ("html",))
    said(us("push", mine, "--to", HUB, *flags))
    page = hub.files(REPO)["report/report.html"].decode()
    assert ("word1" in page) == bool(flags)
    assert f"bench report {HUB} --format html" in page


def test_nothing_of_the_machine_is_sent(us: Bench, mine: Path, hub: WritableHub) -> None:
    said(us("push", mine, "--to", HUB, "--with-predictions", "--with-tuned"))
    measured_at = [record.cell.model_path for record in Store.open(mine).records()]
    needles = {"home-of-ann", "secret project", str(mine), str(Path.home()) + "/"}
    assert all("secret project" in place for place in measured_at)
    for name, content in hub.files(REPO).items():
        assert [needle for needle in needles if needle.encode() in content] == [], name
    name = next(name for name in hub.files(REPO) if name.endswith("record.json"))
    record = json.loads(hub.files(REPO)[name])
    assert (record["cell"]["model_path"], record["cell"]["data_path"]) == ("my-bert", "data")
    command = record["provenance"]["command"]
    assert command[command.index("--models") + 1] == "my-bert"
    assert command[command.index("--out") + 1] == "results"


def test_ids_and_numbers_stay_as_they_are(us: Bench, mine: Path, hub: WritableHub) -> None:
    said(us("push", mine, "--to", HUB))
    for record in Store.open(mine).records():
        sent = json.loads(hub.files(REPO)[f"cells/{record.id}/record.json"])
        ours = json.loads(record.model_dump_json())
        changed = {"cell", "provenance", "files", "sha256"}
        assert {k: v for k, v in sent.items() if k not in changed} == {
            k: v for k, v in ours.items() if k not in changed
        }


def test_two_people_s_results_are_one(us: Bench, mine: Path, hub: WritableHub, become: Become, tmp_path: Path) -> None:
    whole = report_files(us, mine, to=tmp_path / "whole")
    first = seeds_of(Path(shutil.copytree(mine, tmp_path / "first")), 0)
    second = seeds_of(Path(shutil.copytree(mine, tmp_path / "second")), 1)
    said(us("push", first, "--to", HUB, "--with-predictions"))
    become("another of us")
    assert "added 4 cells in" in said(us("push", second, "--to", HUB, "--with-predictions"))
    assert len([name for name in hub.files(REPO) if name.startswith("plans/")]) == 1
    assert hub.messages == ["bench push: 4 cells", "bench push: 4 cells"]
    assert report_files(us, HUB, to=tmp_path / "both") == whole
    assert report_files(us, first, f"{HUB}@main", to=tmp_path / "merged") == whole


def test_pushing_again_adds_what_is_new_and_else_nothing(
    us: Bench, mine: Path, hub: WritableHub, tmp_path: Path
) -> None:
    first = seeds_of(Path(shutil.copytree(mine, tmp_path / "first")), 0)
    said(us("push", first, "--to", HUB))
    before = hub.files(REPO)
    assert "added 4 cells in" in said(us("push", mine, "--to", HUB))
    after = hub.files(REPO)
    assert {name: after[name] for name in before if name.startswith("cells/")} == {
        name: content for name, content in before.items() if name.startswith("cells/")
    }
    assert f"{HUB} has all of {mine}" in said(us("push", mine, "--to", HUB))
    assert len(hub.messages) == 2


def test_a_finished_record_is_never_replaced_and_the_difference_is_told(
    us: Bench, mine: Path, hub: WritableHub
) -> None:
    said(us("push", mine, "--to", HUB))
    path = sorted(mine.glob("cells/*/record.json"))[0]
    record = json.loads(path.read_text())
    there = record["scores"]["accuracy"]
    record["scores"]["accuracy"] = 99.0
    edit(path, **record)
    code, out, err = us("push", mine, "--to", HUB)
    assert (code, "has all of" in out) == (0, True)
    assert f"cell {path.parent.name}: accuracy is {there} there and 99.0 here; that there stays" in err
    assert json.loads(hub.files(REPO)[f"cells/{path.parent.name}/record.json"])["scores"]["accuracy"] == there


def test_somebody_faster_is_joined_and_not_overwritten(us: Bench, mine: Path, hub: WritableHub, tmp_path: Path) -> None:
    first = seeds_of(Path(shutil.copytree(mine, tmp_path / "first")), 0)
    second = seeds_of(Path(shutil.copytree(mine, tmp_path / "second")), 1)
    said(us("push", first, "--to", HUB))
    theirs = {**hub.files(REPO), "README.md": b"# A word of ours\n"}
    hub.before_commit = lambda: hub.push("dataset", REPO, theirs)
    said(us("push", second, "--to", HUB))
    records = [name for name in hub.files(REPO) if name.endswith("record.json")]
    assert len(records) == 8
    assert hub.files(REPO)["README.md"].decode().count("# A word of ours") == 1


def test_a_dry_run_lists_files_and_sends_nothing(us: Bench, mine: Path, hub: WritableHub) -> None:
    out = said(us("push", mine, "--to", HUB, "--dry-run"))
    assert "would add 8 cells in" in out
    assert hub.commits == {}
    listed = {line.split()[1]: int(line.split()[0].replace(",", "")) for line in out.splitlines() if line[:1] == " "}
    said(us("push", mine, "--to", HUB))
    assert listed == {name: len(content) for name, content in hub.files(REPO).items() if name != ".gitattributes"}


def test_a_failure_goes_without_its_traceback_and_gives_way_to_the_finished_cell(
    us: Bench, mine: Path, hub: WritableHub, tmp_path: Path
) -> None:
    failed = Path(shutil.copytree(mine, tmp_path / "failed"))
    record = Store.open(failed).records()[0]
    shutil.rmtree(Store.open(failed).cell_folder(record.id))
    Store.open(failed).write(
        record.model_copy(
            update={
                "status": "failed",
                "scores": {},
                "reason": "no room in /scratch/ann/tmp",
                "traceback": "/users/ann",
            }
        )
    )
    said(us("push", failed, "--to", HUB))
    sent = json.loads(hub.files(REPO)[f"failed/{record.id}.json"])
    assert (sent["reason"], "traceback" in sent) == ("no room in tmp", False)
    assert "added 1 cell in" in said(us("push", mine, "--to", HUB))
    assert f"failed/{record.id}.json" not in hub.files(REPO)
    assert f"cells/{record.id}/record.json" in hub.files(REPO)
