"""With which code, versions and machine something was made. Needs no torch."""

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path

from srlab.folder.schema import Git, Session
from srlab.folder.store import now

_PACKAGES = ("srlab", "torch", "numpy", "scipy", "pillow", "opencv-python-headless", "safetensors")


def begin_session(*, device: str, threads: int, gpu: str | None = None) -> Session:
    """Code, versions and machine that a run is made with; not the host's name, since runs are shared."""
    return Session(
        started=now(),
        git=git_state(Path(__file__).parent),
        python=platform.python_version(),
        versions={name: version for name in _PACKAGES if (version := _version(name)) is not None},
        platform=platform.platform(),
        cpu=cpu_name(),
        cores=os.cpu_count(),
        device=device,
        threads=threads,
        gpu=gpu,
    )


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def git_state(folder: Path) -> Git | None:
    """Commit of the checkout that tracks `folder`, and whether files differ from it; None elsewhere."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(folder), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        # An installed srlab may lie below someone else's checkout (its virtual environment): not our commit
        # then.
        git("ls-files", "--error-unmatch", "__init__.py")
        return Git(
            commit=git("rev-parse", "HEAD"),
            dirty=bool(git("status", "--porcelain", "--untracked-files=no")),
        )
    except (OSError, subprocess.SubprocessError):
        return None


def cpu_name() -> str:
    """The processor as the system calls it."""
    if sys.platform.startswith("linux"):
        try:
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
        except OSError:
            pass
    return platform.processor() or platform.machine()
