"""What images promises: pixels as they were meant, or one line that says what is wrong with which file."""

import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms, TiffImagePlugin

from exact_resize import made_picture
from srlab.errors import UserError
from srlab.pixels.images import (
    HRImage,
    Picture,
    crop_to_multiple,
    list_images,
    read_header,
    read_hr_image,
    read_hr_layout,
    read_picture,
)
from srlab.pixels.metadata import Metadata
from srlab.pixels.picture_files import write_picture
from srlab.pixels.pil import from_pil
from srlab.use.upscaler import load

RGB = made_picture(24, 20)
GRAY = RGB[:, :, 0]
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def deep(channels: int) -> NDArray[np.uint16]:
    picture = made_picture(24, 20, channels=channels).astype(np.uint16)
    return picture * 257 - np.minimum(picture, made_picture(24, 20, channels=channels, seed=3))


def saved(path: Path, pixels: NDArray[Any], mode: str | None = None, **options: Any) -> Path:
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


# A folder


def test_pictures_are_listed_by_name_and_told_by_suffix_and_a_folder_is_not_passed_over(
    tmp_path: Path,
) -> None:
    for name in ("b.PNG", "a.jpeg", "c.tif", "d.webp", ".hidden.png", "notes.txt", "e.gif"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "folder").mkdir()
    assert [path.name for path in list_images(tmp_path)] == [
        "a.jpeg",
        "b.PNG",
        "c.tif",
        "d.webp",
        "folder.png",
    ]


def test_a_folder_without_pictures_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no pictures \(\.png"):
        list_images(tmp_path)
    with pytest.raises(UserError, match="does not exist"):
        list_images(tmp_path / "missing")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file, not a folder"):
        list_images(tmp_path / "file")


# Reading HR


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".bmp", ".webp"])
def test_lossless_formats_give_the_pixels_back(tmp_path: Path, suffix: str) -> None:
    options: dict[str, Any] = {"lossless": True} if suffix == ".webp" else {}
    image = read_hr_image(saved(tmp_path / f"bird{suffix}", RGB, **options))
    assert image.name == "bird"
    assert not image.is_gray
    assert image.pixels.dtype == np.uint8
    assert np.array_equal(image.pixels, RGB)


