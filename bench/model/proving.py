"""What a loaded model must show before it is used, whatever its family, on a few short rows, without gradients.

All goes through `Backbone.hidden`, as training does. Two states are the same when no number of theirs differs by more
than TOLERANCE of the states' root mean square: rounding stays below a tenth of that, and what is wrong is above it a
hundredfold (tests/perf/proof_table.py shows both for every family).

Shape legend: B rows, T tokens, L layers that take a prefix, A key/value heads, P prompt length, D head size, H hidden
size, V vocabulary.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import AttentionInterface
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from bench.errors import UsageError, is_out_of_memory
from bench.model import attention
from bench.model.families.family import Direction
from bench.model.layers import layers_of
from bench.model.probe import Probe
from bench.model.prompts import Prompts
from bench.model.proof import Proof, Way
from bench.model.uses import used_once

if TYPE_CHECKING:
    from bench.model.backbone import Backbone

TOLERANCE = 1e-4  # of the states' root mean square
PREFIX_LENGTH = 3
LOUD = 30.0  # times longer than a random key: a trained query's product with it is tens, as with its own
SHAPES_DIFFER = "its keys and values are of more than one shape"
NOT_REPLACEABLE = "its family has no attention that a program can put them into"


class Refused(Exception):
    """The model is not right as it was loaded; says why."""


@torch.no_grad()
def examine(backbone: Backbone, way: Way, positions: int, lacking: str) -> Proof:
    """What a model shows, loaded in one `way`; `seconds` are the caller's to fill in.

    `positions` as in ModelSource, `lacking` why it has no language-model head, empty where it has. The proof is
    refused where padding, direction or the attention itself are wrong, and then says which way its tokens see.
    """
    trial = _Trial(backbone, way, positions)
    try:
        trial.base()
    except Refused as reason:
        return Proof(way, trial.direction, str(reason), differences=trial.rounded(), num_layers=trial.num_layers)
    except Exception as error:  # a family that cannot run on plain rows fails in its own way
        if is_out_of_memory(error):
            raise
        if isinstance(error, UsageError):
            return Proof(way, trial.direction, str(error), num_layers=trial.num_layers)
        return Proof(way, trial.direction, f"it does not run on padded rows ({_line(error)})")
    if lacking:
        trial.fails["lm_head"] = lacking
    else:
        trial.attempt("lm_head", trial.words, "calling its head on states alone is not possible")
    trial.attempt("slots", trial.slots, "it does not run on vectors in the place of words")
    trial.attempt("prefixes", trial.prefixes, "its attention does not run with more keys than tokens")
    if not backbone.causal and not backbone.reader.sentinel and backbone.tokenizer.mask_token_id is None:
        trial.fails["mask"] = "its tokenizer has no mask token"
    layers, (kv_heads, head_size) = () if "prefixes" in trial.fails else trial.layers, trial.sizes
    return Proof(
        way, trial.direction, "", trial.fails, layers, trial.num_layers, kv_heads, head_size, trial.rounded(),
        once=trial.once(),
    )  # fmt: skip


class _Trial:
    """One model in one way, as far as it has come."""

    def __init__(self, backbone: Backbone, way: Way, positions: int) -> None:
        self.backbone, self.way = backbone, way
        self.probe_positions = positions
        self.direction = backbone.family.direction
        self.num_layers = backbone.geometry.layers
        self.fails: dict[str, str] = {}
        self.differences: dict[str, float] = {}
        self.layers: tuple[int, ...] = ()
        self.sizes = (backbone.geometry.kv_heads, backbone.geometry.head_size)
        self.uneven = ""

    def rounded(self) -> dict[str, float]:
        return {name: float(f"{value:.2e}") for name, value in self.differences.items()}

    def attempt(self, need: str, check: Any, otherwise: str) -> None:
        """Run a check of one need; whatever breaks in it is a reason, told without the library's own words."""
        try:
            check()
        except Refused as reason:
            self.fails[need] = str(reason)
        except Exception as error:  # each family breaks in its own way
            if is_out_of_memory(error):
                raise
            self.fails[need] = otherwise

    def measure(self, name: str, states: Tensor, expected: Tensor) -> float:
        """The largest difference of two states (…, H), noted under a name."""
        if states.shape != expected.shape or not bool(states.isfinite().all() and expected.isfinite().all()):
            raise Refused("its states are not finite numbers, one row for each token")
        size = expected.float().square().mean().sqrt().clamp(min=1e-12)
        self.differences[name] = value = float((states.float() - expected.float()).abs().max() / size)
        return value

    def base(self) -> None:
        """What nothing can do without: rows alone and in company, the direction, and the family's own attention."""
        probe = self.probe = Probe(self.backbone, self.probe_positions)
        with _watched() as calls:
            alone = probe.states([probe.short])[0]
        self._note(calls)
        if self.way == "interface" and not self.layers:
            raise Refused(NOT_REPLACEABLE)  # what is run is its own attention, perhaps with a mask made for ours
        beside, self.long = probe.states([probe.short, probe.long])
        difference = self.measure("padding", beside, alone)
        self._look(alone)
        if difference > TOLERANCE:
            raise Refused(f"padding changes the states of the text beside it, by {difference:.1g} of their size")
        if probe.fed:
            difference = self.measure("decoder_padding", probe.states(probe.fed)[0], probe.states(probe.fed[:1])[0])
            if difference > TOLERANCE:
                raise Refused(f"padding changes what its decoder says, by {difference:.1g} of its states' size")
        if self.way != "own":
            self._against_own()

    def _against_own(self) -> None:
        """Our attention gives what the family's gives, as transformers has it: its eager one or, where that is another
        (Falcon's adds ALiBi twice), the one it chooses itself.
        """
        rows, difference = [self.probe.short, self.probe.long], 0.0
        model: Any = self.backbone.model
        for kind in ("eager", "sdpa") if getattr(model, "_supports_sdpa", False) else ("eager",):
            with _own_attention(model, self.way, kind):
                stock = self.probe.states(rows)[1]
            difference = self.measure("own_attention", self.long, stock)
            if difference <= TOLERANCE:
                return
        raise Refused(f"its attention is more than queries, keys and values: it differs by {difference:.1g}")

    def _look(self, states: Tensor) -> None:
        """Which way tokens see: change the last token of a text, then its first."""
        probe, at = self.probe, self.probe.inner
        ahead = self.measure(
            "ahead", probe.states([probe.changed(at.stop - 1)])[0][: at.stop - 1], states[: at.stop - 1]
        )
        back = self.measure("back", probe.states([probe.changed(at.start)])[0][at.start + 1 :], states[at.start + 1 :])
        if back <= TOLERANCE:
            raise Refused("a token's state does not depend on the tokens before it")
        direction: Direction = "both" if ahead > TOLERANCE else "left"
        if direction != self.direction:
            self.direction = direction
            fact = "depends on the tokens after it" if direction == "both" else "does not depend on the tokens after it"
            raise Refused(f"a token's state {fact}, against what its config says")

    def _note(self, calls: list[tuple[int, tuple[int, ...], tuple[int, ...]]]) -> None:
        """Which layers take a prefix, and the shape of their keys and values."""
        if self.way == "written":
            self.layers = tuple(range(self.num_layers))
        if self.way != "interface":
            return
        self.layers = tuple(sorted({layer for layer, _, _ in calls}))
        shapes = {(shape[1], shape[3]) for _, *both in calls for shape in both}
        if len(shapes) == 1:
            self.sizes = shapes.pop()
        elif shapes:
            named = ", ".join(f"{heads} × {size}" for heads, size in sorted(shapes))
            self.uneven = f"{SHAPES_DIFFER} (heads × size: {named})"

    def once(self) -> bool:
        """Whether no matrix of its layers is used twice in a pass."""
        layers = layers_of(self.backbone.model, self.backbone.family)
        return used_once(lambda: self.probe.states(self.probe.fed or [self.probe.short]), layers)

    def words(self) -> None:
        """The language-model head, asked for single states, says what the model says."""
        row = self.probe.spoken
        states = self.probe.states([row])[0]
        logits = self.probe.logits(row)
        difference = self.measure("lm_head", self.backbone.lm_logits(states[row.read]), logits)
        if difference > TOLERANCE:
            raise Refused(f"its head does not say what the model says: scores differ by {difference:.1g}")

    def slots(self) -> None:
        """A slot that holds a token's embedding is that token."""
        probe = self.probe
        row, vectors = probe.slotted()
        difference = self.measure("slots", probe.states([row], [Prompts(slots=vectors)])[0], self.long)
        if difference > TOLERANCE:
            raise Refused(
                f"a vector that is a word's embedding does not act as the word: states differ by {difference:.1g}"
            )

    def prefixes(self) -> None:
        """A prefix in each layer reaches every token; padding still changes nothing, and nothing looks ahead."""
        if self.way == "own":
            raise Refused(NOT_REPLACEABLE)
        if self.uneven:
            raise Refused(self.uneven)
        probe, count = self.probe, len(self.layers)
        heads, size = self.sizes
        draw = torch.Generator().manual_seed(0)
        both = torch.randn(2, count, 2, heads, PREFIX_LENGTH, size, generator=draw).to(self.backbone.device)
        first, second = _heard(both)
        swapped = [torch.where(_at(at, count, first), second, first) for at in range(count)]
        prompts = [Prompts(prefixes=vectors, layers=self.layers) for vectors in (both[0], first, *swapped)]
        alone, heard, *changed = probe.states([probe.short] * len(prompts), prompts)
        moves = [float((states - heard).abs().amax(dim=-1).min()) for states in changed]
        least = min(moves) / float(heard.square().mean().sqrt())
        self.differences["prefix"] = least
        if not least > TOLERANCE:
            layer = self.layers[moves.index(min(moves))]
            raise Refused(f"one in layer {layer + 1} does not reach every token")
        beside = probe.states([probe.short, probe.long], prompts[:1])[0]
        if self.measure("prefix_padding", beside, alone) > TOLERANCE:
            raise Refused("beside one, padding changes a text's states")
        if self.backbone.causal:
            last = probe.inner.stop - 1
            later = probe.states([probe.changed(last)], prompts[:1])[0][:last]
            if self.measure("prefix_ahead", later, alone[:last]) > TOLERANCE:
                raise Refused("beside one, a token sees those after it")


