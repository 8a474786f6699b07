"""Runs that are killed with SIGKILL and started again: a program for test_resume.py, which gives it a FOLDER.

This process imports torch, computes nothing and forks: each training is a process of its own.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn
from unittest.mock import patch

import torch
import torch._dynamo  # else each process would import it with its first optimizer
import torch.utils.tensorboard._pytorch_graph
from tensorboard.compat.proto.event_pb2 import Event  # type: ignore[import-untyped]
from torch import Tensor, nn

from srlab.folder import checkpoints
from srlab.training import monitor, train
from tiny_run import Noise, scores, tiny_run, train_tiny

WHOLE = "left alone"
RANDOM = "killed again and again at random moments"


def kill() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


class Countdown:
    """Counts calls down to the one at which the process is killed."""

    def __init__(self, calls: int) -> None:
        self.calls = calls

    def is_over(self) -> bool:
        self.calls -= 1
        return self.calls == 0


def at_batch(step: int) -> None:
    class Deadly(Noise):
        def batch(self, at: int, *, seed: int) -> tuple[Tensor, Tensor]:
            return kill() if at == step else super().batch(at, seed=seed)

    train_tiny(Path(), batches=Deadly(), precision="bf16")


def while_writing(name: str, time: int) -> None:
    """Half of the bytes are in the file beside."""
    write_bytes, left = Path.write_bytes, Countdown(time)

    def half(path: Path, content: Any) -> int:
        if path.name.startswith(f".{name}.") and left.is_over():
            write_bytes(path, bytes(content)[: len(content) // 2])
            kill()
        return write_bytes(path, content)

    with patch.object(Path, "write_bytes", half):
        train_tiny(Path(), precision="bf16")


def around_rename(name: str, time: int, *, is_after: bool) -> None:
    replace, left = Path.replace, Countdown(time)

    def deadly(path: Path, target: Path) -> Path:
        is_now = target.name == name and left.is_over()
        if is_now and not is_after:
            kill()
        result = replace(path, target)
        return kill() if is_now else result

    with patch.object(Path, "replace", deadly):
        train_tiny(Path(), precision="bf16")


def between_logs_and_checkpoint(time: int) -> None:
    save, left = checkpoints.save_checkpoint, Countdown(time)

    def deadly(path: Path, state: Any) -> None:
        return kill() if left.is_over() else save(path, state)

    with patch.object(train, "save_checkpoint", deadly):
        train_tiny(Path(), precision="bf16")


def within_event(number: int) -> None:
    """Half of a record is in the event file, and half of a line in metrics.jsonl."""
    add, left = monitor._Records.add_event, Countdown(number)

    def torn(records: monitor._Records, event: Event) -> None:
        if left.is_over():
            records.file.write(event.SerializeToString()[:7])
            records.file.flush()
            with Path("metrics.jsonl").open("a") as file:
                file.write('{"step": 6, "lo')
            kill()
        add(records, event)

    with patch.object(monitor._Records, "add_event", torn):
        train_tiny(Path(), precision="bf16")


def while_validating(time: int) -> None:
    left = Countdown(time)

    def deadly(network: nn.Module) -> dict[str, float]:
        return kill() if left.is_over() else scores(network)

    train_tiny(Path(), validate=deadly, precision="bf16")


def undisturbed() -> None:
    train_tiny(Path(), precision="bf16")


# The run has 12 steps, with a validation and a checkpoint after each fourth.
KILLS: dict[str, Callable[[], None]] = {
    "in the first step": lambda: at_batch(0),
    "before the first checkpoint": lambda: at_batch(3),
    "between two checkpoints": lambda: at_batch(6),
    "in the last step": lambda: at_batch(11),
    "while it validates": lambda: while_validating(2),
    "within a log record": lambda: within_event(60),
    "between logs and the first checkpoint": lambda: between_logs_and_checkpoint(1),
    "between logs and a later checkpoint": lambda: between_logs_and_checkpoint(2),
    "while the first checkpoint is written": lambda: while_writing("checkpoint.pt", 1),
    "while a later checkpoint is written": lambda: while_writing("checkpoint.pt", 2),
    "before a checkpoint is renamed": lambda: around_rename("checkpoint.pt", 2, is_after=False),
    "after a checkpoint is renamed": lambda: around_rename("checkpoint.pt", 2, is_after=True),
    "after the last checkpoint": lambda: around_rename("checkpoint.pt", 3, is_after=True),
    "while the weights are written": lambda: while_writing("weights.safetensors", 1),
    "before the weights are renamed": lambda: around_rename("weights.safetensors", 1, is_after=False),
    "after the weights are renamed": lambda: around_rename("weights.safetensors", 1, is_after=True),
}


def fork(folder: Path, work: Callable[[], None]) -> int:
    """Start a process that works in `folder`."""
    pid = os.fork()
    if pid == 0:
        os.chdir(folder)
        torch.set_num_threads(1)
        work()
        os._exit(0)
    return pid


def end(pid: int) -> int:
    """The signal that ended the process, 0 if it ended by itself."""
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status)
    if code := os.WEXITSTATUS(status):
        sys.exit(code)
    return 0


def main(root: Path, kills: Mapping[str, Callable[[], None]] = KILLS) -> None:
    for name, work in {WHOLE: undisturbed, **kills}.items():
        folder = root / name
        folder.mkdir()
        signaled = end(fork(folder, work))
        assert signaled == (0 if name == WHOLE else signal.SIGKILL), (name, signaled)
        assert end(fork(folder, undisturbed)) == 0, name

    folder = root / RANDOM
    folder.mkdir()
    delays = random.Random(0)
    for _ in range(8):
        pid = fork(folder, undisturbed)
        time.sleep(delays.uniform(0.02, 0.4))
        os.kill(pid, signal.SIGKILL)
        end(pid)
    assert end(fork(folder, undisturbed)) == 0


if __name__ == "__main__":
    assert tiny_run().protocol.num_steps == 12
    main(Path(sys.argv[1]))
