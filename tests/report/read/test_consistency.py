"""What cells side by side are not alike in: every package that a score goes through, and nothing that is not known."""

from __future__ import annotations

from typing import Any

import pytest

from bench.report.read.consistency import differences
from bench.report.read.outcomes import outcomes
from bench.store.provenance import PACKAGES, provenance

GOES_THROUGH: dict[str, dict[str, Any]] = {"peft": {"method": "lora"}, "bitsandbytes": {"precision": "nf4"}}


@pytest.fixture
def warned(cell: Any, record: Any, store: Any) -> Any:
    """The warnings about finished cells with these provenances, a seed each."""

    def of(*provenances: dict[str, Any], **changes: Any) -> list[str]:
        records = [
            record(cell(seed=seed, **changes), 60.0).model_copy(update={"provenance": found})
            for seed, found in enumerate(provenances)
        ]
        return differences(outcomes([store(records)]))

    return of


@pytest.mark.parametrize("package", PACKAGES)
def test_two_versions_of_a_package_are_named(package: str, warned: Any) -> None:
    found = [{"packages": {package: version}} for version in ("1.0", "2.0", "2.0")]
    assert warned(*found, **GOES_THROUGH.get(package, {})) == [
        f"version of {package} differs between cells: 1.0 (1), 2.0 (2)"
    ]


@pytest.mark.parametrize("package", GOES_THROUGH)
def test_cells_that_do_not_go_through_a_package_do_not_differ_in_it(package: str, warned: Any) -> None:
    assert warned(*({"packages": {package: version}} for version in ("1.0", "2.0"))) == []


def test_what_a_method_that_nobody_knows_goes_through_is_not_known(warned: Any) -> None:
    found = [{"packages": {"peft": version, "bitsandbytes": version}} for version in ("1.0", "2.0")]
    assert warned(*found, method="of_somebody") == ["version of peft differs between cells: 1.0 (1), 2.0 (1)"]


def test_records_from_before_a_package_was_recorded_and_those_without_it_differ_from_none(warned: Any) -> None:
    assert warned({"packages": {}}, {"packages": {"peft": None}}, {"packages": {"peft": "0.19.0"}}, {}) == []


def test_a_record_names_every_package_that_the_warning_knows() -> None:
    assert set(provenance("cpu")["packages"]) == set(PACKAGES)
    assert {"peft", "scipy", "tokenizers"} <= set(PACKAGES)


def test_cells_without_a_score_are_not_compared(cell: Any, record: Any, store: Any) -> None:
    failed = record(cell(seed=1), status="failed", reason="x").model_copy(update={"provenance": {"device": "cuda"}})
    done = record(cell(), 60.0).model_copy(update={"provenance": {"device": "cpu"}})
    assert differences(outcomes([store([done, failed])])) == []
