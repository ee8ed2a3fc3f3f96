"""The record of a cell that broke off: the error in a line, and its whole traceback."""

from __future__ import annotations

import sys
import sysconfig
import traceback
from datetime import UTC, datetime
from pathlib import Path
from traceback import FrameSummary

import torch

from bench.checkout import PACKAGE
from bench.model.device import device_name
from bench.resolved import ResolvedCell
from bench.store.provenance import provenance
from bench.store.record import Record
from bench.tuning import Method

LONGEST_TRACEBACK, LONGEST_LINE = 20_000, 1_000  # characters; an error may quote a whole data set
_LIBRARIES = tuple(Path(sysconfig.get_path(name)) for name in ("purelib", "platlib", "stdlib"))


def failure(resolved: ResolvedCell, error: Exception, started: datetime, device: torch.device) -> Record:
    """The record of a cell that broke off.

    The reason names the last line of the method's own code, where it had a part in it, else where the error came from.
    """
    place = _place(error, resolved.method)
    return Record(
        id=resolved.cell.id,
        cell=resolved.cell,
        status="failed",
        reason=f"{brief(error)} ({Path(place.filename).name}:{place.lineno})",
        traceback=traceback_text(error),
        main_metric=resolved.task.main_metric,
        provenance=provenance(device_name(device)),
        started=started.isoformat(timespec="seconds"),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def brief(error: Exception) -> str:
    """An error's kind and first line."""
    line = f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}…"


def _place(error: Exception, method: Method) -> FrameSummary:
    """Where an error is to be looked for. Whoever writes a method knows its lines, and those of no library."""
    frames = traceback.extract_tb(error.__traceback__)
    modules = (sys.modules.get(kind.__module__) for kind in type(method).__mro__)
    files = {str(getattr(module, "__file__", None)) for module in modules}
    files -= {str(path) for path in PACKAGE.glob("*.py")}  # Method's own
    method_frames = [frame for frame in frames if frame.filename in files or not _of_others(Path(frame.filename))]
    return method_frames[-1] if method_frames else frames[-1]


def _of_others(path: Path) -> bool:
    """Whether a file is the engine's or a library's."""
    return any(path.is_relative_to(folder) for folder in (PACKAGE, *_LIBRARIES)) or not path.suffix


def traceback_text(error: BaseException) -> str:
    """The traceback as Python prints it, with paths as they are seen from the harness, its libraries or the folder
    the run was started in. Of one that is too long the middle is left out.
    """
    text = "".join(traceback.format_exception(error))
    roots = {PACKAGE.parent, Path.cwd(), *_LIBRARIES}
    for root in sorted(map(str, roots), key=len, reverse=True):  # an environment may lie inside a checkout
        text = text.replace(f'File "{root}/', 'File "')
    half = LONGEST_TRACEBACK // 2
    left_out = len(text) - 2 * half
    return text if left_out <= 0 else f"{text[:half]}\n… {left_out:,} characters are left out …\n{text[-half:]}"
