"""What the commands make of a results folder in which one bit of one file is another."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import bench as face
from bench.store.healing import BROKEN
from tests.campaign.damage import Target, flipped
from tests.campaign.finished_folder import Finished, Said, bench

LEFT = ("alone", "examples", "plans")  # which nobody can make again: to be deleted by hand
OF_CELLS = ("record", "predictions", "tensors")
Files = dict[str, bytes]


def wrong(made: Finished, target: Target, rng: random.Random) -> Iterator[str]:
    """Damage the folder, ask the commands, and put it back: what they did otherwise than they promise."""
    kept = Path(shutil.copytree(made.path, made.path.with_name("kept")))
    content = target.path.read_bytes()
    bit = rng.randrange(8 * len(content))
    times = target.path.stat()
    target.path.write_bytes(flipped(content, bit))
    os.utime(target.path, ns=(times.st_atime_ns, times.st_mtime_ns))
    try:
        for what in _wrong(made, target, kept):
            yield f"{target.path.name} ({target.kind}), bit {bit}: {what}"
    finally:
        shutil.rmtree(made.path)
        kept.rename(made.path)


def _wrong(made: Finished, target: Target, kept: Path) -> Iterator[str]:
    checked = bench("check", made.path)
    if checked.code != 1 or checked.out.count("FAILED") != 1 or not _names(checked, target):
        yield f"bench check names it otherwise: {checked.out or checked.err}"
    if target.kind == "mark":
        return
    if target.kind != "tensors":
        yield from _wrong_report(made, target, kept)
    if target.kind in ("tensors", "record"):
        for command in (["predict", "--data", made.data, "--to", "-"], ["export", "--to", made.path.with_name("to")]):
            said = bench(command[0], target.path.parent.name, *command[1:], "--in", made.path)
            if said.code != 2 or len(said.err.splitlines()) != 1:
                yield f"bench {command[0]} takes it: {said.out or said.err}"
    yield from _wrong_run(made, target, kept)


def _names(said: Said, target: Target) -> bool:
    named = target.path.parent if target.kind == "mark" else target.path
    return any(str(named) in line for line in (said.out + said.err).splitlines())


def _wrong_report(made: Finished, target: Target, kept: Path) -> Iterator[str]:
    to = made.path.with_name("report")
    said = bench("report", made.path, "--format", "csv,html", "--to", to)
    shutil.rmtree(to, ignore_errors=True)
    names_it = _names(said, target) or (target.kind == "predictions" and "predictions.parquet is not what" in said.err)
    if said.code != 0 or not names_it:
        yield f"bench report is silent: {said.err}"
    scores, before = _scores(made.path), _scores(kept)
    lost = {target.path.parent.name} if target.kind == "record" else set()
    if scores != {cell: score for cell, score in before.items() if cell not in lost}:
        yield f"bench report has other scores: {scores}, before {before}"


def _scores(folder: Path) -> dict[str, dict[str, float]]:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = face.load(folder)
    found: dict[str, dict[str, float]] = {}
    for cell, metric, score in zip(rows["id"], rows["metric"], rows["score"], strict=True):
        if score == score:
            found.setdefault(cell, {})[metric] = score
    return found


def _wrong_run(made: Finished, target: Target, kept: Path) -> Iterator[str]:
    said = made.run()
    broken = target.path.parent.name
    told = said.out.count("is measured again") if target.kind in OF_CELLS else 1
    if said.code != 1 or told != 1:
        yield f"bench run ends otherwise: {said.code} {said.out} {said.err}"
    before, after = _files(kept), _files(made.path)
    same = [name for name in before if not name.endswith("record.json") and name.startswith("cells/")]
    others = [name for name in before if name.startswith("cells/") and broken not in name]
    for name in (*same, *others):
        if after.get(name) != before[name]:
            yield f"after bench run {name} is another one"
    if target.kind in OF_CELLS:
        if [path.name.partition(".")[0] for path in (made.path / BROKEN).iterdir()] != [broken]:
            yield "what was broken is not kept"
        if _scores(made.path) != _scores(kept):
            yield f"it has other scores than before: {_scores(made.path)}, {_scores(kept)}"
    if target.kind not in LEFT and bench("check", made.path).code != 0:
        yield "bench check is not content after bench run"


def _files(folder: Path) -> Files:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
