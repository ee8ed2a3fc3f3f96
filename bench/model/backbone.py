"""A pretrained model with its tokenizer, whatever its family, behind one face.

Shape legend: B rows, T tokens, U tokens a decoder is fed, L layers, A key/value heads, P prompt length, D head size,
H hidden size, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions
from transformers.utils import logging

from bench.data.batches import MicroBatch
from bench.data.specials import Reader
from bench.errors import UsageError
from bench.model import attention
from bench.model.attachment import Prompts
from bench.model.checkpointing import checkpoint_layers
from bench.model.families import family_of, first_position, refuse
from bench.model.prefixes import row_prefixes, slot_vectors
from bench.model.source import ModelSource
from bench.model.streams import queries
from bench.model.written import write_attention
from bench.spec import Precision, Task

START = ("decoder_start_token_id", "pad_token_id")  # where a config names a decoder's first token

logging.set_verbosity_error()  # unused pooler and head weights are expected here
logging.disable_progress_bar()


@dataclass(frozen=True)
class Geometry:
    """Sizes that methods need. `parameters` counts the backbone as loaded, tied weights once.

    `embedding` is the width of word embeddings, which some families widen to `hidden` afterwards. Of an encoder–decoder
    `layers`, `kv_heads` and `head_size` are the encoder's, where prompts enter.
    """

    layers: int
    kv_heads: int
    head_size: int
    hidden: int
    embedding: int
    parameters: int


class Backbone:
    """One loaded model. While frozen it may serve many lanes; a method that trains its weights has it alone.

    `encoder` reads the text, whether it sees both ways or not; `decoder` reads on, in encoder–decoders only.
    """

    def __init__(self, model: nn.Module, tokenizer: Any, device: torch.device, precision: Precision) -> None:
        self.model, self.tokenizer, self.device, self.precision = model, tokenizer, device, precision
        config = model.config.to_dict()  # type: ignore[operator, union-attr]
        self.family, self.reader = family_of(config), _reader(config)
        self.base: nn.Module = model.base_model  # type: ignore[assignment]
        self.encoder = getattr(self.base, self.family.inside) if self.family.inside else self.base
        self.decoder: nn.Module | None = getattr(self.base, self.family.decoder) if self.family.decoder else None
        self.embeddings: nn.Module = self.encoder.get_input_embeddings()  # type: ignore[operator]
        self.pad_id = int(tokenizer.pad_token_id or 0)
        self.geometry = _geometry(model)
        self.has_types = self.family.types or _has_types(model.config)
        self.fixed_shapes = device.type == "cuda"  # how rows of many lanes share micro-batches (bench.data.cutting)
        self.deterministic = True  # until an operation turns out to have no kernel of a fixed order
        self.positions = _positions(model.config.to_dict())  # type: ignore[operator, union-attr]

    @property
    def causal(self) -> bool:
        """Whether a token sees only those before it."""
        return self.family.direction == "left"

    def reached(self, task: Task) -> list[nn.Module]:
        """The parts whose weights the states depend on that a task's head reads: not the decoder for tags and spans."""
        return [self.encoder] if self.decoder is None or task.reads_tokens else [self.encoder, self.decoder]

    def autocast(self) -> AbstractContextManager[object]:
        """bf16 matrix products where the cell asks for them; everything that trains stays fp32."""
        if self.precision == "bf16":
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return nullcontext()

    def hidden(self, batch: MicroBatch, prompts: Sequence[Prompts], rates: Sequence[float]) -> Tensor:
        """Last hidden states (B, T, H), each row with its own lane's prompts; the decoder's for rows that it reads on.

        `prompts[i]` and `rates[i]` (dropout on prompt vectors) are lane i's; all rates 0 when not training.
        """
        inputs: dict[str, Any] = {"attention_mask": batch.mask}
        if self.has_types:
            inputs["token_type_ids"] = batch.types
        if self.causal:
            inputs["use_cache"] = False
        positions = self._positions(batch, prompts) if any(prompts[lane].offset for lane in batch.rows_of) else None
        if positions is not None and self.family.positions == "argument":
            inputs["position_ids"] = positions
        embedded = self._fill_slots(batch, prompts, rates)
        if self.family.mixes_neighbours:
            embedded = (self.embeddings(batch.ids) if embedded is None else embedded) * batch.mask[..., None]
        if embedded is None:
            inputs["input_ids"] = batch.ids
        else:
            inputs["inputs_embeds"] = embedded
        asked = queries(batch, self.tokenizer.mask_token_id) if self.family.query_stream else None
        inputs |= asked.inputs(batch) if asked else {}
        with attention.prefixes(row_prefixes(batch, prompts, rates)), self._placed(positions):
            found = self.encoder(**inputs)
        states: Tensor = asked.states(found) if asked else found.last_hidden_state
        return self._decoded(batch, states) if len(batch.decoder_rows) else states

    def _decoded(self, batch: MicroBatch, states: Tensor) -> Tensor:
        """The encoder's states with the decoder's in the place of those of the rows it reads on: (B, max(T, U), H).

        No prefix is active here: they are the encoder's alone.
        """
        assert self.decoder is not None
        rows = batch.decoder_rows
        found: Tensor = self.decoder(
            input_ids=batch.decoder_ids, encoder_hidden_states=states[rows], encoder_attention_mask=batch.mask[rows],
            use_cache=False,
        ).last_hidden_state  # fmt: skip
        width = max(states.shape[1], found.shape[1])
        whole, found = (nn.functional.pad(each, (0, 0, 0, width - each.shape[1])) for each in (states, found))
        return found if len(rows) == len(states) else whole.index_put((rows,), found.to(whole.dtype))

    def lm_logits(self, hidden: Tensor) -> Tensor:
        """Scores over the vocabulary for single hidden states: (R, H) -> (R, V).

        Runs the model's own language-model head, whatever its family calls it: the whole model is called with an
        encoder that answers with the given states.
        """
        answer = BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=hidden[:, None])
        answer.mems = None  # some families ask for it
        dummy = torch.zeros((hidden.shape[0], 1), dtype=torch.long, device=hidden.device)
        inputs: dict[str, Any] = {"input_ids": dummy}
        if self.decoder is not None:
            inputs = {"encoder_outputs": (hidden[:, None],), "decoder_input_ids": dummy}
        with _answering(self.decoder or self.encoder, answer):
            logits: Tensor = self.model(**inputs).logits
        return logits[:, 0]

    def _positions(self, batch: MicroBatch, prompts: Sequence[Prompts]) -> Tensor | None:
        """Absolute positions (B, T), each row's beginning at its lane's offset; padding stays inside the table.

        None where the family has none.
        """
        if self.family.positions == "relative":
            return None
        config: Any = self.model.config
        offsets = [prompts[lane].offset for lane in batch.row_lanes] + [0] * (len(batch.ids) - len(batch.rows))
        found = torch.arange(batch.ids.shape[1], device=self.device) + first_position(config.to_dict())
        return (found + torch.tensor(offsets, device=self.device)[:, None]).clamp(
            max=config.max_position_embeddings - 1
        )

    def _placed(self, positions: Tensor | None) -> AbstractContextManager[object]:
        """Within the block the encoder takes these positions, where it counts them itself and takes no argument."""
        if positions is None or self.family.positions != "inside":
            return nullcontext()
        table: Any = self.encoder.embed_positions
        return _answering(table, nn.functional.embedding(positions + table.offset, table.weight))

    def _fill_slots(self, batch: MicroBatch, prompts: Sequence[Prompts], rates: Sequence[float]) -> Tensor | None:
        """Word embeddings with the prompt vectors at their slots, or None when no row has any.

        They enter as word embeddings: position and type embeddings and the LayerNorm come on top, once.
        """
        if not len(batch.slot_rows):
            return None
        vectors = slot_vectors(batch, prompts, rates)  # (S, H)
        vectors = vectors * getattr(self.embeddings, "embed_scale", 1.0)  # some tables scale what they give
        embedded: Tensor = self.embeddings(batch.ids)
        return embedded.index_put((batch.slot_rows, batch.slot_columns), vectors.to(embedded.dtype))


