"""Models of two families: a line of each for every method, in one figure."""

from __future__ import annotations

from typing import Any

from bench.report.figures.captioned import captioned_figures
from bench.report.files import collect

FAMILIES = {"small": "encoders", "medium": "encoders", "large": "decoders"}


def test_a_line_is_a_method_on_a_family(cell: Any, record: Any, store: Any) -> None:
    records = [record(cell(model=model, method=method), 60.0) for model in FAMILIES for method in ("finetune", "ptv2")]
    report = collect([store(records).path], {})
    (main, *_) = captioned_figures(report, family_named=lambda model: FAMILIES[model])
    methods, dashes = main.keys[:2], main.keys[2:]
    assert [(key.text, key.kind) for key in methods] == [("finetune", "point"), ("ptv2", "point")]
    assert [(key.text, key.kind) for key in dashes] == [("decoders", "stroke"), ("encoders", "stroke")]
    assert len({str(key.style.dash) for key in dashes}) == 2
    assert "on one family of models" in main.notes[0]


def test_one_family_and_models_of_none_are_one_line(cell: Any, record: Any, store: Any) -> None:
    report = collect([store([record(cell(model=model), 60.0) for model in FAMILIES]).path], {})
    (main, *_) = captioned_figures(report, family_named=lambda model: "encoders" if model == "small" else "")
    assert [(key.text, key.kind) for key in main.keys] == [("ptv2", "line")]
