"""Help: flags under their headings, whole words on narrow terminals, examples that can be typed."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import typer.main

from bench.cli import app
from bench.commands.examples import COMMAND_LINE, EXAMPLES
from bench.request import BUDGET, CHOICE, MACHINE, OUTPUT, WHAT

COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("columns", [80, 60])
@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_fits_the_terminal_and_cuts_no_word(
    bench: Any, monkeypatch: pytest.MonkeyPatch, name: str, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    code, out, err = bench(*filter(None, [name]), "--help")
    assert (code, err) == (0, "")
    assert bench(*filter(None, [name]), "-h")[1] == out
    assert [line for line in out.splitlines() if len(line) > columns] == []
    helps = [parameter.help for parameter in (COMMANDS[name].params if name else [])]
    said = " ".join(out.split())
    for words in helps:
        plain = words.replace("\u00a0", " ").replace("\u2011", "-")
        assert re.sub(r"\W", "", plain) in re.sub(r"\W", "", said)
    assert not re.search(r"<\w+>|list\[|Path\b|TEXT", out), "types are said in words"


def test_the_flags_of_run_stand_in_groups_what_is_run_first(bench: Any) -> None:
    out = bench("run", "--help")[1]
    headings = re.findall(r"^(\S.*):$", out, re.MULTILINE)
    assert headings == [WHAT, BUDGET, CHOICE, MACHINE, OUTPUT, "Other", "Examples"]
    groups = dict(zip(headings, re.split(r"^\S.*:$", out, flags=re.MULTILINE)[1:], strict=True))
    for heading, flags in {
        WHAT: ("--suite", "--methods", "-c, --config"), BUDGET: ("--epochs", "--[no-]backbone-dropout"),
        CHOICE: ("--seeds", "--sweep"), MACHINE: ("--devices, --device", "--dry-run"),
        OUTPUT: ("--out", "--plan", "--[no-]probe"), "Other": ("-h, --help",),
    }.items():  # fmt: skip
        assert [flag for flag in flags if f"  {flag}" not in groups[heading]] == []


def test_a_default_is_told_once(bench: Any) -> None:
    for name in COMMANDS:
        for row in re.split(r"\n  (?=\S)", bench(name, "--help")[1]):
            assert row.count("default:") <= 1, row


def test_every_command_has_examples_of_flags_that_it_knows() -> None:
    lines = [line for text in (COMMAND_LINE, *EXAMPLES.values()) for line in text.replace("\\\n", "").splitlines()]
    assert {line.split()[1] for line in lines} >= set(EXAMPLES)
    for line in lines:
        name, *words = shlex.split(line)[1:]
        known = [flag for parameter in COMMANDS[name].params for flag in parameter.opts] if name in COMMANDS else [name]
        assert [word for word in words if word.startswith("-") and word not in known] == [], line
    assert max(len(line) for text in EXAMPLES.values() for line in text.splitlines()) <= 58


def test_the_version_is_one_line_with_what_numbers_depend_on(bench: Any) -> None:
    code, out, _ = bench("--version")
    assert code == 0
    assert re.fullmatch(r"tuning-bench \d+\.\d+\.\d+ \(Python 3\.\d+\.\d+, torch \S+, transformers \S+\)\n", out)