def load_backbone(
    source: ModelSource, device: torch.device, precision: Precision, frozen: bool, checkpointing: bool = False
) -> Backbone:
    """Load a checkpoint (safetensors only, fp32, no code of its own), with its language-model head where it has one.

    All weights come without gradients. A frozen backbone in bf16 keeps its linear weights in bf16, which is what
    autocast would make of them in every forward pass. With `checkpointing` its layers' activations are made again in
    the backward pass. UsageError when transformers cannot load it.
    """
    tokenizer = load_tokenizer(source)
    with _loading(source):
        family = family_of(AutoConfig.from_pretrained(source.path, revision=source.revision).to_dict())
        kind: Any = getattr(transformers, f"AutoModelFor{family.words}") if source.has_lm_head else AutoModel
        model, report = kind.from_pretrained(
            source.path,
            revision=source.revision,
            dtype=torch.float32,
            use_safetensors=True,
            attn_implementation=attention.NAME if family.attention == "interface" else "eager",
            output_loading_info=True,
        )
        if family.attention == "written" and write_attention(model) != model.config.num_hidden_layers:
            raise ValueError("its attention layers are not the ones this version knows")
        lacking = [name for name in sorted(report["missing_keys"]) if "pooler." not in name]
        if lacking:  # transformers would draw them at random and go on
            raise ValueError(f"its weights lack {lacking[0]} and {len(lacking) - 1} more of what its config describes")
        if checkpointing:
            checkpoint_layers(model)
    if getattr(model, "pooler", None) is not None:
        model.pooler = None  # heads read hidden states; an unused pooler would count as parameters
    model.requires_grad_(False)
    model.eval()
    backbone = Backbone(model.to(device), tokenizer, device, precision)
    if frozen and precision == "bf16":
        for part in model.modules():
            if isinstance(part, nn.Linear):
                part.weight = nn.Parameter(part.weight.to(torch.bfloat16), requires_grad=False)
    return backbone