def test_jpeg_is_read_as_pillow_decodes_it(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jpg", RGB, quality=90)
    with Image.open(path) as image:
        assert np.array_equal(read_hr_image(path).pixels, np.asarray(image))


def test_the_format_is_told_by_the_content(tmp_path: Path) -> None:
    path = tmp_path / "really_a_jpeg.png"
    Image.fromarray(RGB).save(path, format="JPEG")
    assert read_hr_image(path).pixels.shape == RGB.shape


def test_gray_is_one_channel_three_times(tmp_path: Path) -> None:
    image = read_hr_image(saved(tmp_path / "gray.png", GRAY))
    assert image.is_gray
    assert np.array_equal(image.pixels, np.repeat(GRAY[:, :, None], 3, axis=2))


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    image = read_hr_image(saved(tmp_path / "ink.png", GRAY, "1"))
    assert image.is_gray
    assert set(np.unique(image.pixels)) == {0, 255}


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_are_rounded_to_eight(tmp_path: Path, channels: int, suffix: str) -> None:
    pixels = deep(channels)
    pixels[0, :6, 0] = [0, 128, 129, 385, 386, 65535]  # halves of a level lie at 128.5, 385.5, ...
    path = tmp_path / f"deep{suffix}"
    write_picture(path, Picture(name="deep", pixels=pixels))
    image = read_hr_image(path)
    assert image.pixels[0, :6, 0].tolist() == [0, 0, 1, 1, 2, 255]
    assert np.array_equal(image.pixels[:, :, :channels], np.floor(pixels / 257 + 0.5))


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    path = saved(tmp_path / "print.jpg", np.full((8, 8, 3), [200, 30, 30], np.uint8), "CMYK", quality=100)
    np.testing.assert_allclose(read_hr_image(path).pixels[4, 4], [200, 30, 30], atol=3)


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        (None, "ideal inks, because it has no ICC profile"),
        (b"junk", "ideal inks, because its ICC profile"),
        (SRGB, "ideal inks, because its ICC profile"),
    ],
    ids=["no profile", "no profile of colors", "another profile"],  # SRGB has the second it was made in
)
def test_how_cmyk_became_rgb_is_said_as_it_was_done(tmp_path: Path, profile: bytes | None, said: str) -> None:
    pixels = np.full((8, 8, 3), [200, 30, 30], np.uint8)
    path = saved(tmp_path / "print.jpg", pixels, "CMYK", quality=100, icc_profile=profile)
    (note,) = read_picture(path).notes
    assert said in note
    assert "RGB by its ICC profile" not in note


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_upright_whatever_its_exif_says(tmp_path: Path, orientation: int) -> None:
    turned: dict[int, Callable[[Any], Any]] = {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.swapaxes(0, 1),
        6: lambda p: np.rot90(p, -1),
        7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90,
    }
    upright = turned[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[0x0112] = orientation
    for path in (
        saved(tmp_path / "a.png", RGB, exif=exif),
        saved(tmp_path / "a.webp", RGB, exif=exif, lossless=True),
        saved(tmp_path / "a.tiff", RGB, tiffinfo=tags),
        _deep_png_with_exif(tmp_path / "deep.png", RGB.astype(np.uint16) * 257, exif),
        _deep_tiff_with_orientation(tmp_path / "deep.tiff", RGB.astype(np.uint16) * 257, orientation),
    ):
        assert np.array_equal(read_hr_image(path).pixels, upright(RGB)), path.name


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("exif", [b"garbage, no header", b"II*", b"II+\0\x08\0\0\0"])
def test_broken_exif_is_left_out_and_the_picture_is_read(tmp_path: Path, suffix: str, exif: bytes) -> None:
    path = saved(tmp_path / f"a{suffix}", RGB, exif=b"Exif\0\0" + exif)
    assert read_hr_image(path).pixels.shape == read_picture(path).pixels.shape == RGB.shape
    picture = read_picture(path)
    assert picture.metadata.exif is None
    assert picture.notes == (f"the EXIF of a{suffix} is damaged and is left out",)
    assert read_header(path).layout == picture.layout
    assert read_hr_layout(path) == picture.layout
    with Image.open(load("bicubic", scale=2).upscale(path)) as large:
        assert large.size == (2 * RGB.shape[1], 2 * RGB.shape[0])
        assert not large.getexif()
    with Image.open(path) as image:
        assert from_pil(image).pixels.shape == RGB.shape


def _deep_png_with_exif(path: Path, pixels: NDArray[np.uint16], exif: Image.Exif) -> Path:
    write_picture(path, Picture(name="", pixels=pixels))
    data = path.read_bytes()
    chunk = b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path.write_bytes(data[:33] + chunk + data[33:])  # behind IHDR
    return path


def _deep_tiff_with_orientation(path: Path, pixels: NDArray[np.uint16], orientation: int) -> Path:
    write_picture(path, Picture(name="", pixels=pixels))
    data = bytearray(path.read_bytes())
    (directory,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, directory)
    entries = [bytes(data[directory + 2 + 12 * i :][:12]) for i in range(count)]
    entries.append(struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0))
    entries.sort(key=lambda entry: int.from_bytes(entry[:2], "little"))
    struct.pack_into("<I", data, 4, len(data))
    path.write_bytes(bytes(data) + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4))
    return path


@pytest.mark.parametrize(("mode", "what"), [("RGBA", "alpha"), ("LA", "alpha"), ("P", "palette of")])
def test_alpha_and_palettes_are_refused_with_the_reason(tmp_path: Path, mode: str, what: str) -> None:
    path = saved(tmp_path / "logo.png", RGB, mode)
    with pytest.raises(UserError, match=rf"logo\.png has an? {what}.*(scored|score)"):
        read_hr_image(path)


def test_one_transparent_colour_is_alpha_too(tmp_path: Path) -> None:
    path = saved(tmp_path / "key.png", RGB, transparency=tuple(RGB[0, 0].tolist()))
    with pytest.raises(UserError, match="alpha"):
        read_hr_image(path)
    assert read_picture(path).pixels[0, 0, 3] == 0
    deep_gray = saved(tmp_path / "deep.png", deep(1)[:, :, 0], transparency=int(deep(1)[0, 0, 0]))
    assert read_picture(deep_gray).pixels[0, 0].tolist() == [deep(1)[0, 0, 0], 0]


# Files that are no pictures


