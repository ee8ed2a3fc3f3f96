"""What once failed in the fuzz campaign, again; and that the campaign notices what is wrong."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import strategies as st

from bench.data import files
from bench.data.located import Located
from bench.data.tables import quoted_rows
from bench.errors import UsageError
from tests.campaign.fuzzing import cases
from tests.campaign.fuzzing.finding import Failure, Tally, explore, shrunk
from tests.campaign.fuzzing.samples import TABLE
from tests.campaign.fuzzing.target import Broken, Case, Target, targets
from tests.campaign.fuzzing.watched import watched

KNOWN = targets()
ENTRIES = [(folder.name, path.stem) for folder in sorted(cases.CORPUS.iterdir()) for path in sorted(folder.iterdir())]


@pytest.mark.parametrize(("name", "entry"), ENTRIES)
def test_what_once_failed_does_no_more(name: str, entry: str, tmp_path: Path) -> None:
    target = KNOWN[name]
    target.prepare()
    outcome = watched(target, cases.corpus(name)[entry], tmp_path / "case")
    assert outcome.kind != "broken", outcome.said


def _of(run: object) -> Target:
    return Target("made", lambda: st.fixed_dictionaries({"n": st.integers(0, 999)}), run)  # type: ignore[arg-type]


def _raises(error: BaseException) -> Target:
    def run(case: Case, folder: Path) -> None:
        raise error

    return _of(run)


def test_a_result_and_a_refusal_are_none_that_broke(tmp_path: Path) -> None:
    assert watched(_of(lambda case, folder: None), {}, tmp_path / "a").kind == "result"
    refusal = watched(_raises(UsageError("no")), {}, tmp_path / "b")
    assert (refusal.kind, refusal.said) == ("refusal", "no")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("target", "key"),
    [
        (_raises(ValueError("x")), "ValueError at /tests/campaign/test_corpus.py:run"),
        (_raises(SystemExit(0)), "SystemExit at /tests/campaign/test_corpus.py:run"),
        (_raises(Broken("rows are lost: 3")), "rows are lost"),
        (_of(lambda case, folder: os._exit(3)), "died: exit code 3"),
        (_of(lambda case, folder: os.abort()), "died: SIGABRT"),
        (_of(lambda case, folder: bytearray(4 << 30)), "MemoryError at /tests/campaign/test_corpus.py:<lambda>"),
    ],
)
def test_every_other_end_broke(target: Target, key: str, tmp_path: Path) -> None:
    outcome = watched(target, {}, tmp_path / "case")
    assert (outcome.kind, outcome.key) == ("broken", key)


def test_what_does_not_end_broke(tmp_path: Path) -> None:
    def spin(case: Case, folder: Path) -> None:
        while True:
            pass

    assert watched(_of(spin), {}, tmp_path / "case", seconds=1).key == "too slow"
    assert watched(_of(lambda case, folder: time.sleep(60)), {}, tmp_path / "case", waiting=0.2).key == "waits"


TABLE_CASE: Case = {"name": "data.csv", "content": TABLE, "flags": {}}


def _loses_its_last_row(path: Path, text_lines: Iterable[str]) -> list[Located]:
    return list(quoted_rows(path, text_lines))[:-1]


def _raises_a_value_error(path: Path, text_lines: Iterable[str]) -> list[Located]:
    raise ValueError(path)


@pytest.mark.parametrize(
    ("reader", "key"),
    [
        (quoted_rows, ""),
        (_loses_its_last_row, "rows are lost in reading"),
        (_raises_a_value_error, "ValueError at /tests/campaign/test_corpus.py:_raises_a_value_error"),
    ],
)
def test_a_reader_that_is_wrong_is_noticed(
    reader: object, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    KNOWN["tables"].prepare()
    monkeypatch.setattr(files, "quoted_rows", reader)
    assert watched(KNOWN["tables"], TABLE_CASE, tmp_path / "case").key == key


def _breaks_beyond_100(case: Case, folder: Path) -> None:
    if case["n"] > 100:
        raise KeyError(case["n"])


def test_a_seed_makes_the_same_cases_and_what_breaks_is_made_small(tmp_path: Path) -> None:
    found: list[Failure] = []
    for _ in range(2):
        tally = Tally()
        explore(_of(_breaks_beyond_100), 20, 5, tally, tmp_path, time.monotonic() + 60)
        assert tally.cases["made"] == 20
        found += tally.failures.values()
    first, again = found
    assert (first.case, first.times, first.number) == (again.case, again.times, again.number)
    assert shrunk(_of(_breaks_beyond_100), first, tmp_path) == {"n": 101}


@pytest.mark.parametrize(
    "case",
    [
        {"content": b"\xff\x00", "name": "x", "flags": {"text": ["a"], "n": None}},
        {"content": b"ab" * 5_000_000, "text": "ü" * 10**6, "lone": "\ud83d"},
    ],
)
def test_a_case_is_kept_as_small_text(case: Case) -> None:
    text = cases.written(case)
    assert cases.read(text) == case
    assert len(text) < 30_000
