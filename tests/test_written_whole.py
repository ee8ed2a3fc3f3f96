"""Every file is written aside and renamed, by bench.writing: whoever writes in another way is found here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = [path for folder in ("bench", "methods", "suites") for path in sorted((ROOT / folder).rglob("*.py"))]
MECHANISM = "bench/writing.py"

# what writes, by the last name of the call
WRITES = {
    "write_text", "write_bytes", "savefig", "to_csv", "to_parquet", "to_json", "to_pickle", "save_file", "save", "dump",
    "write_table", "ParquetWriter", "save_pretrained", "save_to_disk", "copyfile", "copy", "copy2", "copytree", "touch",
    "mkstemp", "mkdtemp", "NamedTemporaryFile", "TemporaryFile", "TemporaryDirectory", "extractall",
}  # fmt: skip
RECEIVERS = {"save": {"torch", "np", "numpy"}, "dump": {"json", "pickle"}, "copy": {"shutil"}}  # others mean others
OURS = {"write_text"}  # of bench.writing, called by its name alone
GIVEN = {"whole", "whole_folder", "scratch"}  # whose `as` is a place aside

# Who else writes, and why that leaves no half file under a name that anybody reads.
REASONS = {
    "bench/check/environment.py:_writable": "a file that is gone at once, to see whether it can be",
    "bench/commands/streams.py:nobody_reads": "nothing, to nowhere",
    "bench/execute/deputy.py:_receive": "into its place aside, from where Store.write takes it",
    "bench/execute/outpost.py:__init__": "a folder for temporary files",
    "bench/execute/outpost.py:_copied": "into that",
    "bench/export/__init__.py:_write": "into a whole_folder, by its only caller",
    "bench/model/kept.py:_room": "a temporary file without a name",
    "bench/predicting/written.py:_json_lines": "at a whole place, by its only caller",
    "bench/predicting/written.py:_table": "the same",
    "bench/predicting/written.py:_parquet": "the same",
    "bench/runner.py:_write": "a Writer: Store.write gives it a place aside",
    "bench/share/push.py:_derived": "into a scratch folder",
    "bench/share/union.py:copy": "a Writer of a scratch folder",
    "bench/share/union.py:joined": "into a scratch folder",
    "bench/store/archive.py:write_archive": "into what packs it at a whole place",
    "bench/store/archive.py:_take_out": "into a folder aside, which is renamed",
    "bench/store/claims.py:_create": "a claim is its name; what is in it nobody needs",
    "bench/store/claims.py:_create_in_two": "the same",
    "bench/store/examples.py:write_examples": "a Writer: Store.write_examples gives it a place aside",
    "bench/store/fetched.py:_lay_out": "into a folder aside, which is renamed",
    "bench/store/predictions.py:write_predictions": "a Writer: Store.write gives it a place aside",
    "bench/store/terms.py:write_terms": "a Writer of a scratch folder",
    "bench/train/meter.py:reset_peak": "a file of the system's, which is no file",
    "bench/train/team.py:_start": "a folder for temporary files",
    "bench/train/team.py:__init__": "what a process says, in a folder for temporary files",
    "suites/smoke/pretrain.py:save": "a script that makes the embedded models, by hand",
}


def writers(path: Path) -> Iterator[tuple[str, str]]:
    """The calls of a file that write elsewhere than at a place that bench.writing gave: the function, and the call."""
    yield from _writers(ast.parse(path.read_text()), "module", frozenset())


def _writers(node: ast.AST, function: str, given: frozenset[str]) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.FunctionDef):
        function, given = node.name, given | {*_places(node)}
    if isinstance(node, ast.Call) and _writes(node):
        named = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
        if not named & given:
            yield function, ast.unparse(node)
    for child in ast.iter_child_nodes(node):
        yield from _writers(child, function, given)


def _places(function: ast.FunctionDef) -> Iterator[str]:
    """The names that `with whole(…) as NAME` and its like give in a function."""
    for node in ast.walk(function):
        if isinstance(node, ast.withitem) and isinstance(node.context_expr, ast.Call):
            gives = ast.unparse(node.context_expr.func) in GIVEN
            yield from [node.optional_vars.id] if gives and isinstance(node.optional_vars, ast.Name) else []


def _writes(call: ast.Call) -> bool:
    name = getattr(call.func, "attr", None) or getattr(call.func, "id", "")
    if name not in {"open", *WRITES}:
        return False
    receiver = ast.unparse(call.func).rpartition(".")[0]
    if name == "open":
        is_class = receiver == "cls" or receiver.rpartition(".")[2][:1].isupper()  # Store.open is another thing
        return not is_class and _opens_for_writing(call, receiver)
    if name in RECEIVERS:
        return receiver in RECEIVERS[name]
    in_memory = (name == "to_csv" and not call.args) or (name == "savefig" and ast.unparse(call.args[0]) == "buffer")
    return not in_memory and not (name in OURS and not receiver)


def _opens_for_writing(call: ast.Call, receiver: str) -> bool:
    """By a mode with w, a, x or + in it, or flags that create; a mode that is no constant counts."""
    place = 0 if receiver not in ("", "io", "os", "gzip", "bz2", "lzma") else 1
    modes = [*call.args[place : place + 1], *(each.value for each in call.keywords if each.arg == "mode")]
    if receiver == "os":
        return any("O_CREAT" in ast.unparse(mode) or "O_WRONLY" in ast.unparse(mode) for mode in modes)
    constants = [mode.value for mode in modes if isinstance(mode, ast.Constant)]
    return any(isinstance(mode, str) and set(mode) & set("wax+") for mode in constants) or len(constants) < len(modes)


def test_every_file_is_written_by_the_one_mechanism() -> None:
    found = {
        f"{path.relative_to(ROOT)}:{function}": call
        for path in FILES
        if str(path.relative_to(ROOT)) != MECHANISM
        for function, call in writers(path)
    }
    assert {place: call for place, call in found.items() if place not in REASONS} == {}
    assert set(REASONS) - set(found) == set()  # a reason that nobody needs any more


@pytest.mark.parametrize(
    "line",
    [
        'path.write_text("x")', 'open(path, "w")', 'path.open("wb")', 'path.open(mode="a")', "path.open(mode)",
        "figure.savefig(path)", "frame.to_csv(path)", "frame.to_parquet(path)", "save_file(tensors, path)",
        "pq.write_table(table, path)", "np.save(path, rows)", "shutil.copyfile(one, path)", "torch.save(rows, path)",
        "os.open(path, os.O_CREAT | os.O_WRONLY)", 'io.open(path, "r+")', "model.save_pretrained(path)",
        'gzip.open(path, "wt")', "json.dump(rows, file)",
    ],
)  # fmt: skip
def test_another_way_is_found(line: str, tmp_path: Path) -> None:
    file = tmp_path / "another.py"
    file.write_text(f"def write(path):\n    {line}\n")
    assert [function for function, _ in writers(file)] == ["write"]


@pytest.mark.parametrize(
    "line",
    [
        'place.write_text("x")', '(place / "y").write_bytes(b"")', "save_file(tensors, place)", 'write_text(path, "x")',
        "write_where_possible(path, b'')",
        "figure.savefig(buffer)", "path.open()", 'open(path, "rb")', "os.open(path, os.O_RDONLY)", "rows.copy()",
    ],
)  # fmt: skip
def test_the_mechanism_and_what_reads_are_not(line: str, tmp_path: Path) -> None:
    file = tmp_path / "ours.py"
    file.write_text(f"def write(path):\n    with whole(path) as place:\n        {line}\n")
    assert list(writers(file)) == []
