"""What `srlab.load(...).upscale(...)` promises: the same kind of picture, larger, with all that it had."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageCms
from torch import Tensor

import srlab
from same_picture import assert_same_pixels
from srlab import Upscaler, UserError
from srlab.folder.checkpoints import save_weights
from srlab.networks import EDSROptions, Network, SRCNNOptions, build_network
from srlab.pixels.color import to_tensor, to_uint8
from srlab.pixels.images import Picture, read_picture
from srlab.pixels.metadata import Metadata
from srlab.pixels.picture_files import write_picture
from srlab.pixels.resize import resize, resize_uint8
from srlab.use.upscale import upscale_tensor
from srlab.use.upscaler import fill_transparent
from stored_files import save_run

OPTIONS = EDSROptions(num_blocks=1, num_features=4)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def upscaler() -> Upscaler:
    return Upscaler(build_network(OPTIONS, scale=2), variant="edsr/tiny", tile=8)


@pytest.fixture
def bicubic() -> Upscaler:
    return srlab.load("bicubic", scale=2)


def noise(*shape: int, peak: int = 255, seed: int = 0) -> NDArray[np.uint8]:
    return (
        np.random.default_rng(seed)
        .integers(0, peak + 1, shape)
        .astype(np.uint8 if peak == 255 else np.uint16)
    )


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("peak", [255, 65535])
def test_an_array_keeps_its_dtype_and_channels(upscaler: Upscaler, channels: int, peak: int) -> None:
    pixels = noise(9, 11, channels, peak=peak)
    enlarged = upscaler.upscale(pixels)
    assert enlarged.dtype == pixels.dtype
    assert enlarged.shape == (18, 22, channels)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_stay_floats_in_zero_to_one(upscaler: Upscaler, dtype: type) -> None:
    pixels: NDArray[Any] = (noise(6, 5, 3) / 255).astype(dtype)
    enlarged = upscaler.upscale(pixels)
    assert enlarged.dtype == dtype
    assert 0 <= enlarged.min() <= enlarged.max() <= 1


def test_an_array_without_channels_is_gray_and_stays_so(upscaler: Upscaler) -> None:
    gray = noise(6, 7)
    assert (upscaler.upscale(gray) == upscaler.upscale(gray[:, :, None])[:, :, 0]).all()


def test_colour_is_what_the_network_makes_of_it(upscaler: Upscaler) -> None:
    pixels = noise(13, 9, 3)
    with torch.no_grad():
        sr = to_uint8(upscaler.network(to_tensor(pixels)[None])[0])
    assert np.abs(upscaler.upscale(pixels).astype(int) - sr).max() <= 1


def test_16_bits_are_more_than_8(bicubic: Upscaler) -> None:
    """A ramp over few levels of 8 bits keeps its many levels of 16."""
    ramp = np.linspace(20000, 20500, 64).astype(np.uint16)[None, :].repeat(4, axis=0)
    assert len(np.unique(bicubic.upscale(ramp))) > 60


def test_gray_is_the_luma_of_what_the_network_makes(upscaler: Upscaler) -> None:
    gray = noise(8, 8)
    sr = upscale_tensor(upscaler.network, to_tensor(np.stack([gray] * 3, axis=2))[None])
    expected = (255 * sr[0].permute(1, 2, 0).numpy() @ [0.299, 0.587, 0.114]).clip(0, 255)
    assert np.abs(upscaler.upscale(gray) - expected).max() < 0.51


def test_gray_through_a_luma_network_needs_no_colour() -> None:
    network = build_network(SRCNNOptions(num_features=(4, 4), color="luma"), scale=3)
    enlarged = Upscaler(network, variant="srcnn/tiny").upscale(noise(7, 5))
    assert enlarged.shape == (21, 15)


class Alpha:
    """Pictures with a disc that shows, over black that does not."""

    y, x = np.mgrid[:24, :24]
    disc = ((y - 12) ** 2 + (x - 12) ** 2 < 64).astype(np.uint8)
    pixels = np.dstack([disc * 250, disc * 180, disc * 30, disc * 255]).astype(np.uint8)


def test_alpha_is_enlarged_by_bicubic(upscaler: Upscaler) -> None:
    alpha = noise(21, 19, seed=1)
    pixels = np.dstack([noise(21, 19, 3), alpha])
    values = resize(to_tensor(alpha[:, :, None]), size=(42, 38)).clamp(0, 1)
    assert_same_pixels(upscaler.upscale(pixels)[:, :, 3], to_uint8(values)[:, :, 0], values=values[0].numpy())


def test_what_is_hidden_does_not_bleed_into_what_shows(bicubic: Upscaler) -> None:
    enlarged = bicubic.upscale(Alpha.pixels).astype(int)
    visible = enlarged[enlarged[:, :, 3] > 0]
    assert np.abs(visible[:, :3] - [250, 180, 30]).max() <= 1


def test_alpha_is_not_premultiplied(bicubic: Upscaler) -> None:
    pixels = np.full((6, 6, 4), (200, 100, 50, 64), np.uint8)
    assert (bicubic.upscale(pixels) == (200, 100, 50, 64)).all()


def test_colours_that_show_are_left_as_they_are_when_hidden_ones_are_filled() -> None:
    colors = noise(9, 9, 3)
    alpha = noise(9, 9, peak=255) // 128
    filled = fill_transparent(colors, alpha)
    assert (filled[alpha > 0] == colors[alpha > 0]).all()
    assert fill_transparent(colors, np.zeros((9, 9), np.uint8)) is colors


def test_an_opaque_picture_is_the_same_with_alpha_and_without(upscaler: Upscaler) -> None:
    rgb = noise(10, 12, 3)
    rgba = np.dstack([rgb, np.full((10, 12), 255, np.uint8)])
    enlarged = upscaler.upscale(rgba)
    assert (enlarged[:, :, :3] == upscaler.upscale(rgb)).all()
    assert (enlarged[:, :, 3] == 255).all()


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_every_tile_gives_the_same_picture(channels: int, scale: int) -> None:
    network = build_network(OPTIONS, scale=scale)
    pixels = noise(41, 30, channels)
    pixels[5:20, 5:20, -1] = 0
    upscaler = Upscaler(network, variant="edsr/tiny", tile=100)
    whole, values = upscaler.upscale(pixels), upscaler.upscale(pixels / np.float32(255))
    for tile in (7, 16):
        tiled = Upscaler(network, variant="edsr/tiny", tile=tile).upscale(pixels)
        assert_same_pixels(tiled, whole, values=values)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("L", "L"),
        ("LA", "LA"),
        ("RGB", "RGB"),
        ("RGBA", "RGBA"),
        ("1", "L"),
        ("CMYK", "RGB"),
        ("I;16", "I;16"),
    ],
)
def test_a_pil_image_gives_a_pil_image(upscaler: Upscaler, mode: str, expected: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(noise(4, 5, peak=65535))
    else:
        image = Image.fromarray(noise(4, 5, 3)).convert(mode)
    enlarged = upscaler.upscale(image)
    assert isinstance(enlarged, Image.Image)
    assert (enlarged.mode, enlarged.size) == (expected, (10, 8))


def test_threads_may_share_an_upscaler(monkeypatch: pytest.MonkeyPatch) -> None:
    """In strips the network is changed while it runs, and torch.fx traces one network at a time."""
    monkeypatch.setattr("srlab.use.upscale.whole_pixels", lambda *_, **__: 100)
    network = build_network(EDSROptions(num_blocks=1, num_features=4), scale=2)
    shared = Upscaler(network, variant="edsr", tile=20)
    pictures = [np.full((70, 80, 3), value, np.uint8) for value in (10, 90, 170, 250)]

    def enlarge(picture: NDArray[Any]) -> NDArray[Any]:
        return shared.upscale(picture)

    alone = [enlarge(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        for found, expected in zip(pool.map(enlarge, pictures), alone, strict=True):
            assert np.array_equal(found, expected)


def test_a_palette_becomes_colour_with_alpha_where_it_is_transparent(upscaler: Upscaler) -> None:
    palette = Image.fromarray(noise(6, 6, 3)).quantize(8)
    assert upscaler.upscale(palette).mode == "RGB"
    palette.info["transparency"] = 0
    assert upscaler.upscale(palette).mode == "RGBA"


def test_a_pil_image_is_turned_upright_and_keeps_its_profile(upscaler: Upscaler) -> None:
    image = Image.fromarray(noise(4, 6, 3))
    image.getexif()[0x0112] = 6
    image.info["icc_profile"] = PROFILE
    enlarged = upscaler.upscale(image)
    assert enlarged.size == (8, 12)
    assert enlarged.info["icc_profile"] == PROFILE


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jpg", ".bmp"])
def test_a_path_gives_the_path_of_what_was_written(upscaler: Upscaler, tmp_path: Path, suffix: str) -> None:
    source = tmp_path / f"photo{suffix}"
    write_picture(source, Picture(name="photo", pixels=noise(6, 8, 3)))
    written = upscaler.upscale(source)
    assert written == tmp_path / f"photo-x2{suffix}"
    assert read_picture(written).pixels.shape == (12, 16, 3)


def test_a_file_keeps_depth_alpha_and_profile(upscaler: Upscaler, tmp_path: Path) -> None:
    pixels = noise(6, 8, 4, peak=65535)
    write_picture(
        tmp_path / "in.png", Picture(name="in", pixels=pixels, metadata=Metadata(icc_profile=PROFILE))
    )
    out = upscaler.upscale(str(tmp_path / "in.png"), tmp_path / "new" / "out.tiff")
    written = read_picture(out)
    assert (written.pixels == upscaler.upscale(pixels)).all()
    assert written.metadata.icc_profile == PROFILE


def test_a_file_that_exists_is_replaced_only_if_asked(upscaler: Upscaler, tmp_path: Path) -> None:
    write_picture(tmp_path / "in.png", Picture(name="in", pixels=noise(4, 4, 3)))
    out = tmp_path / "out.png"
    out.write_bytes(b"mine")
    with pytest.raises(UserError, match=r"out\.png exists"):
        upscaler.upscale(tmp_path / "in.png", out)
    assert out.read_bytes() == b"mine"
    upscaler.upscale(tmp_path / "in.png", out, overwrite=True)
    assert read_picture(out).pixels.shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4, 5), np.uint8), r"\[H, W, C\] with C from 1 to 4, not \[4, 4, 5\]"),
        (np.zeros((0, 4, 3), np.uint8), r"not \[0, 4, 3\]"),
        (np.zeros((4, 4), np.int64), "uint8, uint16 or floats"),
        (np.full((4, 4), 2.0), "from 2.0 to 2.0"),
        (np.full((4, 4), np.nan), r"values in \[0, 1\]"),
        (Image.new("F", (4, 4)), "mode F cannot be enlarged"),
        (torch.zeros(3, 4, 4), "not Tensor"),
    ],
)
def test_what_is_no_picture_is_refused_with_the_reason(
    upscaler: Upscaler, image: NDArray[np.uint8], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        upscaler.upscale(image)


def test_only_a_path_takes_a_place_to_write_to(upscaler: Upscaler) -> None:
    with pytest.raises(UserError, match="save a PIL image or an array yourself"):
        upscaler.upscale(noise(4, 4), "out.png")  # type: ignore[call-overload]


def weights(path: Path, *, seed: int = 0, scale: int = 2) -> Network:
    torch.manual_seed(seed)
    network = build_network(OPTIONS, scale=scale)
    save_weights(path, network, variant="edsr/tiny", options=OPTIONS, scale=scale)
    return network


def test_load_takes_a_weights_file_or_the_run_that_it_is_in(tmp_path: Path) -> None:
    network = weights(tmp_path / "weights.safetensors")
    pixels = noise(5, 5, 3)
    expected = Upscaler(network, variant="edsr/tiny").upscale(pixels)
    values = Upscaler(network, variant="edsr/tiny").upscale(pixels / np.float32(255))
    for path in (tmp_path, tmp_path / "weights.safetensors", str(tmp_path)):
        upscaler = srlab.load(path)
        assert_same_pixels(upscaler.upscale(pixels), expected, values=values)
        assert (upscaler.scale, upscaler.variant, upscaler.color) == (2, "edsr/tiny", "rgb")


def test_load_says_what_is_wrong_with_a_path(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="neither the folder of a run nor of a study"):
        srlab.load(tmp_path)
    save_run(tmp_path)
    with pytest.raises(UserError, match="not finished and has no weights yet"):
        srlab.load(tmp_path)
    save_run(tmp_path, status="diverged")
    with pytest.raises(UserError, match="diverged and left no weights"):
        srlab.load(tmp_path)
    with pytest.raises(UserError, match="does not exist"):
        srlab.load(tmp_path / "nothing")
    pickle = tmp_path / "model.pth"
    torch.save({"weight": torch.zeros(1)}, pickle)
    with pytest.raises(UserError, match="pickle"):
        srlab.load(pickle)


def test_load_checks_the_scale_and_bicubic_needs_one(tmp_path: Path) -> None:
    weights(tmp_path / "weights.safetensors")
    assert srlab.load(tmp_path, scale=2).scale == 2
    with pytest.raises(UserError, match="enlarges by 2, not by 4"):
        srlab.load(tmp_path, scale=4)
    with pytest.raises(UserError, match="bicubic enlarges by 2, 3 or 4"):
        srlab.load("bicubic")
    with pytest.raises(UserError):
        srlab.load("bicubic", scale=5)


@pytest.mark.parametrize("scale", ["2", 2.0, True])
@pytest.mark.parametrize("name", [None, "bicubic"])
def test_a_scale_that_is_no_whole_number_is_named_with_its_type(name: str | None, scale: Any) -> None:
    with pytest.raises(UserError, match=rf"whole number such as 2, not .*\({type(scale).__name__}\)"):
        srlab.load(name, scale=scale)


def test_a_scale_that_nothing_has_is_refused_without_advice_that_fails() -> None:
    with pytest.raises(UserError, match=r"by 2, 3 or 4, or by 8 as a chain, not by 1$"):
        srlab.load(scale=1)


def test_a_device_that_torch_lacks_is_refused_in_few_words() -> None:
    with pytest.raises(UserError) as error:
        srlab.load("bicubic", scale=2, device="vulkan")
    assert len(str(error.value)) < 120


def test_a_place_without_a_format_is_refused(upscaler: Upscaler, tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="has no suffix; srlab takes the format from the suffix"):
        upscaler.upscale(tmp_path / "a.png", tmp_path / "b")


@pytest.mark.parametrize("device", ["cuda:99", "nonsense", "meta"])
def test_a_device_that_cannot_be_used_is_refused(device: str) -> None:
    with pytest.raises(UserError, match="device"):
        srlab.load("bicubic", scale=2, device=device)


def test_bicubic_is_matlabs_but_for_its_rounding_between_the_passes(bicubic: Upscaler) -> None:
    pixels = 64 + noise(20, 30, 3) // 2
    difference = bicubic.upscale(pixels).astype(int) - resize_uint8(pixels, size=(40, 60))
    assert np.abs(difference).max() <= 1


def test_the_network_is_left_alone_and_memory_is_not_the_pictures(upscaler: Upscaler) -> None:
    """No forward sees more than a tile with its margin."""
    sizes: list[int] = []

    def note(_: torch.nn.Module, inputs: tuple[Tensor, ...], __: Tensor) -> None:
        sizes.append(inputs[0].shape[-1] * inputs[0].shape[-2])

    upscaler.network.register_forward_hook(note)
    upscaler.upscale(noise(100, 120, 3))
    assert max(sizes) <= (8 + 2 * 20) ** 2
    assert len(sizes) > 100


def test_what_is_not_finite_is_refused_not_painted() -> None:
    network = build_network(OPTIONS, scale=2)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(3e38)  # each is finite
    with pytest.raises(UserError, match="output of edsr/tiny for this picture is not finite"):
        Upscaler(network, variant="edsr/tiny").upscale(noise(12, 12, 3))
