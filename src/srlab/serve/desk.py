"""Pictures that wait, the one at work, and results until they are put away.

Everything lies in one folder, each picture in a folder of its own with a random name. No path is ever made of
what a request says: its id is looked up here.
"""

import asyncio
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from srlab.serve.helper import Helper, HelperError
from srlab.serve.limits import Limits

ARCHIVE = "all.zip"
_PICTURE = "uploaded-picture"  # a name that no message has for another reason
_TIDY_SECONDS = 30.0

State = Literal["arriving", "waiting", "working", "done", "failed"]


class QueueFullError(Exception):
    """As many pictures wait as may."""


@dataclass(kw_only=True, eq=False)
class Made:
    """A picture to be made by a network. `file` is its name for a download."""

    label: str
    model: str
    scale: int
    file: str
    path: Path
    seconds: float | None = None
    bytes: int = 0
    why: str = ""  # it was not made

    @property
    def is_there(self) -> bool:
        return self.seconds is not None


@dataclass(kw_only=True, eq=False)
class Result:
    """A picture that came, and what became of it. `name` is the visitor's, only to be shown."""

    id: str
    folder: Path
    name: str = "picture"
    size: tuple[int, int] = (0, 0)
    scale: int = 0
    made: list[Made] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    state: State = "arriving"
    message: str = ""
    is_at_fault: bool = False  # the picture, not the server
    doing: str = ""
    ended: float = 0.0

    @property
    def picture(self) -> Path:
        """The file that came."""
        return self.folder / _PICTURE

    @property
    def archive(self) -> Path:
        """All that was made."""
        return self.folder / ARCHIVE

    @property
    def num_bytes(self) -> int:
        """What it takes on the disk."""
        files = self.folder.iterdir() if self.folder.is_dir() else ()
        return sum(path.stat().st_size for path in files)


class Desk:
    """One picture after the other, by one process."""

    def __init__(self, folder: Path, helper: Helper, limits: Limits, *, tell: Callable[[str], None]) -> None:
        self.folder = folder
        self.helper = helper
        self.limits = limits
        self.tell = tell  # its words go to who runs the server
        self._results: dict[str, Result] = {}
        self._waiting: asyncio.Queue[Result] = asyncio.Queue()

    def open(self) -> Result:
        """A place for a picture that is about to arrive.

        Raises:
            QueueFullError: there is none.
        """
        self.tidy()
        if sum(one.state in ("arriving", "waiting") for one in self._results.values()) >= self.limits.queue:
            raise QueueFullError
        id_ = secrets.token_urlsafe(16)
        result = Result(id=id_, folder=self.folder / secrets.token_hex(16))
        result.folder.mkdir(mode=0o700)
        self._results[id_] = result
        return result

    def submit(self, result: Result) -> None:
        """It has arrived, and waits."""
        result.state = "waiting"
        self._waiting.put_nowait(result)

    def drop(self, result: Result) -> None:
        """Put it away, with all its files."""
        self._results.pop(result.id, None)
        shutil.rmtree(result.folder, ignore_errors=True)

    def find(self, id_: str) -> Result | None:
        """That of an id, unless it is still arriving or was put away."""
        found = self._results.get(id_)
        return None if found is None or found.state == "arriving" else found

    def ahead(self, result: Result) -> int:
        """How many come before it."""
        before = 0
        for one in self._results.values():
            if one is result:
                break
            before += one.state in ("waiting", "working")
        return before

    async def work(self) -> None:
        """Do what waits, for ever; in between put away what is old."""
        await self.helper.start()
        while True:
            try:
                async with asyncio.timeout(_TIDY_SECONDS):
                    result = await self._waiting.get()
            except TimeoutError:
                self.tidy()
                continue
            result.state = "working"
            try:
                await self._enlarge(result)
            except HelperError as error:
                self._fail(result, f"{result.name} could not be enlarged: {error}.")
            except OSError as error:
                self._fail(result, f"{result.name} could not be enlarged: {error.strerror}.")
            if result.state == "working":
                result.state = "done"
            result.ended = time.monotonic()
            self.tidy()

    async def _enlarge(self, result: Result) -> None:
        task = {
            "picture": str(result.picture),
            "archive": str(result.archive),
            "max_pixels": self.limits.max_pixels,
            "jobs": [
                {"model": one.model, "scale": one.scale, "out": str(one.path), "name": one.file}
                for one in result.made
            ],
        }
        async for answer in self.helper.ask(task, seconds=self.limits.max_seconds):
            self._note(result, answer)

    def _note(self, result: Result, answer: dict[str, Any]) -> None:
        if "at" in answer:
            one = result.made[answer["at"]]
            share = f", {answer['done']} of {answer['total']} tiles" if answer["total"] > 1 else ""
            result.doing = f"{one.label}{share}"
        elif "made" in answer:
            one = result.made[answer["made"]]
            one.seconds, one.bytes = answer["seconds"], answer["bytes"]
            result.notes = tuple(self._told(result, note) for note in answer["notes"])
        elif "refused" in answer:
            one = result.made[answer["refused"]]
            if answer["is_model"]:  # with paths of this machine, for its owner alone
                self.tell(f"{one.label} was not used: {answer['why']}")
                one.why = "this network cannot be used here; the terminal of srlab serve says why"
            else:
                one.why = self._told(result, answer["why"])
        elif "unwritten" in answer:  # with a path of this machine
            self.tell(answer["unwritten"])
            self._fail(result, f"{result.name} could not be enlarged: the server cannot store it. Try later.")
        elif "failed" in answer:
            self._fail(result, self._told(result, answer["failed"]), is_at_fault=True)
        elif "fault" in answer:
            self._fail(result, f"{result.name} met a fault of srlab's own. The server's terminal has it.")

    def _told(self, result: Result, message: str) -> str:
        """A message in which the picture has the name that its owner knows."""
        for path in (str(result.picture), _PICTURE):
            message = message.replace(path, result.name)
        return message.replace(f"{result.folder}{os.sep}", "")

    def _fail(self, result: Result, message: str, *, is_at_fault: bool = False) -> None:
        result.state, result.message, result.is_at_fault = "failed", message, is_at_fault

    def tidy(self) -> None:
        """Put away the oldest results that are too many, too large together, or too old."""
        now = time.monotonic()
        kept, size = 0, 0
        for result in reversed(list(self._ended())):
            kept, size = kept + 1, size + result.num_bytes
            is_old = now - result.ended > self.limits.kept_seconds
            is_last = kept == 1  # its visitor has not seen it yet
            if is_old or kept > self.limits.kept or (size > self.limits.kept_bytes and not is_last):
                self.drop(result)

    def _ended(self) -> Iterator[Result]:
        """In the order in which they ended."""
        ended = [one for one in self._results.values() if one.state in ("done", "failed")]
        yield from sorted(ended, key=lambda one: one.ended)
