"""What runs in a `srlab.serve.helper` process: pictures enlarged, or reports written.

A task is a line of JSON on standard input. Its answers are lines of JSON on standard output, the last with
``is_done``. When the server is gone, the input ends, and so does this process, in the midst of a task too.
"""

import json
import os
import queue
import sys
import threading
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srlab.errors import UserError

if TYPE_CHECKING:
    from srlab.use.upscaler import Upscaler

_MOST_NETWORKS = 8  # that stay loaded
_TELL_SECONDS = 0.2  # between two lines on how far it is

Tell = Callable[..., None]


def main() -> None:
    """Do the tasks that come, until there are no more."""
    role, device = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer

    def tell(**answer: Any) -> None:
        try:
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
        except OSError:
            os._exit(0)

    do = report
    if role == "enlarge":
        from srlab.use import upscaler  # noqa: F401 - loads torch now, so that the first picture need not wait

        do = partial(enlarge, networks=Networks(device))
    for task in _tasks():
        try:
            do(task, tell)
        except UserError as error:
            tell(failed=str(error))
        except Exception as error:
            traceback.print_exc()
            tell(fault=f"{type(error).__name__}: {error}")
        tell(is_done=True)


def _tasks() -> Iterator[dict[str, Any]]:
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield json.loads(lines.get())


class Networks:
    """The networks that were used last, loaded."""

    def __init__(self, device: str) -> None:
        self.device = device
        self._loaded: dict[tuple[str, int, int], Upscaler] = {}

    def get(self, model: str, scale: int) -> "Upscaler":
        """As `srlab.load` gives it; a file that changed is loaded anew."""
        from srlab.use.upscaler import load

        path = Path(model)
        key = (model, scale, path.stat().st_mtime_ns if path.is_file() else 0)
        found = self._loaded.pop(key, None)
        if found is None:
            found = load(model, scale=scale, device=self.device)
        self._loaded[key] = found  # last, since used last
        if len(self._loaded) > _MOST_NETWORKS:
            del self._loaded[next(iter(self._loaded))]
        return found


def enlarge(task: Mapping[str, Any], tell: Tell, *, networks: Networks) -> None:
    """A picture by each of the task's networks, the first of which is bicubic; then all as one archive.

    `tell` gets ``made``, its place in the list, with seconds and notes, or ``refused`` with the reason. If
    bicubic fails, the picture is at fault; not if nothing can be written, which is ``unwritten``.
    """
    picture, jobs, archive = Path(task["picture"]), task["jobs"], Path(task["archive"])
    made = []
    for place, job in enumerate(jobs):
        out = Path(job["out"])
        try:
            upscaler = networks.get(job["model"], job["scale"])
        except (UserError, OSError) as error:
            tell(refused=place, why=str(error), is_model=True)
            continue
        last = 0.0

        def progress(done: int, total: int, place: int = place) -> None:
            nonlocal last
            if time.monotonic() - last > _TELL_SECONDS:
                last = time.monotonic()
                tell(at=place, done=done, total=total)

        tell(at=place, done=0, total=1)
        start = time.perf_counter()
        try:
            _, notes = upscaler.upscale_file(picture, out, max_pixels=task["max_pixels"], progress=progress)
        except UserError as error:
            if isinstance(error.__cause__, OSError) and str(error).startswith(str(out)):
                tell(unwritten=str(error))  # a full disk is no fault of the picture
                return
            if place == 0:
                raise
            tell(refused=place, why=str(error), is_model=False)
            continue
        seconds = time.perf_counter() - start
        made.append((out, job["name"]))
        tell(made=place, seconds=seconds, bytes=out.stat().st_size, notes=notes)
    try:
        with zipfile.ZipFile(archive, "w") as file:  # not compressed: PNG is
            for out, name in made:
                file.write(out, name)
    except OSError as error:
        tell(unwritten=f"{archive} could not be written: {error.strerror or error}")


def report(task: Mapping[str, Any], tell: Tell) -> None:
    """A study's report."""
    from srlab.show.report import write_report

    (page, *_) = write_report(Path(task["study"]), Path(task["out"]))
    tell(written=str(page))


if __name__ == "__main__":
    main()
