"""TensorBoard on a study's best runs, in a process of its own. Needs no torch."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from srlab.errors import UserError
from srlab.folder.records import RunRecord, in_words, logged_values, read_runs

_LOGS = "tensorboard"


@dataclass(frozen=True, kw_only=True)
class Log:
    """A run's event files; `psnr_y` in dB on the validation images, of an unfinished run the last logged."""

    name: str
    folder: Path
    psnr_y: float | None
    is_finished: bool
    status: str


def best_logs(study_dir: Path, *, top: int) -> list[Log]:
    """The logs of the `top` best runs by validation psnr_y, those without one last.

    A run that still trains is judged by the last value in its log, which is of fewer images.

    Raises:
        UserError: no study there, or none of its runs has a log.
    """
    logs = [
        Log(
            name=run.name,
            folder=run.folder / _LOGS,
            psnr_y=_psnr(run),
            is_finished=run.status == "finished",
            status=in_words(run.status),
        )
        for run in read_runs(study_dir)
        if (run.folder / _LOGS).is_dir()
    ]
    if not logs:
        raise UserError(
            f"no run of the study {study_dir} has a log yet; `srlab study` writes logs during training"
        )
    return sorted(logs, key=lambda log: -(log.psnr_y if log.psnr_y is not None else float("-inf")))[:top]


def _psnr(run: RunRecord) -> float | None:
    if run.validation is not None:
        return run.validation["psnr_y"]
    if run.status == "diverged":
        return None
    curve = logged_values(run.log, "psnr_y")
    return curve[-1][1] if curve else None


def serve(logs: Sequence[Log], *, host: str, port: int, tell: Callable[[str], None]) -> None:
    """Run TensorBoard on `logs` until it is interrupted (Ctrl-C, or SIGTERM); `tell` gets the address once it
    answers.

    Raises:
        UserError: the port is taken, or TensorBoard ended by itself.
    """
    port = _free_port(host, port)
    with tempfile.TemporaryDirectory(prefix="srlab-tensorboard-") as folder, _terminating():
        command = [sys.executable, "-m", "tensorboard.main", *_where(logs, Path(folder, "runs"))]
        command += ["--host", host, "--port", str(port), "--reload_multifile", "true"]
        command += ["--load_fast", "false"]  # without a data server, a process that nobody would wait for
        environment = {**os.environ, "TMPDIR": folder}  # where it notes that it runs
        # A session of its own: Ctrl-C reaches this process alone, which then ends that one and waits for it.
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=environment,
                start_new_session=True,
            )
            try:
                _wait_until_it_answers(process, host, port)
                if process.poll() is None:
                    tell(f"http://{host}:{port}/")
                process.wait()
                said.seek(0)
                words = said.read().decode(errors="replace").strip().splitlines()
                raise UserError(
                    f"TensorBoard stopped unexpectedly (code {process.returncode}): {' '.join(words[-3:])}"
                )
            except KeyboardInterrupt:
                pass  # the way to end it
            finally:
                _end(process)


def _where(logs: Sequence[Log], folder: Path) -> list[str]:
    """TensorBoard's options that name the runs: a folder of links to them."""
    try:
        folder.mkdir()
        for log in logs:
            (folder / log.name).symlink_to(log.folder.resolve(), target_is_directory=True)
    except OSError:  # Windows, without the right to make links
        return ["--logdir_spec", ",".join(f"{log.name}:{log.folder.resolve()}" for log in logs)]
    return ["--logdir", str(folder)]


def _free_port(host: str, port: int) -> int:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name == "posix":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            found: int = probe.getsockname()[1]
            return found
    except OSError as error:
        raise UserError(
            f"TensorBoard cannot listen on {host}:{port} ({error.strerror or error}); choose another "
            "--port, or --port 0 for any free one"
        ) from error


def _wait_until_it_answers(process: subprocess.Popen[bytes], host: str, port: int) -> None:
    while process.poll() is None:
        try:
            with socket.create_connection((host, port), timeout=1):
                return
        except OSError:
            time.sleep(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End TensorBoard and wait, so that it is not left behind."""
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def _terminating() -> Iterator[None]:
    """SIGTERM interrupts like Ctrl-C, so that TensorBoard does not outlive its parent."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
