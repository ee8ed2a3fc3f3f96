"""Results go into one file and come out of it the same; what strangers have packed does no harm."""

from __future__ import annotations

import io
import lzma
import shutil
import tarfile
from pathlib import Path

import pytest

import bench as face
from bench.report.files import collect, texts
from bench.share.union import Extras, joined
from bench.store.archive import unpacked, write_archive
from bench.store.fetched import open_results
from bench.store.foreign_files import LEFT_OUT
from bench.store.store import Store
from bench.store.terms import TERMS
from tests.conftest import Bench
from tests.share.conftest import ran, seeds_of

KINDS = ("--tasks", "sentiment,entities,questions,consequence", "--models", "tiny", "--methods", "ptv2,finetune")
BUDGET = ("--seeds", "2", "--steps", "3", "--batch-size", "4", "--evaluations", "1", "--scored-rows", "40")


@pytest.fixture(scope="session")
def every_kind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a task of each kind, two methods and two seeds."""
    return ran(tmp_path_factory.mktemp("every-kind"), *KINDS, *BUDGET)


def tables_of(place: Path) -> dict[str, str]:
    return texts(collect([place]), ["md", "csv"])


def put(archive: tarfile.TarFile, name: str, content: bytes = b"{}", **fields: object) -> None:
    """Add a file, or whatever else the fields make of it."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for field, value in fields.items():
        setattr(member, field, value)
    archive.addfile(member, io.BytesIO(content) if member.isreg() else None)


def made(folder: Path, to: Path, *further: tuple[str, dict[str, object]]) -> Path:
    """An archive of a results folder with further members, as any `tar` could write it."""
    with tarfile.open(to, "w:xz") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.name != LEFT_OUT:
                put(archive, path.relative_to(folder).as_posix(), path.read_bytes())
        for name, fields in further:
            put(archive, name, **fields)  # type: ignore[arg-type]
    return to


@pytest.mark.parametrize("flags", [(), ("--terms",), ("--with-predictions",)])
def test_a_report_of_an_archive_is_that_of_the_folder(bench: Bench, every_kind: Path, flags: tuple[str, ...]) -> None:
    code, out, err = bench("push", every_kind, "--to", "all.tar.xz", *flags)
    assert (code, "16 cells" in out) == (0, True), err
    assert tables_of(Path("all.tar.xz")) == tables_of(every_kind)


def test_no_text_goes_along(bench: Bench, every_kind: Path) -> None:
    bench("push", every_kind, "--to", "all.tar.xz")
    folder = unpacked(Path("all.tar.xz"))
    files = [{path.name for path in (folder / "cells").glob(f"{cell}/*")} for cell in Store(every_kind).done()]
    kinds = [sorted(names - {"record.json"}) for names in files]
    assert sorted(kinds) == [["predictions.parquet"]] * 8 + [["terms.parquet"]] * 8
    assert not (folder / "examples").exists()


def test_it_holds_the_same_bytes_whenever_and_wherever_it_is_written(bench: Bench, every_kind: Path) -> None:
    bench("push", every_kind, "--to", "one.tar.xz")
    shutil.copytree(every_kind, "copy")
    bench("push", "copy", "--to", "other.tar.xz")
    assert Path("one.tar.xz").read_bytes() == Path("other.tar.xz").read_bytes()


def test_a_second_folder_is_joined_and_nothing_is_replaced(bench: Bench, every_kind: Path) -> None:
    for seed in (0, 1):
        shutil.copytree(every_kind, f"of-{seed}")
        code, out, _ = bench("push", seeds_of(Path(f"of-{seed}"), seed), "--to", "all.tar.xz", "--terms")
        assert (code, "added 8 cells in" in out) == (0, True)
    assert tables_of(Path("all.tar.xz")) == tables_of(every_kind)
    content = Path("all.tar.xz").read_bytes()
    assert "has all of" in bench("push", every_kind, "--to", "all.tar.xz")[1]
    assert Path("all.tar.xz").read_bytes() == content


def test_what_was_packed_is_packed_again(bench: Bench, every_kind: Path) -> None:
    bench("push", every_kind, "--to", "one.tar.xz", "--terms")
    bench("push", "one.tar.xz", "--to", "two.tar.xz")
    assert Path("two.tar.xz").read_bytes() == Path("one.tar.xz").read_bytes()


def test_it_stands_wherever_results_are_read(bench: Bench, every_kind: Path) -> None:
    bench("push", every_kind, "--to", "all.tar.xz")
    cell = min(Store(every_kind).done())
    assert bench("show", cell, "--in", "all.tar.xz")[0] == 0
    assert bench("check", "all.tar.xz")[0] == 0
    assert bench("report", "all.tar.xz", "--format", "md,html")[0] == 0
    assert Path("report/report.html").is_file()
    assert bench("report", "all.tar.xz", "--anonymous", "--format", "csv", "--to", "blind")[0] == 0
    rows, whole = face.load("all.tar.xz"), face.load(every_kind)
    assert rows["score"].tolist() == whole["score"].tolist()
    assert set(rows["results"]) == {"all.tar.xz"}


def test_where_it_must_be_a_folder_that_is_said(bench: Bench, every_kind: Path) -> None:
    bench("push", every_kind, "--to", "all.tar.xz")
    line = "error: all.tar.xz is an archive; `bench report` and `bench.load` read it, here it must be a folder"
    assert bench.refusal(*bench("status", "all.tar.xz")) == line
    assert "--out all.tar.xz is an archive; name a folder" in bench.refuses("--out", "all.tar.xz")
    assert bench.refusal(*bench("show", "ffff", "--in", "all.tar.xz")).startswith("error: no cell in all.tar.xz has")


