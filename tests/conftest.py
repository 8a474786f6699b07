"""What every test stands on: one thread, a fixed seed, no colour, and where the real images are.

SRLAB_TEST_THREADS=2 runs the tests with two threads.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"
THREADS = int(os.environ.get("SRLAB_TEST_THREADS", "1"))
IN_A_BROWSER = ("test_report_browser", "test_report_page", "test_serve_browser")


@pytest.fixture(autouse=True)
def _repeatable() -> Iterator[None]:
    """An unseeded tiny ReLU network can be dead; more than one thread makes small tensors slow."""
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(THREADS)


@pytest.fixture(autouse=True, scope="session")
def _interruptible() -> None:
    """A shell's background job ignores Ctrl-C, and so would all that the tests start and interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def shared_data() -> Path:
    """Set5, Set14, T91, ... beside a developer's checkout."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the real images in ../shared/data, which a fresh clone does not have")
    return SHARED_DATA


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say whether the report's page was tried in a browser: where there is none, those tests are skipped."""
    ran, skipped = (
        sum(
            any(name in report.nodeid for name in IN_A_BROWSER)
            for report in terminalreporter.stats.get(outcome, [])
        )
        for outcome in ("passed", "skipped")
    )
    if ran or skipped:
        terminalreporter.write_line(
            f"In a real Chromium: {ran} tests passed" + (f", {skipped} skipped" if skipped else "")
        )
