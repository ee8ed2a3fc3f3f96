"""Results folders of others, a file of which is not what it was, and every command that reads them."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.campaign import spoiling
from tests.campaign.fuzzing import made, reading
from tests.campaign.fuzzing.command import Answer, bench, refused
from tests.campaign.fuzzing.samples import ARTICLES, ENTITIES, LISTED
from tests.campaign.fuzzing.target import Broken, Case, Target

READ = ("md", "md,csv,tex", "status", "json", "show", "check", "load", "push", "blind")  # what takes no torch
DRAWN = ("html", "png", "notebook")
USED = ("predict", "export")
ASKED = ("rows.csv", "rows.csv", "rows.jsonl", "rows.jsonl", "rows.json", "rows.txt")
ASKED_TABLE = b"body,team\n" + b"".join(b"the week %d,press\noffer help,sales\n" % at for at in range(9))
ASKED_LINES = b"".join(b'{"body": "mail %d", "team": "sales"}\n' % at for at in range(18))
WHOLE: dict[str, Any] = {}  # by what a command gives of the folder as it was


def _cases(commands: tuple[str, ...]) -> SearchStrategy[Case]:
    return st.fixed_dictionaries({"spoil": spoiling.cases(), "command": st.sampled_from(commands)})


def prepare() -> None:
    import bench.export
    import bench.predicting.restored
    import bench.share.push  # noqa: F401
    from tests.campaign.finished_folder import finished_folder

    if WHOLE:
        return
    here = Path(tempfile.mkdtemp(prefix="tuning-bench-fuzz-"))
    made = finished_folder(here)
    (here / "rows.csv").write_text("body\nthe week\noffer help\n")
    WHOLE.update(folder=made.path, rows=here / "rows.csv", scores=_scores(made.path))
    WHOLE["cell"] = next(path.parent.name for path in made.path.glob("cells/*/tuned.safetensors"))


def _scores(folder: Path) -> dict[str, float]:
    """By cell its score, of those that are finished and scored."""
    import warnings

    import bench

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        rows = bench.load(folder)
    done = rows[(rows["status"] == "done") & rows["main"]]
    scores = dict(zip(done["id"], done["score"], strict=True))
    whole = WHOLE.get("scores", scores)
    lost = set(whole) - set(scores)
    if lost and not said:
        raise Broken(f"bench.load: cells {sorted(lost)} are gone without a word")
    return scores


def _run(case: Case, folder: Path) -> None:
    import os

    copy = folder / "results"
    shutil.copytree(WHOLE["folder"], copy)
    before = {path.parent.name for path in copy.glob("cells/*/record.json")}
    spoilt = spoiling.spoil(copy, case["spoil"])
    os.environ["HF_HUB_OFFLINE"] = "1"
    answer = _ask(case["command"], copy, folder)
    if answer is not None and answer.code == 0 and case["command"] in ("md", "md,csv,tex", "blind"):
        _look(folder, answer, spoilt, before)


def _ask(command: str, copy: Path, folder: Path) -> Answer | None:
    cell = WHOLE["cell"]
    match command:
        case "status":
            return bench("status", "results")
        case "json":
            return bench("status", "results", "--json")
        case "show":
            return bench("show", cell, "--in", "results")
        case "check":
            return bench("check", "results")
        case "push":
            return bench("push", "results", "--to", "hub:us/ours", "--dry-run", "--with-predictions", "--with-examples",
                         "--with-tuned")  # fmt: skip
        case "load":
            _scores(copy)
            return None
        case "notebook":
            import bench as face

            results = face.load(copy)
            results._repr_html_()
            return None
        case "blind":
            return bench("report", "results", "--anonymous", "--format", "csv", "--to", "report")
        case "predict":
            return bench("predict", cell, "--in", "results", "--data", str(WHOLE["rows"]), "--to", "answers.csv",
                         "--device", "cpu")  # fmt: skip
        case "export":
            return bench("export", cell, "--in", "results", "--to", "exported")
        case _:
            return bench("report", "results", "--format", command, "--to", "report")


def _look(folder: Path, answer: Answer, spoilt: Path | None, before: set[str]) -> None:
    """Broken where cells are gone that nothing is said of, or a score is another one."""
    tables = [pd.read_csv(path) for path in sorted((folder / "report").glob("table-*.csv"))]
    finished = sum(int(table.loc[(table["task"] != "average") & table["main"], "n"].sum()) for table in tables)
    missing = len(WHOLE["scores"]) - finished
    if tables and missing > 0 and "left out" not in answer.err and "counts as missing" not in answer.err:
        raise Broken(f"{missing} cells are gone from the table without a word; {spoilt} was spoilt")


def _asked() -> SearchStrategy[Case]:
    contents = made.mutated(ASKED_TABLE, ASKED_LINES, ENTITIES, ARTICLES, LISTED)
    return st.fixed_dictionaries({"content": contents, "name": st.sampled_from(ASKED), "score": st.booleans()})


def _predict(case: Case, folder: Path) -> None:
    """Rows to be answered: of each there is an answer, or what is left out is told."""
    reading.write({case["name"]: case["content"]}, folder)
    words = ("predict", WHOLE["cell"], "--in", str(WHOLE["folder"]), "--data", case["name"], "--to", "answers.jsonl")
    answer = refused(*words, "--device", "cpu", *(["--score"] if case["score"] else []))
    answers = (folder / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    rows = reading.rows_of(case["name"], case["content"])
    if rows is not None and rows != len(answers) and "left out" not in answer.err + answer.out:
        raise Broken(f"rows are not answered: {rows} rows in the file, {len(answers)} answers")


TARGETS = (
    Target("results_read", lambda: _cases(READ), _run, prepare, share=1.2),
    Target("results_drawn", lambda: _cases(DRAWN), _run, prepare, share=0.2),
    Target("results_used", lambda: _cases(USED), _run, prepare, share=0.2),
    Target("rows_asked", _asked, _predict, prepare, share=0.3),
)
