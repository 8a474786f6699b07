"""What the device settings promise: bf16 only where it is computed, threads as asked, memory kept."""

import subprocess
import sys

import pytest
import torch

from srlab.errors import UserError
from srlab.training.device import (
    autocast,
    default_threads,
    resolve_precision,
    to_device,
    tune_allocator,
    use_threads,
)

CPU, CUDA, MPS = (torch.device(kind) for kind in ("cpu", "cuda", "mps"))


@pytest.mark.parametrize(
    ("capabilities", "precision"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, "bf16"),
        ({"avx512_bf16": False, "amx_bf16": True}, "bf16"),
        ({"avx512_bf16": False, "amx_bf16": False, "avx512_f": True}, "fp32"),
        ({}, "fp32"),
    ],
)
def test_auto_is_bf16_on_cpus_that_compute_in_it_and_fp32_on_others(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], precision: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert resolve_precision("auto", CPU) == precision


@pytest.mark.parametrize(("is_supported", "precision"), [(True, "bf16"), (False, "fp16")])
def test_auto_on_a_gpu_is_bf16_or_else_fp16(
    monkeypatch: pytest.MonkeyPatch, is_supported: bool, precision: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: is_supported)
    assert resolve_precision("auto", CUDA) == precision


def test_what_is_asked_for_is_what_one_gets() -> None:
    for device in (CPU, CUDA):
        assert resolve_precision("fp32", device) == "fp32"
        assert resolve_precision("bf16", device) == "bf16"


def test_other_devices_compute_in_fp32_and_bf16_is_refused_there() -> None:
    assert resolve_precision("auto", MPS) == "fp32"
    with pytest.raises(UserError, match="on 'mps' use --precision fp32"):
        resolve_precision("bf16", MPS)


def test_convolutions_are_in_the_precision_of_the_context() -> None:
    convolution = torch.nn.Conv2d(1, 1, 1)
    kinds = []
    for precision in ("fp32", "bf16", "fp16"):
        with autocast(CPU, precision):
            kinds.append(convolution(torch.zeros(1, 1, 2, 2)).dtype)
    assert kinds == [torch.float32, torch.bfloat16, torch.float16]


def test_batches_arrive_channels_last() -> None:
    assert to_device(torch.zeros(2, 3, 4, 4), CPU).is_contiguous(memory_format=torch.channels_last)


def test_threads_are_those_asked_for() -> None:
    use_threads(1)
    assert (torch.get_num_threads(), default_threads()) == (1, 1)
    use_threads(2)
    assert torch.get_num_threads() == 2
    assert default_threads() <= 2
    with pytest.raises(UserError, match="at least one thread, not 0"):
        use_threads(0)


FREED = """
import sys, torch
from pathlib import Path
from srlab.training.device import tune_allocator

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

if sys.argv[1] == "tuned":
    assert tune_allocator() and tune_allocator()
before = resident()
tensor = torch.zeros(64 * 2**20 // 4) + 1
del tensor
print(int(resident() - before > 32 * 2**20))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs glibc")
def test_a_tuned_process_keeps_large_blocks_for_the_next_tensor() -> None:
    if not tune_allocator():
        pytest.skip("needs glibc")
    kept = [
        subprocess.run([sys.executable, "-c", FREED, how], capture_output=True, text=True, check=True).stdout
        for how in ("plain", "tuned")
    ]
    assert kept == ["0\n", "1\n"]


def test_without_glibc_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not tune_allocator()
