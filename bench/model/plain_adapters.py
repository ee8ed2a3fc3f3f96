"""Which of PEFT's configurations add to rows or scale them, and do nothing else to a model. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PLACED = {"target_modules", "exclude_modules", "fan_in_fan_out", "layers_to_transform", "layers_pattern"}
LOW_RANK = {"lora_alpha", "lora_dropout", "init_lora_weights"}
KNOWN = {
    "LORA": {"r", "use_rslora", "rank_pattern", "alpha_pattern", *LOW_RANK, *PLACED},
    "IA3": {"target_modules", "exclude_modules", "fan_in_fan_out", "feedforward_modules", "init_ia3_weights"},
    "ADALORA": {
        "target_r", "init_r", "tinit", "tfinal", "deltaT", "beta1", "beta2", "orth_reg_weight", "total_step",
        *LOW_RANK, *PLACED,
    },
}  # fmt: skip
DRAWN = (True, False, "gaussian", "orthogonal")  # initial values that look at no weight of the model, nor change any


def is_plain(fields: Mapping[str, Any]) -> bool:
    """Whether a configuration is one of these: no other type, and no option beside the known ones (like DoRA's)."""
    known = KNOWN.get(str(fields.get("peft_type")))
    options = {name for name, value in fields.items() if value not in (None, False, "none", [], {})}
    return known is not None and options <= {*known, "peft_type"} and fields.get("init_lora_weights", True) in DRAWN