def reader_of(source: ModelSource) -> Reader:
    """How a checkpoint reads a text; UsageError when transformers does not know its config."""
    with _loading(source):
        return _reader(AutoConfig.from_pretrained(source.path, revision=source.revision).to_dict())


def load_tokenizer(source: ModelSource) -> Any:
    """A checkpoint's tokenizer, with a look at its config first; UsageError when transformers knows either not."""
    with _loading(source):
        refuse(AutoConfig.from_pretrained(source.path, revision=source.revision).to_dict())
        return AutoTokenizer.from_pretrained(source.path, revision=source.revision)


@contextmanager
def _loading(source: ModelSource) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # transformers, tokenizers, safetensors and the hub client each have errors of their own
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise UsageError(f"model {source.path} cannot be loaded: {reason}") from error


@contextmanager
def _answering(module: nn.Module, answer: object) -> Iterator[None]:
    """Within the block a module answers every call with what is given."""
    forward = module.forward
    module.forward = lambda *_, **__: answer
    try:
        yield
    finally:
        module.forward = forward


def _reader(config: dict[str, Any]) -> Reader:
    family = family_of(config)
    start = next((config[name] for name in START if config.get(name) is not None), 0) if family.decoder else None
    return Reader(causal=family.direction == "left", start=start, sentinel=family.sentinel)


def _geometry(model: Any) -> Geometry:
    config = model.config
    heads = config.num_attention_heads
    return Geometry(
        layers=config.num_hidden_layers,
        kv_heads=getattr(config, "num_key_value_heads", None) or heads,
        head_size=getattr(config, "head_dim", None) or config.hidden_size // heads,
        hidden=config.hidden_size,
        embedding=model.base_model.get_input_embeddings().weight.shape[1],
        parameters=sum(parameter.numel() for parameter in model.parameters()),
    )


def _positions(config: dict[str, Any]) -> int:
    """The longest sequence; 0 when the architecture sets no limit."""
    most = int(config.get("max_position_embeddings") or config.get("n_positions") or 0)
    return 0 if not most or family_of(config).positions == "relative" else most - first_position(config)


def _has_types(config: Any) -> bool:
    return int(getattr(config, "type_vocab_size", 0) or 0) > 1
