"""A checkpoint that is not whole is one line before anything trains, what it lacks a skip; the plan sees both."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from bench.errors import UsageError
from bench.model.source import find_model, weight_shapes
from tests.conftest import Bench

INDEX = "model.safetensors.index.json"


@pytest.fixture
def folder(tiny_bert: Path, tmp_path: Path) -> Path:
    """A checkpoint that a test may spoil."""
    return Path(shutil.copytree(tiny_bert, tmp_path / "spoiled"))


@pytest.fixture
def shards(folder: Path) -> Path:
    """The same in two files and an index."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    places = {name: f"model-0000{1 + (at % 2)}-of-00002.safetensors" for at, name in enumerate(names)}
    for file in set(places.values()):
        part = {name: tensors[name] for name in names if places[name] == file}
        save_file(part, folder / file, metadata={"format": "pt"})
    (folder / INDEX).write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": places}))
    return folder


def edit(path: Path, change: Callable[[Any], object]) -> None:
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))


def rewrite(path: Path, change: Callable[[Any], object]) -> None:
    """Another header over the same bytes."""
    whole = path.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    changed = change(header)
    text = json.dumps(header if changed is None else changed).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + whole[8 + length :])


def without_head(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    kept = {name: each for name, each in tensors.items() if not name.startswith("cls.")}
    assert len(kept) < len(tensors)
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


def test_shards_that_are_whole_are_the_model_in_one_file(bench: Bench, shards: Path, tiny_bert: Path) -> None:
    assert weight_shapes(find_model(str(shards))) == weight_shapes(find_model(str(tiny_bert)))
    code, out, _ = bench.run("--models", shards)
    assert (code, "1 cells written" in out) == (0, True)


SPOILED_SHARDS = {
    "a missing shard": (
        lambda folder: (folder / "model-00002-of-00002.safetensors").unlink(),
        f"{INDEX} names model-00002-of-00002.safetensors, which is not there; copy or download it again",
    ),
    "a shard cut off": (
        lambda folder: (folder / "model-00002-of-00002.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{"),
        "model-00002-of-00002.safetensors is no whole safetensors file (its header is cut off)",
    ),
    "an index that is no JSON": (lambda folder: (folder / INDEX).write_text("{"), "is no index of weights (Expecting"),
    "an index of nothing": (lambda folder: (folder / INDEX).write_text("{}"), "is no index of weights (it has no"),
    "an index that is a list": (lambda folder: (folder / INDEX).write_text("[]"), "is no index of weights ("),
    "an index without tensors": (
        lambda folder: edit(folder / INDEX, lambda index: index.update(weight_map={})), "it names no tensors",
    ),
    "an index that leads elsewhere": (
        lambda folder: edit(folder / INDEX, lambda index: index["weight_map"].update(more="../x.safetensors")),
        "it has more in '../x.safetensors', which is no safetensors file beside it",
    ),
    "an index that numbers files": (
        lambda folder: edit(folder / INDEX, lambda index: index["weight_map"].update(more=2)),
        "it has more in 2, which is no",
    ),
    "an index that names what no disk takes": (
        lambda folder: edit(folder / INDEX, lambda index: index["weight_map"].update(
            more=256 * "x" + ".safetensors")),
        "it has more in a file whose name of 268 letters no disk takes",
    ),
    "an index nested deeply": (
        lambda folder: (folder / INDEX).write_text("[" * 100_000), "is no index of weights (maximum recursion depth",
    ),
    "an index of what is not in a shard": (
        lambda folder: edit(folder / INDEX, lambda index: index["weight_map"].update(
            more="model-00001-of-00002.safetensors")),
        "says that model-00001-of-00002.safetensors holds more, but it does not",
    ),
    "no index": (lambda folder: (folder / INDEX).unlink(), f"has neither model.safetensors nor {INDEX}"),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "message"), SPOILED_SHARDS.values(), ids=SPOILED_SHARDS)
def test_spoiled_shards_are_named(bench: Bench, shards: Path, spoil: Callable[[Path], object], message: str) -> None:
    spoil(shards)
    said = bench.refuses("--models", shards, "--plan")
    assert message in said
    assert str(shards) in said


