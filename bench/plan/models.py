"""The models of a grid, with what they have shown of themselves. No torch here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from bench.cell import Cell, Skip
from bench.data.hub import COMMIT
from bench.errors import UnfitModel, UsageError, nearest
from bench.model.families.scales import SCALES, expand
from bench.model.proof import UNLOADED, Proof
from bench.model.source import ModelSource, find_model, on_hub, refusal
from bench.registry import suites
from bench.resolved import resolve


def chosen_models(names: tuple[str, ...], proofs: Mapping[str, Proof]) -> tuple[list[ModelSource], list[Skip]]:
    """The models named, each once, with their proofs, and those that cannot be loaded or used."""
    references = model_references(names)
    usable = [reference for reference, reason in references.items() if not reason]
    known, unfit = _found(sorted(usable, key=on_hub))  # folders first
    models = _told_apart([known[reference] for reference in usable if reference in known])
    skips = [Skip("every task", name, "every method", reason) for name, reason in references.items() if reason]
    skips += [Skip("every task", name, "every method", str(error), fault=True) for name, error in unfit.items()]
    proved = [replace(model, proof=proofs.get(model.fingerprint)) for model in models]
    refused = [(model, model.proof) for model in proved if model.proof and model.proof.refused]
    if len(references) == 1:  # nothing else is asked for
        for model, proof in refused:
            if proof.refused.startswith(UNLOADED):
                raise UnfitModel(refusal(model, proof))
    skips += [
        Skip("every task", model.name, "every method", refusal(model, proof), fault=proof.refused.startswith(UNLOADED))
        for model, proof in refused
    ]
    return [model for model in proved if not (model.proof and model.proof.refused)], skips


def _found(references: list[str]) -> tuple[dict[str, ModelSource], dict[str, UnfitModel]]:
    """The models that can be used as far as their files tell, and why others cannot. UsageError for a name that is
    nobody's, and where a single model was asked for.
    """
    known: dict[str, ModelSource] = {}
    unfit: dict[str, UnfitModel] = {}
    for reference in references:
        try:
            known[reference] = found_model(reference)
        except UnfitModel as error:
            if len(references) == 1:
                raise
            unfit[reference] = error
    return known, unfit


def model_references(names: tuple[str, ...]) -> dict[str, str]:
    """The models that names stand for, each with the reason why it cannot be loaded, or none.

    A folder that a suite brings may be called by its name, in any suite; a family stands for its members.
    """
    brought = brought_models()
    references: dict[str, str] = {}
    for name in names:
        members = expand(name)
        if members is None:
            references[brought.get(name, name)] = ""
        else:
            references.update({member.reference: member.remark for member in members})
    return references


def brought_models() -> dict[str, str]:
    """The folders of models that suites bring, by their names."""
    return {Path(path).name: path for suite in suites().values() for path in suite.models if Path(path).is_dir()}


def known_models() -> list[str]:
    """Every name of a model that needs no looking up: what suites bring and name, families, and their members."""
    named = [model for suite in suites().values() for model in suite.models if not Path(model).is_dir()]
    members = [member.reference.partition("@")[0] for family in SCALES.values() for member in family]
    return list(dict.fromkeys([*brought_models(), *named, *SCALES, *members]))


def found_model(reference: str) -> ModelSource:
    """A model; where there is none of that name, the error begins with the one that was meant, if one is close."""
    try:
        return find_model(reference)
    except UnfitModel:  # it is there
        raise
    except UsageError as error:
        name, rest = re.match(r"([^:@]*)(.*)", reference, re.DOTALL).groups()  # type: ignore[union-attr]
        known = known_models()
        near = nearest(name, known) if on_hub(reference) and name not in known else None
        if near is None:
            raise
        raise UsageError(f"--models {reference}: did you mean {near + rest!r}? {error}") from None


def _told_apart(models: list[ModelSource]) -> list[ModelSource]:
    """The models; two revisions of one have their names with the revision, a commit by how it begins."""
    commits: dict[str, set[str | None]] = {}
    for model in models:
        commits.setdefault(model.path, set()).add(model.revision)
    return [
        replace(model, name=f"{model.name}@{_short(model.asked or 'main')}") if len(commits[model.path]) > 1 else model
        for model in models
    ]


def _short(revision: str) -> str:
    return revision[:7] if COMMIT.fullmatch(revision) else revision


def layer_notes(models: list[ModelSource], cells: list[Cell]) -> Iterator[str]:
    """Where prefixes do not enter every layer."""
    for model in models:
        proof = model.proof
        if not proof or not proof.layers or len(proof.layers) == proof.num_layers:
            continue
        of_model = [cell for cell in cells if cell.model_fingerprint == model.fingerprint]
        if any("prefixes" in resolve(cell).method.needs for cell in of_model):
            layers = ", ".join(str(layer + 1) for layer in proof.layers)
            yield (
                f"model {model.name!r}: prefixes enter {len(proof.layers)} of its {proof.num_layers} layers "
                f"({layers}); the others have no attention that takes one"
            )


def unproved_notes(models: Iterable[ModelSource], proofs: Mapping[str, Proof]) -> Iterator[str]:
    """The models of which a plan cannot tell what they can do, since they are not here or do not fit."""
    for model in dict.fromkeys(models):
        if model.fingerprint not in proofs:
            yield (
                f"model {model.name!r} has not proved itself yet: it is examined when it is loaded, and what it cannot "
                "do is skipped then"
            )
