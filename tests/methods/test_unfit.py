"""What cannot be measured is a skipped cell with its reason in the plan, for every method, head, kind and model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.cell import Plan
from bench.errors import CannotShare, UsageError
from bench.model.backbone import Backbone
from bench.model.loading import load_backbone
from bench.model.source import find_model
from bench.plan.cells import plan
from bench.registry import build, find_method, find_suite, methods
from bench.request import RunRequest
from bench.resolved import resolve
from bench.train.lane import Lane
from bench.train.prepare import prepare
from bench.train.run_data import RunData
from tests.conftest import write_superglue
from tests.model.families import DECODER_LIKE, DECODER_SIZES, FAMILIES, HEADS, HIDDEN, LAYERS, POSITIONS, _family
from tests.suites.layouts import LAYOUTS

KINDS = {"rte": "classification", "copa": "choice", "conll04": "tagging", "squad1": "span"}
BARE_GPT2 = {
    "vocab_size": DECODER_SIZES["vocab_size"], "n_embd": HIDDEN, "n_layer": LAYERS, "n_head": HEADS,
    "n_positions": POSITIONS, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3,
}  # fmt: skip
MODELS = ("tiny-bert", "tiny-encoder", "gpt2", "bare-gpt2")  # the second and the last have no language-model head
SHORT = {
    "prompt_tuning": {"length": 3}, "ptuning_v1": {"length": 3}, "ptv2": {"length": 3}, "prefix_tuning": {"length": 3},
    "mpt2": {"length": 3, "tasks": "rte,sst2,copa,record,conll03,conll04,squad1,squad2"},
}  # fmt: skip


@pytest.fixture(scope="session")
def folders(tiny_bert, tiny_encoder, tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("unfit")
    bare = _family("GPT2Model", "GPT2Config", DECODER_LIKE, mask=False, **BARE_GPT2)
    return {
        "tiny-bert": tiny_bert, "tiny-encoder": tiny_encoder,
        "gpt2": FAMILIES["gpt2"](root / "gpt2"), "bare-gpt2": bare(root / "bare-gpt2"),
    }  # fmt: skip


@pytest.fixture(scope="session")
def every_kind(tmp_path_factory) -> Path:
    folder = write_superglue(tmp_path_factory.mktemp("every-kind"))
    for name in ("sst2", "conll03", "conll04", "squad1", "squad2"):
        LAYOUTS[name](folder)
    return folder


def planned(model: Path, data: Path, *names: str, tasks=tuple(KINDS), head: str | None = None, **settings) -> Plan:
    given = {name: {**SHORT.get(name, {}), **({"head": head} if head else {}), **settings} for name in names}
    return plan(
        RunRequest(suite="universal", tasks=tasks, methods=names, models=(str(model),), seeds=(0,), data=data,
                   set=given, steps=2, batch_size=2, max_length=40, train_rows=20, scored_rows=4),
        "fp32",
    )  # fmt: skip


def outcome(model, data, method, head) -> dict[str, str]:
    """By task, "runs", or the reason of the skip; UsageError only where nothing at all can run."""
    found = {}
    for task in KINDS:
        try:
            (cell,) = planned(model, data, method, tasks=(task,), head=head).cells
        except UsageError as error:
            found[task] = str(error).removeprefix("nothing can be run: ")
        else:
            found[task] = f"runs with the {cell.settings['head']} head"
    return found


def expected(method: str, head: str | None, task: str, model: str) -> str:
    """What the issue and the methods' own descriptions say, worked out anew."""
    asked = head or find_method(method)().head
    cloze = KINDS[task] in ("classification", "choice")
    has_words = model in ("tiny-bert", "gpt2")
    if method == "prompting" and not cloze:
        return f"prompting scores words in a cloze form, and task {task!r} has none"
    if method == "prompting" and asked == "linear":
        return "prompting trains nothing, so that a linear head would stay as it was drawn"
    if method == "linear_probe" and asked == "verbalizer":
        return "linear_probe trains a linear head only: with head=verbalizer there is nothing to train"
    if method == "autoprompt" and not cloze:
        return f"autoprompt searches words for a cloze form, and task {task!r} has none"
    if method == "autoprompt" and asked == "linear":
        return "autoprompt trains nothing but words, so that a linear head would stay as it was drawn"
    if asked == "verbalizer" and not cloze:
        if head is None:  # nobody asked for it by name
            return "runs with the linear head"
        return f"task {task!r} has no cloze form for a verbalizer head"
    if asked == "verbalizer" and not has_words:
        return f"model {model!r} has no language-model head for a verbalizer"
    return f"runs with the {asked} head"


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("head", [None, "linear", "verbalizer"])
@pytest.mark.parametrize("method", list(methods()))
def test_a_method_runs_or_is_skipped_with_its_reason(method, head, model, folders, every_kind):
    wanted = {task: expected(method, head, task, model) for task in KINDS}
    assert outcome(folders[model], every_kind, method, head) == wanted


