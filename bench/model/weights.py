"""A checkpoint's safetensors files, known from their headers and their index alone. No torch here."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.errors import UsageError

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
MEND = "copy or download it again"
LONGEST, SHOWN = 255, 80  # bytes of a file's name; letters of a foreign name in a message
BITS = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U64": 64, "U32": 32,
    "U16": 16, "U8": 8, "BOOL": 8, "C64": 64, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F6_E2M3": 6, "F6_E3M2": 6,
    "F4": 4,
}  # fmt: skip


def weight_files(folder: Path) -> list[Path]:
    """The files that a loader reads: model.safetensors, or those its index names. UsageError when one is not there."""
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    if not (folder / INDEX).is_file():
        raise UsageError(f"model folder {folder} has neither {SINGLE} nor {INDEX}; other names are not loaded")
    return [folder / name for name in sorted(set(_places(folder).values()))]


def check_weights(folder: Path) -> None:
    """UsageError unless every file a loader would read is whole, by its own header, and holds what the index says."""
    headers = {path.name: _header(path) for path in weight_files(folder)}
    if (folder / SINGLE).is_file():
        return
    for name, file in _places(folder).items():
        if name not in headers[file]:
            raise UsageError(f"{folder / INDEX} says that {file} holds {name}, but it does not; {MEND}")


def shapes(paths: Iterable[Path]) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor in some files. UsageError for one that is not whole."""
    return {name: tuple(entry["shape"]) for path in paths for name, entry in _header(path).items()}


def _places(folder: Path) -> dict[str, str]:
    """By tensor the file that holds it, from the index."""
    path = folder / INDEX
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        places = index["weight_map"]
        if not isinstance(index["metadata"], dict) or not isinstance(places, dict) or not places:
            raise ValueError("it names no tensors")
        for name, file in places.items():
            if not isinstance(file, str) or Path(file).name != file or not file.endswith(".safetensors"):
                raise ValueError(f"it has {name[:SHOWN]} in {file!r:.{SHOWN}}, which is no safetensors file beside it")
            if len(os.fsencode(file)) > LONGEST:
                raise ValueError(f"it has {name[:SHOWN]} in a file whose name of {len(file)} letters no disk takes")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else error
        raise UsageError(f"{path} is no index of weights ({reason}); {MEND}") from None
    for file in sorted(set(places.values())):
        if not (folder / file).is_file():
            raise UsageError(f"{path} names {file}, which is not there; {MEND}")
    return places


def _header(path: Path) -> dict[str, Any]:
    """The header's entries by tensor. UsageError unless the file is as long as it says and every tensor fits its place.

    A copy that broke off is found here, without reading the file.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as handle:
            length = int.from_bytes(handle.read(8), "little")
            if size < 8 or length > size - 8:
                raise ValueError("its header is cut off")
            header = json.loads(handle.read(length))
        if not isinstance(header, dict):
            raise ValueError("its header is no table")
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        expected_size = 8 + length + _end(entries)
        if size != expected_size or not entries:
            raise ValueError(f"{size} bytes, but its header says {expected_size}")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"an entry without {error}" if isinstance(error, KeyError) else error
        raise UsageError(f"{path} is no whole safetensors file ({reason}); {MEND}") from None
    return entries


def _end(entries: dict[str, Any]) -> int:
    """Where the last tensor ends, in bytes; ValueError when they do not lie one after another."""
    offset = 0
    for name, entry in sorted(entries.items(), key=lambda item: (*item[1]["data_offsets"], item[0])):
        (start, end), shape, dtype = entry["data_offsets"], entry["shape"], entry["dtype"]
        if not all(isinstance(number, int) and number >= 0 for number in (start, end, *shape)):
            raise ValueError(f"{name} has sizes that are none")
        if dtype not in BITS:
            raise ValueError(f"{name} is of the unknown type {dtype!r}")
        if start != offset or (end - start) * 8 != math.prod(shape) * BITS[dtype]:
            raise ValueError(f"{name} does not fit its place")
        offset = end
    return offset
