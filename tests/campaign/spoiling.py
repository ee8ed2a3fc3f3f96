"""Ways in which a file of a results folder is not what it was: by accident, and by somebody who means it and knows the
format: who spoils a record may write its checksums anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from bench.store.seal import KEY, sealed
from tests.campaign.fuzzing import made
from tests.campaign.fuzzing.target import Case

FILES = {
    "record": "cells/*/record.json", "predictions": "cells/*/predictions.parquet", "tuned": "cells/*/tuned.safetensors",
    "failed": "failed/*.json", "plan": "plans/*.json", "suite": "suites/*.json", "alone": "alone/*.json",
    "examples": "examples/*.parquet", "terms": "cells/*/terms.parquet", "mark": "store.json",
}  # fmt: skip
OTHERS = ("folder", "empty", "link", "dangling", "circle", "pipe", "zero", "socket", "image", "gzip", "huge", "gone")
KINDS = ("text", "number", "null", "list", "map", "binary", "large", "other names", "no rows", "no columns", "counts")
COUNTS = (float("nan"), float("inf"), 1e300, -1.0, 0.0)
NUMBERS = (10**400, -(10**400), 2**63, 2**31, -1, 0, 1e308, -1e308, 1e-320, float("inf"), float("nan"))


def cases() -> SearchStrategy[Case]:
    """Which file, and what is done to it."""
    share = st.floats(0, 1)
    steps = st.lists(share, min_size=1, max_size=4)
    tree = st.fixed_dictionaries(
        {"do": st.just("value"), "steps": steps, "value": made.json_values(), "sealed": st.booleans()}
    )
    drop = st.fixed_dictionaries({"do": st.just("drop"), "steps": steps, "sealed": st.booleans()})
    add = st.fixed_dictionaries(
        {"do": st.just("add"), "steps": steps, "name": made.texts(), "value": made.scalars(), "sealed": st.booleans()}
    )
    number = st.fixed_dictionaries(
        {"do": st.just("number"), "which": share, "value": st.sampled_from(NUMBERS), "sealed": st.just(True)}
    )
    damage = st.fixed_dictionaries(
        {"do": st.just("bytes"), "at": share, "with": st.binary(max_size=20), "sealed": st.booleans()}
    )
    cut = st.fixed_dictionaries({"do": st.just("cut"), "at": share})
    other = st.fixed_dictionaries({"do": st.just("other"), "what": st.sampled_from(OTHERS)})
    table = st.fixed_dictionaries({"do": st.just("table"), "what": st.sampled_from(KINDS), "sealed": st.booleans(),
                                   "text": made.texts(), "rows": st.integers(0, 60)})  # fmt: skip
    where = {"at": share}
    of_json = st.sampled_from(("record", "record", "record", "failed", "plan", "suite", "alone", "mark"))
    of_table = st.sampled_from(("predictions", "examples", "terms"))
    any_file = st.sampled_from(tuple(FILES))
    return st.one_of(
        st.fixed_dictionaries({"file": of_json, **where, "change": tree | drop | add | number}),
        st.fixed_dictionaries({"file": of_table, **where, "change": table}),
        st.fixed_dictionaries({"file": any_file, **where, "change": damage | cut | other}),
    )


def spoil(folder: Path, case: Case) -> Path | None:
    """Do it; the file that it was done to."""
    found = sorted(folder.glob(FILES[case["file"]]))
    if not found:
        return None
    path = found[min(int(case["at"] * len(found)), len(found) - 1)]
    change = case["change"]
    match change["do"]:
        case "value" | "drop" | "add" | "number":
            tree = json.loads(path.read_bytes())
            if change["do"] == "number":
                _other_number(tree, change)
            else:
                _change(tree, change)
            _write(path, tree, change["sealed"])
        case "bytes":
            content = bytearray(path.read_bytes())
            at = int(change["at"] * len(content))
            content[at : at + len(change["with"])] = change["with"]
            path.write_bytes(bytes(content))
            _seal(path, change["sealed"])
        case "cut":
            os.truncate(path, int(change["at"] * path.stat().st_size))
        case "other":
            _replace(path, change["what"])
        case "table":
            _other_table(path, change)
            _seal(path, change["sealed"])
    return path


def _change(tree: Any, change: Case) -> None:
    """Follow the steps into a tree as far as they lead, and change what is there."""
    steps = change["steps"]
    for number, share in enumerate(steps):
        if not isinstance(tree, dict | list) or not tree:
            return
        keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
        key = keys[min(int(share * len(keys)), len(keys) - 1)]
        inner = tree[key]
        if number + 1 < len(steps) and isinstance(inner, dict | list) and inner:
            tree = inner
            continue
        match change["do"]:
            case "value":
                tree[key] = change["value"]
            case "drop":
                del tree[key]
            case "add" if isinstance(tree, dict):
                tree[change["name"]] = change["value"]
        return


def _other_number(tree: Any, change: Case) -> None:
    """Another number where one is: what it is held against is its own bounds, not its type alone."""
    places = []
    left = [tree]
    while left:
        inner = left.pop()
        for key, value in inner.items() if isinstance(inner, dict) else enumerate(inner):
            if isinstance(value, dict | list):
                left.append(value)
            elif isinstance(value, int | float) and not isinstance(value, bool):
                places.append((inner, key))
    if places:
        inner, key = places[min(int(change["which"] * len(places)), len(places) - 1)]
        inner[key] = change["value"]


def _write(path: Path, tree: Any, is_sealed: bool) -> None:
    """As the harness writes it, its checksum right or the old one."""
    try:
        if is_sealed and isinstance(tree, dict):
            tree.pop(KEY, None)
            path.write_bytes(sealed(json.dumps(tree, indent=1)).encode())
        else:
            path.write_text(json.dumps(tree, indent=1))
    except RecursionError:
        path.write_text(json.dumps(None))
    if is_sealed and path.parent.name == "plans":  # a plan is called by its content
        path.rename(path.with_name(f"{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}.json"))


def _seal(path: Path, is_sealed: bool) -> None:
    """Put a file's checksum into the record beside it."""
    record = path.with_name("record.json")
    if not is_sealed or path.suffix == ".json" or not record.is_file():
        return
    tree = json.loads(record.read_bytes())
    tree["files"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    _write(record, tree, True)


def _replace(path: Path, what: str) -> None:
    content = path.read_bytes()
    path.unlink()
    match what:
        case "folder":
            path.mkdir()
            (path / "x").write_text("x")
        case "empty":
            path.touch()
        case "link":
            shutil.copyfile("/etc/hostname", path.parent / "secret")
            path.symlink_to("secret")
        case "dangling":
            path.symlink_to("nowhere")
        case "circle":
            path.symlink_to(path.name)
        case "pipe":
            os.mkfifo(path)
        case "zero":
            path.symlink_to("/dev/zero")
        case "socket":
            with socket.socket(socket.AF_UNIX) as made_one:
                made_one.bind(f"/proc/self/fd/{os.open(path.parent, os.O_RDONLY)}/{path.name}")
        case "image":
            path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
        case "gzip":
            path.write_bytes(b"\x1f\x8b\x08\x00" + content)
        case "huge":
            path.write_bytes(content)
            os.truncate(path, 3 * 2**30)  # zeros, that take no room


def _other_table(path: Path, change: Case) -> None:
    """A table of the same name with other columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    rows, what = change["rows"], change["what"]
    text = change["text"].encode("utf-8", "replace").decode()
    values: dict[str, Any] = {
        "text": pa.array([text] * rows), "number": pa.array([float("nan")] * rows), "null": pa.nulls(rows),
        "list": pa.array([[[text]]] * rows, pa.list_(pa.list_(pa.string()))), "map": pa.array([[("a", text)]] * rows,
        pa.map_(pa.string(), pa.string())), "binary": pa.array([b"\xff\xfe"] * rows, pa.binary()),
        "large": pa.array([[text]] * rows, pa.large_list(pa.large_string())),
    }  # fmt: skip
    if what in values:
        table = pa.table(dict.fromkeys(table.column_names, values[what]))
    elif what == "other names":
        table = table.rename_columns([f"{name}{text}{at}" for at, name in enumerate(table.column_names)])
    elif what == "no rows":
        table = table.slice(0, 0)
    elif what == "counts":
        lists = pa.array([[COUNTS[rows % len(COUNTS)]] * (1 + rows % 7)] * table.num_rows, pa.list_(pa.float64()))
        columns = {name: lists if pa.types.is_list(table[name].type) else table[name] for name in table.column_names}
        table = pa.table(columns).replace_schema_metadata(table.schema.metadata)
    else:
        table = table.select([])
    pq.write_table(table, path)
