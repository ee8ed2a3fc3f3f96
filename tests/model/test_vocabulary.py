"""Which tokens are text, on a vocabulary that has one of each kind."""

from __future__ import annotations

from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from bench.model.vocabulary import text_tokens, token_texts

WORDS = ["[PAD]", "[UNK]", "[unused7]", "<0x0A>", "Paris", "paris", "##is", "<", "[x", "\u0120The", "\u0120", "\u00c3"]


def byte_level():
    inner = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, "[UNK]"))
    inner.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]")
    tokenizer.add_tokens(["added"])
    return tokenizer


def test_special_added_reserved_and_unreadable_tokens_are_no_text():
    tokenizer = byte_level()
    found = text_tokens(tokenizer, 16)  # the table has three rows without a token
    named = [WORDS[at] for at in range(len(WORDS)) if found[at]]
    assert named == ["Paris", "paris", "##is", "<", "[x", "\u0120The"]
    assert found[len(WORDS) :].tolist() == [False] * 4
    assert text_tokens(tokenizer, 6).tolist() == [False, False, False, False, True, True]


def test_a_tokens_text_is_without_the_space_that_belongs_to_it():
    assert token_texts(byte_level(), 10)[5:] == ("paris", "##is", "<", "[x", "The")
