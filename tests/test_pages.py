"""The code in the pages runs: plugins pass `bench check`, grid files are requests, commands have flags that exist."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest
import typer

from bench import Results
from bench.request import RunRequest
from tests.conftest import Bench

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "CONTRIBUTING.md", "bench/README.md", "methods/README.md", "suites/README.md", "tests/README.md",
         "results/README.md")  # fmt: skip
TEXTS = {page: (ROOT / page).read_text() for page in PAGES}
BLOCKS = [
    (page, language, code)
    for page, text in TEXTS.items()
    for language, code in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
]
PLUGINS = [(page, code) for page, language, code in BLOCKS if language == "python" and page != "README.md"]
CALLS = [code for page, language, code in BLOCKS if language == "python" and page == "README.md"]
GRIDS = [(page, code) for page, language, code in BLOCKS if language == "toml" and page == "README.md"]
TASK_FILES = [(page, code) for page, language, code in BLOCKS if language == "toml" and page != "README.md"]
COMMANDS = sorted(
    {
        command.strip()
        for _, language, code in BLOCKS
        if not language
        for line in code.splitlines()
        for command in line.partition("#")[0].split("&&")
        if command.strip().startswith("bench ") and "|" not in command
    }
    | {
        code
        for text in TEXTS.values()
        for code in re.findall(r"`(bench (?:run|status|report|list|show|predict|export|check)[^`]*)`", text)
        if not re.search(r"[|A-Z]{2,}|…|NAME|--help|--models$", code)
    }
)


def test_there_is_code_to_run() -> None:
    assert {page for page, _ in PLUGINS} == {"methods/README.md", "suites/README.md"}
    assert [page for page, _ in GRIDS] == ["README.md"]
    assert [page for page, _ in TASK_FILES] == ["suites/README.md"]
    assert len(COMMANDS) > 8
    assert len(CALLS) == 1


@pytest.mark.parametrize(("page", "code"), PLUGINS, ids=[code.splitlines()[0][3:30] for _, code in PLUGINS])
def test_an_example_passes_the_check_as_it_is_written(bench: Bench, page: str, code: str) -> None:
    Path("example.py").write_text(code)
    status, out, err = bench("check", "--plugin", "example.py")
    assert (status, err) == (0, ""), out
    assert "passed" in out


def test_what_the_page_calls_in_python_is_there() -> None:
    """The calls take these arguments, and results have what is asked of them; they want the network to run."""
    tree = ast.parse(CALLS[0])
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    asked: dict[str, set[str]] = {}
    for call in calls:
        assert isinstance(call.func, ast.Attribute)
        asked.setdefault(call.func.attr, set()).update(str(keyword.arg) for keyword in call.keywords)
    assert set(asked) == {"run", "report", "load"}
    assert asked["run"] <= set(RunRequest.model_fields)
    of_results = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "results"
    }
    assert of_results == {name for name in of_results if hasattr(Results, name)} >= {"recommendation", "report"}


@pytest.mark.parametrize(("page", "code"), TASK_FILES)
def test_a_task_file_is_read_as_it_is_written(bench: Bench, page: str, code: str) -> None:
    rows = [f"head{at},body{at},{('sales', 'support', 'press')[at % 3]},c{at}" for at in range(30)]
    Path("mails.csv").write_text("\n".join(["subject,body,team,customer", *rows]))
    Path("mails.toml").write_text(code)
    status, out, err = bench("check", "--tasks", "mails.toml")
    assert (status, err) == (0, "")
    assert "mails: classification of 'subject', 'body': the class in 'team'" in out


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_flags_that_there_are(command: str) -> None:
    from bench.cli import app

    group = typer.main.get_command(app)
    name, *arguments = shlex.split(command)[1:]
    group.commands[name].make_context(name, arguments)  # type: ignore[attr-defined]


@pytest.mark.parametrize("page", PAGES)
def test_links_of_a_page_lead_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", TEXTS[page])
    assert [link for link in links if "://" not in link and not (folder / link).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_are_there(page: str) -> None:
    named = set(re.findall(r"`((?:bench|methods|suites|tests|results)/[\w/.-]+)`", TEXTS[page]))
    assert [path for path in sorted(named) if not (ROOT / path).exists() and "NAME" not in path] == []
