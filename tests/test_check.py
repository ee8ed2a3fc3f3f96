"""`bench check`: what keeps the rules passes, and each rule finds what breaks it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import registry
from bench.check import methods as rules
from bench.check.conformance import Ground, check_method, check_task
from bench.check.environment import environment
from bench.check.finding import Broken, Finding, Skipped, attempt
from bench.check.folders import data_folder
from bench.check.models import check_models
from bench.check.rig import Rig
from bench.errors import UsageError
from bench.registry import find_suite
from bench.task import Source, Suite, Task
from tests.conftest import Bench, Workshop, write_superglue

METHOD = '''
import torch
from torch import nn
from bench import Attachment, Method, Prompts, Slots, method

class Broken(Attachment):
    def __init__(self, width):
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(4, width))
        {init}

    {make}

@method("broken")
class BrokenMethod(Method):
    """Breaks a rule."""

    learning_rate: float = 1e-2
    {body}

    def slots(self):
        return Slots(4)

    def attach(self, backbone, task):
        {attach}
        return Broken(backbone.geometry.embedding)
'''
GOOD = {
    "init": "", "make": "def make(self):\n        return Prompts(slots=self.vectors)",
    "body": "space = {'learning_rate': (1e-2, 1e-1)}", "attach": "",
}  # fmt: skip


@pytest.fixture
def plugin(bench: Bench) -> Iterator[type[Path]]:
    """Load a plugin with a method that is right but for what is given."""

    def load(**changes: str) -> None:
        Path("broken.py").write_text(METHOD.format(**{**GOOD, **changes}))
        registry.load_plugin(Path("broken.py"))

    return load  # type: ignore[return-value]


def findings(rig: Rig, head: str = "linear") -> dict[str, Finding]:
    return {rule.__name__: attempt("broken", "", lambda: rule(rig, "broken", "rte", head)) for rule in rules.CHECKS}  # noqa: B023


def failed(found: dict[str, Finding]) -> dict[str, str]:
    return {name: finding.note for name, finding in found.items() if finding.status == "failed"}


def test_a_method_that_is_right_keeps_every_rule(plugin, workshop: Workshop) -> None:
    plugin()
    assert rules.settings_are_possible("broken") == ""
    for head in ("linear", "verbalizer"):
        assert {finding.status for finding in findings(workshop.rig(), head).values()} == {"passed"}


@pytest.mark.parametrize(
    ("changes", "rule", "words"),
    [
        ({"init": "self.unused = nn.Parameter(torch.zeros(3))"}, "trains_what_it_should",
         "failed: attachment.unused should train but had no gradient in the first 3 steps"),
        ({"attach": "self_ = backbone.embeddings.weight; self_.requires_grad_(True)\n"
                    "        hook = backbone.encoder.register_forward_hook(\n"
                    "            lambda m, i, o: (self_.data.mul_(1.0001), None)[1])"}, "trains_what_it_should",
         "backbone.bert.embeddings.word_embeddings.weight should stay frozen but has moved"),
        ({"make": "def make(self):\n        return Prompts(slots=self.vectors + torch.randn(4, 1))"},
         "repeats_to_the_bit", "a second run of the same cell: other bits in slots"),
        ({"init": "self.scale = nn.Parameter(torch.ones(1))",
          "make": "def make(self):\n        return Prompts(slots=self.vectors * self.scale)\n\n"
                  "    def stored(self):\n        return {'slots': self.vectors.detach().clone()}"},
         "is_stored_whole", "a fresh model with what was stored scores otherwise"),
        ({"make": "def make(self):\n        return Prompts(slots=self.vectors)\n\n"
                  "    def restore(self, tensors):\n        self.vectors.data = tensors['prompt']"},
         "is_stored_whole", "'prompt' is not stored, and restore() asks for it"),
        ({"body": "def unfit(self, task, model):\n        return task.nosuch"}, "refuses_with_a_reason",
         "AttributeError"),
        ({"body": "def unfit(self, task, model):\n        return ''"}, "refuses_with_a_reason",
         "unfit() must give a reason or None, found ''"),
        ({"make": "def make(self):\n        return Prompts(slots=self.vectors[:3])"}, "trains_what_it_should",
         "attaches 3 slot vectors, but the encoder lays 4 slots"),
    ],
    ids=["no gradient", "moves the model", "random prompts", "stores too little", "restores something else",
         "unfit raises", "no reason", "too few vectors"],
)  # fmt: skip
def test_each_rule_finds_what_breaks_it(
    plugin, workshop: Workshop, changes: dict[str, str], rule: str, words: str
) -> None:
    plugin(**changes)
    assert words in failed(findings(workshop.rig()))[rule]


NEIGHBOUR = """
    seen = []

    def make(self):
        Broken.seen.append(id(self))
        return Prompts(slots=self.vectors * (1.0 + 1e-3 * (len(set(Broken.seen[-2:])) > 1)))
