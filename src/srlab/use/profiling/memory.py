"""The most memory that a process, or its tensors on a GPU, took at a time."""

import contextlib
import sys
from pathlib import Path

import torch

_STATUS = Path("/proc/self/status")


def reset_peak(device: torch.device) -> None:
    """From now on `peak_bytes` counts from zero, if the system allows it."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif device.type == "cpu" and sys.platform == "linux":
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # man 5 proc: VmHWM


def bytes_now(device: torch.device) -> int | None:
    """Resident bytes of this process on a CPU, bytes of all tensors on a GPU; None if nobody counts."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    return _status("VmRSS") if device.type == "cpu" else None


def peak_bytes(device: torch.device) -> int | None:
    """The most of `bytes_now` since `reset_peak`; where that cannot be done, since the process began.

    Linux counts it for the process alone. `getrusage`, which macOS leaves, would on Linux begin with what the
    parent had taken.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if device.type != "cpu":
        return None
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return _status("VmHWM")


def _status(name: str) -> int | None:
    """A line of /proc/self/status, which is in KiB."""
    if sys.platform != "linux":
        return None
    for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(name + ":"):
            return 1024 * int(line.split()[1])
    return None
