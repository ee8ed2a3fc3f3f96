"""A SLURM of shell scripts: `sbatch` keeps what it is given, `squeue` says what a test puts into its queue, and a job
runs where the test says so, in this process, as submitit would start it on a node.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.store.store import Store

SIGNALS = (signal.SIGTERM, signal.SIGCONT, signal.SIGUSR1, signal.SIGUSR2)
SCRIPTS = {
    "sbatch": """
if [ -e $here/refusal ]; then cat $here/refusal >&2; exit 1; fi
cp "$1" $here/script; echo once more >> $here/submitted
echo "Submitted batch job $((4710 + $(wc -l < $here/submitted)))"
""",
    "squeue": """
if [ -e $here/dead ]; then echo "Unable to contact slurm controller" >&2; exit 1; fi
echo "$@" > $here/asked; if [ -e $here/queue ]; then cat $here/queue; fi
""",
    "scontrol": """
if [ -e $here/forbidden ]; then echo "Requested operation is presently disabled" >&2; exit 1; fi
echo "$@" >> $here/requeued
""",
    "srun": "exit 1",
}


class Cluster:
    """Its commands in a folder that a test puts on PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        for name, lines in SCRIPTS.items():
            (folder / name).write_text(f"#!/bin/bash\nset -e\nhere={folder}\n{lines}")
            (folder / name).chmod(0o755)

    def put(self, name: str, text: str = "") -> None:
        """What a command is to find: `refusal`, `queue`, `dead`, `forbidden`."""
        (self.folder / name).write_text(text)

    def got(self, name: str) -> str:
        """What a command has kept: `script` of sbatch, `asked` of squeue, `requeued` of scontrol."""
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    @property
    def num_submitted(self) -> int:
        return len(self.got("submitted").splitlines())


def run_job(number: str, place: Path) -> int:
    """Do what a node does for a job, `4711_0`, whose files are in `place`; its exit code."""
    from submitit.core.submission import process_job

    array, _, index = number.partition("_")
    before = {each: signal.getsignal(each) for each in SIGNALS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["_submit.py", str(place)])
        patch.setenv("SUBMITIT_FOLDER", "")  # put back, whatever submitit makes of it
        node = {"SUBMITIT_EXECUTOR": "slurm", "SLURM_JOB_ID": array, "SLURM_PROCID": "0", "SLURM_JOB_NUM_NODES": "1"}
        if index:
            node |= {"SLURM_ARRAY_JOB_ID": array, "SLURM_ARRAY_TASK_ID": index}
        for name, value in node.items():
            patch.setenv(name, value)
        try:
            process_job(place.absolute())
        except SystemExit as end:
            return int(end.code or 0)
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)
    return 0


def results(folder: str) -> dict[str, tuple[Any, ...]]:
    """By cell all that a finished one came to, its files to the byte."""
    store = Store.open(Path(folder))
    assert not list(store.path.glob("failed/*"))
    found = {}
    for cell_id in store.done():
        record, place = store.record(cell_id), store.cell_folder(cell_id)
        files = {path.name: path.read_bytes() for path in place.iterdir() if path.name != "record.json"}
        curve = [point.model_dump(exclude={"seconds"}) for point in record.curve]
        found[cell_id] = (record.scores, record.selection_score, record.selected_step, curve, files)
    return found
