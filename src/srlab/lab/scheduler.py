"""Run many tasks through a `concurrent.futures` executor, so that one failure stops no other.

`InProcess` runs them here, one after another. `Processes` runs several at a time, in processes that each do
one task after another: what takes long to read is read once. A process that the system kills takes no other
task with it.
"""

import errno
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext
from os import _exit
from queue import Empty, SimpleQueue
from signal import SIG_IGN, SIGINT, signal
from threading import Thread
from typing import Any, Literal, Protocol

from srlab.errors import REMEDIES, UserError

Report = Callable[[Any], None]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a task did not end well; its `kind` is ``user`` where the user can set it right."""

    name: str
    kind: Literal["user", "unforeseen"]
    reason: str
    traceback: str

    @classmethod
    def of(cls, name: str, error: BaseException) -> "Failure":
        """What is known from an exception."""
        text = "".join(traceback.format_exception(error))
        if isinstance(error, BrokenProcessPool):
            reason = "its process died at once without a message; a usual cause is too little memory"
            return cls(name=name, kind="unforeseen", reason=reason, traceback=text)
        if isinstance(error, UserError | OSError):
            return cls(name=name, kind="user", reason=explain(error), traceback=text)
        if is_out_of_memory(error):
            reason = f"out of memory ({_first_line(error)}); use a smaller --batch-size or fewer --jobs"
            return cls(name=name, kind="user", reason=reason, traceback=text)
        reason = f"{type(error).__name__}: {_first_line(error)}"
        return cls(name=name, kind="unforeseen", reason=reason, traceback=text)


def explain(error: Exception) -> str:
    """What an error says, in one line; of what the system refuses, also which file and what to do.

    >>> explain(OSError(28, "No space left on device", "a"))
    'no space is left on the disk for a; free some space and run the same command again to continue'
    >>> explain(OSError(27, "File too large", "a"))
    "a cannot be used: file too large; raise the limit on a file's size (ulimit -f), or choose another place"
    >>> explain(PermissionError(13, "Permission denied", "runs/a"))
    'runs/a cannot be used: permission denied; change its permissions, or choose another place'
    """
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" for {error.filename}" if error.filename else ""
        return (
            f"no space is left on the disk{where}; free some space and run the same command again to continue"
        )
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        reason = error.strerror[0].lower() + error.strerror[1:]
        remedy = REMEDIES.get(error.errno)
        what = f"{error.filename} cannot be used" if error.filename else "the system refused"
        return f"{what}: {reason}" + (f"; {remedy}" if remedy else "")
    return " ".join(str(error).split()) or type(error).__name__


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, which torch says in words only on the CPU."""
    words = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")
    said = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(word in said for word in words)
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[0]


class Task(Protocol):
    """Something with a name that is called once, here or in another process (so it must pickle).

    It returns what went wrong; what it raises is a failure too, but an exception may not survive the way
    from another process.
    """

    @property
    def name(self) -> str: ...

    def __call__(self) -> Failure | None: ...


def run_all(tasks: Iterable[Task], *, executor: Executor) -> list[Failure]:
    """Call every task; return what failed, in the order of the tasks. One failure stops no other.

    An interruption (Ctrl-C) does: what is waiting is cancelled, and it goes on to the caller.
    """
    futures: dict[Future[Failure | None], str] = {}
    try:
        for task in tasks:
            futures[executor.submit(task)] = task.name
        return [failure for future, name in futures.items() if (failure := _failure_of(future, name))]
    except BaseException:
        for future in futures:
            future.cancel()
        raise


def _failure_of(future: Future[Failure | None], name: str) -> Failure | None:
    error = future.exception()
    return future.result() if error is None else Failure.of(name, error)


class InProcess(Executor):
    """Each task is done in this process before `submit` returns; an interruption comes out of it."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Processes(Executor):
    """Up to `jobs` tasks at a time, each in a process that has done other tasks before, or in a new one.

    A process in which a task failed does no other. `report` is called in this process, from another thread,
    with what a task hands to `send_report`. The processes end with this one, however it ends: each holds one
    end of a pipe and leaves when the other end is gone.
    """

    def __init__(self, jobs: int, *, report: Report) -> None:
        self._context = get_context("spawn")  # a forked torch hangs
        self._lanes = ThreadPoolExecutor(jobs, thread_name_prefix="srlab-lane")
        self._report = report
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._alive, self._alive_here = self._context.Pipe(duplex=False)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self._lanes.submit(self._in_a_process, fn, args, kwargs)

    def _in_a_process(self, fn: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        try:
            worker = self._idle.get_nowait()
        except Empty:
            worker = _Worker(self._context, self._alive, self._report)
        is_sound = False
        try:
            result = worker.do(fn, args, kwargs)
            is_sound = not isinstance(result, Failure)
            return result
        finally:
            if is_sound:
                self._idle.put(worker)
            else:
                worker.close()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if cancel_futures:
            self._alive_here.close()  # the processes leave at once
        self._lanes.shutdown(wait=wait, cancel_futures=cancel_futures)
        if wait:
            while not self._idle.empty():
                self._idle.get().close()
            self._alive_here.close()
            self._alive.close()

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        self.shutdown(wait=True, cancel_futures=kind is not None)


class _Worker:
    """A process that does one task after another, and the pipe through which it reports.

    Each has a pool and a pipe of its own: when a process is killed, a pool loses all its tasks, and a queue
    that it shared could stay locked.
    """

    def __init__(self, context: SpawnContext, alive: Connection, report: Report) -> None:
        reports, self._reports_there = context.Pipe(duplex=False)
        self._listener = Thread(target=_listen, args=(reports, report), daemon=True)
        self._listener.start()
        self._pool = ProcessPoolExecutor(
            1, mp_context=context, initializer=_prepare_worker, initargs=(alive, self._reports_there)
        )

    def do(self, fn: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        return self._pool.submit(fn, *args, **kwargs).result()

    def close(self) -> None:
        """End the process, and wait until all that it reported has been heard."""
        self._pool.shutdown()
        self._reports_there.close()
        self._listener.join()


def _listen(reports: Connection, report: Report) -> None:
    with reports, suppress(EOFError, OSError):
        while True:
            report(reports.recv())


# Where a task's reports go: set once, when a worker process starts.
_send: ContextVar[Report | None] = ContextVar("send", default=None)


def send_report(message: Any) -> None:
    """From a task in a process of its own: hand `message` (it must pickle) to the executor's `report`."""
    if (send := _send.get()) is not None:
        send(message)


@contextmanager
def reporting_to(report: Report) -> Iterator[None]:
    """Let `send_report` call `report` in this process, for tasks that run here."""
    token = _send.set(report)
    try:
        yield
    finally:
        _send.reset(token)


def _prepare_worker(alive: Connection, reports: Connection) -> None:
    signal(SIGINT, SIG_IGN)  # Ctrl-C reaches the whole process group; the parent decides
    _send.set(reports.send)

    def leave_with_parent() -> None:
        wait([alive])  # nothing is ever sent: readable means that the other end is gone
        _exit(1)

    Thread(target=leave_with_parent, daemon=True).start()
