"""A grid run in a world by the command itself, in processes of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.campaign.sameness.grids import Grid, write
from tests.campaign.sameness.worlds import World

ROOT = Path(__file__).parents[3]
PATIENCE = 1800.0  # seconds for one command


class RunError(Exception):
    """A run ended otherwise than with exit code 0."""


def run(grid: Grid, world: World, folder: Path) -> Path:
    """Run a grid in a world; returns its results folder. What worlds share lies below `folder`."""
    place = folder / grid.name / world.name.replace(" ", "-").replace(",", "")
    place.mkdir(parents=True)
    out = place / "out"
    words = [*_command(grid, world, folder, place), "--out", str(out)]
    environment = _environment(world, folder, place)
    if world.how == "interrupted":
        _killed(words, environment, world, out)
    elif world.how == "in parts":
        if not grid.varies:  # one seed has nothing to vary over
            _finished([*words, "--seeds", f"{grid.seeds[-1]},", "--lanes", "1"], environment, world, place)
        some = grid.methods[::2]
        _finished([*_without_settings(words, some), "--methods", ",".join(some)], environment, world, place)
    _finished(words, environment, world, place)
    return out


def _command(grid: Grid, world: World, folder: Path, place: Path) -> list[str]:
    model, data = _placed(*write(grid, folder), world, place)
    methods, tasks, seeds = list(grid.methods), list(grid.tasks), list(map(str, grid.seeds))
    if world.turned:
        methods, tasks = methods[::-1], tasks[::-1]
        seeds = seeds if grid.varies else seeds[::-1]
    program = "tests.campaign.sameness.starved" if world.starved else "bench.cli"
    words = [sys.executable, "-m", program, "run", *grid.flags, "--models", str(model)]
    words += ["--precision", grid.precision, "--methods", ",".join(methods), "--seeds", ",".join(seeds) + ","]
    words += ["--tasks", ",".join(tasks)] if tasks else []
    words += ["--data", str(data)] if data else []
    return [*words, *(() if "--devices" in world.flags else ("--devices", "cpu")), *world.flags]


def _without_settings(words: list[str], methods: Sequence[str]) -> list[str]:
    """The words without `--set` of other methods than these, which would be refused."""
    kept, left = list[str](), iter(words)
    for word in left:
        setting = next(left) if word == "--set" else ""
        if not setting:
            kept.append(word)
        elif setting.partition(".")[0] in methods:
            kept += [word, setting]
    return kept


def _placed(model: Path, data: Path | None, world: World, place: Path) -> tuple[Path, Path | None]:
    """Model and data where the world has them, under other names that no shell would like."""
    if world.placed == "here":
        return model, data
    there = place / "Über den Bergen 2"
    there.mkdir()
    places = [path and there / (path.name if path.suffix else f"{path.name} (copy)") for path in (model, data)]
    for source, target in zip((model, data), places, strict=True):
        if source is None or target is None:
            continue
        if world.placed == "linked":
            target.symlink_to(source)
        elif source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
    assert places[0] is not None
    return places[0], places[1]


def _environment(world: World, folder: Path, place: Path) -> dict[str, str]:
    cache = folder / "cache" if world.warm else place / "cache"
    home = place / "home"
    home.mkdir(exist_ok=True)
    own = {
        "HOME": str(home), "TUNING_BENCH_CACHE": str(cache), "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false",
    }  # fmt: skip
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, **own, **world.environment}


def _finished(words: list[str], environment: dict[str, str], world: World, place: Path) -> None:
    ended = subprocess.run(
        words, cwd=place, env=environment, umask=world.umask, capture_output=True, text=True, errors="replace",
        timeout=PATIENCE,
    )  # fmt: skip
    if ended.returncode:
        raise RunError(f"exit code {ended.returncode}: {ended.stderr.strip()[-600:]}")


def _killed(words: list[str], environment: dict[str, str], world: World, out: Path) -> None:
    """Run until a cell has finished, and kill the process in the midst of the next."""
    with subprocess.Popen(
        words, cwd=out.parent, env=environment, umask=world.umask, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:  # fmt: skip
        until = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < until:
            if any((out / "cells").glob("*/record.json")):
                os.killpg(process.pid, signal.SIGKILL)
                break
            time.sleep(0.01)
        process.wait()
