"""Train everything that docs/results/PLAN.md plans on one GPU, several runs at a time.

Run:       cd FOLDER && python code/docs/results/run_on_gpu.py [--only c1_srcnn,c2_vdsr] [--seconds 500]

FOLDER has the pictures `data`; the runs come into its folder `runs`. The questions share the processes, in
the order of PLAN.md: all pilots and studies come before the twins at a quarter of the steps. After so many
seconds it stops; the same command goes on from there.

No SR pictures of the test images are kept: they would take longer to write than to compute.
"""

import argparse
import functools
import importlib.util
import itertools
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from queue import PriorityQueue
from typing import Any

from srlab import UserError
from srlab.declare.studies import load_study
from srlab.lab import comparison
from srlab.lab.scheduler import Processes
from srlab.training.machine import resolve_machine
from srlab.use import scoring

RESULTS = Path(__file__).parent
ORDER = ("c1_srcnn", "c4_rdn", "c2_vdsr", "c3_edsr", "c5_srresnet", "c6_srgan")
STAGES = ("pilot", "study", "quarter")
BEGUN = time.monotonic()


def say(text: str) -> None:
    """One line of the log, with the seconds since the start."""
    sys.stdout.write(f"{time.monotonic() - BEGUN:6.1f} {text}\n")
    sys.stdout.flush()


def keep_no_picture(path: Path, pixels: Any) -> None:
    """In the place of `scoring.save_picture`."""


class WithoutPictures:
    """A task of a study that keeps no SR pictures."""

    def __init__(self, task: Any) -> None:
        self.task, self.name = task, task.name

    def __call__(self) -> Any:
        scoring.save_picture = keep_no_picture
        return self.task()


class Pool:
    """Processes that take the most urgent task first, of all studies."""

    def __init__(self, jobs: int) -> None:
        self.processes = Processes(jobs, report=lambda _: None)
        self.queue: PriorityQueue[tuple[int, int, Future[Any], Callable[..., Any]]] = PriorityQueue()
        self.count = itertools.count()
        for _ in range(jobs):
            threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while True:
            _, _, future, task = self.queue.get()
            if not future.set_running_or_notify_cancel():
                continue
            begun = time.monotonic()
            try:
                future.set_result(self.processes.submit(task).result())
            except BaseException as error:
                future.set_exception(error)
            name = getattr(task, "name", "")
            say(f"{type(getattr(task, 'task', None)).__name__} {name}: {time.monotonic() - begun:.1f} s")


class Urgent(Executor):
    """The pool as an executor of one study."""

    def __init__(self, pool: Pool, rank: int) -> None:
        self.pool, self.rank = pool, rank

    def submit(self, fn: Callable[..., Any], /, *_: Any, **__: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.pool.queue.put((self.rank, next(self.pool.count), future, WithoutPictures(fn)))
        return future


def question(name: str, pool: Pool, device: str, jobs: int) -> None:
    """The pilot, the choice of the rates, the study and its twin."""
    rates = _module(RESULTS / "choose_rates.py")
    for stage in STAGES:
        file = RESULTS / name / f"{stage}.py"
        if not file.is_file():
            continue
        folder = Path("runs", name if stage == "study" else f"{name}_{stage}")
        loaded = load_study(str(file))
        rank = ORDER.index(name) + (len(ORDER) if stage == "quarter" else 0)
        say(f"{folder.name} begins: {len(list(loaded.study.runs()))} runs")
        failures = comparison.compare(
            loaded.study,
            folder,
            resolve_machine(loaded.study, device=device, threads=1, jobs=jobs),
            question=loaded.question,
            announce=lambda _: None,
            report=lambda _: None,
            executor=Urgent(pool, rank),
        )
        say(f"{folder.name} ended, {len(failures)} failures {[each.reason for each in failures[:3]]}")
        if stage == "pilot":
            rates.write_rates(RESULTS / name, folder)


def _module(path: Path) -> Any:
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=12)
    parser.add_argument("--only", default=",".join(ORDER), help="these questions, of " + ", ".join(ORDER))
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    names = options.only.split(",")
    if unknown := set(names) - set(ORDER):
        parser.error(f"there is no question {', '.join(sorted(unknown))}; there are {', '.join(ORDER)}")
    scoring.save_picture = keep_no_picture
    # All read the same pictures: once is enough.
    reading, read = threading.Lock(), functools.cache(comparison.split)

    def split_once(*, train: Any, validate: Any, test: Any, **_: Any) -> Any:
        with reading:
            return read(train=train, validate=validate, test=test)

    comparison.split = split_once
    pool = Pool(options.jobs)

    def safely(name: str) -> None:
        try:
            question(name, pool, options.device, options.jobs)
        except UserError as error:
            say(f"{name} stops: {error}")
        except BaseException:
            say(f"{name} stops:\n{traceback.format_exc()}")

    threads = [threading.Thread(target=safely, args=(name,), daemon=True) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive() and time.monotonic() - BEGUN < options.seconds:
            thread.join(timeout=0.5)
    ended = not any(thread.is_alive() for thread in threads)
    say("end" if ended else "the time is over")
    pool.processes.shutdown(wait=False, cancel_futures=True)
    time.sleep(0.5)
    os._exit(0 if ended else 1)


if __name__ == "__main__":
    main()
