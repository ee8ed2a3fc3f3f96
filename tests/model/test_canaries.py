"""Whatever lies in a model's folder, nothing of it is run without the flag: each file here would leave a mark."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bench.data.tokens import TokenStore
from bench.errors import UsageError
from bench.model.loading import load_backbone
from bench.model.source import find_model
from tests.model.test_own_code import CODE, OWN, change

MODULES = (
    "own.py", "modeling_bert.py", "tokenization_bert.py", "configuration_bert.py", "processing_bert.py", "__init__.py",
    "conftest.py", "sitecustomize.py", "setup.py", "hubconf.py", "custom_generate/generate.py",
)  # fmt: skip
TOKENS = {"AutoTokenizer": ["own.Tokens", "own.Tokens"], "AutoProcessor": "own.Tokens"}
SETTINGS = (
    "tokenizer_config.json", "generation_config.json", "processor_config.json", "preprocessor_config.json",
    "special_tokens_map.json", "video_preprocessor_config.json", "image_processor_config.json",
)  # fmt: skip
PICKLES = (
    "pytorch_model.bin", "model.pt", "optimizer.pt", "training_args.bin", "tokenizer.pkl", "vocab.pkl", "vocab.bin",
    "adapter_model.bin", "tf_model.h5", "flax_model.msgpack",
)  # fmt: skip
TEMPLATE = "{{ cycler.__init__.__globals__.os.system('touch %s') }}"


class Bomb:
    """Leaves the mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, dict]]:
        return exec, (f"open({str(self.mark)!r}, 'w').close()", {})


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "mark"


@pytest.fixture
def mined(tiny_bert: Path, tmp_path: Path, mark: Path) -> Path:
    """A model in whose folder every kind of file that is known to have run code does so."""
    folder = Path(shutil.copytree(tiny_bert, tmp_path / "mined"))
    for name in MODULES:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(CODE.format(mark=str(mark)))
    for name in SETTINGS:
        held = json.loads((folder / name).read_text()) if (folder / name).is_file() else {}
        (folder / name).write_text(json.dumps({**held, "auto_map": {**OWN, **TOKENS}}))
    for name in PICKLES:
        (folder / name).write_bytes(pickle.dumps(Bomb(mark)))
    (folder / "chat_template.jinja").write_text(TEMPLATE % mark)
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "tool.jinja").write_text(TEMPLATE % mark)
    change(folder / "tokenizer_config.json", chat_template=TEMPLATE % mark)
    return folder


def is_used(folder: Path) -> bool:
    """Whether the model can be used; everything that a run does with it is done."""
    try:
        backbone = load_backbone(find_model(str(folder)), torch.device("cpu"), "fp32", True)
        TokenStore(keeps=False).tokens(backbone.tokenizer, ["word1 word2"])
    except UsageError:
        return False
    return True


def test_a_mine_goes_off_when_somebody_steps_on_it(mined: Path, mark: Path) -> None:
    pickle.loads((mined / "pytorch_model.bin").read_bytes())
    assert mark.exists()


def test_a_family_that_transformers_has_is_used_and_nothing_runs(mined: Path, mark: Path) -> None:
    assert is_used(mined)
    assert not mark.exists()


@pytest.mark.parametrize(
    "config",
    [
        {"auto_map": OWN}, {"auto_map": OWN, "model_type": "homemade"}, {"auto_map": "own.Config"}, {"auto_map": [OWN]},
        {"auto_map": {"AutoConfig": "somebody/else--own.Config"}, "model_type": "homemade"},
        {"auto_map": {"AutoConfig": "../mined/own.Config"}, "model_type": "homemade"},
        {"trust_remote_code": True, "auto_map": OWN, "model_type": "homemade"},
        {"attn_implementation": "own/kernel", "_attn_implementation": "own/kernel"},
        {"transformers_weights": "pytorch_model.bin"}, {"custom_pipelines": {"x": {"impl": "own.Model"}}},
        {"quantization_config": {"quant_method": "own", "modules": "own.Model"}, "auto_map": OWN},
        {"quantization_config": {"quant_method": "torchao", "quant_type": {"default": {"_type": "os.system"}}}},
        {"tokenizer_class": "own.Tokens"}, {"architectures": ["own.Model"]}, {"use_kernels": True},
        {"text_config": {"model_type": "homemade", "auto_map": OWN}}, {"is_encoder_decoder": True, "auto_map": OWN},
    ],
)  # fmt: skip
def test_no_config_has_anything_run(mined: Path, mark: Path, config: dict) -> None:
    change(mined / "config.json", **config)
    is_used(mined)
    assert not mark.exists()


@pytest.mark.parametrize(
    "settings",
    [
        {"tokenizer_class": "Tokens"}, {"tokenizer_class": "TransfoXLTokenizer"}, {"tokenizer_class": "own.Tokens"},
        {"auto_map": ["own.Tokens", "own.Tokens"]}, {"auto_map": {"AutoTokenizer": "somebody/else--own.Tokens"}},
        {"tokenizer_file": "vocab.pkl", "vocab_file": "vocab.pkl"}, {"backend": "own.Tokens"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("with_json", [True, False])
def test_no_tokenizers_setting_has_anything_run(mined: Path, mark: Path, settings: dict, with_json: bool) -> None:
    change(mined / "tokenizer_config.json", **settings)
    if not with_json:
        (mined / "tokenizer.json").unlink()
        (mined / "vocab.txt").write_text("a\nb\n")
    is_used(mined)
    assert not mark.exists()


@pytest.mark.parametrize("part", ["model", "normalizer", "pre_tokenizer", "post_processor", "decoder"])
@pytest.mark.parametrize("kind", [{"type": "Custom"}, {"type": "own.Tokens"}, {"type": "Python", "module": "own"}, 7])
def test_no_type_of_a_tokenizer_has_anything_run(mined: Path, mark: Path, part: str, kind: object) -> None:
    change(mined / "tokenizer.json", **{part: kind})
    is_used(mined)
    assert not mark.exists()


@pytest.mark.parametrize("names", ["pytorch_model.bin", "../mined/pytorch_model.bin", "own.py", "/etc/passwd"])
def test_weights_that_are_pickles_are_not_loaded(mined: Path, mark: Path, names: str) -> None:
    shutil.copy(mined / "pytorch_model.bin", mined / "other.safetensors")
    (mined / "model.safetensors").unlink()
    assert not is_used(mined)
    index = {"metadata": {}, "weight_map": {"bert.embeddings.word_embeddings.weight": names}}
    (mined / "model.safetensors.index.json").write_text(json.dumps(index))
    assert not is_used(mined)
    shutil.copy(mined / "pytorch_model.bin", mined / "model.safetensors")
    assert not is_used(mined)
    assert not mark.exists()
