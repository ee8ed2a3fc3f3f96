"""What lies in the cache is used only where it is what this user's earlier run wrote there."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save
from transformers import AutoTokenizer

from bench.data import cache, hub, tokens
from bench.data.cache import DIGEST, cache_folder, keep_bytes, kept_bytes
from bench.data.tokens import TokenStore
from bench.errors import UnfitModel, UsageError
from bench.model import proof as proofs
from bench.model.proof import Proof, keep_proof, known_proof

TEXTS = ["word1 word2.", "word3", "word1 ? word7 word9"]


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "WORTH_KEEPING", 0)
    cache._own.cache_clear()


@pytest.fixture(scope="module")
def tokenizer(tiny_bert: Path):
    return AutoTokenizer.from_pretrained(tiny_bert)


def asked(tokenizer, folder: Path) -> tuple[list[list[int]], int]:
    store = TokenStore(folder)
    found = store.tokens(tokenizer, TEXTS)
    return [found.ids_of(at) for at in range(len(TEXTS))], store.num_tokenised


def flipped(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_no_flipped_bit_of_an_entry_is_believed(tokenizer, tmp_path: Path) -> None:
    ids, _ = asked(tokenizer, tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole)
        flipped(path, at)
        assert kept_bytes(path) is None, at
    assert asked(tokenizer, tmp_path) == (ids, len(TEXTS))
    assert asked(tokenizer, tmp_path) == (ids, 0)  # made anew


def forged(path: Path, **changes) -> None:
    """An entry with its hash right and other arrays in it."""
    arrays = load(path.read_bytes()[DIGEST:])
    keep_bytes(path, save({name: changes.get(name, lambda part: part)(part) for name, part in arrays.items()}))


@pytest.mark.parametrize(
    "changes",
    [
        {"ids": lambda ids: ids.astype(np.float32)}, {"ids": lambda ids: ids[:-1]},
        {"starts": lambda starts: starts[:-1]}, {"starts": lambda starts: starts + 1},
        {"starts": lambda starts: starts[::-1].copy()}, {"starts": lambda starts: starts.astype(np.int32)},
        {"spans": lambda spans: spans.reshape(-1)}, {"words": lambda words: words[1:]},
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit_together_are_made_anew(tokenizer, tmp_path: Path, changes) -> None:
    ids, _ = asked(tokenizer, tmp_path)
    (path,) = tmp_path.iterdir()
    forged(path, **changes)
    assert asked(tokenizer, tmp_path) == (ids, len(TEXTS))


def test_an_entry_under_the_name_of_another_is_not_taken(tmp_path: Path) -> None:
    keep_bytes(tmp_path / "one", b"content")
    assert kept_bytes(tmp_path / "one") == b"content"
    os.rename(tmp_path / "one", tmp_path / "other")
    assert kept_bytes(tmp_path / "other") is None


def test_entries_of_another_version_are_not_found(tokenizer, tmp_path: Path, monkeypatch) -> None:
    asked(tokenizer, tmp_path)
    monkeypatch.setattr(tokens, "VERSION", tokens.VERSION + 1)
    assert asked(tokenizer, tmp_path)[1] == len(TEXTS)


def test_a_proof_that_somebody_changed_is_made_anew(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(proofs, "_MADE", {})
    keep_proof("m", "cpu", Proof("own", "both", "no"))
    proofs._MADE.clear()
    assert known_proof("m", "cpu") == Proof("own", "both", "no")
    (path,) = (tmp_path / "cache" / "proofs").iterdir()
    path.write_bytes(path.read_bytes().replace(b'"no"', b'""'))
    proofs._MADE.clear()
    assert known_proof("m", "cpu") is None


def test_what_is_kept_is_the_users_alone(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "a" / "b"))
    keep_bytes(cache_folder() / "tokens" / "x", b"1")
    made = [tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "tokens"]
    assert [path.stat().st_mode & 0o777 for path in made] == [0o700] * 3
    assert (made[-1] / "x").stat().st_mode & 0o777 == 0o600


def test_whatever_is_kept_first_the_folder_is_closed(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "a" / "b"))
    hub._note("somebody/something", None, "model", "0" * 40)
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "a", tmp_path / "a" / "b")] == [0o700] * 2
    assert list(hub._known("somebody/something", None, "model")) == ["0" * 40]


def test_where_no_folder_can_be_made_nothing_is_noted(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "file" / "cache"))
    hub._note("somebody/something", None, "model", "0" * 40)
    keep_bytes(cache_folder() / "tokens" / "x", b"1")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("mode", [0o755, 0o777, 0o775, 0o1777])
def test_a_folder_that_others_see_is_closed(tmp_path: Path, monkeypatch, mode: int) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(mode)
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    assert cache_folder().stat().st_mode & 0o777 == 0o700


def test_a_folder_of_another_user_is_refused_through_a_link_too(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "theirs")
    monkeypatch.setattr(os, "geteuid", lambda: (tmp_path / "theirs").stat().st_uid + 1)
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "link"))
    with pytest.raises(UsageError, match=r"link is another user's .*; remove it, or name another in TUNING"):
        cache_folder()


def test_an_open_folder_that_cannot_be_closed_is_refused(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "chmod", refuse)
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    with pytest.raises(UsageError, match=r"others may write into the cache .* \(Read-only file system\); chmod 700 it"):
        cache_folder()


@pytest.mark.parametrize("call", ["mkdir", "write", "replace"])
def test_a_full_or_read_only_disk_costs_time_alone(tokenizer, tmp_path: Path, monkeypatch, call: str) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    ids, _ = asked(tokenizer, tmp_path / "fine")
    target, name = {"mkdir": (Path, "mkdir"), "write": (Path, "write_bytes"), "replace": (os, "replace")}[call]
    monkeypatch.setattr(target, name, full)
    assert asked(tokenizer, tmp_path / "cache") == (ids, len(TEXTS))
    assert not list(tmp_path.glob("cache/**/*"))


def test_a_tokenizer_that_raises_is_an_unfit_model(tmp_path: Path) -> None:
    class Raises:
        name_or_path = "there"
        backend_tokenizer = type("Backend", (), {"to_str": lambda self: ""})()

        def __call__(self, *_: object, **__: object) -> None:
            raise Exception("WordLevel error:\nMissing [UNK]")

    with pytest.raises(UnfitModel, match=r"of there cannot read a text of the task: WordLevel error: Missing"):
        TokenStore(tmp_path).tokens(Raises(), ["a"])
