"""Characters that cannot be seen, and that a terminal or a reader's eye obeys: written out."""

from __future__ import annotations

import re

# C0 but for tab and line feed, DEL and C1 (terminals obey them), marks that turn the direction of writing (Unicode
# Standard Annex 9) or have no width, tags, and halves of surrogate pairs, which no file can hold. The joiners of
# Indic and Persian words, and of emoji, stay.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
_BREAKS = re.compile("[\t\n\x0b-\r\x1c-\x1f\x85\u2028\u2029]+")


def visible(text: str) -> str:
    r"""The text with what is unseen as JSON has it (`\u001b`), so that JSON still says the same; tabs and line feeds
    stay.
    """
    return _UNSEEN.sub(lambda found: _written(found.group()), text)


def in_a_line(text: str) -> str:
    """The same in one line: breaks and tabs become spaces."""
    return visible(_BREAKS.sub(" ", text))


def _written(letter: str) -> str:
    units = letter.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
