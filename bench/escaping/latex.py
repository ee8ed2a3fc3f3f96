"""A text in LaTeX."""

from __future__ import annotations

import re

from bench.escaping.unseen import in_a_line

LETTERS = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"{\char34}", "`": r"{\char96}", "±": r"$\pm$", "≤": r"$\leq$", "≈": r"$\approx$",
    "−": r"$-$", "×": r"$\times$", "·": r"$\cdot$", "–": "--", "…": r"\dots{}", "→": r"$\to$",
}  # fmt: skip
_LIGATURE = re.compile(r"([-',])(?=\1)")  # TeX makes one sign of two
_OPTIONAL = re.compile(r"^\s*[\[*]")  # after \\ and \item these would be an argument


def latex_text(text: str) -> str:
    """The text in one line, with everything escaped that LaTeX would take for a command, an argument or another sign.

    Letters of other alphabets stay as they are: XeLaTeX and LuaLaTeX set them.
    """
    parts = _LIGATURE.sub("\\1\0", in_a_line(text))
    escaped = "".join("{}" if letter == "\0" else LETTERS.get(letter, letter) for letter in parts)
    return f"{{}}{escaped}" if _OPTIONAL.match(text) else escaped
