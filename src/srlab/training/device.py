"""What makes a step fast on the machine at hand: precision, threads, memory.

Measured by ``benchmarks/train_step.py``.
"""

import contextlib
import ctypes
import os
import sys
from typing import Literal

import torch
from torch import Tensor

from srlab.declare.protocol import Precision
from srlab.errors import UserError

ResolvedPrecision = Literal["fp32", "bf16", "fp16"]

# malloc.h of glibc
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3


def find_device(name: str | torch.device | None) -> torch.device:
    """The device called `name`, tried out; for ``auto`` or None a GPU if there is one, else the CPU.

    A `UserError` if it cannot be used.
    """
    if name is None or str(name) == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"there is no device {str(name)!r}; use auto, cpu, cuda or cuda:1") from error
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if "Could not run" in reason or "INTERNAL ASSERT" in reason:
            reason = "this torch has no such backend"
        raise UserError(
            f"the device {str(name)!r} cannot be used ({reason}); use another device, such as cpu"
        ) from error
    if device.type == "meta":
        raise UserError("the device 'meta' stores no values; use cpu or cuda")
    return device


def resolve_precision(
    requested: Precision, device: torch.device, *, suits_bf16: bool = True
) -> ResolvedPrecision:
    """The precision that a run computes in on `device`; scores are computed in fp32 whatever this is.

    ``auto`` is bf16 on CPUs that multiply in it (AVX-512 BF16 or AMX) and on GPUs that do, fp16 with loss
    scaling on other CUDA GPUs, and fp32 elsewhere; for an architecture that loses by bf16 (`Network`'s
    `suits_bf16`) it is fp32 everywhere. ``fp32`` and ``bf16`` are what they say.

    Raises:
        UserError: bf16 on a device other than CPU and CUDA, which srlab trains in fp32 only.
    """
    if device.type not in ("cpu", "cuda") and requested == "bf16":
        raise UserError(
            f"srlab trains in bf16 on CPU and CUDA; on {device.type!r} use --precision fp32 or auto"
        )
    if requested != "auto":
        return requested
    if not suits_bf16:
        return "fp32"
    if device.type == "cpu":
        return "bf16" if cpu_multiplies_bf16() else "fp32"
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return "fp32"


def cpu_multiplies_bf16() -> bool:
    """Whether this CPU has bf16 arithmetic, not its emulation, which is slower than fp32."""
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def default_threads() -> int:
    """How many threads a process alone on this machine should compute with.

    The CPUs that this process may use; fewer where OMP_NUM_THREADS, or torch's own count of cores, says so.
    """
    allowed = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min(allowed, torch.get_num_threads()))


def use_threads(threads: int) -> None:
    """Compute with `threads` threads in this process. Sums depend on it: a resumed run keeps its count."""
    if threads < 1:
        raise UserError(f"a run needs at least one thread, not {threads}")
    torch.set_num_threads(threads)


def tune_allocator() -> bool:
    """Let glibc keep large freed blocks. Otherwise each tensor over 32 MB causes page faults again.

    1.05 to 1.5 times as fast in training, for up to half more resident memory. It holds for the rest of the
    process; calling it again changes nothing. Elsewhere than on Linux with glibc it does nothing and
    returns False.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # no glibc, as on Alpine
        return False
    mallopt.argtypes = (ctypes.c_int, ctypes.c_int)
    mallopt.restype = ctypes.c_int
    # Before 2.35 glibc refuses a threshold over 32 MiB.
    mapped = mallopt(M_MMAP_THRESHOLD, 1 << 30) or mallopt(M_MMAP_THRESHOLD, 32 << 20)
    return bool(mallopt(M_TRIM_THRESHOLD, 2**31 - 1) and mapped)


def to_device(images: Tensor, device: torch.device) -> Tensor:
    """A batch [N, C, H, W] on `device`, channels last; to a GPU without waiting for the copy."""
    if device.type == "cuda":
        images = images.pin_memory()
    return images.to(device, memory_format=torch.channels_last, non_blocking=True)


def autocast(device: torch.device, precision: ResolvedPrecision) -> contextlib.AbstractContextManager[object]:
    """Convolutions in `precision`, as long as the context holds."""
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16 if precision == "bf16" else torch.float16)