"""


def test_a_method_whose_numbers_depend_on_a_neighbour_is_found(plugin, workshop: Workshop) -> None:
    plugin(make=NEIGHBOUR.strip())
    assert "beside another cell: other bits in" in failed(findings(workshop.rig()))["is_the_same_in_company"]


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ("{'learning_rate': (1e-1, 1e-2)}", "space['learning_rate'] must begin with the default 0.01"),
        ("{'lengths': (1, 2)}", "space has 'lengths', which is no setting"),
        ("{'learning_rate': (1e-2, -1.0)}", "broken.learning_rate=-1.0 is not possible"),
    ],
)
def test_a_space_that_is_not_possible_is_found(plugin, space: str, words: str) -> None:
    plugin(body=f"space = {space}")
    with pytest.raises((Broken, UsageError)) as refused:
        rules.settings_are_possible("broken")
    assert words in str(refused.value)


def test_a_head_with_nothing_to_train_is_skipped_not_failed(plugin, workshop: Workshop) -> None:
    plugin(init="del self.vectors", make="def make(self):\n        return Prompts()", attach="return Attachment()")
    Path("broken.py").write_text(
        'from bench import Attachment, Method, method\n\n@method("broken2")\nclass Nothing(Method):\n    "Nothing."\n\n'
        "    def attach(self, backbone, task):\n        return Attachment()\n"
    )
    registry.load_plugin(Path("broken.py"))
    rig = workshop.rig()
    rules.trains_what_it_should(rig, "broken2", "rte", "linear")
    with pytest.raises(Skipped, match="method 'broken2' has nothing to train with a verbalizer head"):
        rules.trains_what_it_should(rig, "broken2", "rte", "verbalizer")


def task(**changes: object) -> Task:
    fields = {
        "name": "mails", "kind": "classification", "source": Source(local=("mails/{split}.jsonl",)), "plain": "{text}",
        "classes": ("a", "b"), "metrics": ("accuracy",), **changes,
    }  # fmt: skip
    return Task(**fields)  # type: ignore[arg-type]


def checked(declared: Task, workshop: Workshop, data: Path | None = None) -> dict[str, Finding]:
    suite = Suite(name="mails", tasks=(declared,), methods=("finetune",))
    ground = Ground("smoke", str(workshop.model))
    return {finding.check: finding for finding in check_task(declared, suite, ground, data)}


def test_a_task_that_is_right_keeps_every_rule_on_made_up_rows(workshop: Workshop) -> None:
    found = checked(task(pattern="{text} [P] [MASK]", words={"a": "zebra", "b": "great"}), workshop)
    assert {finding.status for finding in found.values()} == {"told", "passed"}
    assert "made up from the declaration" in found["rows"].note
    assert "others in their place: zebra" in found["rows"].note
    assert "trains with finetune" in found


def test_a_task_whose_rows_are_of_their_own_layout_wants_data(workshop: Workshop) -> None:
    found = checked(task(rows=lambda row: [row]), workshop)
    assert {finding.status for finding in found.values()} == {"skipped"}
    assert "give --data" in found["rows"].note


def test_a_task_with_one_label_has_nothing_to_learn(workshop: Workshop) -> None:
    rows = [{"text": f"word{number} word{number % 9}", "label": "a"} for number in range(30)]
    found = checked(task(source=Source(generate=lambda split: rows)), workshop)
    assert "the trivial answer scores 100.0 by accuracy: there is nothing to learn" in (
        found["wrong answers score less"].note
    )


def test_what_data_holds_is_counted_and_what_is_wrong_is_said(tmp_path: Path) -> None:
    data = write_superglue(tmp_path / "data")
    superglue = find_suite("superglue")
    found = list(data_folder(data, [superglue.task("rte"), superglue.task("cb"), find_suite("qa").tasks[0]]))
    assert [(finding.about, finding.check, finding.status) for finding in found if finding.status != "skipped"] == [
        ("data of rte", "train", "passed"), ("data of rte", "dev", "passed"), ("data of cb", "train", "passed"),
        ("data of cb", "dev", "passed"),
    ]  # fmt: skip
    assert found[0].note.startswith("40 examples")
    assert found[-1].note == "no file of its layout is there"
    (data / "RTE" / "val.jsonl").write_text(json.dumps({"premise": "x"}) + "\n")
    broken = [finding for finding in data_folder(data, [superglue.task("rte")]) if finding.status == "failed"]
    assert [(finding.check, "val.jsonl" in finding.note) for finding in broken] == [("dev", True)]


def test_a_cache_that_cannot_be_written_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TUNING_BENCH_CACHE", str(tmp_path / "file" / "cache"))
    (cache,) = (finding for finding in environment(tmp_path) if finding.about == "cache")
    assert (cache.status, "cannot be written" in cache.note) == ("failed", True)


def test_every_package_that_is_declared_has_its_version(tmp_path: Path) -> None:
    found = {finding.check: finding for finding in environment(tmp_path) if finding.about == "package"}
    if not found:
        pytest.skip("not installed")
    assert re.match(r"\d+\.\d+", found["torch"].note)


def test_models_say_what_they_can_do(tiny_bert: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    usable, found = check_models((str(tiny_bert), str(tiny_encoder), str(tmp_path), "tiny"))
    assert usable == [str(tiny_bert), str(tiny_encoder), find_suite("smoke").models[0]]
    assert [finding.status for finding in found] == ["passed", "passed", "failed", "passed"]
    assert "no lm_head" in found[1].note


def test_the_command_ends_with_1_where_a_rule_is_broken_and_with_2_where_a_name_is_unknown(bench: Bench) -> None:
    Path("broken.py").write_text(METHOD.format(**{**GOOD, "body": "def unfit(self, task, model):\n        return ''"}))
    code, out, _ = bench("check", "--plugin", "broken.py")
    assert code == 1
    assert re.search(r"^FAILED  method broken: sentiment .*: refuses with a reason: unfit\(\) must give", out, re.M)
    assert "unknown method 'ptv3'; did you mean 'ptv2'" in bench.refusal(*bench("check", "--methods", "ptv3"))
    assert "unknown suite 'superglu'" in bench.refusal(*bench("check", "--suite", "superglu"))


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--tasks", "rte"), "--tasks rte: of which suite? give --suite"),
        (("--data", "nowhere"), "--data nowhere: no such file or folder"),
        (("--suite", "superglue", "--tasks", "rtee"), "unknown task of suite 'superglue' 'rtee'; did you mean 'rte'"),
        (("--plugin", "none.py"), "--plugin none.py: no such file"),
    ],
)
def test_wrong_flags_of_the_command_are_one_line(bench: Bench, flags: tuple[str, ...], words: str) -> None:
    assert words in bench.refusal(*bench("check", *flags))


def test_a_built_in_method_is_checked_by_name(workshop: Workshop) -> None:
    ground = Ground("smoke", find_suite("smoke").models[0])
    first, second, *_ = check_method("ptv2", ground)
    assert (first.check, first.status) == ("settings", "passed")
    assert second == Finding(
        "method ptv2", "sentiment (classification), linear head", "passed",
        "refuses with a reason, trains what it should, repeats to the bit, is the same in company, is stored whole",
    )  # fmt: skip


def test_another_package_of_our_name_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described = tmp_path / "site" / "frappe_bench-5.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: frappe-bench\nVersion: 5\n")
    (described / "RECORD").write_text("bench/__init__.py,,\nfrappe_bench-5.dist-info/METADATA,,\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    (found,) = (finding for finding in environment(tmp_path) if finding.check == "frappe-bench")
    assert (found.status, "an environment of its own" in found.note) == ("told", True)
