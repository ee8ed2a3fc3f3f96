"""What a model has shown decides what a plan has, before anything trains."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.model import attention, proof
from bench.model.proving import TOLERANCE


@pytest.fixture(autouse=True)
def _anew(nothing_is_known):
    """Every proof is made here."""


def test_the_plan_skips_what_a_fallen_back_model_cannot_do_and_leaves_out_what_is_refused(bench, animals, tiny_bert):
    """Beside a model that is fine, neither ends the grid."""
    models = f"{animals('squeezebert')},{animals('fnet')},{tiny_bert}"
    for flags in (("--plan",), ()):
        code, out, _ = bench.run("--models", models, "--methods", "ptv2,finetune,prompt_tuning,mpt2", *flags,
                                 "--set", "prompt_tuning.length=3", "--set", "mpt2.tasks=rte,cb")  # fmt: skip
        said = " ".join(out.split())
        assert code == 0, said
        reason = "model 'squeezebert' takes no prefixes: its family has no attention that a program can put them into"
        assert f"skipped: ptv2 on rte with squeezebert: {reason}" in said
        assert said.count(f"on rte with squeezebert: {reason}") == 2  # mpt2 as well
        assert (
            f"skipped: every method on every task with fnet: model {animals('fnet')} cannot be used: padding changes"
        ) in said
        assert "6 cells: " in said
        assert attention.NAME not in said
    assert "6 cells written" in said


def test_the_only_model_that_is_refused_is_an_error_of_one_line(bench, animals):
    said = bench.refuses("--models", animals("fnet"), "--plan")
    assert said.startswith(f"error: nothing can be run: model {animals('fnet')} cannot be used: padding changes")
    assert not Path("out").exists()


def test_a_record_says_what_its_model_has_shown(bench, tmp_path):
    bench.run("--save-tuned")
    (path,) = Path("out").glob("cells/*/record.json")
    shown = json.loads(path.read_text())["provenance"]["proof"]
    assert (shown["attention"], shown["direction"], shown["fails"], shown["layers"]) == (
        "interface",
        "both",
        {},
        [0, 1],
    )
    assert shown["seconds"] > 0
    assert shown["differences"]["padding"] < TOLERANCE


def test_a_plan_fetches_no_model_and_says_that_it_has_not_seen_it(bench, monkeypatch):
    monkeypatch.setattr("bench.model.proofs.is_fetched", lambda model: False)
    monkeypatch.setattr("bench.model.proofs.prove", lambda *given: pytest.fail("it was loaded"))
    code, out, _ = bench.run("--plan")
    assert code == 0
    assert "model 'tiny-bert' has not proved itself yet: it is examined when it is loaded" in " ".join(out.split())


def test_a_model_that_does_not_fit_is_refused_before_it_is_examined(bench, monkeypatch):
    for room in ("model.proofs", "train.memory"):
        monkeypatch.setattr(f"bench.{room}.available_bytes", lambda device: 1000)
    monkeypatch.setattr("bench.model.proofs.prove", lambda *given: pytest.fail("it was loaded"))
    assert "with ptv2 in fp32 needs about" in bench.refuses()
    assert bench.run("--plan")[0] == 0


def test_a_grid_that_is_done_examines_nothing(bench, monkeypatch):
    assert bench.run()[0] == 0
    monkeypatch.setattr(proof, "_MADE", {})
    monkeypatch.setattr("bench.model.proofs.prove", lambda *given: pytest.fail("it was loaded"))
    monkeypatch.setattr("bench.model.proofs.known_proof", lambda *given: pytest.fail("it was looked for"))
    assert bench.run()[0] == 0
