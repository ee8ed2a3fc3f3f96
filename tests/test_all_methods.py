"""`--methods all`: every method that is known and can run, with the reason for those that cannot."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from bench import registry
from bench.errors import UsageError

PEFT = {"adalora", "ia3", "lora", "peft"}


def test_every_method_is_planned_and_what_is_not_installed_is_skipped_with_the_reason(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.methods.peft.is_installed", lambda name: False)
    code, out, err = bench.run("--methods", "all", "--plan", "--no-probe")
    assert code == 0, err
    planned = {line.split()[3] for line in out.splitlines() if re.match(r"[0-9a-f]{16} ", line)}
    skipped = dict(re.findall(r"^skipped: (\w+) on rte with [\w-]+: (.*)$", out, re.MULTILINE))
    assert planned | set(skipped) == set(registry.methods())
    assert planned & set(skipped) == set()
    assert {name for name, reason in skipped.items() if "needs the package peft: pip install" in reason} == PEFT
    assert "100 prompt positions + 24 text tokens = 124" in skipped["prompt_tuning"], "an error where it is asked for"
    assert "100 prompt positions + 24 text tokens = 124" in bench.refuses("--methods", "prompt_tuning", "--plan")


def test_a_grid_file_says_all_too_and_a_plugins_method_is_among_them(bench: Any) -> None:
    Path("mine.py").write_text(
        "from bench.registry import method\nfrom bench.tuning import Method\n"
        "@method('mine')\nclass Mine(Method):\n    'My own method.'\n"
    )
    Path("grid.toml").write_text('methods = "all"\n')
    at = bench.base.index("--methods")
    base = [*bench.base[:at], *bench.base[at + 2 :]]
    code, out, _ = bench("run", *base, "-c", "grid.toml", "--plugin", "mine.py", "--plan", "--no-probe")
    assert (code, " mine " in out, " bitfit " in out) == (0, True, True)


def test_no_method_can_be_called_all() -> None:
    with pytest.raises(ValueError, match="no method can be called 'all'"):
        registry.method("all")(registry.methods()["ptv2"])
    with pytest.raises(UsageError, match="unknown method 'ptv3'"):
        registry.named_methods(["ptv3"])
    assert registry.named_methods(["ptv2", "finetune", "ptv2"]) == ("ptv2", "finetune")
    assert registry.named_methods(["ptv2", "all"]) == tuple(registry.methods())


def test_a_method_whose_first_stage_lacks_data_is_skipped_among_all_and_an_error_alone(
    bench: Any, superglue: Path
) -> None:
    shutil.copytree(superglue / "RTE", Path("some/RTE"))
    asked = ("--data", "some", "--plan", "--no-probe")
    code, out, err = bench.run("--methods", "all", *asked)
    assert code == 0, err
    assert re.search(
        r"^skipped: mpt2 on rte with tiny-bert: .*mpt2 trains on all classification tasks", out, re.MULTILINE
    )
    assert "mpt2 trains on all classification tasks" in bench.refuses("--methods", "mpt2", *asked)
