"""Pretrains the embedded models as masked LMs on the small language and writes transformers checkpoints.

    python -m bench.suites.smoke.pretrain [--size tiny mini small] [--out DIR] [--steps N] [--threads N]

What lies in models/ came of this command, float16 on disk, 312 word pieces each: tiny and small on one core of a server
CPU, mini on three of another, all beside other work. Losses are means of the last tenth. The accuracies are those of
`prompting`, which trains nothing (dev, pattern and words of the tasks): what a model knows before it is tuned.

    size    hidden  inner  layers  parameters  on disk  steps   nats a masked token  seconds  sentiment  entailment
    tiny        64    256       2     137,080   0.3 MB  16,000                0.805      676       69.2        67.8
    mini        96    192       3     282,936   0.6 MB  14,000                0.760      407       80.8        70.5
    small      128    256       4     612,024   1.2 MB  60,000                0.686    5,300      100.0        80.2

small goes on learning for long: after 8,000 steps it was behind mini (0.797), after 24,000 before it (0.722).
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch import Tensor
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

from .language import SPECIAL_TOKENS, documents, vocabulary
from .lexicon import ANSWERS, WEIGHTY

PAD, UNK, CLS, SEP, MASK = range(len(SPECIAL_TOKENS))
MAX_POSITIONS = 192
MASKED_SHARE = 0.15
# Words that take understanding are hidden more often, as salient spans in REALM (Guu et al. 2020, section 3.4).
MASKED_SHARE_OF_WEIGHTY = 0.3
MASKED_SHARE_OF_ANSWERS = 0.8
BATCH_SIZE = 64
CORPUS_SIZE = 128_000  # documents
SORTED_TOGETHER = 64 * BATCH_SIZE
IGNORED = -100
SAID_EVERY = 500  # steps


@dataclass(frozen=True)
class Size:
    """One rung of the ladder: its shape, and how long and fast it is pretrained."""

    hidden: int
    inner: int  # width of the feed-forward layers
    layers: int
    heads: int
    steps: int
    learning_rate: float

    def config(self, vocab_size: int) -> BertConfig:
        return BertConfig(
            vocab_size=vocab_size,
            hidden_size=self.hidden,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            intermediate_size=self.inner,
            max_position_embeddings=MAX_POSITIONS,
            pad_token_id=PAD,
            initializer_range=0.7 * self.hidden**-0.5,  # BERT's 0.02 is this at 768; smaller models need more
        )


SIZES = {
    "tiny": Size(hidden=64, inner=256, layers=2, heads=4, steps=16_000, learning_rate=3e-3),
    "mini": Size(hidden=96, inner=192, layers=3, heads=4, steps=14_000, learning_rate=2e-3),
    "small": Size(hidden=128, inner=256, layers=4, heads=4, steps=60_000, learning_rate=1.5e-3),
}


def tokenizer() -> PreTrainedTokenizerFast:
    """A WordPiece tokenizer over the language's own words; pairs and token types as BERT has them."""
    pieces = {piece: index for index, piece in enumerate(vocabulary())}
    inner = Tokenizer(models.WordPiece(pieces, unk_token="[UNK]"))
    inner.normalizer = normalizers.Lowercase()
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.decoder = decoders.WordPiece()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)],
    )
    named = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL_TOKENS, strict=True))
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        model_max_length=MAX_POSITIONS,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **named,
    )


@dataclass(frozen=True)
class Row:
    """Token ids and types of a document; `follows` is 1 or 0 for a pair (next part, or another's), else IGNORED."""

    ids: list[int]
    types: list[int]
    follows: int


@dataclass(frozen=True)
class Batch:
    """B rows of T tokens, padded at the end. `wanted` is the token to predict, IGNORED where none is masked."""

    ids: Tensor  # B T
    types: Tensor  # B T
    attended: Tensor  # B T
    positions: Tensor  # B T
    wanted: Tensor  # B T
    follows: Tensor  # B


def corpus(tokens: PreTrainedTokenizerFast, seed: int, size: int) -> list[list[Row]]:
    """`size` documents as token rows, in groups of BATCH_SIZE rows of about one length.

    Half of the documents of two parts are fed as pairs, so that the second token type gets a meaning; half of the
    pairs get the second part of the latest document on their topic.
    """
    rng = random.Random(seed)
    texts: list[str | tuple[str, str]] = []
    follows: list[int] = []
    latest: dict[str, str] = {}
    for document in islice(documents(seed), size):
        first, *rest = document.parts
        if rest and rng.random() < 0.5:
            (second,) = rest
            follows.append(rng.randrange(2))
            texts.append((first, second if follows[-1] else latest.get(document.topic, ".")))
            latest[document.topic] = second
        else:
            texts.append(" ".join(document.parts))
            follows.append(IGNORED)
    encodings = tokens.backend_tokenizer.encode_batch(texts)
    rows = [Row(encoding.ids, encoding.type_ids, label) for encoding, label in zip(encodings, follows, strict=True)]
    groups: list[list[Row]] = []
    for start in range(0, size, SORTED_TOGETHER):
        near = sorted(rows[start : start + SORTED_TOGETHER], key=lambda row: len(row.ids))
        groups += [near[first : first + BATCH_SIZE] for first in range(0, len(near), BATCH_SIZE)]
    return groups


