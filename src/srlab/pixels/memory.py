"""How much memory a process may still take, and amounts in words."""

import contextlib
import ctypes
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]

_CGROUPS = Path("/sys/fs/cgroup")


def available_bytes() -> int:
    """What this process may still take: the machine's free memory, or less where a limit is nearer.

    Limits are those of a control group (a container's) and ``ulimit -v``. Memory that holds copies of files
    counts as free.
    """
    free = [int(psutil.virtual_memory().available)]
    if sys.platform == "linux":
        free += _left_in_group(_CGROUPS, Path("/proc/self/cgroup"))
    if sys.platform != "win32":
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            free.append(limit - int(psutil.Process().memory_info().vms))
    return max(0, min(free))


def give_back() -> None:
    """Give memory that was freed back to the system. glibc would keep it; elsewhere nothing is done."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # no glibc, as on Alpine
            ctypes.CDLL(None).malloc_trim(0)


def _left_in_group(root: Path, membership: Path) -> list[int]:
    """What the control group of this process has left, if it is limited; version 2, then version 1."""
    places = [(root, "memory.max", "memory.current"), (root / "memory", *_VERSION_1)]
    with contextlib.suppress(OSError):
        for line in membership.read_text(encoding="ascii", errors="replace").splitlines():
            number, controllers, path = line.split(":", 2)
            if number == "0":
                places.append((root / path.strip("/"), "memory.max", "memory.current"))
            elif "memory" in controllers.split(","):
                places.append((root / "memory" / path.strip("/"), *_VERSION_1))
    left = []
    for folder, limit, current in places:
        with contextlib.suppress(OSError, ValueError):  # "max" is no limit
            most = int((folder / limit).read_text())
            taken = int((folder / current).read_text())
            statistics = dict(
                line.split()
                for line in (folder / "memory.stat").read_text().splitlines()
                if line.count(" ") == 1
            )
            files = int(statistics.get("total_inactive_file", statistics.get("inactive_file", 0)))
            left.append(most - taken + files)
    return left


_VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes")
