"""What reading promises of damaged files: an error that says what is wrong, in every format, and no crash."""

import io
import logging
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from srlab.errors import UserError
from srlab.pixels import images
from srlab.pixels.images import Layout, read_header, read_hr_image, read_picture
from srlab.use.upscaler import load

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)
ANEW = "; get the file again, or save the picture anew"


def encoded(format_: str, *, palette: bool = False, **options: object) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(PIXELS)
    (image.quantize(32) if palette else image).save(buffer, format_, **options)
    return buffer.getvalue()


def with_text(png: bytes, text: bytes) -> bytes:
    """The PNG with a comment behind its header."""
    chunk = b"tEXtComment\0" + text
    return (
        png[:33] + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + png[33:]
    )


FILES = {
    "a.png": encoded("PNG"),
    "palette.png": encoded("PNG", palette=True),
    "a.gif": encoded("GIF"),
    "a.jpg": encoded("JPEG"),
    "progressive.jpg": encoded("JPEG", progressive=True),
    "a.webp": encoded("WEBP"),
    "a.bmp": encoded("BMP"),
    "a.tif": encoded("TIFF"),
    "lzw.tif": encoded("TIFF", compression="tiff_lzw"),
    "deflate.tif": encoded("TIFF", compression="tiff_adobe_deflate"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("missing", [1, 2, 4, 12, 13, 100])
def test_a_file_without_its_last_bytes_is_an_error_in_every_format(
    tmp_path: Path, name: str, missing: int
) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name])
    read_picture(path)
    path.write_bytes(FILES[name][:-missing])
    with pytest.raises(UserError) as error:
        read_picture(path)
    assert str(error.value).startswith(f"{path} is damaged or cut short: ")
    assert str(error.value).endswith(ANEW)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("missing", [1, 12, 16])
def test_a_16_bit_png_without_its_end_is_called_cut_short_and_libpng_is_quiet(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], missing: int
) -> None:
    cv2 = pytest.importorskip("cv2")
    path = tmp_path / "a.png"
    whole = cv2.imencode(".png", PIXELS.astype(np.uint16) * 257)[1].tobytes()
    path.write_bytes(whole)
    assert read_picture(path).pixels.dtype == np.uint16
    path.write_bytes(whole[:-missing])
    with pytest.raises(UserError, match="is damaged or cut short: its end is missing"):
        read_hr_image(path)
    assert capfd.readouterr().err == ""


def test_what_a_png_or_a_gif_may_have_besides_is_no_damage(tmp_path: Path) -> None:
    text = with_text(FILES["a.png"], b"hello")
    for name, content in {
        "text.png": text,
        "more.png": text + b"behind the end",
        "more.gif": FILES["a.gif"] + b"behind the end",
    }.items():
        (tmp_path / name).write_bytes(content)
        assert read_picture(tmp_path / name).pixels.shape == PIXELS.shape
    frames = [Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:], comment=b"two")
    assert read_picture(tmp_path / "moving.gif").pixels.shape == PIXELS.shape


@pytest.mark.parametrize("end", [200, 400, -100, -5, -1])
def test_a_tiff_whose_directory_is_not_whole_is_called_damaged(tmp_path: Path, end: int) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(FILES["lzw.tif"][:end])
    with pytest.raises(UserError, match="is damaged or cut short: the directory of this TIFF is not whole;"):
        read_picture(path)


def tag_at(tiff: bytes, tag: int) -> int:
    """Where the entry of a tag is, in a classic TIFF of this machine's order."""
    at = struct.unpack_from("<I", tiff, 4)[0]
    (count,) = struct.unpack_from("<H", tiff, at)
    entries = (at + 2 + 12 * k for k in range(count))
    return next(place for place in entries if struct.unpack_from("<H", tiff, place)[0] == tag)


def test_a_tiff_whose_directory_makes_no_sense_is_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tiff = bytearray(FILES["deflate.tif"])
    struct.pack_into("<H", tiff, tag_at(FILES["deflate.tif"], 277) + 8, 2048)  # channels
    path.write_bytes(tiff)
    with pytest.raises(UserError, match="the directory of this TIFF is not whole"):
        read_picture(path)
    assert logging.getLogger("PIL").handlers  # without one Python prints what Pillow logs


def test_a_tiff_of_a_layout_that_is_not_read_is_said_to_be_that(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tiff = bytearray(FILES["deflate.tif"])
    struct.pack_into("<H", tiff, tag_at(FILES["deflate.tif"], 262) + 8, 32844)  # LogL: no integers
    path.write_bytes(tiff)
    with pytest.raises(UserError, match=r"a TIFF whose layout srlab cannot read \(compression 8, colour kin"):
        read_picture(path)
    tifffile.imwrite(path, np.zeros((4, 5, 6), np.uint8), photometric="minisblack", planarconfig="contig")
    with pytest.raises(UserError, match="is a TIFF of 6 channels of 8-bit integers; srlab reads 1 to 4"):
        read_picture(path)


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"RIFF\0\1\0\0WEBP", "WebP"),
        (b"GIF89a", "GIF"),
    ],
)
def test_the_mark_of_a_format_with_nonsense_behind_it_is_damage(
    tmp_path: Path, start: bytes, kind: str
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(start + 40 * b"?")
    with pytest.raises(UserError, match=f"is damaged or cut short: .*{kind}|is damaged or cut short: it can"):
        read_picture(path)


# Files that change meanwhile


@pytest.mark.parametrize("change", ["other", "longer", "gone"])
def test_a_picture_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(FILES["a.png"])
    to_array = images._to_array

    def changed_meanwhile(image: Image.Image, mode: str) -> object:
        if change == "other":
            (tmp_path / "b.png").write_bytes(FILES["palette.png"])
            (tmp_path / "b.png").replace(path)
        elif change == "longer":
            path.write_bytes(FILES["a.png"] + b"more")
        else:
            path.unlink()
        return to_array(image, mode)

    monkeypatch.setattr("srlab.pixels.images._to_array", changed_meanwhile)
    with pytest.raises(UserError, match=r"a\.png was changed while it was read; run the command again"):
        read_picture(path)


def test_a_picture_that_grows_after_its_memory_was_counted_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = tmp_path / "a.png", tmp_path / "out.png"
    path.write_bytes(FILES["a.png"])
    small = read_header(path)

    def before(*_: object, **__: object) -> object:
        layout = Layout(height=20, width=56, channels=3, bits=8)
        return images.Header(layout=layout, decoding_bytes=small.decoding_bytes)

    monkeypatch.setattr("srlab.use.upscaler.read_header", before)
    with pytest.raises(UserError, match="was changed while it was read"):
        load("bicubic", scale=2).upscale(path, out)
    assert not out.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be cut there")
def test_a_file_that_is_cut_while_it_is_read_does_not_kill_the_process(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"  # gray and not compressed: Pillow maps such a file, if it knows its name
    Image.fromarray(np.zeros((3000, 3000), np.uint8)).save(path)
    program = f"""
import os
from pathlib import Path
from srlab.errors import UserError
from srlab.pixels import images
path = Path({str(path)!r})
to_array = images._to_array
def cut(image, mode):
    os.truncate(path, 100)
    return to_array(image, mode)
images._to_array = cut
try:
    images.read_picture(path)
except UserError as error:
    print(error)
"""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "was changed while it was read" in done.stdout