@pytest.fixture(scope="module")
def data() -> RunData:
    """Each task read and encoded once for all methods."""
    return RunData()


@pytest.fixture(scope="module")
def frozen(folders) -> dict[str, Backbone]:
    """What all lanes share that can."""
    return {name: backbone_of(folder, shared=True) for name, folder in folders.items()}


def backbone_of(folder, shared):
    return load_backbone(find_model(str(folder)), torch.device("cpu"), "fp32", shared)


def built(resolved, data, backbone):
    return Lane.alone(resolved, backbone, data.of(resolved, backbone))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("method", list(methods()))
def test_what_is_planned_can_be_built(method, model, folders, every_kind, data, frozen):
    """A lane of every cell that a plan has: data, attachment, head and optimizer, all but the training."""
    cells = []
    for head in ("linear", "verbalizer"):
        try:
            cells += planned(folders[model], every_kind, method, head=head).cells
        except UsageError as error:
            assert str(error).startswith("nothing can be run: ")  # noqa: PT017  each reason is tested above
    all_resolved = [resolve(cell) for cell in cells]
    prepare(all_resolved, data)
    for resolved in all_resolved:
        try:
            own = resolved.method.changes_weights
            lane = built(resolved, data, backbone_of(folders[model], shared=False) if own else frozen[model])
        except CannotShare:
            lane = built(resolved, data, backbone_of(folders[model], shared=False))
        assert bool(lane.training_tensors()) is resolved.method.trains


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("lora", {"targets": "no_such, nowhere"}), ("ia3", {"targets": "no_such,nowhere"}),
        ("adalora", {"targets": "no_such,nowhere"}), ("peft", {"config": "LOHA:target_modules=no_such+nowhere"}),
    ],
)  # fmt: skip
def test_targets_that_the_model_has_not_are_a_skip(method, settings, folders, every_kind):
    found = planned(folders["tiny-bert"], every_kind, method, "ptv2", tasks=("rte",), **{})
    assert found.skips == ()
    with pytest.raises(
        UsageError, match="model 'tiny-bert' has no module named no_such or nowhere to put an adapter in"
    ):
        planned(folders["tiny-bert"], every_kind, method, tasks=("rte",), **settings)


@pytest.mark.parametrize("settings", [{"targets": "query,no_such"}, {"targets": "attention.self.value"}])
def test_targets_some_of_which_the_model_has_are_planned(settings, folders, every_kind):
    (cell,) = planned(folders["tiny-bert"], every_kind, "lora", tasks=("rte",), **settings).cells
    backbone = load_backbone(find_model(cell.model_path), torch.device("cpu"), "fp32", False)
    assert build(find_method("lora"), cell.settings).attach(backbone, find_suite("universal").task("rte")).weights()


@pytest.mark.parametrize(
    ("config", "reason"),
    [("LORRA:r=2", "has no type 'LORRA'"), ("LORA:rank=2", "rank"), ("ADALORA:tinit=-1,orth_reg=2", "orth_reg")],
)
def test_a_config_that_peft_does_not_know_is_refused_before_anything_runs(config, reason, folders, every_kind):
    found = planned(folders["tiny-bert"], every_kind, "peft", tasks=("rte",), config=config)
    with pytest.raises(UsageError, match=reason):
        prepare([resolve(cell) for cell in found.cells], RunData())


def test_a_prompt_that_begins_with_classes_needs_some(folders, every_kind):
    found = planned(folders["tiny-bert"], every_kind, "prompt_tuning", tasks=("rte", "copa"), init="classes")
    assert [cell.task for cell in found.cells] == ["rte"]
    assert [skip.reason for skip in found.skips] == ["prompt_tuning.init=classes, but task 'copa' has no classes"]
