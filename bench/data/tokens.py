"""Token ids of texts: each distinct text is tokenised once per tokenizer, and never again on this machine.

What is found goes to a cache folder (`TUNING_BENCH_CACHE`, by default `~/.cache/tuning-bench`), which may be deleted
at any time; of few texts it is kept in the process alone. A file's name is the hash of the tokenizer and of every text
in it. Tokenizers that say the same are the same one, whatever model they came with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from bench.data.cache import cache_folder, keep_bytes, kept_bytes
from bench.errors import UnfitModel, is_out_of_memory

VERSION = 2  # raise it when what a file holds changes
WORTH_KEEPING = 100_000  # characters; fewer are tokenised again sooner than a file is read
CHUNK = 4096  # texts handed to the tokenizer at once

Text = str | tuple[str, ...]  # a text, or a sentence as its words


@dataclass(frozen=True)
class Tokens:
    """Tokens of many texts, in flat arrays; `index[i]` is the place of text i among the distinct ones."""

    index: list[int]
    starts: NDArray[np.int64]  # (distinct texts + 1,)
    ids: NDArray[np.int32]  # (tokens,)
    words: NDArray[np.int32]  # (tokens,) which word of a sentence; of a text all 0
    spans: NDArray[np.int32]  # (tokens, 2) the characters of its text (of its word) that a token stands for

    def ids_of(self, number: int) -> list[int]:
        at = self.index[number]
        ids: list[int] = self.ids[self.starts[at] : self.starts[at + 1]].tolist()
        return ids

    def words_of(self, number: int) -> list[int]:
        at = self.index[number]
        words: list[int] = self.words[self.starts[at] : self.starts[at + 1]].tolist()
        return words

    def spans_of(self, number: int) -> list[tuple[int, int]]:
        at = self.index[number]
        return [(first, last) for first, last in self.spans[self.starts[at] : self.starts[at + 1]].tolist()]


class TokenStore:
    """Tokenises, and remembers: where it `keeps` them in files, for later processes too. `num_tokenised` counts the
    texts that had to be tokenised.
    """

    def __init__(self, folder: Path | None = None, keeps: bool = True) -> None:
        self.folder, self.keeps = folder or cache_folder() / "tokens", keeps
        self.num_tokenised = 0
        self._few: dict[str, Arrays] = {}  # tokens of text sets that are not worth a file, by the name it would have
        self._tokenizers: dict[int, tuple[Any, str]] = {}  # with each one, so that its id stays its own

    def key(self, tokenizer: Any) -> str:
        """A hash of all that a tokenizer makes tokens by; it must not change afterwards."""
        if id(tokenizer) not in self._tokenizers:
            text = tokenizer.backend_tokenizer.to_str()  # tens of milliseconds for a large vocabulary
            self._tokenizers[id(tokenizer)] = (tokenizer, hashlib.sha256(text.encode()).hexdigest())
        return self._tokenizers[id(tokenizer)][1]

    def tokens(self, tokenizer: Any, texts: Sequence[Text]) -> Tokens:
        """Tokens of each text, without special tokens; of sentences when the texts are tuples of words."""
        places: dict[Text, int] = {}
        index = [places.setdefault(text, len(places)) for text in texts]
        distinct = list(places)
        key = _key(self.key(tokenizer), distinct)
        if not self.keeps or sum(len(part) for text in distinct for part in _parts(text)) < WORTH_KEEPING:
            if key not in self._few:
                self._few[key] = self._tokenised(tokenizer, distinct)
            return Tokens(index, *self._few[key])
        path = self.folder / f"{key}.tokens"
        arrays = _read(path, len(distinct))
        if arrays is None:
            arrays = self._tokenised(tokenizer, distinct)
            _write(path, arrays)
        return Tokens(index, *arrays)

    def _tokenised(self, tokenizer: Any, texts: Sequence[Text]) -> Arrays:
        self.num_tokenised += len(texts)
        lengths: list[int] = []
        ids: list[int] = []
        words: list[int] = []
        spans: list[tuple[int, int]] = []
        for encoding in _encodings(tokenizer, texts):
            lengths.append(len(encoding.ids))
            ids += encoding.ids
            words += [word or 0 for word in encoding.word_ids]
            spans += encoding.offsets
        return (
            np.cumsum([0, *lengths], dtype=np.int64),
            np.array(ids, dtype=np.int32),
            np.array(words, dtype=np.int32),
            np.array(spans, dtype=np.int32).reshape(-1, 2),
        )


Arrays = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]
NAMES = ("starts", "ids", "words", "spans")


def _parts(text: Text) -> tuple[str, ...]:
    return text if isinstance(text, tuple) else (text,)


def _encodings(tokenizer: Any, texts: Sequence[Text]) -> Iterator[Any]:
    split = bool(texts) and isinstance(texts[0], tuple)
    for start in range(0, len(texts), CHUNK):
        chunk = [list(text) if split else text for text in texts[start : start + CHUNK]]
        try:
            encodings = tokenizer(chunk, is_split_into_words=split, add_special_tokens=False).encodings
        except Exception as error:  # tokenizers raises nothing more special
            if is_out_of_memory(error):
                raise
            reason = " ".join(str(error).split())[:160]
            raise UnfitModel(f"the tokenizer of {_name(tokenizer)} cannot read a text of the task: {reason}") from None
        yield from encodings


def _name(tokenizer: Any) -> str:
    return str(getattr(tokenizer, "name_or_path", "")) or "the model"


def _key(tokenizer_key: str, texts: Sequence[Text]) -> str:
    digest = hashlib.sha256(f"{VERSION}\n{tokenizer_key}".encode())
    update: Callable[[bytes], None] = digest.update
    for text in texts:
        parts = _parts(text)
        kind, lengths = type(text).__name__, ":".join(str(len(part)) for part in parts)
        update(f"\n{kind} {lengths}:".encode())
        update("".join(parts).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:32]


def _read(path: Path, num_texts: int) -> Arrays | None:
    """What an earlier run wrote of so many texts; None when there is nothing that can be used."""
    content = kept_bytes(path)
    if content is None:
        return None
    try:
        arrays = load(content)
        starts, ids, words, spans = (arrays[name] for name in NAMES)
    except (SafetensorError, KeyError, ValueError):
        return None
    is_whole = (
        starts.dtype == np.int64 and all(part.dtype == np.int32 for part in (ids, words, spans))
        and starts.shape == (num_texts + 1,) and starts[0] == 0 and bool((np.diff(starts) >= 0).all())
        and ids.shape == words.shape == (starts[-1],) and spans.shape == (starts[-1], 2)
    )  # fmt: skip
    return (starts, ids, words, spans) if is_whole else None


def _write(path: Path, arrays: Arrays) -> None:
    keep_bytes(path, save(dict(zip(NAMES, arrays, strict=True))))
