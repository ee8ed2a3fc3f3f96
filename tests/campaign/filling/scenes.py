"""Commands whose disk refuses: what stands before, what is typed, what must be true afterwards.

A disk is a folder. Everything that a command changes on it is tried: the results folder, the cache, the folder for
temporary files, and where answers, reports and exports go.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.store.store import Store
from bench.writing import is_aside
from tests.campaign.killing import children
from tests.campaign.killing.witness import LEFT, Witness, bits
from tests.conftest import write_superglue, write_tiny_bert

Tree = dict[str, str]
ENDINGS = ("csv", "jsonl", "parquet")
PUSHED = ("--with-predictions", "--with-examples", "--with-tuned")
SHORT_RUNS = {  # what is left out for a small one is not left out
    "bench.commands.answer": {"LEAST": 0.0, "SHARE": 9.0}, "bench.execute.alone": {"SECONDS": 0.0},
    "bench.data.tokens": {"WORTH_KEEPING": 0},
}  # fmt: skip


def tree(folder: Path) -> Tree:
    """Every file below a folder, by its name, and a hash of it."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def all_of_it() -> None:
    """Short runs too keep tokens, and measure cells alone that shared a loop, by a few steps."""
    import importlib

    for name, values in SHORT_RUNS.items():
        for constant, value in values.items():
            setattr(importlib.import_module(name), constant, value)


class Home:
    """Model, data, an undisturbed run of them with what it comes to, and a place for one turn after another."""

    def __init__(self, place: Path) -> None:
        self.place, self.said = place, place / "said.log"
        self.cache, self.turn = place / "cache", place / "turn"
        os.environ["TUNING_BENCH_CACHE"] = str(self.cache)
        self.model, self.data = write_tiny_bert(place / "tiny"), write_superglue(place / "data", 16, 8)
        self.results = place / "undisturbed"
        self.rows = place / "rows.jsonl"
        shutil.copyfile(self.data / "RTE" / "val.jsonl", self.rows)
        self.do(self.run(self.results))
        store = Store.open(self.results)
        self.expected = {record.id: bits(self.results, record) for record in store.records()}
        self.cells = {record.cell.method: record.id for record in store.records() if record.cell.stage == "score"}
        self.do(["report", self.results, "--to", place / "reported", "--format", "md,csv,tex,png,svg,html"])
        for ending in ENDINGS:
            self.do(["predict", self.cells["ptv2"], "--in", self.results, "--data", self.rows, "--device", "cpu",
                     "--to", place / "answered" / f"answers.{ending}"])  # fmt: skip

    def run(self, out: Path, *more: object) -> list[object]:
        return [
            "run", "--suite", "superglue", "--tasks", "rte", "--models", self.model, "--data", self.data,
            "--methods", "ptv2,linear_probe", "--seeds", "2", "--trials", "2", "--steps", "2", "--evaluations", "2",
            "--batch-size", "4", "--max-length", "24", "--precision", "fp32", "--lanes", "2", "--out", out,
            *(more or ("--devices", "cpu")),
        ]  # fmt: skip

    def do(self, words: Sequence[object], *arms: Callable[[], None]) -> int:
        """The exit code of a command; what it said is in `said`."""
        return children.wait(children.fork(children.command(words, all_of_it, *arms), self.said))

    def clear(self) -> None:
        shutil.rmtree(self.turn, ignore_errors=True)
        self.turn.mkdir()


@dataclass(frozen=True)
class Scene:
    """A command, its disk, and who judges.

    `words` of a turn's folder; `before` lays out what stands there; `look` says what is wrong after a refusal and, with
    True, after the same command again with room.
    """

    name: str
    words: Callable[[Path], Sequence[object]]
    disks: Callable[[Path], Sequence[Path]]
    look: Callable[[Home, Path, bool], list[str]]
    before: Callable[[Home, Path], None] = lambda home, place: None
    costs_time_only: bool = False  # the disk is a cache: the command ends as if nothing were
    environment: Sequence[tuple[str, str]] = ()  # variables that name a folder of the turn


def scenes(home: Home) -> list[Scene]:
    """All of them."""
    ptv2, probe = home.cells["ptv2"], home.cells["linear_probe"]
    place = ["--in", home.results]
    return [
        Scene("run", lambda at: home.run(at / "out"), lambda at: [at / "out"], results),
        Scene("run, 2 workers", lambda at: home.run(at / "out", "--devices", "cpu:2"), lambda at: [at / "out"],
              results),
        Scene("run, cache", lambda at: home.run(at / "out"), lambda at: [at / "cache"], results,
              costs_time_only=True, environment=[("TUNING_BENCH_CACHE", "cache")]),
        Scene("plan, temporary", lambda at: [*home.run(at / "out"), "--plan"], lambda at: [at / "tmp"], nothing,
              costs_time_only=True, environment=[("TMPDIR", "tmp")]),
        Scene("report", lambda at: ["report", at / "out"], lambda at: [at / "out"], report, with_results),
        Scene("report over another", lambda at: ["report", at / "out", "--format", "md,csv,tex,png,svg,html"],
              lambda at: [at / "out"], report, with_report),
        Scene("report --anonymous", lambda at: ["report", at / "out", "--anonymous", "--to", at / "report"],
              lambda at: [at / "tmp", at / "report"], report, with_results, environment=[("TMPDIR", "tmp")]),
        Scene("push --dry-run", lambda at: ["push", at / "out", "--to", "hub:us/ours", "--dry-run", *PUSHED],
              lambda at: [at / "tmp"], nothing, with_results, environment=[("TMPDIR", "tmp")]),
        *(Scene(f"predict to {ending}", lambda at, to=f"answers.{ending}": [
            "predict", ptv2, *place, "--data", home.rows, "--to", at / "answers" / to, "--device", "cpu"],
            lambda at: [at / "answers"], answers, with_answers) for ending in ENDINGS),
        *(Scene(f"export of {name}", lambda at, cell=cell: ["export", cell, *place, "--to", at / "export"],
                lambda at: [at], export)
          for name, cell in (("an adapter", ptv2), ("a head", probe))),
        Scene("export into a folder", lambda at: ["export", ptv2, *place, "--to", at / "export"],
              lambda at: [at / "export"], export, lambda home, at: (at / "export").mkdir()),
    ]  # fmt: skip