def _first(header: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = header[next(name for name in header if name != "__metadata__")]
    return entry


SPOILED_HEADERS = {
    "a list": (lambda header: [], "its header is no table"),
    "nothing": (lambda header: {}, "bytes, but its header says 10"),
    "an entry that is a word": (lambda header: header.update(more="word"), ""),
    "an entry without a type": (lambda header: _first(header).__delitem__("dtype"), "an entry without 'dtype'"),
    "an entry without a place": (
        lambda header: _first(header).__delitem__("data_offsets"), "an entry without 'data_offsets'",
    ),
    "an unknown type": (lambda header: _first(header).update(dtype="F3"), "is of the unknown type 'F3'"),
    "a size below zero": (lambda header: _first(header).update(shape=[-1, 4]), "has sizes that are none"),
    "another shape": (lambda header: _first(header).update(shape=[1]), "does not fit its place"),
    "one place for two": (
        lambda header: header.update(more=dict(_first(header))), "does not fit its place",
    ),
    "a place that is one number": (lambda header: _first(header).update(data_offsets=[1]), ""),
}  # fmt: skip


@pytest.mark.parametrize(("change", "message"), SPOILED_HEADERS.values(), ids=SPOILED_HEADERS)
def test_a_spoiled_header_is_named(folder: Path, change: Callable[[Any], object], message: str) -> None:
    def changed(header: Any) -> Any:
        found = change(header)
        return found if isinstance(found, list) or found == {} else None

    rewrite(folder / "model.safetensors", changed)
    with pytest.raises(UsageError, match="is no whole safetensors file") as told:
        find_model(str(folder))
    assert message in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("text", [b"", b"\1\0", b"\xff" * 16, b"\2\0\0\0\0\0\0\0[}", b"\2\0\0\0\0\0\0\0\xff\xff"])
def test_bytes_that_are_no_header_are_named(folder: Path, text: bytes) -> None:
    (folder / "model.safetensors").write_bytes(text)
    with pytest.raises(UsageError, match="is no whole safetensors file"):
        find_model(str(folder))


def test_weights_without_the_head_their_config_names_serve_linear_heads(bench: Bench, folder: Path) -> None:
    without_head(folder)
    reason = (
        "model 'spoiled' has no language-model head for a verbalizer: its weights lack cls.predictions.bias and 5 more "
        "of what its language-model head is made of"
    )
    flags = ("--models", folder, "--methods", "ptuning_v1,finetune")
    code, out, _ = bench.run(*flags, "--plan")
    assert code == 0
    assert f"skipped: ptuning_v1 on rte with spoiled: {reason}" in " ".join(out.split())
    code, out, _ = bench.run(*flags)
    assert (code, "1 cells written" in out) == (0, True)
    assert bench.refuses("--models", folder, "--methods", "ptuning_v1") == f"error: nothing can be run: {reason}"


def test_weights_that_lack_more_than_the_head_are_refused(bench: Bench, folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    name = "bert.encoder.layer.1.output.dense.weight"
    save_file({key: each for key, each in tensors.items() if key != name}, folder / "model.safetensors")
    said = bench.refuses("--models", folder, "--plan")
    assert said == f"error: model {folder} cannot be loaded: its weights lack {name} of what its config describes"


def test_a_tokenizer_without_a_mask_token_is_a_skip_for_a_cloze(bench: Bench, folder: Path) -> None:
    edit(folder / "tokenizer_config.json", lambda config: config.pop("mask_token"))
    if (folder / "special_tokens_map.json").is_file():
        edit(folder / "special_tokens_map.json", lambda marks: marks.pop("mask_token"))
    reason = "model 'spoiled' has no [MASK] for a cloze pattern: its tokenizer has no mask token"
    code, out, _ = bench.run("--models", folder, "--methods", "ptuning_v1,ptv2")
    assert code == 0
    assert f"skipped: ptuning_v1 on rte with spoiled: {reason}" in " ".join(out.split())
    assert "1 cells written" in out


def test_a_tokenizer_with_more_tokens_than_the_embedding_is_refused_in_the_plan(bench: Bench, folder: Path) -> None:
    edit(folder / "tokenizer.json", lambda tokenizer: tokenizer["model"]["vocab"].update({"word59": 999}))
    said = bench.refuses("--models", folder, "--plan")
    assert said == (
        f"error: nothing can be run: model {folder} cannot be used: its tokenizer numbers tokens up to 999, but its "
        "embedding has 84 rows; give it the tokenizer it was trained with"
    )


def test_a_model_with_nothing_but_a_sentencepiece_file_is_not_called_without_a_tokenizer(
    bench: Bench, folder: Path
) -> None:
    for name in ("tokenizer.json", "vocab.txt"):
        (folder / name).unlink(missing_ok=True)
    edit(folder / "config.json", lambda config: config.update(model_type="deberta-v2"))
    edit(folder / "tokenizer_config.json", lambda config: config.update(tokenizer_class="DebertaV2Tokenizer"))
    (folder / "spm.model").write_bytes(b"\0")
    said = bench.refuses("--models", folder, "--plan")
    assert said.startswith(f"error: model {folder} cannot be loaded: ")
    assert "has no tokenizer" not in said