def _heard(prefixes: Tensor) -> Tensor:
    """Prefixes (…, L, 2, A, P, D) with keys that no token passes over: long ones, one of them against another, so that
    a query has a positive product with one of the two. A trained model may attend so sharply that a token gives a
    random key no weight at all in fp32.
    """
    heard = prefixes.clone()
    keys = heard[..., 0, :, :, :]
    keys *= LOUD
    keys[..., 1, :] = -keys[..., 0, :]
    return heard


def _at(at: int, count: int, like: Tensor) -> Tensor:
    """True in one layer of (L, 2, A, P, D)."""
    return (torch.arange(count, device=like.device) == at).view(-1, 1, 1, 1, 1)


@contextmanager
def _watched() -> Iterator[list[tuple[int, tuple[int, ...], tuple[int, ...]]]]:
    """Within the block our attention function's calls in the encoder are noted: layer, shapes of keys and values."""
    calls: list[tuple[int, tuple[int, ...], tuple[int, ...]]] = []
    function: Any = ALL_ATTENTION_FUNCTIONS[attention.NAME]

    def watching(module: Any, query: Tensor, key: Tensor, value: Tensor, *more: Any, **options: Any) -> Any:
        layer = attention.running_layer()
        if layer is not None:
            calls.append((layer, tuple(key.shape), tuple(value.shape)))
        return function(module, query, key, value, *more, **options)

    AttentionInterface.register(attention.NAME, watching)
    try:
        yield calls
    finally:
        AttentionInterface.register(attention.NAME, function)


@contextmanager
def _own_attention(model: Any, way: Way, kind: str) -> Iterator[None]:
    """Within the block the model's attention is its family's own, of a kind."""
    written = [
        (module, name, value)
        for module in model.modules()
        for name, value in vars(module).items()
        if isinstance(value, types.MethodType)
    ]
    for module, name, _ in written:
        delattr(module, name)
    before = model.config._attn_implementation
    if way == "interface":
        model.set_attn_implementation(kind)
    else:  # those families' classes ask their config
        model.config._attn_implementation = kind
    try:
        yield
    finally:
        for module, name, value in written:
            setattr(module, name, value)
        if way == "interface":
            model.set_attn_implementation(before)
        else:
            model.config._attn_implementation = before


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