def _damaged(kind: str, tmp_path: Path) -> Path:
    path = tmp_path / f"{kind}.png"
    whole = saved(tmp_path / "whole.png", made_picture(90, 90)).read_bytes()
    if kind == "text":
        path.write_text("This is not a picture.\n")
    elif kind == "empty":
        path.touch()
    elif kind == "truncated":
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "headless":
        path.write_bytes(whole[:20])
    elif kind == "scrambled":
        path.write_bytes(whole[:60] + bytes(200) + whole[260:])
    elif kind == "bomb":
        header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
        chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + whole[33:])
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "the picture .* does not exist"),
        ("empty", r"is empty \(0 bytes\)"),
        ("text", "is not a picture"),
        ("truncated", "is damaged or cut short"),
        ("headless", "is (damaged or cut short|not a picture)"),
        ("scrambled", "is damaged or cut short"),
        ("bomb", "more than the limit of 128,000,000; .*--max-pixels"),
    ],
)
@pytest.mark.parametrize("read", [read_hr_image, read_picture])
def test_a_file_that_is_no_picture_is_an_error_that_names_it(
    tmp_path: Path, read: Callable[[Path], Any], kind: str, message: str
) -> None:
    path = _damaged(kind, tmp_path)
    with pytest.raises(UserError, match=message) as error:
        read(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_picture_larger_than_pillow_warns_of_is_read_without_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)  # of 480; it warns above it and refuses twice as many
    assert read_hr_image(saved(tmp_path / "large.png", RGB)).pixels.shape == RGB.shape


def test_a_compressed_tiff_larger_than_pillow_allows_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(RGB).save(tmp_path / "large.tif", compression="tiff_lzw")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # Pillow refuses twice as many, and there are 480
    monkeypatch.setattr("srlab.pixels.images._BAND_BYTES", 400)  # it is never decoded as a whole
    assert read_hr_image(tmp_path / "large.tif").pixels.shape == RGB.shape
    assert Image.MAX_IMAGE_PIXELS == 100


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tiff"])
def test_several_pictures_in_a_file_are_refused(tmp_path: Path, suffix: str) -> None:
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    frames[0].save(tmp_path / f"moving{suffix}", save_all=True, append_images=frames[1:])
    with pytest.raises(UserError, match="holds 2 pictures"):
        read_hr_image(tmp_path / f"moving{suffix}")


def test_numbers_that_are_no_levels_are_refused(tmp_path: Path) -> None:
    for name, dtype in (("floats of ", np.float32), ("", np.int32)):
        path = saved(tmp_path / "a.tiff", GRAY.astype(dtype))
        with pytest.raises(UserError, match=f"has {name}32 bits a channel; srlab reads 1 to 8 and 16"):
            read_picture(path)


@pytest.mark.parametrize("dtype", [np.int8, np.int16])
@pytest.mark.parametrize("read", [read_hr_image, read_picture, read_header])
def test_signed_integers_are_refused_and_not_read_as_bright_values(
    tmp_path: Path, dtype: Any, read: Callable[[Path], Any]
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.arange(-60, 60, dtype=dtype).reshape(10, 12), photometric="minisblack")
    with pytest.raises(UserError, match=r"has signed integers of (8|16) bits a channel"):
        read(path)