def batches(tokens: PreTrainedTokenizerFast, seed: int, steps: int) -> Iterator[Batch]:
    """`steps` batches; the corpus comes round again and again, masked and shifted anew each time."""
    groups = corpus(tokens, seed, min(CORPUS_SIZE, steps * BATCH_SIZE))
    rng = random.Random(seed)
    generator = torch.Generator().manual_seed(seed)
    shares = torch.full((len(tokens),), MASKED_SHARE)
    shares[torch.tensor(tokens.convert_tokens_to_ids(list(WEIGHTY)))] = MASKED_SHARE_OF_WEIGHTY
    shares[torch.tensor(tokens.convert_tokens_to_ids(list(ANSWERS)))] = MASKED_SHARE_OF_ANSWERS
    shares[: len(SPECIAL_TOKENS)] = 0.0
    for step in range(steps):
        if step % len(groups) == 0:
            rng.shuffle(groups)
        yield masked(groups[step % len(groups)], shares, rng, generator)


def masked(rows: list[Row], shares: Tensor, rng: random.Random, generator: torch.Generator) -> Batch:
    """Hide tokens (each with its share; of those 80 % [MASK], 10 % another, 10 % left), and shift half of the rows.

    The shift is what makes every position trained: prompts in front of a text move it by their length.
    """
    longest = max(len(row.ids) for row in rows)
    ids = torch.tensor([row.ids + [PAD] * (longest - len(row.ids)) for row in rows])
    types = torch.tensor([row.types + [0] * (longest - len(row.types)) for row in rows])
    shifts = [rng.randrange(MAX_POSITIONS - longest + 1) if rng.random() < 0.5 else 0 for _ in rows]
    follows = torch.tensor([row.follows for row in rows])
    hidden = torch.rand(ids.shape, generator=generator) < shares[ids]
    fate = torch.rand(ids.shape, generator=generator)
    strangers = torch.randint(len(SPECIAL_TOKENS), len(shares), ids.shape, generator=generator)
    return Batch(
        ids=torch.where(hidden & (fate < 0.8), MASK, torch.where(hidden & (fate > 0.9), strangers, ids)),
        types=types,
        attended=(ids != PAD).long(),
        positions=torch.tensor(shifts)[:, None] + torch.arange(longest),
        # A part out of its place says nothing about its words: it is masked like any other, but not asked for.
        wanted=ids.masked_fill(~hidden | (follows == 0)[:, None], IGNORED),
        follows=follows,
    )


@dataclass(frozen=True)
class Losses:
    """Mean cross-entropy (nats) over masked tokens, and over pairs."""

    words: float
    pairs: float

    def __str__(self) -> str:
        return f"{self.words:.3f} nats a masked token, {self.pairs:.3f} a pair"


def mean(history: list[Losses]) -> Losses:
    return Losses(
        sum(losses.words for losses in history) / len(history),
        sum(losses.pairs for losses in history) / len(history),
    )


def losses_of(model: BertForMaskedLM, follower: torch.nn.Linear, batch: Batch) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy (nats) over the masked tokens, and over the pairs as BERT's next-sentence prediction has it.

    Only the masked tokens pass through the output layer.
    """
    states = model.bert(
        input_ids=batch.ids,
        token_type_ids=batch.types,
        attention_mask=batch.attended,
        position_ids=batch.positions,
    ).last_hidden_state
    chosen = batch.wanted != IGNORED
    words = torch.nn.functional.cross_entropy(model.cls(states[chosen]), batch.wanted[chosen])
    paired = batch.follows != IGNORED
    pairs = torch.nn.functional.cross_entropy(follower(states[paired, 0]), batch.follows[paired])
    return words, pairs if paired.any() else words.new_zeros(())


def fit(model: BertForMaskedLM, tokens: PreTrainedTokenizerFast, size: Size, steps: int) -> Losses:
    """Train for `steps`; returns the mean losses of the last tenth.

    The rate warms up over 5 % of the steps and falls to zero linearly. The next-sentence layer is thrown away.
    """
    follower = torch.nn.Linear(size.hidden, 2)
    parameters = [*model.parameters(), *follower.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=size.learning_rate, weight_decay=0.01, betas=(0.9, 0.98), fused=True)
    warmup = max(1, steps // 20)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup, (steps - step) / max(1, steps - warmup))
    )
    history: list[Losses] = []
    model.eval()  # no dropout: these models are too small to fit their text too well
    for step, batch in enumerate(batches(tokens, 1, steps), start=1):
        words, pairs = losses_of(model, follower, batch)
        optimizer.zero_grad(set_to_none=True)
        (words + pairs).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        history.append(Losses(words.item(), pairs.item()))
        if step % SAID_EVERY == 0:
            print(f"step {step}: {mean(history[-SAID_EVERY:])}", flush=True)
    return mean(history[-max(1, steps // 10) :])


def pretrain(name: str, out: Path, steps: int | None = None) -> Losses:
    """Pretrain one size and write its checkpoint to `out`/`name`; returns the losses reached."""
    torch.manual_seed(0)
    size, tokens = SIZES[name], tokenizer()
    model = BertForMaskedLM(size.config(len(tokens)))
    losses = fit(model, tokens, size, steps or size.steps)
    save(model, tokens, out / name)
    return losses


def save(model: BertForMaskedLM, tokens: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write config, tokenizer and weights: float16 on disk to be small, float32 once loaded, as the config says."""
    model.half().save_pretrained(folder)
    tokens.save_pretrained(folder)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["dtype"] = "float32"
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "models", help="folder to write to")
    parser.add_argument("--size", nargs="+", choices=SIZES, default=list(SIZES), help="which models")
    parser.add_argument("--steps", type=int, help="instead of each size's own number of steps")
    parser.add_argument("--threads", type=int, default=1, help="matrices this small gain little from a second")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(chosen.threads)
    for name in chosen.size:
        start = time.perf_counter()
        losses = pretrain(name, chosen.out, chosen.steps)
        print(f"{name}: {losses} after {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
