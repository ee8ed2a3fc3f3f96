"""A cell that breaks off says in a line where, and keeps the whole traceback."""

from __future__ import annotations

import inspect
import json
from functools import partial
from pathlib import Path

import pytest
import torch

from bench.model.source import find_model
from bench.registry import find_method
from bench.store.record import Record
from bench.store.store import Store
from bench.train import backbones
from tests.conftest import Bench

DEEP = """
import torch

from bench import LayerPrefixes, method
from bench.methods.ptv2 import PTuningV2


class Crooked(LayerPrefixes):
    def make(self):
        try:
            return super().make()
        finally:
            self.vectors.detach().view(3, -1)  # deep in torch, called from line 13


@method("crooked")
class CrookedMethod(PTuningV2):
    "Its prefixes are of another shape than they should be."

    def attach(self, backbone, task):
        made = super().attach(backbone, task)
        made.__class__ = Crooked
        return made
"""


def failed(bench: Bench, code: str, *flags: str) -> Record:
    Path("mine.py").write_text(code)
    assert bench.run("--plugin", "mine.py", *flags)[0] == 1
    (record,) = Store.open(Path("out")).records()
    assert record.status == "failed"
    return record


def test_the_reason_names_the_plugins_own_line_and_the_record_has_the_whole_traceback(bench: Bench) -> None:
    record = failed(bench, DEEP, "--methods", "crooked", "--set", "crooked.length=4")
    assert str(record.reason).startswith("RuntimeError: shape '[3, -1]' is invalid for input of size ")
    assert str(record.reason).endswith("(mine.py:13)")
    lines = str(record.traceback).splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1].startswith("RuntimeError: shape '[3, -1]' is invalid for input of size ")
    places = [line.split('"')[1] for line in lines if line.startswith('  File "')]
    assert places[0] == "bench/runner.py"
    assert places[-1] == "mine.py"
    assert not any(Path(place).is_absolute() for place in places)


def test_an_error_below_a_method_of_the_repository_names_the_methods_line(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.randn", torch.functional.einsum)  # Python code of torch, which two numbers are wrong for
    assert bench.run("--methods", "ptv2")[0] == 1
    (record,) = Store.open(Path("out")).records()
    code = Path(str(inspect.getsourcefile(find_method("ptv2")))).read_text().splitlines()
    (line,) = [number for number, text in enumerate(code, start=1) if "torch.randn(" in text]
    assert str(record.reason).endswith(f"(ptv2.py:{line})")
    assert 'File "torch/functional.py"' in str(record.traceback)


def test_an_error_of_the_engine_alone_names_the_engines_line(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.train.backbones.find_model", partial(find_model, "one too many"))
    assert bench.run()[0] == 1
    (record,) = Store.open(Path("out")).records()
    code = Path(backbones.__file__).read_text().splitlines()
    (line,) = [number for number, text in enumerate(code, start=1) if "find_model(" in text]
    assert str(record.reason).startswith("TypeError: find_model() takes 1 positional argument but 2 were given (")
    assert str(record.reason).endswith(f"(backbones.py:{line})")


CAUSE = """
from bench import Method, method


@method("caused")
class Caused(Method):
    "Fails for a reason that has a reason."

    def attach(self, backbone, task):
        try:
            {}["key"]
        except KeyError as error:
            raise RuntimeError("no luck\\nat all") from error
"""


def test_what_caused_an_error_is_in_the_traceback_and_its_first_line_in_the_reason(bench: Bench) -> None:
    record = failed(bench, CAUSE, "--methods", "caused")
    assert record.reason == "RuntimeError: no luck (mine.py:13)"
    assert "KeyError: 'key'" in str(record.traceback)
    assert "The above exception was the direct cause of the following exception:" in str(record.traceback)


def test_bench_show_prints_the_traceback_and_finished_cells_have_no_such_field(bench: Bench) -> None:
    Path("mine.py").write_text(CAUSE)
    assert bench.run("--plugin", "mine.py", "--methods", "caused,ptv2")[0] == 1
    by_method = {record.cell.method: record for record in Store.open(Path("out")).records()}
    code, out, _ = bench("show", by_method["caused"].id, "--in", "out")
    assert code == 0
    assert json.loads(out)["traceback"] == by_method["caused"].traceback
    code, out, _ = bench("show", by_method["ptv2"].id, "--in", "out")
    assert "traceback" not in json.loads(out)
    assert "traceback" not in json.loads((Path("out/cells") / by_method["ptv2"].id / "record.json").read_text())


LONG = CAUSE.replace('RuntimeError("no luck\\nat all")', 'RuntimeError("x" * 1_000_000)')


def test_an_error_that_quotes_a_whole_data_set_is_cut_in_its_middle(bench: Bench) -> None:
    record = failed(bench, LONG, "--methods", "caused")
    assert record.reason == f"RuntimeError: {'x' * 986}… (mine.py:13)"
    assert record.traceback is not None
    assert "KeyError: 'key'" in record.traceback
    assert record.traceback.endswith("xxx\n")
    assert 20_000 < len(record.traceback) < 20_100
