"""Folders of models that somebody broke or mined, and files of the cache: what comes of them is right, or one line."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.campaign.fuzzing import made
from tests.campaign.fuzzing.target import Broken, Case, Target

TEXTS = ["word1 word2.", "word3 ?", "yes word9 word4"]
IDS = [2, 20, 21, 30, 3]
MARK = "ran"  # what code of a folder would leave in the folder of the case
CODE = f"open({MARK!r}, 'w').close()\n"
OWN = {"AutoConfig": "own.Config", "AutoModel": "own.Model", "AutoTokenizer": ["own.Tokens", None]}
FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors", "model.safetensors.index.json")
SIZES = (0, -1, 1, 2, 2**31, 2**63, 10**9, 10**12, 10**400, 1e308, float("nan"), float("inf"), True, None, "32", [], {})
_shared: dict[str, Any] = {}


def _template() -> Path:
    """A tiny BERT in two shards' layout and in one file, with a mine beside it."""
    if "template" not in _shared:
        from tests.conftest import write_tiny_bert

        folder = write_tiny_bert(Path(tempfile.mkdtemp(prefix="fuzz-models-")) / "model")
        (folder / "own.py").write_text(CODE)
        (folder / "modeling_bert.py").write_text(CODE)
        names = json.loads(_header((folder / "model.safetensors").read_bytes()))
        index = {"metadata": {}, "weight_map": {name: "one.safetensors" for name in names if name != "__metadata__"}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        _shared["template"] = folder
    return _shared["template"]


def _header(content: bytes) -> bytes:
    return content[8 : 8 + int.from_bytes(content[:8], "little")]


def _with_header(header: bytes, data: bytes, claimed: int | None) -> bytes:
    length = len(header) if claimed is None else claimed
    return length.to_bytes(8, "little", signed=length < 0) + header + data


def _settings(content: bytes) -> SearchStrategy[bytes]:
    """A table of JSON with some of its values replaced, taken out, or put to it."""
    table = json.loads(content)
    keys = [*table, "auto_map", "model_type", "quantization_config", "text_config", "architectures", "tokenizer_class"]
    values = st.one_of(st.sampled_from(SIZES), made.json_values(), st.just(OWN), st.just("own.Model"))
    changes = st.dictionaries(st.sampled_from(keys), values, min_size=1, max_size=4)
    return changes.map(lambda changed: json.dumps({**table, **changed}).encode("utf-8", "surrogatepass"))


def _weights(content: bytes) -> SearchStrategy[bytes]:
    """A safetensors file with its header changed, or claimed to be of another length."""
    header, data = _header(content), content[8 + len(_header(content)) :]
    table = json.loads(header)
    fields = st.fixed_dictionaries(
        {}, optional={
            "dtype": st.sampled_from(("F32", "F64", "I8", "F4", "X", "", None)),
            "shape": st.lists(st.sampled_from((0, 1, -1, 84, 32, 2**40, "x", 1.5)), max_size=4),
            "data_offsets": st.lists(st.sampled_from((0, -1, 4, 10752, 2**40, "x", None)), max_size=3),
        },
    )  # fmt: skip
    changes = st.dictionaries(st.sampled_from([*table, "../x", ""]), fields, min_size=1, max_size=3)
    changed = changes.map(lambda new: {**table, **{name: {**table.get(name, {}), **new[name]} for name in new}})
    headers = st.one_of(changed.map(lambda each: json.dumps(each).encode()), made.mutated(header))
    lengths = st.sampled_from((None, None, None, 0, 1, 10**6, 2**40, 2**63 - 1))
    return st.builds(_with_header, headers, st.just(data), lengths)


def _folders() -> SearchStrategy[Case]:
    template, broken = _template(), []
    for name in FILES:
        content = (template / name).read_bytes()
        ways = [made.mutated(content)]
        ways.append(_weights(content) if name.endswith(".safetensors") else _settings(content))
        ways.append(st.integers(1, 5000).map(lambda depth: made.nested(depth).encode()))
        broken += [st.fixed_dictionaries({"file": st.just(name), "content": way}) for way in ways]
    return st.one_of(broken)


def _prepare() -> None:
    """torch, and what an unbroken folder comes to."""
    from bench.model import proofs  # noqa: F401

    _template()
    folder = Path(tempfile.mkdtemp(prefix="fuzz-models-"))
    _shared["states"] = _states(shutil.copytree(_template(), folder / "model"))
    shutil.rmtree(folder)
    _tokens(Path(tempfile.mkdtemp(prefix="fuzz-models-")))


def _states(model: Path) -> Any:
    """What a model makes of IDS; UsageError where it cannot be used."""
    import torch

    from bench.data.batches import collate
    from bench.data.rows import Item, Row
    from bench.data.tokens import TokenStore
    from bench.model.loading import load_backbone
    from bench.model.prompts import Prompts
    from bench.model.source import find_model
    from bench.model.stacked import Stacked

    torch.set_num_threads(1)
    backbone = load_backbone(find_model(str(model)), torch.device("cpu"), "fp32", True)
    TokenStore(keeps=False).tokens(backbone.tokenizer, TEXTS)
    row = Row(IDS, [0] * len(IDS), [], [0], [], [])
    batch = collate([Item(0, (row,), [0], [0], False)], backbone.pad_id, backbone.device)
    return backbone.hidden(batch, Stacked([Prompts()]))


def _use(case: Case, folder: Path) -> None:
    model = Path(shutil.copytree(_template(), folder / "model"))
    (model / str(case["file"])).write_bytes(bytes(case["content"]))
    if case["file"] == "model.safetensors.index.json":
        (model / "model.safetensors").rename(model / "one.safetensors")
    import torch

    try:
        states = _states(model)
    finally:
        if (folder / MARK).exists() or Path(MARK).exists():
            raise Broken("code of a model's folder: it ran")
    if not bool(torch.isfinite(states).all()):
        raise Broken("states: not finite")
    if str(case["file"]).startswith(("tokenizer", "model.safetensors.index")) and not states.equal(_shared["states"]):
        raise Broken("states: not those of the same weights")


def _tokens(folder: Path) -> list[list[int]]:
    """The ids of TEXTS, through the cache in a folder."""
    from transformers import AutoTokenizer

    from bench.data import tokens
    from bench.data.tokens import TokenStore

    tokens.WORTH_KEEPING = 0
    if "tokenizer" not in _shared:
        _shared["tokenizer"] = AutoTokenizer.from_pretrained(_template())
        _shared["ids"] = _tokens(folder)
        (path,) = folder.iterdir()
        _shared["entry"], _shared["name"] = path.read_bytes(), path.name
    found = TokenStore(folder).tokens(_shared["tokenizer"], TEXTS)
    return [found.ids_of(at) for at in range(len(TEXTS))]


def _entries() -> SearchStrategy[Case]:
    if "entry" not in _shared:
        _tokens(Path(tempfile.mkdtemp(prefix="fuzz-models-")))
    return st.fixed_dictionaries({"content": made.mutated(_shared["entry"]), "signed": st.booleans()})


def _read_entry(case: Case, folder: Path) -> None:
    """A broken entry, and with `signed` one whose hash is right and whose arrays are not."""
    from bench.data.cache import DIGEST, keep_bytes

    path, content = folder / str(_shared["name"]), bytes(case["content"])
    if case["signed"] and content[DIGEST:] != _shared["entry"][DIGEST:]:
        header = _header(_shared["entry"][DIGEST:])
        if content[DIGEST + 8 + len(header) :] != _shared["entry"][DIGEST + 8 + len(header) :]:
            return  # who can sign can write other ids too: the folder is the user's alone
        keep_bytes(path, content[DIGEST:])
    else:
        path.write_bytes(content)
    if _tokens(folder) != _shared["ids"]:
        raise Broken("tokens: a broken entry was believed")


TARGETS = (
    Target("model_folders", _folders, _use, _prepare, share=2),
    Target("token_cache", _entries, _read_entry, _prepare, share=1),
)
