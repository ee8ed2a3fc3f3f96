"""Every writer of a format goes through that format's one function: no other call writes or escapes it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [path for folder in ("bench", "methods", "suites") for path in sorted((ROOT / folder).rglob("*.py"))]

# What writes or escapes a format by itself, by its last name, and the one file that may call it.
CALLS = {
    "to_csv": "bench/escaping/table_cells.py",
    "writer": "bench/escaping/table_cells.py",  # csv's
    "DictWriter": "nobody: bench.escaping.table_cells",
    "to_markdown": "nobody: bench.report.tables.formats",
    "to_latex": "nobody: bench.report.tables.formats",
    "to_html": "nobody: markupsafe",
    "to_excel": "nobody: bench.escaping.table_cells",
    "Console": "nobody: bench.escaping.terminal.Screen",
}
MODULES = {"html", "xml.sax.saxutils", "rich.markup", "cgi"}  # other ways of escaping than ours
MARKUP = {"bench/report/page/drawing.py", "bench/report/page/html.py"}  # what they mark as safe is their own drawing

# In f-strings, the sign of a format beside a value: the value must come out of the format's function.
SIGNS = {
    "markdown": re.compile(r"^#{1,6} $|^- $|`$|!?\[$|\]\($|\| $|\*\*$"),
    "latex": re.compile(r"\\[a-z]+\*?\{(\w+\}\{)?$|\\item $|^% $"),
}
SAFE = {
    "markdown": ("markdown_", "address", "HOME", "_names", "_part", "heading_level", "code", "file", "name}` | "),
    "latex": ("latex_", "columns", "wide", "spec", "caption", "'--'.join", "90"),
}
OURS = {  # constants of the file, and numbers
    ("share/card.py", "name"), ("share/card.py", "what"),
    ("report/tables/paper.py", "text"), ("report/tables/paper.py", "row['sd']"),
}  # fmt: skip
WRITERS = {  # files that write the format
    "markdown": ("report/tables/formats.py", "report/figures/captioned.py", "share/card.py", "export/card.py"),
    "latex": ("report/tables/formats.py", "report/tables/paper.py"),
}


def calls(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func).rpartition(".")[2]


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def unescaped(source: str, kind: str) -> list[str]:
    """The values of f-strings that stand behind a sign of the format and do not come from its function."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.JoinedStr):
            continue
        before = ""
        for part in node.values:
            if isinstance(part, ast.Constant):
                before = str(part.value)
            elif isinstance(part, ast.FormattedValue):
                said = ast.unparse(part.value)
                if SIGNS[kind].search(before) and not any(word in said for word in SAFE[kind]):
                    found.append(said)
                before = ""
    return found


def test_no_file_writes_or_escapes_a_format_in_a_way_of_its_own() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in FILES
        for name in calls(path)
        if name in CALLS and str(path.relative_to(ROOT)) != CALLS[name] and not _is_another(path, name)
    }
    assert found == set()
    assert {str(path.relative_to(ROOT)) for path in FILES if MODULES & {*imported(path)}} == set()


def _is_another(path: Path, name: str) -> bool:
    """`writer` is a name of many things: csv's where the module is imported."""
    return name == "writer" and "csv" not in {*imported(path)}


def test_only_drawings_are_marked_as_markup() -> None:
    found = set()
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            is_markup = isinstance(node, ast.Call) and ast.unparse(node.func) == "Markup" and node.args
            if is_markup and not isinstance(node.args[0], ast.Constant):
                found.add(str(path.relative_to(ROOT)))
    assert found <= MARKUP


@pytest.mark.parametrize("kind", SIGNS)
def test_what_stands_behind_a_sign_of_a_format_comes_from_its_function(kind: str) -> None:
    found = {(name, said) for name in WRITERS[kind] for said in unescaped((ROOT / "bench" / name).read_text(), kind)}
    assert found <= OURS


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("markdown", 'f"# {table.title}"'), ("markdown", 'f"![{heading}](x.png)"'),
        ("markdown", 'f"with `{cell.model}`"'),
        ("markdown", 'f"- {problem}"'), ("latex", r'rf"\caption{{{title}}}"'), ("latex", r'rf"\item {item}"'),
    ],
)  # fmt: skip
def test_a_writer_that_does_not_escape_is_found(kind: str, line: str) -> None:
    assert len(unescaped(line, kind)) == 1


def test_every_name_of_a_file_of_a_report_is_made_of_names_that_files_may_have() -> None:
    found = set()
    for path in (ROOT / "bench" / "report").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.JoinedStr) or not isinstance(node.values[0], ast.Constant):
                continue
            if re.match(r"(table|costs|chosen|variance|verdicts|recommendation|paper|scale|cost|ablation|budget)-$",
                        str(node.values[0].value)):  # fmt: skip
                found |= {ast.unparse(part.value) for part in node.values if isinstance(part, ast.FormattedValue)}
    assert found == {"file_part(suite)", "file_part(rows.suite)", "file_part(ablation.setting)", "figure.setting"}
