"""Results from a hub are data of strangers: read as a folder is, fetched once, what is none of them left out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from bench.errors import UsageError
from bench.store import foreign_files
from bench.store.address import Address, is_address
from bench.store.fetched import open_results
from bench.store.formats import OtherFormat
from bench.store.reading import record_text
from tests.conftest import Bench
from tests.data.hub_server import Files
from tests.report.conftest import make_cell, make_record
from tests.share.conftest import use_hub
from tests.share.writable_hub import WritableHub, serving_writable
from tests.store.edited import edited

REPO, HUB = "us/results", "hub:us/results"
CELL = make_cell()
STORE = {"store.json": b'{"format": 4}'}


def record(**changes: object) -> bytes:
    return edited(record_text(make_record(CELL, 60.0)), **changes).encode()


RECORD = f"cells/{CELL.id}/record.json"
RESULTS: Files = {**STORE, RECORD: record(), "README.md": b"# ours", "report/report.html": b"<html>"}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WritableHub]:
    with serving_writable() as server:
        use_hub(server.address, tmp_path / "home", monkeypatch)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield server


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_only_files_of_results_are_fetched(hub: WritableHub) -> None:
    commit = hub.push("dataset", REPO, RESULTS)
    store = open_results(HUB)
    assert store.name == f"{HUB}@{commit}"
    assert [each.scores for each in store.records()] == [{"accuracy": 60.0}]
    assert files_of(store.path) == {"store.json", RECORD, foreign_files.LEFT_OUT}
    assert not [asked for asked in hub.asked if "README" in asked or "report" in asked]


def test_a_commit_is_fetched_once(hub: WritableHub) -> None:
    commit = hub.push("dataset", REPO, RESULTS)
    open_results(HUB)
    hub.asked.clear()
    open_results(HUB)
    assert hub.asked == [f"GET /api/datasets/{REPO}"]  # whether there is a newer one
    hub.asked.clear()
    open_results(f"{HUB}@{commit}")
    assert hub.asked == []


def test_a_revision_is_its_own_commit_and_the_newest_is_asked_for(hub: WritableHub) -> None:
    first = hub.push("dataset", REPO, RESULTS)
    open_results(HUB)
    hub.push("dataset", REPO, {**RESULTS, RECORD: record(scores={"accuracy": 70.0})})
    assert open_results(HUB).records()[0].scores == {"accuracy": 70.0}
    assert open_results(f"{HUB}@{first}").records()[0].scores == {"accuracy": 60.0}
    with pytest.raises(UsageError, match="data set us/results has no revision 'v2'"):
        open_results(f"{HUB}@v2")


def test_offline_and_without_a_network_the_last_fetched_is_taken_and_told(
    hub: WritableHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit = hub.push("dataset", REPO, RESULTS)
    open_results(HUB)
    use_hub("http://127.0.0.1:9", tmp_path / "home", monkeypatch)
    assert open_results(HUB).name == f"{HUB}@{commit}"
    assert f"warning: {HUB} is taken as it was fetched last, at {commit}" in capsys.readouterr().err
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert open_results(HUB).name == f"{HUB}@{commit}"
    assert "(HF_HUB_OFFLINE is set)" in capsys.readouterr().err
    with pytest.raises(UsageError, match=r"cannot reach the hub for hub:us/other .*, and it was not fetched before"):
        open_results("hub:us/other")


def test_a_fetch_that_breaks_off_leaves_nothing_half(hub: WritableHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.push("dataset", REPO, RESULTS)

    def breaks(*_: object, **__: object) -> None:
        raise OSError("Connection reset by peer")

    with monkeypatch.context() as patched:
        patched.setattr("huggingface_hub.snapshot_download", breaks)
        with pytest.raises(UsageError, match=f"cannot fetch {HUB}: Connection reset by peer"):
            open_results(HUB)
    assert len(open_results(HUB).records()) == 1


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("cells/0123456789abcdef/run.py", "is no file of a results folder"),
        ("cells/0123456789abcdef/tuned.pkl", "is no file of a results folder"),
        ("cells/nothing/record.json", "is no file of a results folder"),
        ("cells/0123456789abcdef/deeper/record.json", "is no file of a results folder"),
        ("plans/[ab]*.json", "is no file of a results folder"),
        ("suites/a b.json", "is no file of a results folder"),
        ("failed/\x1b[2Jx.json", "is no file of a results folder"),
    ],
)
def test_a_foreign_file_is_named_and_not_fetched(name: str, why: str, hub: WritableHub) -> None:
    hub.push("dataset", REPO, {**RESULTS, name: b"import os"})
    problems: list[str] = []
    store = open_results(HUB, problems)
    (line,) = problems
    assert why in line
    assert line.isprintable()
    assert files_of(store.path) == {"store.json", RECORD, foreign_files.LEFT_OUT}
    again: list[str] = []
    open_results(HUB, again)
    assert again == problems  # from the cache too


@pytest.mark.parametrize("name", ["../../../evil.json", "cells/../../evil.json", "/etc/evil.json"])
def test_a_name_that_leads_outside_writes_nothing_there(name: str, hub: WritableHub, tmp_path: Path) -> None:
    hub.push("dataset", REPO, {**RESULTS, name: b"{}"})
    assert len(open_results(HUB).records()) == 1
    assert list(tmp_path.rglob("evil*")) == []


def test_a_file_that_is_too_large_is_named_and_not_fetched(hub: WritableHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_files, "MOST_BYTES", dict.fromkeys(foreign_files.MOST_BYTES, 5000))
    large = f"cells/{CELL.id}/predictions.parquet"
    hub.push("dataset", REPO, {**RESULTS, large: bytes(6000)})
    problems: list[str] = []
    assert large not in files_of(open_results(HUB, problems).path)
    assert [large in line and "MiB" in line for line in problems] == [True]
    assert not [asked for asked in hub.asked if asked.endswith(large)]


def test_too_many_foreign_files_are_refused(hub: WritableHub) -> None:
    hub.push("dataset", REPO, {**RESULTS, **{f"cells/junk{number}": b"" for number in range(200)}})
    with pytest.raises(UsageError, match="has 200 files that no results folder has: cells/junk0"):
        open_results(HUB)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{", "is not readable as JSON"),
        (b"[" * 200_000, "is not readable as JSON"),
        (b'{"a":' * 100_000, "is not readable as JSON"),
        (record(id="0" * 16), "is no record of ours"),
        (record(surprise=1), "does not fit this version's schema"),
        (record(format=99), "is of results format 99"),
    ],
)
def test_a_broken_record_is_left_out_by_name(content: bytes, why: str, hub: WritableHub) -> None:
    hub.push("dataset", REPO, {**RESULTS, RECORD: content})
    told: list[str] = []
    assert open_results(HUB).records(lambda error: told.append(str(error))) == []
    assert [why in line and CELL.id in line for line in told] == [True]


def test_a_model_is_no_results(hub: WritableHub) -> None:
    hub.push("model", "us/model", {"config.json": b"{}"})
    with pytest.raises(UsageError) as error:
        open_results("hub:us/model")
    assert str(error.value) == "hub:us/model is a model; results are shared in a data set"


def test_a_data_set_of_other_things_is_no_results(hub: WritableHub) -> None:
    hub.push("dataset", REPO, {"train.csv": b"a"})
    with pytest.raises(UsageError, match=r"hub:us/results is no results folder \(no store.json in it\)"):
        open_results(HUB)
    with pytest.raises(UsageError, match="the hub has no data set 'us/nothing', or this token may not see it"):
        open_results("hub:us/nothing")


def test_another_format_is_said_with_the_address(hub: WritableHub) -> None:
    commit = hub.push("dataset", REPO, {"store.json": b'{"format": 99}'})
    with pytest.raises(OtherFormat, match=f"hub:us/results@{commit} was written in results format 99"):
        open_results(HUB)


def test_hidden_results_want_a_token(hub: WritableHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.push("dataset", REPO, RESULTS)
    hub.private.add(REPO)
    with pytest.raises(UsageError, match="or this token may not see it"):
        open_results(HUB)
    monkeypatch.setenv("HF_TOKEN", "token-of-us")
    assert len(open_results(HUB).records()) == 1


def test_a_report_and_a_cell_are_read_from_a_hub(
    hub: WritableHub, bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commit = hub.push("dataset", REPO, {**RESULTS, "cells/run.py": b""})
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    code, out, err = bench("report", HUB, "--format", "md")
    assert code == 0
    assert f"warning: left out: {HUB}@{commit}: cells/run.py is no file of a results folder" in err
    assert "wrote results/us--results/report/table-superglue.md" in out
    assert "cells/run.py" in Path("results/us--results/report/table-superglue.md").read_text()
    assert json.loads(bench("show", CELL.id[:5], "--in", HUB)[1])["id"] == CELL.id
    assert bench.refuses("--out", HUB) == (
        f"error: --out {HUB} is on the hub; name a folder, and `bench push` sends its results there"
    )


def test_an_empty_cache_later_is_no_trouble(hub: WritableHub, tmp_path: Path) -> None:
    hub.push("dataset", REPO, RESULTS)
    store = open_results(HUB)
    shutil.rmtree(tmp_path / "home/hf")  # the hub client's
    assert len(open_results(HUB).records()) == 1
    shutil.rmtree(store.path.parents[1])
    assert len(open_results(HUB).records()) == 1


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("hub:us/results", Address("us/results")),
        ("hub:us/my.results-2@v1", Address("us/my.results-2", "v1")),
        ("hub:us/results@refs/pr/1", Address("us/results", "refs/pr/1")),
    ],
)
def test_an_address_is_read_as_it_is_written(text: str, address: Address) -> None:
    assert is_address(text)
    assert Address.parse(text) == address
    assert str(address) == text


def test_a_path_is_no_address() -> None:
    assert not is_address("results/hub")
    assert not is_address(Path("/a/hub:us"))
