"""What can be known of a model before it is loaded: where it is, what it holds, how large. No torch here."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from bench.data.hub import listed_files, reason_of, resolve
from bench.errors import UsageError
from bench.model.families.config import family_of, first_position, most_positions, reading_part
from bench.model.families.scales import FAMILIES_HINT, listed
from bench.model.needs import Need
from bench.model.proof import Proof
from bench.model.weights import check_weights, shapes, weight_files

OFFLINE_HINT = "To run offline give --models a local folder, or use the embedded suite: bench run --suite smoke"
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "tokenizer.model")
# asked for where none of those is there; apart, so that fingerprints of old stay what they were
SENTENCE_PIECES = ("spm.model", "sentencepiece.bpe.model", "sentencepiece.model", "source.spm", "tekken.json")
TOKENIZER_SETTINGS = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "merges.txt")
LM_HEAD_ENDINGS = ("ForMaskedLM", "ForPreTraining", "LMHeadModel", "ForCausalLM", "ForConditionalGeneration")


@dataclass(frozen=True)
class ModelSource:
    """A checkpoint: `name` for tables, `path` and `revision` for the loader, `fingerprint` for the cell's id.

    `asked` is the revision that a user named, a branch or tag perhaps, where `revision` is its commit. `proof` is what
    it has shown when it was loaded (bench.model.proving), where it was.
    """

    name: str
    path: str
    revision: str | None
    fingerprint: str
    positions: int  # the longest sequence, slots included; 0 when the architecture sets no limit
    has_lm_head: bool
    layers: int
    wordless: str = ""  # why no word can be read off it, whatever head it has
    asked: str = field(default="", compare=False)
    proof: Proof | None = field(default=None, compare=False)

    @property
    def reference(self) -> str:
        """What find_model takes for it, later and in other processes too: of the hub the very commit."""
        return f"{self.path}@{self.revision}" if self.revision else self.path

    def lacks(self, need: Need) -> str | None:
        """Why the model cannot give a method what it needs; None when it can, or has not been asked yet."""
        if need == "lm_head" and self.wordless:
            return f"model {self.name!r} says no word for a verbalizer: {self.wordless}"
        if need == "lm_head" and not self.has_lm_head:
            return f"model {self.name!r} has no language-model head for a verbalizer"
        reason = self.proof.fails.get(need) if self.proof else None
        return f"model {self.name!r} {LACKS[need]}: {reason}" if reason else None


def refusal(model: ModelSource, proof: Proof) -> str:
    """The line for a model that cannot be used at all."""
    return f"model {model.path} cannot be used: {proof.refused}"


LACKS: dict[Need, str] = {
    "lm_head": "has no language-model head for a verbalizer",
    "mask": "has no [MASK] for a cloze pattern",
    "prefixes": "takes no prefixes",
    "slots": "takes no prompt vectors",
}


@cache
def find_model(reference: str) -> ModelSource:
    """The model a user names by folder, hub id or `id@revision`. UsageError when it is none of them, or lacks config,
    tokenizer or weights.
    """
    folder = Path(reference).expanduser()
    if folder.is_dir():
        return _local(folder)
    if folder.exists():
        raise UsageError(f"--models {reference}: a file, not a folder; give the folder of a transformers checkpoint")
    if not on_hub(reference):
        raise UsageError(f"--models {reference}: no such folder")
    repo, _, asked = reference.partition("@")
    member = listed(repo)
    if member and member.remark and not asked:
        raise UsageError(f"model {repo!r} cannot be used: {member.remark}")
    if "@" in reference and not (repo and asked):
        raise UsageError(f"--models {reference}: give it as ID@REVISION, a branch, tag or commit of the hub")
    try:
        commit = resolve(repo, asked or None, kind="model", offline_hint=OFFLINE_HINT)
    except UsageError as error:
        raise UsageError(f"{error}{'' if member or asked else f'. {FAMILIES_HINT}'}") from None
    _check_weights(repo, asked, commit)
    facts = _facts(Path(_hub_file(repo, "config.json", commit)))
    return ModelSource(repo, repo, commit, commit, *facts, asked=asked)


def on_hub(reference: str) -> bool:
    """Whether a model is named by its id on the hub, with a revision or not; else by a folder, be it there or not."""
    repo = reference.partition("@")[0]
    is_path = repo.startswith((".", "/", "~")) or repo.count("/") > 1
    return not is_path and not Path(reference).exists()


def _check_weights(repo: str, asked: str, commit: str) -> None:
    """UsageError where the hub lists no safetensors weights for a commit that it was asked for."""
    files = listed_files(repo, "model", commit)
    if files is None or any(name.endswith(".safetensors") and "/" not in name for name in files):
        return
    member = listed(repo)
    known = member.reference if member and member.revision not in ("", asked, commit) else ""
    way = f"a revision of it has them: --models {known}" if known else (
        f"name a revision that has them (--models {repo}@refs/pr/1, say: its page lists them under Community), or "
        "convert it"
    )  # fmt: skip
    at = f" at {asked}" if asked else ""
    raise UsageError(f"model {repo!r}{at} has no *.safetensors weights, and others are not loaded; {way}")


def read_config(model: ModelSource) -> dict[str, Any]:
    """A model's config.json."""
    path = _hub_file(model.path, "config.json", model.revision) if model.revision else f"{model.path}/config.json"
    return _read_config(Path(path))


