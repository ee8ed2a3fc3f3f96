"""Strategies that many targets share: nasty texts, numbers and JSON, and files that were valid before."""

from __future__ import annotations

import json
from functools import reduce
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

ESCAPES = (
    "\x1b[2J\x1b[31mred",
    "\x1b]0;title\x07",
    "\x9b31m",
    "\r\x1b[K",
    "\x08\x08",
    "\x00",
    "\x7f",
    "\x85",
    "\u2028",
)
ODD = (
    "", " ", "\t", "\ufeff", "\u202e", "é", "e\u0301", "ß", "İ", "漢字", "👩‍👩‍👧", "\ud83d", "\udc80", "\ufffe",
    "\U0010ffff", "a" * 300, "n" * 5000, "../..", "/", "~", "~nobody/x", ".", "-", "--", "=", "=1+1", "@x", "%s", "{x}",
    "{{", "$HOME", "[MASK]", "[P]", "[SEP]", "<script>", "nan", "inf", "null", "None", "True", "1e999", "01", "1_000",
    "０", "٣", "½",
)  # fmt: skip
NUMBERS: tuple[int | float, ...] = (
    0, 1, 2, -1, 8, 255, 256, 65_536, 2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**40,
    10**400, 0.0, -0.0, 0.1, 0.5, 1.0, -0.5, 1e-3, 1e-39, 5e-324, 1e38, 1e39, 1.7e308, float("nan"), float("inf"),
    float("-inf"),
)  # fmt: skip
TOKENS = (
    b'"', b"'", b",", b";", b"\t", b"\n", b"\r", b"\r\n", b"\n\n", b"{", b"}", b"[", b"]", b":", b"=", b"#", b"\\",
    b"\\u0000", b"\\ud83d", b"\x00", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xc3", b"\x1b[31m", b"\xc2\x9b",
    b"\xe2\x80\xa8", b"null", b"NaN", b"Infinity", b"-1", b"1e999", b"1e39", b"true", b"9" * 400, b"9" * 5000, b"-",
    b".", b" ", b"|||", b"-DOCSTART-", b"O", b"B-", b"sep=;\n", b"label", b"text", b"<", b"/", b"=cmd()",
)  # fmt: skip
REPEATS = (2, 10, 150, 1100, 20_000, 100_000)


def texts() -> SearchStrategy[str]:
    """Texts that somebody might have, and that nobody should."""
    return st.one_of(
        st.sampled_from(ODD), st.sampled_from(ESCAPES), st.text(max_size=20),
        st.text(st.characters(), max_size=8),  # with surrogates
        st.text("abc ,.;\"'", max_size=30),
    )  # fmt: skip


def names() -> SearchStrategy[str]:
    """Names of files and folders, that a file system takes."""
    return (
        texts().filter(lambda name: name not in ("", ".", "..") and not set(name) & {"/", "\0"}).map(lambda n: n[:200])
    )


def numbers() -> SearchStrategy[int | float]:
    """Numbers at the edges of what computers hold, and beyond them."""
    return st.one_of(st.sampled_from(NUMBERS), st.integers(), st.floats())


def scalars() -> SearchStrategy[Any]:
    """A value that is no list and no object."""
    return st.one_of(texts(), numbers(), st.booleans(), st.none())


def json_values(leaves: int = 10) -> SearchStrategy[Any]:
    """A value that JSON has, and NaN."""
    return st.recursive(
        scalars(),
        lambda part: st.lists(part, max_size=4) | st.dictionaries(texts(), part, max_size=4),
        max_leaves=leaves,
    )


def nested(depth: int, opening: str = "[", closing: str = "]", inner: str = "1") -> str:
    """A list in a list, so many deep."""
    return opening * depth + inner + closing * depth


def json_text(value: Any) -> bytes:
    """As JSON; what UTF-8 does not have stays escaped."""
    return json.dumps(value, default=str).encode()


def mutated(*seeds: bytes, most: int = 4) -> SearchStrategy[bytes]:
    """A valid file, damaged in up to `most` places: bytes, tokens, spans, lines."""
    return st.builds(lambda seed, changes: reduce(_changed, changes, seed), st.sampled_from(seeds), _changes(most))


def _changes(most: int) -> SearchStrategy[list[tuple[Any, ...]]]:
    place, length = st.floats(0, 1), st.integers(1, 40)
    return st.lists(
        st.one_of(
            st.tuples(st.just("insert"), place, st.sampled_from(TOKENS)),
            st.tuples(st.just("replace"), place, st.sampled_from(TOKENS), length),
            st.tuples(st.just("delete"), place, length),
            st.tuples(st.just("byte"), place, st.integers(0, 255)),
            st.tuples(st.just("cut"), place),
            st.tuples(st.just("repeat"), place, length, st.sampled_from(REPEATS)),
            st.tuples(st.just("number"), place, numbers()),
            st.tuples(st.just("move"), place, place, length),
            st.tuples(st.just("line"), place, st.sampled_from(("twice", "gone", "first"))),
        ),
        max_size=most,
    )  # fmt: skip


def _changed(content: bytes, change: tuple[Any, ...]) -> bytes:
    kind, share, *more = change
    at = int(share * len(content))
    match kind:
        case "insert":
            return content[:at] + more[0] + content[at:]
        case "replace":
            return content[:at] + more[0] + content[at + more[1] :]
        case "delete":
            return content[:at] + content[at + more[0] :]
        case "byte":
            return content[:at] + bytes([more[0]]) + content[at + 1 :]
        case "cut":
            return content[:at]
        case "repeat":
            return (
                content[:at] + content[at : at + more[0]] * min(more[1], 2_000_000 // more[0]) + content[at + more[0] :]
            )
        case "number":
            return _with_number(content, at, str(more[0]).encode() if abs(more[0]) < 10**100 else b"1" + b"0" * 400)
        case "move":
            span, rest = content[at : at + more[1]], content[:at] + content[at + more[1] :]
            there = int(more[0] * len(rest))
            return rest[:there] + span + rest[there:]
    return _with_line(content, at, more[0])


def _with_number(content: bytes, at: int, number: bytes) -> bytes:
    """Another number in the place of the next one."""
    start = next((place for place in range(at, len(content)) if content[place : place + 1].isdigit()), None)
    if start is None:
        return content + number
    end = next(
        (place for place in range(start, len(content)) if not content[place : place + 1].isdigit()), len(content)
    )
    return content[:start] + number + content[end:]


def _with_line(content: bytes, at: int, what: str) -> bytes:
    lines = content.splitlines(keepends=True)
    if not lines:
        return content
    number = content.count(b"\n", 0, at) % len(lines)
    if what == "twice":
        return b"".join([*lines[: number + 1], *lines[number:]])
    if what == "gone":
        return b"".join([*lines[:number], *lines[number + 1 :]])
    return b"".join([lines[number], *lines[:number], *lines[number + 1 :]])
