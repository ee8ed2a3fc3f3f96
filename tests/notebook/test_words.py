"""Errors of the engine in a call's words."""

from __future__ import annotations

import pytest

from bench.errors import DiskError, UsageError
from bench.notebook.words import in_python

SAID = {
    "--devices cpu:9: 9 workers are more than the 1 cells": "devices cpu:9: 9 workers are more than the 1 cells",
    "lower ptv2.length or --max-length": "lower ptv2.length or max_length",
    "give --data DIR or --plugin FILE.py": "give data DIR or plugin FILE.py",
    "no earlier run tells (--no-probe leaves this out)": "no earlier run tells (probe=False leaves this out)",
    "or the embedded suite: bench run --suite smoke": "or the embedded suite: bench run --suite smoke",
    "start one with `ray start --head`": "start one with `ray start --head`",
    "a -- b": "a -- b",
}


@pytest.mark.parametrize(("said", "read"), SAID.items())
def test_flags_are_arguments_and_commands_stay_commands(said: str, read: str) -> None:
    with pytest.raises(UsageError) as error, in_python():
        raise UsageError(said)
    assert str(error.value) == read


def test_an_error_stays_of_its_kind_and_brings_no_other() -> None:
    with pytest.raises(DiskError) as error, in_python():
        raise DiskError("no space left")
    assert (error.value.__cause__, error.value.__suppress_context__) == (None, True)
