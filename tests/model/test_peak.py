"""The device's peak: the best of some matrix products, in a clock of our own."""

from __future__ import annotations

import pytest
import torch

from bench.model import peak
from bench.model.peak import SIZES, peak_flops

CPU = torch.device("cpu")


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch):
    """Products of each size run at so many operations a second, or not at all where it is 0; returns sizes tried."""

    def make(by_size: dict[int, float]) -> list[int]:
        tried: list[int] = []

        def seconds(left, right, product, number):
            size = left.shape[0]
            tried.append(size)
            if not by_size[size]:
                raise RuntimeError("CUBLAS_STATUS_ALLOC_FAILED")
            return number * 2 * size**3 / by_size[size]

        monkeypatch.setattr(peak, "_seconds", seconds)
        return tried

    return make


def measured() -> float:
    return peak_flops.__wrapped__(CPU, "fp32")


def test_the_best_rate_of_all_sizes_is_the_peak(rates) -> None:
    rates({128: 1e12, 256: 3e12, 512: 2e12, 1024: 2.5e12})
    assert measured() == pytest.approx(3e12)


def test_no_size_is_begun_that_would_take_too_long(rates) -> None:
    """Of a processor with 0.25 GFLOP/s, as bf16 without hardware has."""
    tried = rates(dict.fromkeys(SIZES["cpu"], 0.25e9))
    assert measured() == pytest.approx(0.25e9)
    assert set(tried) == {128}


def test_what_does_not_fit_the_memory_is_passed_over(rates) -> None:
    rates({128: 1e12, 256: 2e12, 512: 0, 1024: 0})
    assert measured() == pytest.approx(2e12)
    rates(dict.fromkeys(SIZES["cpu"], 0))
    assert measured() == 0.0


def test_it_is_measured_once_and_draws_nothing_from_torch_s_generator() -> None:
    before = torch.get_rng_state()
    first = peak_flops(CPU, "fp32")
    assert first > 0
    assert peak_flops(torch.device("cpu"), "fp32") == first
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_gpu_s_peak_is_that_of_a_gpu(precision) -> None:
    assert 1e12 < peak_flops(torch.device("cuda"), precision) < 1e16
