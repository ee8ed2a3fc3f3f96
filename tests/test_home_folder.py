"""Paths that begin with ~ in flags and in grid files, and how a grid file may be saved."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Bench
from tests.test_cli import planned


def test_a_grid_file_may_begin_with_a_byte_order_mark(bench: Bench) -> None:
    at = bench.base.index("--steps")
    base = bench.base[:at] + bench.base[at + 2 :]
    Path("grid.toml").write_bytes("steps = 3\r\n".encode("utf-8-sig"))
    assert planned(bench, *base, "-c", "grid.toml") == planned(bench, *base, "--steps", "3")


def test_a_tilde_is_the_home_folder_in_every_path(
    bench: Bench, tiny_bert: Path, superglue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Path("home").absolute()
    home.mkdir()
    (home / "models").symlink_to(tiny_bert.parent)
    (home / "data").symlink_to(superglue)
    (home / "mine.py").write_text("")
    monkeypatch.setenv("HOME", str(home))
    places = {"--data": "~/data", "--models": f"~/models/{tiny_bert.name}", "--plugin": "~/mine.py", "--out": "~/out"}
    base = [flag for flag in bench.base if not {flag, bench.base[bench.base.index(flag) - 1]} & set(places)]
    text = [f'{name[2:]} = "{place}"\n' for name, place in places.items() if name != "--models"]
    Path("grid.toml").write_text("".join([*text, f'models = ["{places["--models"]}"]\n']))
    whole = [part for name, place in places.items() for part in (name, place.replace("~", str(home)))]
    cells = planned(bench, *base, *whole)
    assert planned(bench, *base, "-c", "grid.toml") == cells
    assert planned(bench, *base, *(part for pair in places.items() for part in pair)) == cells
    assert bench("run", *base, "-c", "grid.toml")[0] == 0
    assert (home / "out" / "cells").is_dir()
    assert not Path("~").exists()


def test_a_home_that_nobody_has_is_refused(bench: Bench) -> None:
    said = bench.refuses("--data", "~nobody-of-this-name/data")
    assert "'~nobody-of-this-name/data': could not determine home directory; give the whole path" in said
