"""What a method may ask of a model: a head to score with, and what the model must be able to do. No torch here."""

from __future__ import annotations

from typing import Literal

HeadKind = Literal["linear", "verbalizer"]  # a new layer on the states, or the model's own scores of label words
Need = Literal["lm_head", "mask", "prefixes", "slots"]
