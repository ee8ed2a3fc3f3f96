"""What the harness must know of a model's family. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

Direction = Literal["both", "left"]
Words = Literal["MaskedLM", "CausalLM", "Seq2SeqLM"]


@dataclass(frozen=True)
class Family:
    """The facts of a family in which it is not like BERT; a field's comment says what another value means."""

    direction: Direction = "both"  # what a token sees
    attention: Literal["interface", "written"] = "interface"
    """"interface" where prefixes enter through the attention function that transformers lets a program register,
    "written" where bench.model.families.written writes the family's attention anew."""
    words: Words = "MaskedLM"  # which of transformers' Auto classes has the language-model head
    mixes_neighbours: bool = False  # embeddings are mixed with those beside them, so padding is embedded as zero
    inside: str = ""  # the part of the base model that its language-model class calls, or that reads the text
    decoder: str = ""  # the part that says it, in encoder–decoders
    sentinel: str = ""  # the token that stands for a masked word where no mask token does
    positions: Literal["argument", "inside", "relative"] = "argument"
    """Whether absolute positions are an argument of the model, are counted inside it, or are not there ("relative", and
    so without a limit, whatever its config says)."""
    types: bool = False  # it takes token types that its config does not count
    query_stream: bool = False  # words are said by a second stream
    saying: tuple[str, ...] = ()  # weights that this stream alone reaches, by the last part of their names
    unused: tuple[str, ...] = ()
    """Weights that no loss reaches, as patterns of their names: fixed tables, and what a decoder that is fed one token
    cannot choose."""
    start: str = "decoder_start_token_id"  # the config's name of a decoder's first token; "": its tokenizer's last
    wordless: str = ""  # why no word can be read off it
    part: str = ""  # the part of the config, and of the checkpoint, that reads text beside others
    layer_class: str = ""  # of its layers, where transformers neither marks them nor lists one for each depth
    conv1d: bool = False  # its matrices are transformers' Conv1D, which is no nn.Linear and stays fp32

    def reaches(self, name: str) -> bool:
        """Whether a loss can reach a weight, by its name."""
        return not any(fnmatchcase(name, pattern) for pattern in self.unused)


ENCODER, DECODER = Family(), Family(direction="left", words="CausalLM")
