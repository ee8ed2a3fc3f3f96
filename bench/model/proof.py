"""What a loaded model has shown of itself, and where that is kept. No torch here: the plan reads it.

`bench.model.proving` makes a proof. It is kept in the cache folder under the model's fingerprint, the kind of device,
the packages' versions and the harness's own code, so that a second run does not pay for it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from bench.data.cache import cache_folder, keep_bytes, kept_bytes

Way = Literal["interface", "written", "own"]
UNLOADED = "it cannot be loaded: "  # begins the reason of a model that may be loaded another day
PACKAGES = ("torch", "transformers", "tokenizers", "safetensors")
CODE = (
    "**/*.py",
    "../data/batches.py",
    "../data/cutting.py",
    "../data/specials.py",
)  # what a proof depends on, from this folder


@dataclass(frozen=True)
class Proof:
    """`attention`: whose is run, see `bench.model.families.family`; "own" is the family's, as transformers has it,
    which takes no prefixes. `direction`: what a token sees. `refused`: why the model cannot be used at all, else empty.

    `fails` gives the reason for each need that it cannot serve. `layers` are those that take a prefix, of `num_layers`,
    each with `kv_heads` keys of `head_size`. `differences` are the largest of a state (of a word's score), in units of
    the states' (the scores') root mean square: what should be nothing, and what should be something. `once`: no matrix
    of its layers is used twice in a pass.
    """

    attention: Way
    direction: Literal["both", "left"]
    refused: str = ""
    fails: dict[str, str] = field(default_factory=dict)
    layers: tuple[int, ...] = ()
    num_layers: int = 0
    kv_heads: int = 0
    head_size: int = 0
    differences: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    once: bool = False

    @property
    def limits(self) -> bool:
        """Whether there is anything that the model cannot do."""
        return bool(self.refused or self.fails or len(self.layers) < self.num_layers)

    def record(self) -> dict[str, Any]:
        """As a record has it: JSON values."""
        return {**asdict(self), "layers": list(self.layers)}


_MADE: dict[tuple[str, str], Proof] = {}  # in this process, or read by it
_NEW: set[tuple[str, str]] = set()  # those made in this process


def known_proof(fingerprint: str, device: str) -> Proof | None:
    """The proof of a model that is kept; None when there is none that can be used."""
    key = (fingerprint, device)
    if key not in _MADE:
        proof = _read(fingerprint, device)
        if proof is None:
            return None
        _MADE[key] = proof
    return _MADE[key]


def proof_in_use(fingerprint: str) -> Proof | None:
    """The proof that this process goes by, on whatever device; None before there is one."""
    return next((proof for (known, _), proof in _MADE.items() if known == fingerprint), None)


def proving_seconds(fingerprint: str) -> float:
    """What the proofs of a model took in this process, on whatever device; nothing where they were kept from before."""
    return sum(_MADE[key].seconds for key in _NEW if key[0] == fingerprint and key in _MADE)


def _read(fingerprint: str, device: str) -> Proof | None:
    try:
        values = json.loads(kept_bytes(_path(fingerprint, device)) or b"null")
        proof = proof_of_record(values)
        return proof if _is_whole(proof) else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def keep_proof(fingerprint: str, device: str, proof: Proof) -> None:
    """Keep a proof, whole or not at all; a folder that cannot be written costs time, not results."""
    _MADE[fingerprint, device] = proof
    _NEW.add((fingerprint, device))
    keep_bytes(_path(fingerprint, device), json.dumps(proof.record(), sort_keys=True).encode())


def adopt_proof(fingerprint: str, device: str, proof: Proof) -> None:
    """Go by a proof that another process has made, perhaps on another machine, and keeps."""
    _MADE[fingerprint, device] = proof


def proof_of_record(values: dict[str, Any]) -> Proof:
    """A proof as its `record` has it."""
    return Proof(**{**values, "layers": tuple(values["layers"])})


def _is_whole(proof: Proof) -> bool:
    """Whether what was read has the types it should; anything may stand in a file that somebody damaged."""
    texts_fit = all(isinstance(text, str) for text in (proof.refused, *proof.fails, *proof.fails.values()))
    sizes = (proof.num_layers, proof.kv_heads, proof.head_size, *proof.layers)
    sizes_fit = all(isinstance(size, int) for size in sizes)
    values_fit = all(isinstance(value, int | float) for value in (proof.seconds, *proof.differences.values()))
    return (
        texts_fit and sizes_fit and values_fit
        and proof.attention in ("interface", "written", "own") and proof.direction in ("both", "left")
    )  # fmt: skip


def _path(fingerprint: str, device: str) -> Path:
    key = hashlib.sha256(f"{fingerprint}\n{device}\n{_made_by()}".encode()).hexdigest()[:32]
    return cache_folder() / "proofs" / f"{key}.proof"


@cache
def _made_by() -> str:
    """The versions, and a hash of the code that loads and examines a model."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    for path in sorted(path for pattern in CODE for path in folder.glob(pattern)):
        digest.update(path.name.encode() + path.read_bytes())
    return "\n".join([*(f"{name} {_version(name)}" for name in PACKAGES), digest.hexdigest()])


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
