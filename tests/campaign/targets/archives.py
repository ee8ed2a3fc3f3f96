"""Archives of results (NAME.tar.xz): spoiled as bytes, with a spoiled file in them, with members that none has."""

from __future__ import annotations

import io
import lzma
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.campaign import spoiling
from tests.campaign.fuzzing import made
from tests.campaign.fuzzing.command import bench
from tests.campaign.fuzzing.target import Broken, Case, Target
from tests.campaign.targets import results

NAME = "all.tar.xz"
READ = ("md", "check", "load", "push")
TYPES = (tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE,
         tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME)  # fmt: skip
CELL = "cells/0123456789abcdef"
NAMES = ("../outside", "/tmp/outside", f"{CELL}/../../../outside", f"{CELL}/record.json", f"{CELL}/terms.parquet",
         "store.json", "cells", "plans/0123456789abcdef.json", "suites/é.json", "")  # fmt: skip
LARGE = 2**24  # bytes: of gigabytes of zeros this process would have to make them all
_WHOLE: dict[str, Any] = {}


def _cases() -> SearchStrategy[Case]:
    share = st.floats(0, 1)
    damage = st.fixed_dictionaries({"at": share, "with": st.binary(max_size=8), "cut": st.booleans()})
    member = st.fixed_dictionaries({
        "name": st.sampled_from(NAMES) | made.texts(), "type": st.sampled_from(TYPES), "link": st.sampled_from(NAMES),
        "content": st.binary(max_size=600), "size": st.sampled_from((None, 0, 2**20, 2**40)),
    })  # fmt: skip
    shapes = {
        "bytes": st.none() | damage, "tar": st.none() | damage, "spoil": st.none() | spoiling.cases(),
        "members": st.lists(member, max_size=3), "command": st.sampled_from(READ),
    }  # fmt: skip
    return st.fixed_dictionaries(shapes)


def _prepare() -> None:
    from tests.campaign.finished_folder import bench as said

    results.prepare()
    if _WHOLE:
        return
    here = Path(tempfile.mkdtemp(prefix="tuning-bench-fuzz-"))
    if said("push", results.WHOLE["folder"], "--to", here / NAME, "--terms").code:
        raise RuntimeError("no archive could be made")
    with tarfile.open(here / NAME) as archive:
        filtered = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # Python 3.11.4
        archive.extractall(here / "whole", **filtered)
    _WHOLE.update(folder=here / "whole", scores=_scores(here / NAME))


def _scores(place: Path) -> set[str]:
    """Cells that have one. Broken where some are gone and nothing was said."""
    import warnings

    import bench as face

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        rows = face.load(place)
    scored = set(rows["id"][(rows["status"] == "done") & rows["main"]])
    if _WHOLE.get("scores", scored) - scored and not said:
        raise Broken("bench.load: cells are gone without a word")
    return scored


def _run(case: Case, folder: Path) -> None:
    copy = folder / "results"
    shutil.copytree(_WHOLE["folder"], copy)
    if case["spoil"]:
        spoiling.spoil(copy, case["spoil"])
    content = _tar(copy, case["members"])
    content = lzma.compress(_damaged(content, case["tar"]), preset=0)
    (folder / NAME).write_bytes(_damaged(content, case["bytes"]))
    shutil.rmtree(copy)
    before = set(folder.iterdir()) | {Path("/tmp/outside")}
    match case["command"]:
        case "load":
            _scores(folder / NAME)
        case "check":
            bench("check", NAME)
        case "push":
            bench("push", str(_WHOLE["folder"]), "--to", NAME)
        case "md":
            bench("report", NAME, "--format", "md", "--to", "report")
    written = set(folder.iterdir()) - before - {folder / "report"}
    if written or Path("/tmp/outside").exists() or (folder.parent / "outside").exists():
        raise Broken(f"written where nothing should be: {sorted(written)}")


def _tar(folder: Path, members: list[Case]) -> bytes:
    """As any program might write it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path in sorted(path for path in folder.rglob("*") if path.lstat().st_size < LARGE):
            archive.add(path, path.relative_to(folder).as_posix(), recursive=False)
        for member in members:
            info = tarfile.TarInfo(member["name"].encode("utf-8", "replace").decode().replace("\0", ""))
            info.type, info.linkname, info.size = member["type"], member["link"], len(member["content"])
            said = member["size"]
            if said is None:
                archive.addfile(info, io.BytesIO(member["content"]))
            else:  # a size that is not that of what follows
                info.size = said
                out.write(info.tobuf(tarfile.GNU_FORMAT) + member["content"])
    return out.getvalue()


def _damaged(content: bytes, damage: Case | None) -> bytes:
    if damage is None:
        return content
    at = int(damage["at"] * len(content))
    return content[:at] + damage["with"] + (b"" if damage["cut"] else content[at + len(damage["with"]) :])


TARGETS = (Target("archives", _cases, _run, _prepare, share=0.4),)
