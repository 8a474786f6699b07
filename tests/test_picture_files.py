"""What writing promises: strips give the whole picture, metadata goes along, memory is counted beforehand."""

import struct
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageFile, features

import srlab
from exact_resize import made_picture
from srlab.cli import main
from srlab.errors import UserError
from srlab.networks import build_network, preset
from srlab.pixels.images import Layout, read_header, read_hr_image, read_hr_layout, read_picture
from srlab.pixels.memory import _left_in_group
from srlab.pixels.metadata import Metadata
from srlab.pixels.picture_files import check_installed, write_strips
from srlab.use.upscaler import Upscaler, flattened, parse_color

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6"/></x:xmpmeta>'


def pixels_of(channels: int, bits: int) -> NDArray[Any]:
    pixels = made_picture(50, 33, channels=channels)
    return pixels if bits == 8 else pixels.astype(np.uint16) * 257 - 5 * (pixels > 9).astype(np.uint16)


def cut(pixels: NDArray[Any], rows: int) -> Iterator[NDArray[Any]]:
    yield from (pixels[top : top + rows] for top in range(0, len(pixels), rows))


def layout_of(pixels: NDArray[Any]) -> Layout:
    height, width, channels = pixels.shape
    return Layout(height=height, width=width, channels=channels, bits=8 * pixels.itemsize)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("rows", [1, 7, 50])
def test_strips_of_any_height_give_the_whole_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, channels: int, bits: int, rows: int
) -> None:
    monkeypatch.setattr("srlab.pixels.strips._WORK_BYTES", 900)  # several pieces, none as high as a strip
    pixels = pixels_of(channels, bits)
    path = tmp_path / f"a{suffix}"
    write_strips(path, cut(pixels, rows), layout=layout_of(pixels), metadata=Metadata())
    back = read_picture(path).pixels
    if suffix == ".tif" and bits == 16 and channels == 2:
        back = back[:, :, [0, 3]]
    assert np.array_equal(back, pixels)


@pytest.mark.parametrize("is_big", [False, True])
def test_other_programs_read_the_tiff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_big: bool) -> None:
    if is_big:
        monkeypatch.setattr("srlab.pixels.strips._BIG_TIFF_FROM", 0)
    pixels = pixels_of(3, 16)
    exif = Image.Exif()
    exif[0x010F] = "Acme"
    exif[0x8769] = {0x829A: 0.01}
    metadata = Metadata(exif=exif.tobytes().removeprefix(b"Exif\0\0"), xmp=XMP)
    path = tmp_path / "a.tif"
    write_strips(path, cut(pixels, 20), layout=layout_of(pixels), metadata=metadata)
    with tifffile.TiffFile(path) as file:
        page: Any = file.pages[0]
        assert file.is_bigtiff == is_big
        assert np.array_equal(file.asarray(), pixels)
        assert page.tags[0x010F].value == "Acme"
        assert page.tags[0x8769].value["ExposureTime"] in [(1, 100), 0.01]
        assert bytes(page.tags[700].value) == XMP
    read: Any = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(read[:, :, ::-1], pixels)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_the_whole_picture_is_never_in_memory(tmp_path: Path, suffix: str) -> None:
    """64 MB of pixels are written from strips of 64 kB."""
    strip = made_picture(8, 2731)
    strips = (strip for _ in range(1000))
    layout = Layout(height=8000, width=2731, channels=3, bits=8)
    tracemalloc.start()
    write_strips(tmp_path / f"a{suffix}", strips, layout=layout, metadata=Metadata())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32e6 < layout.num_bytes


