"""`bench run --plan` foretells what is left, says how it knows, and writes nothing."""

from __future__ import annotations

import re

import pytest

from bench.commands.span import span
from bench.store import alone


def test_a_plan_probes_what_has_not_run_and_then_goes_by_records(bench, tmp_path) -> None:
    code, out, _ = bench.run("--plan")
    assert code == 0
    assert "probing tiny-bert with ptv2; no earlier run tells" in out
    assert "a: a probe of " in out
    assert "\nabout " in out
    assert not (tmp_path / "out").exists()

    bench.run()
    before = sorted((tmp_path / "out").rglob("*"))
    code, out, _ = bench.run("--plan", "--steps", "4")
    assert code == 0
    assert "probing" not in out
    assert "a: 1 record of the same lines and tasks\n" in out
    assert sorted((tmp_path / "out").rglob("*")) == before
    _, beside, _ = bench.run("--plan", "--steps", "4", "--out", "another")
    assert "a: 1 record of the same lines and tasks\n" in beside  # of the folder beside it
    assert not (tmp_path / "another").exists()


def test_without_a_probe_the_time_is_unknown_and_the_memory_an_estimate(bench) -> None:
    _, out, _ = bench.run("--plan", "--no-probe")
    assert "probing" not in out
    assert "unknown: nothing like it has run on this device" in out
    assert "the time on " in out
    assert "≤ " in out


def test_nothing_is_foretold_when_nothing_is_left(bench) -> None:
    bench.run()
    _, out, _ = bench.run("--plan")
    assert "groups × cells" not in out


def test_the_forecast_is_no_wider_than_a_terminal(bench, monkeypatch) -> None:
    for name, value in {"FORCE_COLOR": "1", "TERM": "dumb", "COLUMNS": "80"}.items():  # a terminal without colours
        monkeypatch.setenv(name, value)
    code, out, err = bench.run("--plan", "--methods", "ptv2,bitfit,finetune", "--trials", "2", "--tasks", "rte,cb")
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    assert {"(trials)", "finetune", "bitfit"} <= set(re.split(r"[\s,]+", out))  # whole names


def test_workers_that_share_a_gpu_are_told_beside_it(bench, monkeypatch) -> None:
    """The processor stands in for the GPU of all four."""
    bench.run()
    monkeypatch.setattr("bench.execute.devices.sharing_gpu", lambda seats: [len(seats)] * len(seats))
    _, out, _ = bench.run("--plan", "--steps", "4", "--seeds", "4", "--device", "cpu:4")
    assert "a: 1 record of the same lines and tasks, slower 4 times beside others" in out
    assert re.search(r"\nabout .* with 4 workers", out)


def test_what_the_measuring_alone_may_take_afterwards_is_told(bench, monkeypatch) -> None:
    monkeypatch.setattr(alone, "SHARE", 1000.0)
    flags = ("--methods", "ptv2,linear_probe", "--seeds", "2")
    bench.run(*flags, "--steps", "8")
    _, out, _ = bench.run("--plan", *flags, "--steps", "16")
    assert re.search(r"\nabout .*[(;] ?then .* at most for what cells cost alone\)", out)
    assert "measuring alone what shared a loop or a GPU" in bench.run(*flags, "--steps", "16")[1]
    _, out, _ = bench.run("--plan", *flags, "--steps", "32", "--no-probe")
    assert "cost alone" not in out
    _, out, _ = bench.run("--plan", "--methods", "ptv2", "--steps", "32")
    assert "cost alone" not in out, "nothing shares a loop"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (99, "99 s"), (100, "1.7 min"), (590, "9.8 min"),
        (599, "10 min"), (5940, "99 min"),
        (6000, "1 h 40 min"), (12_000, "3 h 20 min"), (36_000, "10 h"), (38_000, "11 h"), (187_200, "2 d 4 h"),
        (259_200, "3 d"),
    ],
)  # fmt: skip
def test_spans_of_time_have_two_digits(seconds, text) -> None:
    assert span(seconds) == text
