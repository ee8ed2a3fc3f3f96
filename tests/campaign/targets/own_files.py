"""Files of a user's own, in every format: damaged, odd, or of another format than their name says."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.campaign.fuzzing import made, reading
from tests.campaign.fuzzing.target import Case, Target

SENTENCES = (
    "the parcel never came",
    "please send a bill, again",
    'she said "yes" twice',
    "wo ist die Rechnung?",
    "a b c",
)
TEAMS = ("sales", "support", "legal")
ROWS = [{"id": at, "text": f"{SENTENCES[at % 5]} {at}", "team": TEAMS[at % 3], "stars": 1 + at % 5} for at in range(24)]
TABLE = "\n".join(
    ["id,text,label", *(f'{row["id"]},"{row["text"].replace(chr(34), chr(34) * 2)}",{row["team"]}' for row in ROWS)]
).encode()
TABS = "\n".join(["text\tlabel", *(f"{row['text']}\t{row['team']}" for row in ROWS)]).encode()
NUMBERS = "\n".join(
    ["text;score", *(f"{row['text'].replace(chr(34), '')};{row['stars'] + row['id'] / 7:.3f}" for row in ROWS)]
).encode()
LINES = "\n".join(json.dumps({"text": row["text"], "label": row["team"]}) for row in ROWS).encode()
LISTED = json.dumps([{"text": row["text"], "label": row["team"]} for row in ROWS]).encode()
WRAPPED = json.dumps(
    {"version": 1, "data": [{"text": row["text"], "label": row["stars"] > 2} for row in ROWS]}
).encode()
BY_COLUMN = json.dumps({"text": [row["text"] for row in ROWS], "label": [row["team"] for row in ROWS]}).encode()
CHOICES = "\n".join(
    json.dumps({"question": row["text"], "choices": ["yes", "no", f"at {row['id']}"], "answer": row["id"] % 3})
    for row in ROWS
).encode()
ENTITIES = "\n\n".join(
    f"Anna NNP B-PER\nsaw VBD O\nRome NNP B-LOC\n{at} CD O\ntimes NNS O" for at in range(16)
).encode()
TAGGED = "\n".join(
    json.dumps({"tokens": ["Anna", "saw", "Rome", str(at)], "ner_tags": ["B-PER", "O", "B-LOC", "O"]})
    for at in range(16)
).encode()
CONLLU = "\n\n".join(
    f"# text = x {at}\n1\tAnna\tB-PER\n2-3\tdel\tO\n2\tsaw\tO\n3\tRome\tB-LOC" for at in range(16)
).encode()
ARTICLES = json.dumps({"version": "1.1", "data": [
    {"title": f"T{at}", "paragraphs": [{"context": f"Anna lives in Rome since {1900 + at}.", "qas": [
        {"id": f"q{at}", "question": "Where does Anna live?", "answers": [{"text": "Rome", "answer_start": 14}]},
        {"id": f"r{at}", "question": "Since when?", "answers": [{"text": str(1900 + at), "answer_start": 25}]},
    ]}]} for at in range(8)]}).encode()  # fmt: skip
ENDINGS = (
    ".csv",
    ".tsv",
    ".json",
    ".jsonl",
    ".parquet",
    ".conll",
    ".txt",
    ".gz",
    "",
    ".CSV",
    ".xlsx",
    ".csv.gz",
    ".jsonl.gz",
)
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
    return st.one_of(
        rows.map(made.json_text), rows.map(lambda each: b"\n".join(map(made.json_text, each))), made.json_values(30).map(made.json_text),
        deep, st.just(b'{"text": "a", "text": "b", "label": "x", "label": "y"}\n').map(lambda line: line * 9 + LINES),
    )  # fmt: skip


def _in_gzip() -> SearchStrategy[Case]:
    """Packed tables: whole, cut off, damaged, packed twice, several in one."""
    packed = st.sampled_from((TABLE, LINES, ENTITIES)).map(gzip.compress)
    spoiled = st.builds(lambda content, at, byte: content[: int(at * len(content))] + byte + content[int(at * len(content)) + 1 :],
                        packed, st.floats(0, 1), st.sampled_from((b"", b"\xff", b"\x00")))  # fmt: skip
    several = st.builds(lambda one, other: one + other, packed, packed)
    large = st.sampled_from((1 << 20, 70 << 20)).map(
        lambda size: gzip.compress(b"text,label\n" + b"a,b\n" * (size // 4), 1)
    )
    contents = st.one_of(packed, spoiled, spoiled, several, packed.map(gzip.compress), large)
    return st.fixed_dictionaries({"name": st.sampled_from(("data.csv.gz", "data.jsonl.gz", "data.gz", "data.txt.gz", "data.csv")),
                                  "content": contents, "flags": st.just({})})  # fmt: skip


def _in_parquet() -> SearchStrategy[Case]:
    import pyarrow
    from pyarrow import parquet

    def file(table: Any, **options: Any) -> bytes:
        out = io.BytesIO()
        parquet.write_table(table, out, **options)
        return out.getvalue()

    def typed(kind: Any, values: list[Any]) -> bytes:
        return file(
            pyarrow.table(
                {
                    "text": [row["text"] for row in ROWS],
                    "label": pyarrow.array([values[at % len(values)] for at in range(24)], kind),
                }
            )
        )

    wide = {
        "bytes": typed(pyarrow.binary(), [b"a", b"\xff"]), "dates": typed(pyarrow.date32(), [1, 2]), "nothing": typed(pyarrow.null(), [None]),
        "stamps": typed(pyarrow.timestamp("ns"), [2**62, 1]), "decimal": typed(pyarrow.decimal128(38, 2), [1, 2]),
        "lists": typed(pyarrow.list_(pyarrow.int8()), [[1], [2, 3], None]), "names": typed(pyarrow.dictionary(pyarrow.int8(), pyarrow.string()), ["a", "b"]),
        "durations": typed(pyarrow.duration("s"), [2**62, 2]), "halves": typed(pyarrow.float16(), [1.0, 2.0]), "large": typed(pyarrow.large_string(), ["a", "b"]),
        "maps": typed(pyarrow.map_(pyarrow.string(), pyarrow.int8()), [[("a", 1)], []]), "unsigned": typed(pyarrow.uint64(), [2**64 - 1, 1]),
        "nan": typed(pyarrow.float64(), [float("nan"), 1.5, float("inf")]), "times": typed(pyarrow.time64("ns"), [1, 2]),
    }  # fmt: skip
    plain = file(pyarrow.table({"text": [row["text"] for row in ROWS], "label": [row["team"] for row in ROWS]}))
    twice = file(pyarrow.table([["a", "b"] * 9, ["x", "y"] * 9, ["x", "y"] * 9], names=["text", "label", "label"]))
    empty = file(pyarrow.table({"text": pyarrow.array([], "string"), "label": pyarrow.array([], "string")}))
    repeated = file(
        pyarrow.table({"text": ["a" * 1_000_000] * 3000, "label": ["x", "y", "z"] * 1000}), compression="zstd"
    )
    return _file(
        "data.parquet",
        st.one_of(
            st.sampled_from((*wide.values(), twice, empty, plain, repeated)),
            made.mutated(plain),
            made.mutated(plain, *wide.values()),
        ),
    )


def _read(case: Case, folder: Path) -> None:
    name, content = case["name"], case["content"]
    reading.write({name: content}, folder)
    reading.read_own(folder / name, _arguments(case["flags"]), _rows(name, content) if not case["flags"] else None)


def _arguments(flags: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in flags.items()}


def _rows(name: str, content: bytes) -> int | None:
    is_json = content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[", b"PAR1"))
    if name.endswith(".csv") and not is_json:
        return reading.rows_of_table(content)
    if name.endswith((".json", ".jsonl")):
        return reading.rows_of_json(content)
    if name.endswith(".conll") and not is_json:
        return reading.sentences_of_columns(content)
    return None


def _prepare() -> None:
    import datasets  # noqa: F401
    from pyarrow import parquet  # noqa: F401

    from bench.registry import methods, suites

    methods(), suites()


def _target(name: str, ending: str, contents: Any, share: float = 1) -> Target:
    return Target(name, lambda: _file(f"data{ending}", contents()), _read, _prepare, share)


TARGETS = (
    _target("tables", ".csv", lambda: made.mutated(TABLE, NUMBERS, TABS) | _made_table(), 2),
    _target("tabbed", ".tsv", lambda: made.mutated(TABS, TABLE) | _made_table()),
    _target("json_lines", ".jsonl", lambda: made.mutated(LINES, CHOICES, TAGGED) | _made_json(), 2),
    _target("json", ".json", lambda: made.mutated(LISTED, WRAPPED, BY_COLUMN) | _made_json()),
    _target("columns", ".conll", lambda: made.mutated(ENTITIES, CONLLU), 1.5),
    _target("squad", ".json", lambda: made.mutated(ARTICLES)),
    Target("gzip", _in_gzip, _read, _prepare),
    Target("parquet", _in_parquet, _read, _prepare),
)
