"""What a study shows on standard error while it runs: bars on a terminal, now and then a line elsewhere."""

import time
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from srlab.words import duration, plural

if TYPE_CHECKING:
    from srlab.lab.execution import Event
    from srlab.lab.planning import Plan, Seconds

LINE_SECONDS = 30  # between two lines of one run where there is no terminal


def pace(seconds: float, *, is_slow: bool | None = None) -> str:
    """How fast steps of so many seconds go: in seconds per step if `is_slow`, by default above one second.

    >>> pace(0.02), pace(1.0), pace(21.4)
    ('50.0 steps/s', '1.0 steps/s', '21.4 s/step')
    >>> pace(0.9, is_slow=True), pace(1.2, is_slow=False)
    ('0.90 s/step', '0.83 steps/s')
    """
    is_slow = seconds > 1 if is_slow is None else is_slow
    value, unit = (seconds, "s/step") if is_slow else (1 / seconds, "steps/s")
    return f"{value:.1f} {unit}" if value >= 1 else f"{value:.2f} {unit}"


class TimingProgress:
    """Which variant is being timed for a plan; a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("timing a few steps of each variant")
        self._said: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._status.stop()

    def report(self, name: str, done: int, total: int) -> None:
        """Show that `name` is next, after `done` of `total`."""
        text = f"timing a few steps of {name} ({done + 1} of {total}; --no-estimate leaves it out)"
        if self._console.is_terminal:
            self._status.update(escape(text))
            self._status.start()
        elif self._said is None or time.monotonic() - self._said > LINE_SECONDS:
            self._said = time.monotonic()
            self._console.print(text, markup=False, soft_wrap=True)


class StudyProgress:
    """Bars of the runs at work, with rate and time left, and one of all runs; a context manager.

    `remark` is said with the announcement. `report` may be called from any thread.
    """

    def __init__(self, console: Console, *, remark: str = "") -> None:
        self._console = console
        self._remark = remark
        self._lock = Lock()
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._total: TaskID | None = None
        self._tasks: dict[str, TaskID] = {}
        self._begun: dict[str, tuple[float, int]] = {}  # when and at which step we first heard of a run
        self._is_slow: dict[str, bool] = {}  # a run keeps the unit of its first pace
        self._shown: dict[str, float] = {}
        self._ended: set[str] = set()
        self._runs: set[str] = set()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def read(self, name: str, done: int, total: int) -> None:
        """Show how far a data set has been read."""
        with self._lock:
            task = self._tasks.get(f"reading {name}")
            if task is None:
                task = self._tasks[f"reading {name}"] = self._bars.add_task(f"reading {name}", note="")
            self._bars.update(task, completed=done, total=total)
            if done == total:
                self._bars.remove_task(self._tasks.pop(f"reading {name}"))

    def announce(self, plan: "Plan") -> None:
        """Say what is about to start, and what it will take."""
        for line in filter(None, (cost_line(plan), self._remark)):
            self._say(line)
        self._runs = {run.name for run, _ in plan.runs}
        self._ended = self._runs - {run.name for run in plan.left}
        self._total = self._bars.add_task(
            "all runs", total=len(plan.runs), completed=len(self._ended), note=""
        )

    def report(self, event: "Event") -> None:
        """Show what a task does."""
        with self._lock:
            if event.phase == "training":
                self._train(event)
            elif event.phase == "scoring":
                self._show(event.name, "scoring", completed=None, total=None)
            else:
                self._end(event)

    def _train(self, event: "Event") -> None:
        if (progress := event.progress) is None:
            return
        now = time.monotonic()
        if event.name not in self._begun and progress.resumed_at:
            self._say(f"{event.name}: goes on from step {progress.resumed_at} of {progress.num_steps}")
        since, first = self._begun.setdefault(event.name, (now, progress.step))
        done = progress.step - first
        note = ""
        if done and now > since:
            per_step = (now - since) / done
            is_slow = self._is_slow.setdefault(event.name, per_step > 1)
            left = duration((progress.num_steps - progress.step) * per_step)
            note = f"{pace(per_step, is_slow=is_slow)}, {left} left"
        if progress.psnr_y is not None:
            note += f", validation psnr_y {progress.psnr_y:.2f} dB"
        self._show(event.name, note.removeprefix(", "), completed=progress.step, total=progress.num_steps)

    def _show(self, name: str, note: str, *, completed: int | None, total: int | None) -> None:
        if not self._console.is_terminal:
            now = time.monotonic()
            if completed is not None and now - self._shown.setdefault(name, now) > LINE_SECONDS:
                self._shown[name] = now
                self._say(f"{name}: step {completed} of {total}, {note}")
            return
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=total, note=note)
        self._bars.update(self._tasks[name], completed=completed, total=total, note=note)

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)

    def _end(self, event: "Event") -> None:
        if (task := self._tasks.pop(event.name, None)) is not None:
            self._bars.remove_task(task)
        is_news = event.name not in self._ended and event.name in self._runs
        if event.phase == "failed" or is_news:
            reason = f": {event.reason}" if event.reason else ""
            phase = "not run" if event.phase == "blocked" else event.phase
            self._say(f"{event.name} {phase}{reason}")
        if event.phase not in ("failed", "blocked") and is_news:
            self._ended.add(event.name)
        if self._total is not None:
            self._bars.update(self._total, completed=len(self._ended))


def cost_line(plan: "Plan") -> str:
    """How many runs there are and are left, and about how long they train.

    Without a measurement it says so.
    """
    from srlab.training.machine import precision_in_words

    runs, left = sum(len(one.runs) for one in plan.stages), sum(len(one.left) for one in plan.stages)
    machine = plan.machine
    words = f"{plan.study.name}: {plural(runs, 'run')}, {left} left to do"
    if left:
        seconds = plan.seconds_left
        words += f", about {duration(seconds.total)}" if seconds else ", time not estimated"
        if seconds:
            words += f" ({_parts(seconds)})"
    threads = plural(machine.threads, "thread")
    jobs = f"{machine.jobs} at a time with {threads} each" if machine.jobs > 1 else threads
    precision = precision_in_words(plan.study, machine)
    return f"{words} ({machine.device}, {precision}, {jobs}); it goes to {plan.folder}"


def _parts(seconds: "Seconds") -> str:
    """What an estimate is made of."""
    parts = [f"training {duration(seconds.training)}"]
    if seconds.validation is None or seconds.test is None:
        return ", ".join([*parts, "validation and test not counted: their data are not there"])
    parts += [f"validation {duration(seconds.validation)}", f"test images {duration(seconds.test)}"]
    return ", ".join(parts)
