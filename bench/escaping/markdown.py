"""A text in Markdown: CommonMark with GitHub's tables, links without brackets, and formulas."""

from __future__ import annotations

import re
from urllib.parse import quote

from bench.escaping.unseen import in_a_line

# What means something wherever it stands. An underscore within a word means nothing, and neither does a bracket that
# no target follows: these stay as they are read.
_ANYWHERE = r"[\\`*|$~<]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)|(?<=:)//|(?<=\bwww)\.(?=\w)"
_MARKS = re.compile(rf"{_ANYWHERE}|\](?=[(\[:])", re.IGNORECASE)
_IN_BRACKETS = re.compile(rf"{_ANYWHERE}|[\[\]]", re.IGNORECASE)
_WRITTEN = {"<": "&lt;", "&": "&amp;", "//": r"\/\/"}
_BLOCK = re.compile(r"[#>+=\[-]|(?<=\d)[.)](?=\s|$)")  # begins a heading, quotation, list, rule or task
_TICKS = re.compile("`+")


def markdown_text(text: str) -> str:
    """The text within a line, where nothing of it is markup or a link: in a cell, or behind words of ours."""
    return _escaped(text, _MARKS)


def markdown_line(text: str) -> str:
    """The text as a paragraph, or a point of a list, of its own: it begins no other block either."""
    made = markdown_text(text)
    start = _BLOCK.search(made[: 1 + len(made) - len(made.lstrip("0123456789"))])
    return made if start is None else f"{made[: start.start()]}\\{made[start.start() :]}"


def markdown_code(text: str) -> str:
    """The text as code within a line, between more backticks than it has in a row."""
    shown = in_a_line(text)
    ticks = "`" * (1 + max(map(len, _TICKS.findall(shown)), default=0))
    space = " " if not shown.strip() or shown[0] in "` " or shown[-1] in "` " else ""
    return f"{ticks}{space}{shown}{space}{ticks}"


def markdown_picture(text: str, name: str) -> str:
    """The picture in the file of that name beside the page; the text stands for it where it cannot be shown."""
    return f"![{_escaped(text, _IN_BRACKETS)}]({quote(name)})"


def _escaped(text: str, marks: re.Pattern[str]) -> str:
    return marks.sub(lambda found: _WRITTEN.get(found[0], f"\\{found[0]}"), in_a_line(text).strip())