def test_deep_planes_that_were_meant_as_pages_are_named_so(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    pixels = deep(3).transpose(2, 0, 1)
    tifffile.imwrite(path, pixels, photometric="rgb", planarconfig="separate")
    with pytest.raises(UserError, match="each channel in a plane of its own, as pages would be"):
        read_picture(path)


@pytest.mark.parametrize(
    ("shape", "dtype", "what"),
    [
        ((8, 9, 5), np.uint8, "5 channels of 8-bit integers;"),
        ((8, 9, 3), np.float32, "3 channels of 32-bit floats;"),
        ((2, 8, 9, 2), np.uint16, "2 channels of 16-bit integers, on several pages;"),
    ],
)
def test_a_tiff_of_other_pixels_is_named_by_them(
    tmp_path: Path, shape: tuple[int, ...], dtype: Any, what: str
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros(shape, dtype), photometric="minisblack", planarconfig="contig")
    with pytest.raises(UserError, match=f"is a TIFF of {what} srlab reads 1 to 4 channels"):
        read_picture(path)


# HR images


def test_a_pixel_hash_depends_on_pixels_and_shape_alone() -> None:
    def hashed(pixels: NDArray[np.uint8], name: str = "a") -> str:
        return HRImage(name=name, pixels=pixels, is_gray=False).pixel_hash()

    assert hashed(RGB) == hashed(RGB.copy(order="F"), "b")
    assert hashed(RGB) != hashed(RGB.reshape(20, 24, 3))
    changed = RGB.copy()
    changed[-1, -1, -1] ^= 1
    assert hashed(RGB) != hashed(changed)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_hr_is_cropped_below_and_right(scale: int) -> None:
    pixels = made_picture(23, 19)
    cropped = crop_to_multiple(pixels, scale)
    height, width = cropped.shape[:2]
    assert (height % scale, width % scale) == (0, 0)
    assert 23 - height < scale
    assert 19 - width < scale
    assert np.array_equal(cropped, pixels[:height, :width])


def test_nothing_left_of_a_tiny_picture_is_an_error() -> None:
    with pytest.raises(UserError, match=r"9x3 pixels is too small for x4: it needs at least 4x4"):
        crop_to_multiple(made_picture(3, 9), 4)


# Pictures in and out


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff", ".webp", ".bmp"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("bits", [8, 16])
def test_what_a_format_holds_comes_back_whole(tmp_path: Path, suffix: str, channels: int, bits: int) -> None:
    pixels = made_picture(24, 20, channels=channels) if bits == 8 else deep(channels)
    path = tmp_path / "new folder" / f"a{suffix}"
    picture = Picture(name="a", pixels=pixels, metadata=Metadata(icc_profile=SRGB if channels > 2 else None))
    if suffix in (".webp", ".bmp") and (bits == 16 or (suffix == ".bmp" and channels in (2, 4))):
        with pytest.raises(
            UserError, match=r"(holds only 8 bits a channel|cannot hold an alpha channel).*PNG"
        ):
            write_picture(path, picture)
        assert not path.parent.exists()
        return
    write_picture(path, picture)
    back = read_picture(path)
    if suffix == ".webp" or (suffix in (".tif", ".tiff") and bits == 16 and channels == 2):
        pixels = pixels if channels > 2 else pixels[:, :, [0, 0, 0, 1] if channels == 2 else [0, 0, 0]]
    assert back.pixels.dtype == pixels.dtype
    assert np.array_equal(back.pixels, pixels)
    assert back.metadata.icc_profile == (None if suffix == ".bmp" else picture.metadata.icc_profile)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_jpeg_keeps_the_profile_and_is_close(tmp_path: Path) -> None:
    smooth = np.add.outer(np.arange(40), np.arange(50)).astype(np.uint8)[:, :, None].repeat(3, axis=2)
    write_picture(tmp_path / "a.jpg", Picture(name="a", pixels=smooth, metadata=Metadata(icc_profile=SRGB)))
    back = read_picture(tmp_path / "a.jpg")
    assert back.metadata.icc_profile == SRGB
    np.testing.assert_allclose(back.pixels.astype(int), smooth, atol=3)


@pytest.mark.parametrize(
    ("name", "pixels", "message"),
    [
        (
            "a.jpg",
            made_picture(8, 8, channels=4),
            "JPEG cannot hold an alpha channel; write PNG, TIFF or WebP",
        ),
        ("a.jpeg", deep(3), "JPEG holds only 8 bits a channel, and the picture has 16; write PNG or TIFF"),
        ("a.webp", np.zeros((1, 16384, 3), np.uint8), "ends at 16383 pixels a side"),
        ("a.gif", RGB, r"the suffix \.gif; srlab takes the format from the suffix, one of \.png"),
        ("a", RGB, "no suffix; srlab takes the format"),
    ],
)
def test_what_a_format_cannot_hold_is_an_error_that_names_those_that_can(
    tmp_path: Path, name: str, pixels: NDArray[Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        write_picture(tmp_path / name, Picture(name="a", pixels=pixels))
    assert list(tmp_path.iterdir()) == []


def test_a_palette_becomes_rgb_or_rgba(tmp_path: Path) -> None:
    few = (RGB // 128) * 255
    path = saved(tmp_path / "p.png", few, "P")
    with Image.open(path) as image:
        assert np.array_equal(read_picture(path).pixels, np.asarray(image.convert("RGB")))
    path = saved(tmp_path / "t.png", few, "P", transparency=0)
    assert read_picture(path).pixels.shape == (24, 20, 4)


def test_a_picture_that_cannot_be_written_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    write_picture(path, Picture(name="a", pixels=RGB))
    before = path.read_bytes()

    def full(part: Path, *_: object, **__: object) -> None:
        part.write_bytes(before[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("srlab.pixels.picture_files.write_png", full)
    with pytest.raises(UserError, match=r"a\.png could not be written: No space left on device"):
        write_picture(path, Picture(name="a", pixels=255 - RGB))
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_what_is_no_picture_cannot_be_one() -> None:
    for pixels in (
        RGB.astype(np.float32),
        GRAY,
        np.zeros((4, 4, 5), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
    ):
        with pytest.raises(ValueError, match=r"picture needs|pixels must be"):
            Picture(name="a", pixels=pixels)  # type: ignore[arg-type]


def test_reading_pictures_takes_neither_torch_nor_opencv_until_it_must() -> None:
    code = "import sys, srlab.pixels.images; sys.exit('torch' in sys.modules or 'cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_may_never_end_is_not_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(UserError, match="is not a plain file, not a picture"):
            read_picture(path)
