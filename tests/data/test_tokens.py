"""Every distinct text is tokenised once, and not again by the next run."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from bench.data import tokens
from bench.data.cache import cache_folder
from bench.data.tokens import TokenStore


@pytest.fixture(scope="module")
def tokenizer(tiny_bert: Path):
    return AutoTokenizer.from_pretrained(tiny_bert)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even few texts are worth keeping."""
    monkeypatch.setattr(tokens, "WORTH_KEEPING", 0)


def texts(count: int) -> list[str]:
    rng = random.Random(3)
    return [" ".join(f"word{rng.randrange(60)}" for _ in range(rng.randint(1, 9))) + "." for _ in range(count)]


def told(found, count: int) -> list[object]:
    return [(found.ids_of(at), found.words_of(at), found.spans_of(at)) for at in range(count)]


def test_ids_equal_the_tokenizers_own(tokenizer, tmp_path):
    some = texts(20)
    found = TokenStore(tmp_path).tokens(tokenizer, some)
    assert [found.ids_of(at) for at in range(20)] == tokenizer(some, add_special_tokens=False)["input_ids"]
    assert all(some[at][first:last] for at in range(20) for first, last in found.spans_of(at))


def test_a_text_that_comes_twice_is_tokenised_once(tokenizer, tmp_path):
    store = TokenStore(tmp_path)
    found = store.tokens(tokenizer, ["word1", "word2", "word1"])
    assert store.num_tokenised == 2
    assert found.ids_of(0) == found.ids_of(2) != found.ids_of(1)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("words", [False, True], ids=["texts", "sentences of words"])
def test_the_next_run_tokenises_nothing_and_has_the_same(tokenizer, tmp_path, words):
    some = [tuple(text.split()) for text in texts(30)] if words else texts(30)
    first, second = TokenStore(tmp_path), TokenStore(tmp_path)
    assert told(first.tokens(tokenizer, some), 30) == told(second.tokens(tokenizer, some), 30)
    assert (first.num_tokenised, second.num_tokenised) == (len(set(some)), 0)


@pytest.mark.usefixtures("small")
def test_other_texts_another_division_and_another_tokenizer_are_not_mixed_up(tokenizer, tiny_bert, tmp_path):
    other = AutoTokenizer.from_pretrained(tiny_bert)
    other.add_tokens(["word1 word2"])
    asked = [
        (tokenizer, ["word1 word2"]), (tokenizer, ["word1", "word2"]), (tokenizer, [("word1", "word2")]),
        (tokenizer, [("word1 word2",)]), (other, ["word1 word2"]),
    ]  # fmt: skip
    for each, some in asked:
        TokenStore(tmp_path).tokens(each, some)
    assert len(list(tmp_path.iterdir())) == len(asked)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(b"no"), lambda path: path.write_bytes(b"")])
def test_a_spoiled_file_is_made_anew(tokenizer, tmp_path, spoil):
    expected = told(TokenStore(tmp_path).tokens(tokenizer, texts(5)), 5)
    (path,) = tmp_path.iterdir()
    spoil(path)
    store = TokenStore(tmp_path)
    assert told(store.tokens(tokenizer, texts(5)), 5) == expected
    assert store.num_tokenised == 5
    assert TokenStore(tmp_path).tokens(tokenizer, texts(5)).ids_of(0) == expected[0][0]


@pytest.mark.usefixtures("small")
def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tokenizer, tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert TokenStore(tmp_path / "file" / "tokens").tokens(tokenizer, ["word1"]).ids_of(0)


def test_the_cache_goes_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("TUNING_BENCH_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("TUNING_BENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "tuning-bench"


def test_few_texts_are_tokenised_once_for_all_tokenizers_that_are_alike(tokenizer, tiny_bert, tmp_path):
    store, alike, other = TokenStore(tmp_path), *(AutoTokenizer.from_pretrained(tiny_bert) for _ in range(2))
    other.add_tokens(["word1 word2"])
    asked = [store.tokens(each, ["word1 word2", "word3"]) for each in (tokenizer, alike, tokenizer, other)]
    assert store.num_tokenised == 4
    assert told(asked[0], 2) == told(asked[1], 2) == told(asked[2], 2) != told(asked[3], 2)
    assert list(tmp_path.iterdir()) == []