def with_results(home: Home, at: Path) -> None:
    shutil.copytree(home.results, at / "out")


def with_report(home: Home, at: Path) -> None:
    """A report of before, in another format of numbers: each of its files differs from the new one."""
    with_results(home, at)
    (at / "out" / "report").mkdir()
    for name in tree(home.place / "reported"):
        (at / "out" / "report" / name).write_text(f"the {name} of before")


def with_answers(home: Home, at: Path) -> None:
    (at / "answers").mkdir()
    for ending in ENDINGS:
        (at / "answers" / f"answers.{ending}").write_text("answers of before")


def nothing(home: Home, at: Path, is_over: bool) -> list[str]:
    return leftovers(at, is_over)


def results(home: Home, at: Path, is_over: bool) -> list[str]:
    """Finished cells are whole and as they should be; `bench check` finds nothing."""
    out = at / "out"
    witness = Witness(out, at / "diary", home.expected)
    witness.look_at_end() if is_over else witness.look()
    wrong = [f"{kind}: {what}" for kind, what in witness.broken]
    if (out / "store.json").exists() and home.do(["check", out]) != 0:
        wrong.append(f"bench check: {home.said.read_text()[-800:]}")
    return wrong


def report(home: Home, at: Path, is_over: bool) -> list[str]:
    """The files of a report are those of before, all of them, or the new ones, all of them."""
    folder = at / "report" if (at / "report").exists() else at / "out" / "report"
    found = {name: content for name, content in tree(folder).items() if not is_aside(folder / Path(name).parts[0])}
    old = {name: hashlib.sha256(f"the {name} of before".encode()).hexdigest() for name in tree(home.place / "reported")}
    states = {"old": [name for name in found if found[name] == old.get(name)]}
    states["new"] = [name for name in found if name not in states["old"]]
    wrong = [] if not (states["old"] and states["new"]) else [f"half of a report: {states}"]
    wrong += [f"cut: {name}" for name in states["new"] if not is_whole(folder / name)]
    if is_over and not states["new"]:
        wrong.append("no report in the end")
    return wrong + leftovers(at, is_over)


def is_whole(path: Path) -> bool:
    """Whether a file of a report is one to its end."""
    content = path.read_bytes()
    ends = {".png": b"IEND\xaeB`\x82", ".svg": b"</svg>", ".html": b"</html>"}
    return content.rstrip(b"\n").endswith(ends.get(path.suffix, b"")) and bool(content)


def answers(home: Home, at: Path, is_over: bool) -> list[str]:
    """The file is that of before, or that which an undisturbed command writes."""
    wrong = []
    expected = tree(home.place / "answered")
    for name, content in tree(at / "answers").items():
        is_old = content == hashlib.sha256(b"answers of before").hexdigest()
        if not (is_old or content == expected.get(name) or is_aside(Path(name))):
            wrong.append(f"half a file: {name}")
    return wrong + leftovers(at, is_over)


def export(home: Home, at: Path, is_over: bool) -> list[str]:
    """The folder is not there, or empty as it was, or whole."""
    found = exported(at)
    wrong = [] if not found or ("README.md" in found and "head.json" in found) else [f"half an export: {sorted(found)}"]
    wrong += ["no export in the end"] if is_over and not found else []
    return wrong + leftovers(at, is_over)


def is_taken(scene: Scene, at: Path) -> bool:
    """Whether an export stands there, perhaps of a command that could not say so: the same one is refused."""
    return scene.name.startswith("export") and bool(exported(at))


def exported(at: Path) -> Tree:
    """What an export has written there, under its names; what is aside of one is no export."""
    found = tree(at / "export") if (at / "export").exists() else {}
    return {name: content for name, content in found.items() if not is_aside(Path(Path(name).parts[0]))}


def leftovers(at: Path, is_over: bool) -> list[str]:
    """What nobody sweeps: after a command that had room there is nothing aside but what it could not remove before."""
    rooms = [path for room in LEFT for path in at.glob(f"out/{room}/*")] if is_over else []
    return [f"left behind: {path}" for path in rooms]


def asides(at: Path) -> list[Path]:
    """What is aside of anything."""
    return [path for path in at.rglob(".*") if is_aside(path)] + [*at.glob("tmp/*")]


def begin(home: Home, scene: Scene, armed: Callable[[], None]) -> int:
    """Lay a scene out, and run its command."""
    home.clear()
    scene.before(home, home.turn)
    return go_on(home, scene, armed)


def go_on(home: Home, scene: Scene, *arms: Callable[[], None]) -> int:
    """Run the command of a scene that is laid out."""
    return home.do(scene.words(home.turn), partial(at_ease, home.turn, scene), *arms)


def at_ease(at: Path, scene: Scene) -> None:
    """In a fork: the folders that its variables name."""
    for variable, name in scene.environment:
        (at / name).mkdir(mode=0o700, exist_ok=True)
        os.environ[variable] = str(at / name)
    tempfile.tempdir = None  # which the process that forks has looked for before