def test_a_dry_run_writes_nothing(bench: Bench, every_kind: Path) -> None:
    code, out, _ = bench("push", every_kind, "--to", "all.tar.xz", "--dry-run")
    assert (code, "would add 16 cells" in out, Path("all.tar.xz").exists()) == (0, True, False)


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (("--to", "all.zip"), "--to all.zip: results go to hub:owner/name"),
        (("--to", "all.tar.xz", "--private"), "--private is for a repository on the hub"),
        (("--to", "folder.tar.xz"), "results go to"),
    ],
)
def test_places_that_are_none(bench: Bench, every_kind: Path, flags: tuple[str, ...], line: str) -> None:
    Path("folder.tar.xz").mkdir()
    assert line in bench.refusal(*bench("push", every_kind, *flags))


def test_a_file_that_is_no_archive_of_results_stays_as_it_is(bench: Bench, every_kind: Path) -> None:
    for content in (b"my thesis", lzma.compress(b"my thesis"), b""):
        Path("all.tar.xz").write_bytes(content)
        line = bench.refusal(*bench("push", every_kind, "--to", "all.tar.xz"))
        assert line.startswith("error: all.tar.xz ")
        assert Path("all.tar.xz").read_bytes() == content


def test_an_archive_that_is_cut_or_damaged_is_refused_whole(bench: Bench, every_kind: Path) -> None:
    bench("push", every_kind, "--to", "all.tar.xz", "--terms")
    content = Path("all.tar.xz").read_bytes()
    for at in (10, len(content) // 2, len(content) - 1):
        for spoilt in (content[:at], content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]):
            Path("all.tar.xz").write_bytes(spoilt)
            assert bench.refusal(*bench("report", "all.tar.xz")).startswith("error: all.tar.xz ")


def test_terms_that_were_changed_since_count_for_nothing(bench: Bench, every_kind: Path, tmp_path: Path) -> None:
    union = joined(Store(every_kind), None, tmp_path / "joined", Extras(terms=True), "it")
    path = next((tmp_path / "joined" / "cells").glob(f"*/{TERMS}"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    path.write_bytes(content)
    write_archive(tmp_path / "joined", list(union.files()), Path("all.tar.xz"))
    assert f"{TERMS} is not what was written" in bench("report", "all.tar.xz", "--format", "md")[2]


def test_members_that_are_none_of_a_results_folder_are_left_out_by_name(bench: Bench, every_kind: Path) -> None:
    bench("push", every_kind, "--to", "one.tar.xz")
    plain, outside = unpacked(Path("one.tar.xz")), Path("outside").absolute()
    cell = "cells/" + "0" * 16
    made(
        plain,
        Path("all.tar.xz"),
        ("../outside", {}),
        (str(outside), {}),
        (f"{cell}/../../../outside", {}),
        ("cells/note.txt", {}),
        (f"{cell}/record.json", {"content": b"", "type": tarfile.SYMTYPE, "linkname": str(plain / "store.json")}),
        (f"{cell}/predictions.parquet", {"content": b"", "type": tarfile.LNKTYPE, "linkname": "store.json"}),
        (f"{cell}/terms.parquet", {"content": b"", "type": tarfile.FIFOTYPE}),
        ("failed/" + "0" * 16 + ".json", {"content": b"", "type": tarfile.CHRTYPE}),
        ("store.json", {"content": b"[]"}),
        ("suites/\x1b[2J.json", {}),
    )
    problems: list[str] = []
    store = open_results(Path("all.tar.xz"), problems)
    assert sorted(store.done()) == sorted(Store(every_kind).done())
    assert (len(problems), outside.exists()) == (10, False)
    assert all(line.startswith("left out: all.tar.xz: ") and line.isprintable() for line in problems)
    here, there = tables_of(every_kind), tables_of(Path("all.tar.xz"))
    assert {name: there[name] for name in there if name.endswith(".csv")} == {
        name: here[name] for name in here if name.endswith(".csv")
    }


def test_an_archive_that_holds_far_more_than_its_size(bench: Bench) -> None:
    with lzma.open("all.tar.xz", "wb") as file, tarfile.open(fileobj=file, mode="w|") as archive:
        put(archive, "store.json")
        for number in range(300):
            put(archive, f"plans/{number:016x}.json", b" " * 2**20)
    assert "holds more than" in bench.refusal(*bench("report", "all.tar.xz"))


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE, tarfile.DIRTYPE, b"?"])
def test_a_member_that_says_it_is_endless_is_not_looked_for(bench: Bench, kind: bytes) -> None:
    header = tarfile.TarInfo("store.json")
    header.type, header.size = kind, 2**50  # read to its end in blocks, that takes weeks
    Path("all.tar.xz").write_bytes(lzma.compress(header.tobuf(tarfile.GNU_FORMAT) + b"1" * 1024))
    assert bench.refusal(*bench("report", "all.tar.xz")).startswith("error: all.tar.xz hold")


def test_a_header_that_says_it_is_endless(bench: Bench) -> None:
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 2**40
    with lzma.open("all.tar.xz", "wb") as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT))
        for _ in range(300):
            file.write(b"1" * 2**20)
    assert "holds more than" in bench.refusal(*bench("report", "all.tar.xz"))


def test_no_results_in_it(bench: Bench) -> None:
    with tarfile.open("all.tar.xz", "w:xz") as archive:
        put(archive, "README.md", b"hello")
    assert "holds no results (no store.json in it)" in bench.refusal(*bench("report", "all.tar.xz"))
    assert "No such file" in bench.refusal(*bench("report", "nowhere.tar.xz"))
