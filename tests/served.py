"""A server of `srlab serve` in a thread, and a study whose variants can be chosen there."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import torch

from report_study import TWO, ReportStudy, run_name
from srlab.folder import store
from srlab.folder.checkpoints import save_weights
from srlab.networks import SRCNNOptions, build_network
from srlab.serve.limits import Limits
from srlab.serve.running import Ready, ready

SKIP = SRCNNOptions(num_features=(4, 2), kernel_sizes=(9, 3, 5), skip="bicubic")


@contextmanager
def served(
    studies: Sequence[Path] = (), *, limits: Limits | None = None, told: list[str] | None = None
) -> Iterator[Ready]:
    """It answers until the end of the block. Then it ends within seconds, and its worker too."""
    with ready(
        studies, limits=limits, device="cpu", tell=(told if told is not None else []).append
    ) as server:
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.server.started:
                assert thread.is_alive()
                time.sleep(0.02)
            yield server
        finally:
            server.server.should_exit = True
            thread.join(timeout=30)
            assert not thread.is_alive()
            assert workers() == []


def workers() -> list[int]:
    """The processes of this one that work for a server."""
    children = psutil.Process().children()
    return [child.pid for child in children if "srlab.serve.worker" in child.cmdline()]


def study_with_weights(folder: Path) -> Path:
    """Two variants, of which the second one has weights, and is the winner."""
    study = ReportStudy(
        variants=TWO, seeds=(0, 1), rates=(1e-3,), sets={"five": ("a", "b")}, has_pictures=False
    ).write(folder)
    torch.manual_seed(0)
    network = build_network(SKIP, scale=2)
    for seed in (0, 1):
        path = study / run_name(1, 1e-3, seed) / store.WEIGHTS
        save_weights(path, network, variant="srcnn/skip", options=SKIP, scale=2)
    return study