def photograph(path: Path, **options: Any) -> Path:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Acme"
    exif[0x8769] = {0x829A: 0.01, 0xA002: 20, 0xA003: 12}
    exif[0x8825] = {1: "N"}
    Image.fromarray(made_picture(12, 20)).save(path, exif=exif, xmp=XMP, quality=95, **options)
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp"])
def test_metadata_goes_along_without_the_orientation_and_with_the_new_size(
    tmp_path: Path, suffix: str
) -> None:
    source = photograph(tmp_path / "in.jpg")
    upscaler = srlab.load("bicubic", scale=2)
    with Image.open(upscaler.upscale(source, tmp_path / f"out{suffix}")) as image:
        image.load()
        exif = image.getexif()
        assert image.size == (24, 40)  # upright
        assert exif.get(0x0112, 1) == 1
        assert exif[0x010F] == "Acme"
        assert float(exif.get_ifd(0x8769)[0x829A]) == pytest.approx(0.01)
        assert [exif.get_ifd(0x8769)[tag] for tag in (0xA002, 0xA003)] == [24, 40]
        assert exif.get_ifd(0x8825) == {1: "N"}
        assert image.info["xmp"] == XMP.replace(b'"6"', b'"1"')
    with Image.open(upscaler.upscale(source, tmp_path / f"bare{suffix}", keep_metadata=False)) as image:
        image.load()
        assert 0x010F not in image.getexif()
        assert "xmp" not in image.info


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"<rdf tiff:Orientation='6'/>", b"<rdf tiff:Orientation='1'/>"),
        (b'<rdf tiff:Orientation = "6" a="6"/>', b'<rdf tiff:Orientation = "1" a="6"/>'),
        (b"<tiff:Orientation>6</tiff:Orientation>", b"<tiff:Orientation>1</tiff:Orientation>"),
        (
            b"<tiff:Orientation a='6'>\n 6\n</tiff:Orientation>",
            b"<tiff:Orientation a='6'>\n 1\n</tiff:Orientation>",
        ),
        (b"<tiff:Make>6</tiff:Make><tiff:OrientationX>6<", b"<tiff:Make>6</tiff:Make><tiff:OrientationX>6<"),
    ],
)
def test_xmp_has_no_old_orientation_however_it_is_written(
    tmp_path: Path, before: bytes, after: bytes
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(made_picture(12, 20)).save(tmp_path / "a.jpg", exif=exif, xmp=before)
    picture = read_picture(tmp_path / "a.jpg")
    assert picture.metadata.xmp == after
    assert picture.layout.width == 12


def test_a_gif_gives_its_first_picture_and_says_so(tmp_path: Path) -> None:
    first, second = (Image.fromarray(made_picture(9, 7, seed=seed)).quantize(16) for seed in (0, 1))
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
    picture = read_picture(tmp_path / "a.gif")
    assert np.array_equal(picture.pixels, np.asarray(first.convert("RGB")))
    assert picture.notes == ("a.gif has 2 pictures; srlab uses the first",)
    with pytest.raises(UserError, match="is GIF; for training"):
        read_hr_image(tmp_path / "a.gif")


def test_heic_without_its_package_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("srlab.pixels.images.register_heic", lambda: False)
    monkeypatch.setattr("srlab.pixels.picture_files.register_heic", lambda: False)
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(UserError, match="pip install pillow-heif"):
        read_picture(tmp_path / "a.heic")
    pixels = made_picture(8, 8)
    with pytest.raises(UserError, match="pip install pillow-heif"):
        write_strips(tmp_path / "b.heic", [pixels], layout=layout_of(pixels), metadata=Metadata())


def test_a_pillow_that_does_not_know_avif_works_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(features.modules, "avif", raising=False)
    Image.new("RGB", (8, 6)).save(tmp_path / "a.png")
    assert read_header(tmp_path / "a.png").layout.width == 8
    with pytest.raises(UserError, match="this version of Pillow cannot write AVIF"):
        check_installed(tmp_path / "a.avif")


def test_alpha_is_laid_on_a_colour() -> None:
    pixels = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 0, 0, 51]]], np.uint8)
    flat = flattened(pixels, parse_color("#c86432"))
    assert flat.tolist() == [[[10, 20, 30], [200, 100, 50], [160, 80, 40]]]
    deep = flattened(pixels.astype(np.uint16) * 257, parse_color("#c86432"))
    assert np.abs(deep - flat.astype(int) * 257).max() <= 1
    with pytest.raises(UserError, match="'sky' is not a colour"):
        parse_color("sky")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp"])
