"""What quiet reading promises: lines of a C library do not reach the user, and nothing else is lost."""

import io
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from PIL import Image

from srlab.pixels.quiet import quiet_libraries


def damaged_tiff(path: Path, *, compression: str) -> Path:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(pixels).save(buffer, "TIFF", compression=compression)
    content = bytearray(buffer.getvalue())
    for place in range(2000, 2200):
        content[place] ^= 0xFF
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
def test_the_lines_of_libtiff_do_not_reach_the_user(tmp_path: Path, compression: str) -> None:
    path = damaged_tiff(tmp_path / "a.tif", compression=compression)
    program = f"""
import sys
from pathlib import Path
from srlab.errors import UserError
from srlab.pixels.images import read_hr_image
try:
    read_hr_image(Path({str(path)!r}))
except UserError as error:
    sys.stderr.write(f"{{error}}\\n")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert len(done.stderr.splitlines()) == 1
    assert f"{path} is damaged or cut short" in done.stderr


def test_what_python_says_meanwhile_is_not_lost_and_afterwards_all_is_as_before() -> None:
    program = """
import os, sys
from srlab.pixels.quiet import quiet_libraries
before = sys.stderr
with quiet_libraries(), quiet_libraries():
    os.write(2, b"a library\\n")
    sys.stderr.write("python\\n")
assert sys.stderr is before
os.write(2, b"after\\n")
before.write("the end\\n")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == ["python", "after", "the end"]


def test_threads_that_overlap_leave_standard_error_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    begun, ended = Barrier(2), Barrier(2)

    def read(_: int) -> None:
        with quiet_libraries():
            begun.wait(timeout=10)
            os.write(2, b"a library\n")
            ended.wait(timeout=10)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(read, (1, 2)))
    os.write(2, b"the end\n")
    assert capfd.readouterr().err == "the end\n"
