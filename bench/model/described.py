"""What the JSON files of a checkpoint say of it, whoever wrote them. No torch here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.model.families.config import family_of, first_position, most_positions, reading_part

LM_HEAD_ENDINGS = ("ForMaskedLM", "ForPreTraining", "LMHeadModel", "ForCausalLM", "ForConditionalGeneration")
LAYERS = ("encoder_layers", "num_hidden_layers", "num_layers", "n_layer", "n_layers")
MOST_BYTES = 64 << 20  # of a settings file: the largest config known has its labels in it, and takes 2 MB
MEND = "give a transformers checkpoint"


def read_settings(path: Path) -> dict[str, Any]:
    """A table of a JSON file. UsageError for a file that has none, or more than any checkpoint writes."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES >> 20} MiB")
        settings = json.loads(path.read_bytes().decode("utf-8"))
        if not isinstance(settings, dict):
            raise ValueError("it is no table")
    except RecursionError:
        raise UsageError(f"cannot read {path}: it is nested too deep; {MEND}") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}; {MEND}") from None
    except ValueError as error:
        raise UsageError(f"cannot read {path}: {error}; {MEND}") from None
    return settings


def config_of(path: Path) -> dict[str, Any]:
    """A checkpoint's config.json. UsageError for another file."""
    config = read_settings(path)
    if not isinstance(config.get("model_type"), str):
        raise UsageError(f"{path} names no model_type; it is not a transformers checkpoint")
    return config


def facts(path: Path) -> tuple[int, bool, int, str]:
    """(positions, whether the checkpoint has a language-model head, layers, why it says no word), from config.json."""
    config = config_of(path)
    try:
        return _facts(config)
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UsageError(f"{path} does not describe a transformers checkpoint ({error})") from None


def _facts(config: dict[str, Any]) -> tuple[int, bool, int, str]:
    positions = most_positions(config)
    if positions:
        positions -= first_position(config)
        if positions < 1:
            raise ValueError(f"it has {positions} positions")
    architectures = config.get("architectures") or []
    part = reading_part(config)
    layers = int(next((part[name] for name in LAYERS if part.get(name)), 0))
    wordless = family_of(config).wordless
    has_lm_head = not wordless and any(name.endswith(LM_HEAD_ENDINGS) for name in architectures)
    return positions, has_lm_head, layers, wordless