def test_header_picture_and_enlargement_agree_on_what_is_upright(
    tmp_path: Path, suffix: str, orientation: int
) -> None:
    source = tmp_path / f"in{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(made_picture(12, 20)).save(source, exif=exif)
    high, wide = (12, 20) if orientation < 5 else (20, 12)
    for layout in (read_header(source).layout, read_picture(source).layout, read_hr_layout(source)):
        assert (layout.height, layout.width) == (high, wide)
    expected = srlab.load("bicubic", scale=2).upscale_picture(read_picture(source)).pixels
    for target in (".png", ".tif", ".webp"):
        out = srlab.load("bicubic", scale=2).upscale(source, tmp_path / f"out{target}")
        assert np.array_equal(read_picture(out).pixels, expected)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
@pytest.mark.parametrize("change", ["width", "fewer rows", "more rows", "depth", "channels"])
def test_rows_that_do_not_fit_the_layout_are_never_written(tmp_path: Path, suffix: str, change: str) -> None:
    pixels = made_picture(12, 20)
    rows: dict[str, NDArray[Any]] = {
        "width": pixels.swapaxes(0, 1)[:12],
        "fewer rows": pixels[:11],
        "more rows": np.concatenate([pixels, pixels[:1]]),
        "depth": pixels.astype(np.uint16),
        "channels": pixels[:, :, :1],
    }
    with pytest.raises(ValueError, match=r"rows .*picture of"):
        write_strips(tmp_path / f"a{suffix}", [rows[change]], layout=layout_of(pixels), metadata=Metadata())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["before the pixels", "behind the pixels", "in XMP behind the pixels"])
def test_the_header_of_a_png_is_read_without_its_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(made_picture(12, 20)).save(path)
    exif = Image.Exif()
    exif[0x0112] = 6
    chunk = b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
    if "XMP" in place:
        chunk = b"iTXtXML:com.adobe.xmp\0\0\0\0\0" + XMP
    chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    whole = path.read_bytes()
    at = 33 if place.startswith("before") else len(whole) - 12  # behind IHDR, or before IEND
    path.write_bytes(whole[:at] + chunk + whole[at:])
    picture = read_picture(path)
    loaded: list[tuple[int, int]] = []
    load = ImageFile.ImageFile.load

    def noted(image: ImageFile.ImageFile) -> Any:
        loaded.append(image.size)
        return load(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load", noted)
    assert read_header(path).layout == picture.layout
    assert (picture.layout.height, picture.layout.width) == (20, 12)
    assert set(loaded) <= {(1, 1)}


# Limits


@pytest.mark.parametrize("read", [read_hr_image, read_picture, read_header])
def test_a_picture_beyond_the_limit_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Any
) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(made_picture(10, 10)).save(path)
    read(path, max_pixels=100)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _: pytest.fail("the picture was decoded"))
    with pytest.raises(UserError, match="10x10 pixels, more than the limit of 99"):
        read(path, max_pixels=99)
    monkeypatch.setenv("SRLAB_MAX_PIXELS", "50")
    with pytest.raises(UserError, match="the limit of 50"):
        read(path)


def test_a_small_file_of_many_pixels_is_not_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    Image.new("1", (12000, 12000)).save(tmp_path / "in" / "a.png")
    words = ["srlab", "evaluate", "bicubic", "--scale", "2", "--data", str(tmp_path / "in")]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "12000x12000 pixels, more than the limit of 128,000,000" in capsys.readouterr().err


