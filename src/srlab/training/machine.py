"""Where runs are trained, and in which precision."""

from dataclasses import dataclass
from pathlib import Path

import torch

from srlab.declare.study import Run, Study
from srlab.errors import UserError
from srlab.folder.records import precision_begun
from srlab.networks import suits_bf16
from srlab.training.device import (
    ResolvedPrecision,
    cpu_multiplies_bf16,
    default_threads,
    find_device,
    resolve_precision,
)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where runs are trained: resolved, so that it can be written down. `threads` are those of one run."""

    device: str
    threads: int
    jobs: int = 1

    @property
    def kind(self) -> str:
        """``cpu`` or ``cuda``."""
        return self.device.partition(":")[0]


def resolve_machine(
    study: Study, *, device: str | None = None, threads: int | None = None, jobs: int = 1
) -> Machine:
    """Device and threads as they will be: a GPU if there is one, threads shared by `jobs`."""
    if jobs < 1:
        raise UserError(f"--jobs must be a whole number of at least 1, not {jobs}")
    if threads is not None and not 1 <= threads <= 1024:
        raise UserError(f"--threads must be a whole number from 1 to 1024, not {threads}")
    found = find_device(device)
    resolve_precision(study.protocol.precision, found)  # refuses what the device cannot
    return Machine(
        device=str(found),
        threads=threads or max(1, default_threads() // jobs),
        jobs=jobs,
    )


def precision_of(study: Study, machine: Machine) -> ResolvedPrecision:
    """What a study is trained in on that machine: one precision for all of its variants.

    ``auto`` takes what the most careful of its networks needs.
    """
    return resolve_precision(
        study.protocol.precision,
        torch.device(machine.device),
        suits_bf16=all(suits_bf16(variant.network) for variant in study.variants),
    )


def precision_in_words(study: Study, machine: Machine) -> str:
    """`precision_of`, and that it is slow where the processor has no arithmetic for it."""
    precision = precision_of(study, machine)
    is_emulated = precision == "bf16" and machine.device == "cpu" and not cpu_multiplies_bf16()
    return "bf16, which this processor emulates: slower than fp32" if is_emulated else precision


def precision_of_run(run: Run, *, study: Study, machine: Machine, folder: Path) -> ResolvedPrecision:
    """What `run` is trained in, where `folder` is the study's.

    A variant of which a run has begun under ``auto`` keeps its precision: version 0.1 chose one for each
    variant, and a study that gains a more careful network later does not lose what it has.
    """
    alone = resolve_precision(
        run.protocol.precision,
        torch.device(machine.device),
        suits_bf16=suits_bf16(run.variant.network),
    )
    together = precision_of(study, machine)
    if alone == together:
        return together
    of_variant = [run, *(other for other in study.runs() if other.variant.name == run.variant.name)]
    begun = {precision_begun(folder / each.name) for each in of_variant}
    return alone if alone in begun else together