def weight_shapes(model: ModelSource) -> dict[str, tuple[int, ...]] | None:
    """The shape of every tensor of a checkpoint, from its safetensors headers; None where they cannot be had.

    Of a model with parts, those of the one that reads text.

    Of a checkpoint on the hub that is not in the cache, the headers alone are fetched.
    """
    all_shapes = _weight_shapes(model)
    if all_shapes is None or not family_of(read_config(model)).part:
        return all_shapes
    return {name: shape for name, shape in all_shapes.items() if "language_model." in name}


def _weight_shapes(model: ModelSource) -> dict[str, tuple[int, ...]] | None:
    if model.revision is None:
        return shapes(weight_files(Path(model.path)))
    from huggingface_hub import HfApi, constants

    folder = _snapshot(model.path, model.revision)
    if _is_there(folder):
        return shapes(weight_files(folder))
    if constants.HF_HUB_OFFLINE:
        return None
    try:
        metadata = HfApi().get_safetensors_metadata(model.path, revision=model.revision)
    except Exception:  # no network, no safetensors: errors of several packages; the loader will tell
        return None
    tensors = (entry for file in metadata.files_metadata.values() for entry in file.tensors.items())
    return {name: tuple(info.shape) for name, info in tensors}


def is_fetched(model: ModelSource) -> bool:
    """Whether a model's weights are on this machine."""
    return model.revision is None or _is_there(_snapshot(model.path, model.revision))


def _snapshot(repo: str, revision: str) -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}" / "snapshots" / revision


def _is_there(snapshot: Path) -> bool:
    try:
        return bool(weight_files(snapshot))
    except UsageError:  # not fetched, or not all of it
        return False


def _local(folder: Path) -> ModelSource:
    if not (folder / "config.json").is_file():
        raise UsageError(f"model folder {folder} has no config.json; give a transformers checkpoint")
    known_files = (*TOKENIZER_FILES, *SENTENCE_PIECES)
    if not any((folder / name).is_file() for name in known_files):
        raise UsageError(f"model folder {folder} has no tokenizer (looked for {', '.join(known_files)})")
    if (folder / "adapter_config.json").is_file():  # transformers would put it into the model on its own
        raise UsageError(
            f"model folder {folder} holds an adapter (adapter_config.json); give a model alone, or merge them"
        )
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise UsageError(f"model folder {folder} has no *.safetensors weights; other formats are not loaded")
    check_weights(folder)
    facts = _facts(folder / "config.json")
    digest = hashlib.sha256()
    tokenizer_files = TOKENIZER_FILES
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        tokenizer_files = SENTENCE_PIECES
    text_files = [folder / name for name in ("config.json", *tokenizer_files, *TOKENIZER_SETTINGS)]
    try:
        for path in [*weights, *text_files]:
            if path.is_file():
                digest.update(path.name.encode())
                with path.open("rb") as handle:
                    digest.update(hashlib.file_digest(handle, "sha256").digest())
    except OSError as error:
        raise UsageError(f"cannot read model folder {folder}: {error}") from None
    folder = folder.resolve()
    return ModelSource(folder.name, str(folder), None, digest.hexdigest()[:16], *facts)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {error}; give a transformers checkpoint") from None
    if not isinstance(config, dict) or "model_type" not in config:
        raise UsageError(f"{path} names no model_type; it is not a transformers checkpoint")
    return config


def _facts(path: Path) -> tuple[int, bool, int, str]:
    """(positions, whether the checkpoint has a language-model head, layers, why it says no word), from config.json."""
    config = _read_config(path)
    try:
        return _sizes(config)
    except (TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{path} does not describe a transformers checkpoint ({error})") from None


def _sizes(config: dict[str, Any]) -> tuple[int, bool, int, str]:
    positions = most_positions(config)
    if positions:
        positions -= first_position(config)
    architectures = config.get("architectures") or []
    names = ("encoder_layers", "num_hidden_layers", "num_layers", "n_layer", "n_layers")
    part = reading_part(config)
    layers = next((part[name] for name in names if part.get(name)), 0)
    wordless = family_of(config).wordless
    has_lm_head = not wordless and any(name.endswith(LM_HEAD_ENDINGS) for name in architectures)
    return positions, has_lm_head, int(layers), wordless


def _hub_file(repo: str, name: str, revision: str) -> str:
    from huggingface_hub import hf_hub_download

    try:
        return hf_hub_download(repo, name, revision=revision)
    except Exception as error:  # network, cache and hub errors of several packages
        raise UsageError(f"cannot fetch {name} of {repo}: {reason_of(error, repo, 'model')}. {OFFLINE_HINT}") from None
