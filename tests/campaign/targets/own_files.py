"""Files of a user's own, in every format: damaged, odd, or of another format than their name says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.campaign.fuzzing import made, reading, samples
from tests.campaign.fuzzing.samples import LINES, SENTENCES, TEAMS
from tests.campaign.fuzzing.target import Case, Target

ENDINGS = (
    ".csv", ".tsv", ".json", ".jsonl", ".parquet", ".conll", ".txt", ".gz", "", ".CSV", ".xlsx", ".csv.gz", ".jsonl.gz",
)  # fmt: skip
KINDS = ("", "", "", "classification", "regression", "choice", "tagging", "span", "odd")


def _flags() -> SearchStrategy[dict[str, Any]]:
    column = st.sampled_from(("text", "label", "id", "team", "score", "1", "3", "", "tokens", "nothing")) | made.texts()
    return st.fixed_dictionaries(
        {},
        optional={
            "text": st.lists(column, min_size=1, max_size=2), "label": column, "group": column, "id": column,
            "split_by": column, "kind": st.sampled_from(KINDS),
        },
    )  # fmt: skip


def _file(name: str, contents: SearchStrategy[bytes]) -> SearchStrategy[Case]:
    """A file, mostly with its right ending and without flags."""
    names = st.one_of(*[st.just(name)] * 6, st.sampled_from(ENDINGS).map(lambda ending: f"data{ending}"))
    flags = st.one_of(*[st.just({})] * 3, _flags())
    return st.fixed_dictionaries({"name": names, "content": contents, "flags": flags})


def _made_table() -> SearchStrategy[bytes]:
    """Tables as spreadsheets and programs write them, of any cells."""
    cell = st.one_of(
        made.texts(),
        st.sampled_from(SENTENCES),
        made.numbers().map(lambda number: str(number)[:50] if abs(number) < 1e300 else "9" * 400),
    )
    rows = st.lists(st.tuples(cell, st.one_of(st.sampled_from(TEAMS), cell)), max_size=30)
    return st.builds(
        _as_table,
        rows,
        st.sampled_from(",;\t|"),
        st.sampled_from(("\n", "\r\n", "\r")),
        st.sampled_from(("utf-8", "utf-8-sig", "utf-16", "latin-1")),
    )


def _as_table(rows: list[tuple[str, str]], mark: str, end: str, encoding: str) -> bytes:
    quoted = [[f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row] for row in [("text", "label"), *rows]]
    return end.join(mark.join(row) for row in quoted).encode(encoding, "replace")


def _made_json() -> SearchStrategy[bytes]:
    value = st.one_of(made.json_values(4), st.sampled_from(SENTENCES), st.sampled_from(TEAMS))
    row = st.fixed_dictionaries(
        {
            "text": st.one_of(*[st.sampled_from(SENTENCES)] * 3, value),
            "label": st.one_of(*[st.sampled_from(TEAMS)] * 3, value),
        }
    )
    rows = st.lists(row, max_size=30)
    deep = st.sampled_from((90, 110, 1100, 50_000)).map(
        lambda depth: b'{"text": "a", "label": ' + made.nested(depth).encode() + b"}\n" + LINES
    )
    twice = st.just(b'{"text": "a", "text": "b", "label": "x", "label": "y"}\n' * 9 + LINES)
    listed, lines = rows.map(made.json_text), rows.map(lambda each: b"\n".join(map(made.json_text, each)))
    return st.one_of(listed, lines, made.json_values(30).map(made.json_text), deep, twice)


def _read(case: Case, folder: Path) -> None:
    name, content = case["name"], case["content"]
    reading.write({name: content}, folder)
    reading.read_own(
        folder / name, reading.arguments(case["flags"]), reading.rows_of(name, content) if not case["flags"] else None
    )


def _target(name: str, ending: str, contents: Any, share: float = 1) -> Target:
    return Target(name, lambda: _file(f"data{ending}", contents()), _read, reading.prepare, share)


TARGETS = (
    _target("tables", ".csv", lambda: made.mutated(samples.TABLE, samples.NUMBERS, samples.TABS) | _made_table(), 2),
    _target("tabbed", ".tsv", lambda: made.mutated(samples.TABS, samples.TABLE) | _made_table()),
    _target("json_lines", ".jsonl", lambda: made.mutated(LINES, samples.CHOICES, samples.TAGGED) | _made_json(), 2),
    _target("json", ".json", lambda: made.mutated(samples.LISTED, samples.WRAPPED, samples.BY_COLUMN) | _made_json()),
    _target("columns", ".conll", lambda: made.mutated(samples.ENTITIES, samples.CONLLU)),
    _target("squad", ".json", lambda: made.mutated(samples.ARTICLES)),
)
