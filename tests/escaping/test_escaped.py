"""What a format's reader makes of a text that was escaped for it: the text again, and nothing else."""

from __future__ import annotations

import csv
import html
import re
import unicodedata
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from markdown_it import MarkdownIt

from bench.escaping.file_names import file_part
from bench.escaping.latex import LETTERS, latex_text
from bench.escaping.markdown import markdown_code, markdown_line, markdown_picture, markdown_text
from bench.escaping.table_cells import csv_cell, csv_text, csv_value
from bench.escaping.terminal import Screen
from bench.escaping.unseen import in_a_line, visible
from tests.escaping.names import NASTY

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


class Read(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.elements.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def words(text: str) -> list[str]:
    return in_a_line(text).split()


@pytest.mark.parametrize("name", NASTY)
def test_markdown_shows_the_name_and_nothing_else(name: str) -> None:
    cell = Read(MARKDOWN.render(f"| a | b |\n| :--- | ---: |\n| {markdown_text(name)} | 1 |\n"))
    assert cell.elements == ["table", "thead", "tr", "th", "th", "tbody", "tr", "td", "td"]
    assert cell.text.split() == ["a", "b", *words(name), "1"]
    line = Read(MARKDOWN.render(f"# {markdown_line(name)}\n\n{markdown_line(name)}\n\n- {markdown_line(name)}\n"))
    paragraph = ["p"] if words(name) else []
    assert line.elements == ["h1", *paragraph, "ul", "li"]
    assert line.text.split() == 3 * words(name)
    code = Read(MARKDOWN.render(f"with {markdown_code(name)}, seed 0"))
    assert code.elements == ["p", "code"]
    assert code.text.split() == f"with {in_a_line(name)}, seed 0".split()


@pytest.mark.parametrize("name", NASTY)
def test_a_picture_is_that_of_its_file_alone(name: str) -> None:
    (token,) = MARKDOWN.parseInline(markdown_picture(name, "scale-a b(1)%.png"))
    (picture,) = token.children or ()
    assert (picture.type, picture.attrs["src"]) == ("image", "scale-a%20b%281%29%25.png")
    assert picture.content.count("http:\\/\\/") == name.count("http://")  # the words, and no link


@pytest.mark.parametrize("name", NASTY)
def test_a_csv_gives_the_name_back_and_a_spreadsheet_no_formula(name: str) -> None:
    kept = name.encode("utf-8", "backslashreplace").decode()
    frame = pd.DataFrame({"name": pd.Series([name, "plain"], dtype=object), "number": [-1.5, 2.0]})
    text = csv_text(frame)
    _, (cell, number), _ = csv.reader(StringIO(text, newline=""))
    assert csv_value(cell) == kept
    assert number == "-1.5"
    is_number = re.fullmatch(r"[+-]?[\d.]+(e\d+)?", cell) is not None
    assert is_number or not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"))
    if "\x00" not in name:
        read = pd.read_csv(StringIO(text), dtype={"name": str}, keep_default_na=False, lineterminator=None)
        assert csv_value(read["name"][0]).replace("\r\n", "\n") == kept.replace("\r\n", "\n")
        assert list(read["number"]) == [-1.5, 2.0]


def test_numbers_that_are_texts_stay_numbers_and_headings_are_escaped_too() -> None:
    assert [csv_cell(text) for text in ("-1.5", "+3", "1e5", "-.5", "-12%", "-1-1", "-")] == [
        "-1.5", "+3", "1e5", "-.5", "-12%", "'-1-1", "'-",
    ]  # fmt: skip
    assert csv_text(pd.DataFrame({"=1+1": [1], "n": pd.array([None], dtype="Int64")})) == "'=1+1,n\n1,\n"


@pytest.mark.parametrize("name", NASTY)
def test_latex_has_no_command_but_ours_and_closes_what_it_opens(name: str) -> None:
    text = latex_text(name)
    ours = sorted({*LETTERS.values(), "{}"}, key=len, reverse=True)
    left = re.sub("|".join(map(re.escape, ours)), "", text)
    assert re.findall(r"[\\{}$&#^_~%`\n\r\t]", left) == []
    assert [pair for pair in ("--", "''", "``") if pair in text] == []
    assert not re.match(r"\s*[\[*]", text)
    assert text.isprintable() or " " in text


@pytest.mark.parametrize("name", NASTY)
def test_a_file_has_a_name_on_every_system(name: str, tmp_path: Path) -> None:
    part = file_part(name)
    assert len(f"recommendation-{part}.predictions.parquet".encode()) <= 255
    assert Path(part).name == part
    assert not re.search(r'[<>:"/\\|?*\x00-\x1f]', part)
    assert not part.startswith(".")
    assert not part.endswith((".", " "))
    assert not re.match(r"(?i)(con|nul|aux|prn|com\d|lpt\d)(\.|$)", part)
    (tmp_path / part).write_text("x")
    assert [path.name for path in tmp_path.iterdir()] == [part]


def test_no_two_names_share_a_file() -> None:
    names = {*NASTY, "x" * 299, "a_b", "a b", "superglue"}
    assert len({file_part(name) for name in names}) == len(names)
    assert [file_part(name) for name in ("superglue", "my suite", "größe", "a.b-c_d")] == [
        "superglue", "my suite", "größe", "a.b-c_d",
    ]  # fmt: skip


@pytest.mark.parametrize("name", NASTY)
def test_a_terminal_obeys_nothing_of_a_name(name: str) -> None:
    for is_terminal in (True, False):
        out = StringIO()
        screen = Screen(file=out, width=400, force_terminal=is_terminal, color_system=None, force_jupyter=False)
        screen.print(name, soft_wrap=True)
        unseen = [letter for letter in out.getvalue() if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
        assert {*unseen} <= {"\n", "\t"}
        out.getvalue().encode()
    assert "[/red]" not in name or "[/red]" in out.getvalue()


def test_what_is_unseen_is_written_as_json_has_it() -> None:
    import json

    text = "".join(NASTY)
    assert json.loads(visible(json.dumps(text, ensure_ascii=False))) == text
    assert visible("a\x1bb\u202ec\U000e0041") == "a\\u001bb\\u202ec\\udb40\\udc41"
    assert visible("zero\u200dwidth joiner") == "zero\u200dwidth joiner"
    assert html.escape(visible("é 中 🙂")) == "é 中 🙂"