def test_what_memory_does_not_hold_is_refused_with_both_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (200, 200)).save(tmp_path / "a.png")
    upscaler = srlab.load("bicubic", scale=2, device="cpu")
    monkeypatch.setattr("srlab.use.upscaler.available_bytes", lambda: 1_000_000)
    monkeypatch.setattr("srlab.use.upscaler.read_picture", lambda *_, **__: pytest.fail("it was decoded"))
    with pytest.raises(UserError, match=r"takes about \d+ MB of memory, and only 1.0 MB are free; .*--tile"):
        upscaler.upscale(tmp_path / "a.png", tmp_path / "b.png")
    with pytest.raises(UserError, match="write a PNG or a TIFF"):
        upscaler.upscale(tmp_path / "a.png", tmp_path / "b.jpg")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_the_memory_of_a_png_grows_with_the_picture_and_not_with_its_enlargement(tmp_path: Path) -> None:
    Image.new("L", (8000, 8000)).convert("RGB").save(tmp_path / "a.png", compress_level=1)
    upscaler = srlab.load("bicubic", scale=2, device="cpu")
    png = upscaler.cost(tmp_path / "a.png", tmp_path / "b.png")
    jpg = upscaler.cost(tmp_path / "a.png", tmp_path / "b.jpg")
    assert png.output.num_bytes == 768_000_000
    assert png.memory < 1.2e9
    assert jpg.memory > png.output.num_bytes


@pytest.mark.parametrize(
    ("variant", "height", "measured"),
    [
        ("srcnn/pixel_shuffle_residual_leaky_relu", 600, 277e6),
        ("srcnn/pixel_shuffle_residual_leaky_relu", 1200, 487e6),
        ("srcnn/pixel_shuffle_residual_leaky_relu", 8000, 783e6),
        ("rdn/vanilla", 600, 343e6),
        ("rdn/vanilla", 1200, 519e6),
    ],
)
def test_what_memory_is_said_is_no_less_than_what_was_measured(
    tmp_path: Path, variant: str, height: int, measured: float
) -> None:
    """At x2 on a CPU, 8000 pixels wide, by the peak of the process less what it had before."""
    Image.new("RGB", (8000, height)).save(tmp_path / "a.png", compress_level=1)
    options = preset(variant, scale=2)
    upscaler = Upscaler(build_network(options, scale=2), variant=variant)
    cost = upscaler.cost(tmp_path / "a.png", tmp_path / "b.png")
    assert measured <= cost.memory < 1.8 * measured


@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone gives memory back when it is told to")
def test_memory_that_was_freed_below_other_memory_goes_back_to_the_system() -> None:
    program = """
import ctypes, psutil
import numpy as np
from srlab.pixels.memory import give_back
from srlab.training.device import tune_allocator
if tune_allocator() and hasattr(ctypes.CDLL(None), "malloc_trim"):
    pieces = [np.ones(1 << 20, np.uint8) for _ in range(64)]
    above = np.ones(1 << 20, np.uint8)
    del pieces
    kept = psutil.Process().memory_info().rss
    give_back()
    assert kept - psutil.Process().memory_info().rss > 32 << 20
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_freed_memory_goes_back_after_decoding_and_after_each_row_of_tiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[None] = []
    monkeypatch.setattr("srlab.use.upscaler.give_back", lambda: given.append(None))
    Image.new("RGB", (20, 40)).save(tmp_path / "a.png")
    srlab.load("bicubic", scale=2, device="cpu", tile=16).upscale(tmp_path / "a.png", tmp_path / "b.png")
    assert len(given) == 1 + 3


def test_a_control_group_limits_what_is_available(tmp_path: Path) -> None:
    group = tmp_path / "job"
    group.mkdir()
    (group / "memory.max").write_text("1000\n")
    (group / "memory.current").write_text("700\n")
    (group / "memory.stat").write_text("anon 500\ninactive_file 150\n")
    (tmp_path / "cgroup").write_text("0::/job\n")
    assert _left_in_group(tmp_path, tmp_path / "cgroup") == [450]
    (group / "memory.max").write_text("max\n")
    assert _left_in_group(tmp_path, tmp_path / "cgroup") == []
