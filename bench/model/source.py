"""What can be known of a model before it is loaded: where it is, what it holds, how large. No torch here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from bench.data.hub import listed_files, reason_of, resolve
from bench.errors import OutOfMemory, UnfitModel, UsageError
from bench.model.described import config_of, facts, read_settings
from bench.model.families.config import family_of
from bench.model.families.scales import FAMILIES_HINT, listed
from bench.model.needs import Need
from bench.model.proof import UNLOADED, Proof
from bench.model.trust import NAMING, brings_code, check_origin, code_digest, is_trusted, with_code
from bench.model.weights import check_weights, shapes, weight_files
from bench.spelling import at_home

OFFLINE_HINT = "To run offline give --models a local folder, or use the embedded suite: bench run --suite smoke"
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "tokenizer.model")
# asked for where none of those is there; apart, so that fingerprints of old stay what they were
SENTENCE_PIECES = ("spm.model", "sentencepiece.bpe.model", "sentencepiece.model", "source.spm", "tekken.json")
TOKENIZER_SETTINGS = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "merges.txt")


@dataclass(frozen=True)
class ModelSource:
    """A checkpoint: `name` for tables, `path` and `revision` for the loader, `fingerprint` for the cell's id.

    `asked` is the revision that a user named, a branch or tag perhaps, where `revision` is its commit. `code` says
    which code of its own runs (bench.model.trust): a hash, or the commit; empty where none does. `proof` is what it has
    shown when it was loaded (bench.model.proving), where it was.
    """

    name: str
    path: str
    revision: str | None
    fingerprint: str
    positions: int  # the longest sequence, slots included; 0 when the architecture sets no limit
    has_lm_head: bool
    layers: int
    wordless: str = ""  # why no word can be read off it, whatever head it has
    code: str = ""
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
    if proof.refused.startswith(UNLOADED):
        return f"model {model.path} cannot be loaded: {proof.refused.removeprefix(UNLOADED)}"
    return f"model {model.path} cannot be used: {proof.refused}"


LACKS: dict[Need, str] = {
    "lm_head": "has no language-model head for a verbalizer",
    "mask": "has no [MASK] for a cloze pattern",
    "prefixes": "takes no prefixes",
    "slots": "takes no prompt vectors",
}


def find_model(reference: str) -> ModelSource:
    """The model a user names by folder, hub id or `id@revision`. UsageError when it is none of them, or lacks config,
    tokenizer or weights.

    Where the user trusts what models bring (bench.model.trust), one that brings code is another model with it.
    """
    return known_model(reference, is_trusted())


@cache
def known_model(reference: str, trusted: bool) -> ModelSource:
    """As find_model, whatever the user trusts."""
    folder = Path(at_home(reference))
    if folder.is_dir():
        with _unfit():
            return _local(folder, trusted)
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
    with _unfit():
        _check_weights(repo, asked, commit)
        described = facts(Path(_hub_file(repo, "config.json", commit)))
        code = _hub_code(repo, commit) if trusted else ""
    fingerprint = with_code(commit, code) if code else commit
    return ModelSource(repo, repo, commit, fingerprint, *described, code=code, asked=asked)


@contextmanager
def _unfit() -> Iterator[None]:
    """Within the block a model is there, and what is wrong is wrong with it: others of a grid can run."""
    try:
        yield
    except OutOfMemory:
        raise
    except UsageError as error:
        raise UnfitModel(str(error)) from None


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
    return config_of(Path(path))


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


def _local(folder: Path, trusted: bool) -> ModelSource:
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
    described = facts(folder / "config.json")
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
        code = _folder_code(folder) if trusted else ""
    except OSError as error:
        raise UsageError(f"cannot read model folder {folder}: {error}") from None
    fingerprint = digest.hexdigest()[:16]
    if code:
        fingerprint = with_code(fingerprint, code)
    folder = folder.resolve()
    return ModelSource(folder.name, str(folder), None, fingerprint, *described, code=code)


def _folder_code(folder: Path) -> str:
    """The code that a folder brings, as `ModelSource.code`. UnfitModel where some of it would come from elsewhere."""
    settings = [read_settings(folder / name) for name in NAMING if (folder / name).is_file()]
    if not brings_code(settings):
        return ""
    check_origin(settings, None)
    return code_digest(folder)


def _hub_code(repo: str, commit: str) -> str:
    """The commit of the code that a repository brings, which is the model's own; else as `_folder_code`."""
    settings = [read_settings(Path(_hub_file(repo, NAMING[0], commit)))]
    with suppress(UsageError):  # a model need not have the others
        settings += [read_settings(Path(_hub_file(repo, name, commit))) for name in NAMING[1:]]
    if not brings_code(settings):
        return ""
    check_origin(settings, repo)
    return commit


def _hub_file(repo: str, name: str, revision: str) -> str:
    from huggingface_hub import hf_hub_download

    try:
        return hf_hub_download(repo, name, revision=revision)
    except Exception as error:  # network, cache and hub errors of several packages
        raise UsageError(f"cannot fetch {name} of {repo}: {reason_of(error, repo, 'model')}. {OFFLINE_HINT}") from None
