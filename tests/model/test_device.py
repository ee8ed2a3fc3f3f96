"""Which device and precision a request comes to on this machine. Names are checked where a request is made."""

from __future__ import annotations

import pytest
import torch

from bench.errors import UsageError
from bench.model import device as devices
from bench.model.device import choose_device, choose_precision, has_bf16, precision_notes

CPU = torch.device("cpu")


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch):
    def make(number: int) -> None:
        monkeypatch.setattr("torch.cuda.is_available", lambda: number > 0)
        monkeypatch.setattr("torch.cuda.device_count", lambda: number)

    return make


@pytest.mark.parametrize(
    ("number", "name", "device"),
    [(0, "auto", "cpu"), (2, "auto", "cuda"), (2, "cpu", "cpu"), (2, "cuda", "cuda"), (2, "cuda:1", "cuda:1")],
)
def test_the_device_asked_for_is_taken_where_it_is_there(gpus, number: int, name: str, device: str) -> None:
    gpus(number)
    assert choose_device(name) == torch.device(device)


@pytest.mark.parametrize(
    ("number", "name", "message"),
    [
        (0, "cuda", "--device cuda: torch sees no GPU here; use --device cpu"),
        (0, "cuda:1", "--device cuda:1: torch sees no GPU here; use --device cpu"),
        (2, "cuda:2", "--device cuda:2: the GPUs that torch sees here are 0 to 1"),
    ],
)
def test_a_device_that_is_not_there_is_refused(gpus, number: int, name: str, message: str) -> None:
    gpus(number)
    with pytest.raises(UsageError) as refused:
        choose_device(name)
    assert str(refused.value) == message


@pytest.mark.parametrize("has_bf16", [True, False])
def test_auto_is_bf16_where_the_processor_has_it(monkeypatch: pytest.MonkeyPatch, has_bf16: bool) -> None:
    monkeypatch.setattr("bench.model.device.has_bf16", lambda device: has_bf16)
    chosen = [choose_precision(name, torch.device("cpu")) for name in ("auto", "bf16", "fp32")]
    assert chosen == ["bf16" if has_bf16 else "fp32", "bf16", "fp32"]


@pytest.mark.parametrize(
    ("flags", "answer"),
    [
        ("flags\t\t: fpu sse2 avx2 avx512_bf16 sha_ni", True),
        ("flags\t\t: fpu amx_bf16 amx_tile", True),
        ("flags\t\t: fpu sse2 avx2 avx512f", False),
        ("Features\t: fp asimd i8mm bf16", True),
        ("Features\t: fp asimd ebf16x", False),
        ("processor\t: 0", False),
        (None, False),
    ],
)
def test_bf16_is_in_a_processor_where_linux_lists_it(monkeypatch, tmp_path, flags: str | None, answer: bool) -> None:
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(f"torch.cpu.{name}", lambda: False)
    cpuinfo = tmp_path / "cpuinfo"
    if flags is not None:
        cpuinfo.write_text(f"processor\t: 0\n{flags}\n\nprocessor\t: 1\n{flags}\n")
    monkeypatch.setattr(devices, "CPUINFO", cpuinfo)
    assert has_bf16(CPU) is answer


@pytest.mark.parametrize("name", ["_is_avx512_bf16_supported", "_is_amx_tile_supported"])
def test_bf16_is_in_a_processor_where_torch_sees_it(monkeypatch, tmp_path, name: str) -> None:
    monkeypatch.setattr(devices, "CPUINFO", tmp_path / "none")
    monkeypatch.setattr(f"torch.cpu.{name}", lambda: True)
    assert has_bf16(CPU)


def test_bf16_without_hardware_is_said_and_nothing_else_is(monkeypatch) -> None:
    monkeypatch.setattr(devices, "has_bf16", lambda device: False)
    (note,) = precision_notes("bf16", CPU)
    assert "about 350 times slower than fp32" in note
    assert list(precision_notes("fp32", CPU)) == []
    monkeypatch.setattr(devices, "has_bf16", lambda device: True)
    assert list(precision_notes("bf16", CPU)) == []
