"""What the scheduler promises: one failure stops no other, no process outlives its parent."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from srlab.errors import UserError
from srlab.lab.scheduler import Failure, InProcess, Processes, reporting_to, run_all, send_report


@dataclass(frozen=True)
class Step:
    """A task that reports, fails or dies as its name says."""

    name: str

    def __call__(self) -> Failure | None:
        send_report(self.name)
        if self.name == "wrong":
            raise UserError("the user can set this right")
        if self.name == "bug":
            raise ZeroDivisionError("by zero")
        if self.name == "returned":
            return Failure(name=self.name, kind="user", reason="it said so itself", traceback="")
        if self.name == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.name.startswith("pid"):
            send_report(os.getpid())
        if self.name == "slow":
            Path(os.environ["SLOW_FILE"]).write_text(str(os.getpid()))
            time.sleep(60)
        return None


@dataclass(frozen=True)
class Interrupt:
    name: str = "interrupt"

    def __call__(self) -> Failure | None:
        raise KeyboardInterrupt


def test_one_failure_stops_no_other_and_each_is_returned_in_the_order_of_the_tasks() -> None:
    done: list[object] = []
    with InProcess() as executor, reporting_to(done.append):
        failures = run_all([Step("wrong"), Step("fine"), Step("bug"), Step("returned")], executor=executor)
    assert sorted(done) == ["bug", "fine", "returned", "wrong"]  # type: ignore[type-var]
    assert [failure.name for failure in failures] == ["wrong", "bug", "returned"]
    kinds = {failure.name: (failure.kind, failure.reason) for failure in failures}
    assert kinds == {
        "wrong": ("user", "the user can set this right"),
        "bug": ("unforeseen", "ZeroDivisionError: by zero"),
        "returned": ("user", "it said so itself"),
    }
    assert "ZeroDivisionError" in next(failure.traceback for failure in failures if failure.name == "bug")


def test_an_interruption_is_no_failure_and_stops_everything() -> None:
    done: list[object] = []
    with InProcess() as executor, reporting_to(done.append), pytest.raises(KeyboardInterrupt):
        run_all([Interrupt(), Step("fine")], executor=executor)
    assert done == []


def test_a_process_that_dies_takes_no_other_with_it() -> None:
    done: list[object] = []
    with Processes(2, report=done.append) as executor:
        failures = run_all([Step("killed"), Step("fine"), Step("bug")], executor=executor)
    assert {failure.name: failure.kind for failure in failures} == {
        "killed": "unforeseen",
        "bug": "unforeseen",
    }
    assert "process died" in next(failure.reason for failure in failures if failure.name == "killed")
    assert "fine" in done


def test_a_process_does_one_task_after_another_and_none_after_a_failure() -> None:
    done: list[object] = []
    with Processes(1, report=done.append) as executor:
        run_all(
            [Step("pid1"), Step("pid2"), Step("bug"), Step("pid3"), Step("returned"), Step("pid4")],
            executor=executor,
        )
    first, second, third, fourth = (each for each in done if isinstance(each, int))
    assert first == second
    assert len({second, third, fourth}) == 3


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 1 bytes"),
        RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
    ],
)
def test_running_out_of_memory_says_what_to_do(error: Exception) -> None:
    failure = Failure.of("run", error)
    assert failure.kind == "user"
    assert "--batch-size" in failure.reason


def test_a_full_disk_is_the_users_to_set_right() -> None:
    failure = Failure.of("run", OSError(28, "No space left on device", "weights.safetensors"))
    assert (failure.kind, "free some" in failure.reason) == ("user", True)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_die_with_their_parent(tmp_path: Path, how: signal.Signals) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_scheduler import Step; from srlab.lab.scheduler import Processes, run_all\n"
        "with Processes(1, report=print) as executor: run_all([Step('slow')], executor=executor)\n"
    )
    started = tmp_path / "started"
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(Path(__file__).parent)],
        env={**os.environ, "SLOW_FILE": str(started)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    worker = int(_eventually(lambda: started.read_text() if started.exists() else "", seconds=60))
    parent.send_signal(how)
    parent.wait(timeout=20)
    assert _eventually(lambda: not _is_alive(worker), seconds=20)


def _eventually(ask, *, seconds: float):  # type: ignore[no-untyped-def]
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if answer := ask():
            return answer
        time.sleep(0.02)
    raise AssertionError("it never came")


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
