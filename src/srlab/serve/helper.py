"""A process that works for the server, one task at a time: asked and answered in lines of JSON.

So the page answers while a network runs or a damaged file is decoded, and what hangs or crashes is ended
alone. A process whose server is gone ends by itself.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal

Role = Literal["enlarge", "report"]
_LINE = 1 << 20  # bytes of an answer at most
_PATIENCE = 2.0  # seconds until a process that was asked to end is killed


class HelperError(Exception):
    """The process ended by itself, or had to be ended since it took too long."""


class Helper:
    """Starts with its first task, or `start`, and again after it had to be ended."""

    def __init__(self, role: Role, *, device: str = "auto") -> None:
        self._words = (role, device)
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, if there is one."""
        return None if self._process is None else self._process.pid

    async def start(self) -> asyncio.subprocess.Process:
        """The process, started if it is not there."""
        if self._process is None or self._process.returncode is not None:
            # A session of its own: Ctrl-C reaches the server alone, which then ends this process.
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "srlab.serve.worker",
                *self._words,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,
                limit=_LINE,
            )
        return self._process

    async def ask(self, task: Mapping[str, Any], *, seconds: float) -> AsyncIterator[dict[str, Any]]:
        """What the process answers, until it has done the task.

        Raises:
            HelperError: it ended, or took longer than `seconds`; what it is asked next, another one does.
        """
        process = await self.start()
        assert process.stdin is not None
        assert process.stdout is not None
        end = asyncio.get_running_loop().time() + seconds
        is_done = False
        try:
            process.stdin.write(json.dumps(task).encode() + b"\n")
            while not is_done:
                async with asyncio.timeout_at(end):
                    line = await process.stdout.readline()
                if not line:
                    raise HelperError("it ended unexpectedly, perhaps for want of memory")
                answer = json.loads(line)
                is_done = answer.get("is_done", False)
                yield answer
        except TimeoutError:
            raise HelperError(f"it took longer than {seconds:.0f} seconds") from None
        except ConnectionError:
            raise HelperError("it ended unexpectedly") from None
        finally:
            if not is_done:
                await self.stop()

    async def stop(self) -> None:
        """End the process, and wait until it is no more."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(_PATIENCE):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
