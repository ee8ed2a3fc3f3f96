"""Cases as small text: JSON in which bytes, and long texts that repeat themselves, stand in another form."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

from tests.campaign.fuzzing.target import Case

CORPUS = Path(__file__).parent.parent / "corpus"
LONG = 300  # bytes; what is longer is packed where that makes it much smaller
BYTES, PACKED, TEXT = "bytes", "packed", "packed text"


def written(case: Case) -> str:
    """The case as JSON. Bytes are texts in Latin-1, {"bytes": …}, or packed by zlib in base64, {"packed": …}."""
    return json.dumps(_plain(case), indent=1) + "\n"


def read(text: str) -> Case:
    """The case that `written` wrote."""
    case: Case = _meant(json.loads(text))
    return case


def corpus(name: str) -> dict[str, Case]:
    """The cases that a target once failed on, by the names of their files."""
    return {path.stem: read(path.read_text(encoding="utf-8")) for path in sorted((CORPUS / name).glob("*.json"))}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        packed = _packed(value)
        return {PACKED: packed} if packed else {BYTES: value.decode("latin-1")}
    if isinstance(value, str):
        packed = _packed(value.encode("utf-8", "surrogatepass"))
        return {TEXT: packed} if packed else value
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def _packed(content: bytes) -> str:
    """Packed in base64; "" where it is short, or not much is won."""
    if len(content) < LONG:
        return ""
    packed = base64.b64encode(zlib.compress(content, 9)).decode()
    return packed if len(packed) * 2 < len(content) else ""


def _meant(value: Any) -> Any:
    if isinstance(value, dict) and len(value) == 1:
        (form, inner), *_ = value.items()
        if form == BYTES and isinstance(inner, str):
            return inner.encode("latin-1")
        if form in (PACKED, TEXT) and isinstance(inner, str):
            content = zlib.decompress(base64.b64decode(inner))
            return content if form == PACKED else content.decode("utf-8", "surrogatepass")
    if isinstance(value, dict):
        return {key: _meant(part) for key, part in value.items()}
    return [_meant(part) for part in value] if isinstance(value, list) else value
