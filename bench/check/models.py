"""Models: what each shows of itself, and so which methods can have it."""

from __future__ import annotations

from bench.check.finding import Finding
from bench.errors import UsageError
from bench.model.proof import Proof
from bench.model.source import ModelSource, refusal
from bench.plan.models import found_model, model_references


def check_models(names: tuple[str, ...]) -> tuple[list[str], list[Finding]]:
    """The places of the models that can be used, and a finding for each name or member of a family.

    One that is not here yet is fetched, as a run would do.
    """
    usable, findings = [], []
    for reference, remark in model_references(names).items():
        finding = Finding(f"model {reference}", "can be loaded", "skipped", remark) if remark else _proved(reference)
        findings.append(finding)
        if finding.status == "passed":
            usable.append(reference)
    return usable, findings


def _proved(reference: str) -> Finding:
    try:
        model = found_model(reference)
        proof = _proof(model)
    except UsageError as error:
        return Finding(f"model {reference}", "proves itself", "failed", str(error))
    if proof.refused:
        return Finding(f"model {model.name}", "proves itself", "failed", refusal(model, proof))
    return Finding(f"model {model.name}", "proves itself", "passed", _limits(proof))


def _proof(model: ModelSource) -> Proof:
    from bench.model.device import choose_device
    from bench.model.proofs import prove

    return prove(model, choose_device("auto"))


def _limits(proof: Proof) -> str:
    """What it can do, and the reasons for what it cannot."""
    ways = {"interface": "our attention", "written": "our attention, written for it", "own": "its own attention"}
    layers = (
        "every layer" if len(proof.layers) == proof.num_layers else f"{len(proof.layers)} of {proof.num_layers} layers"
    )
    takes = f"prefixes in {layers}" if proof.layers else "no prefixes"
    return "; ".join([ways[proof.attention], takes, *(f"no {need}: {why}" for need, why in proof.fails.items())])
