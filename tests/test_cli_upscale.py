"""What ``srlab upscale`` promises: each picture whole or not at all, and one line for what went wrong."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import srlab
from same_picture import assert_same_pixels
from srlab.cli import main
from srlab.folder.checkpoints import save_weights
from srlab.networks import EDSROptions, build_network
from srlab.pixels.images import read_picture

OPTIONS = EDSROptions(num_blocks=1, num_features=4)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    network = build_network(OPTIONS, scale=2)
    save_weights(folder / "weights.safetensors", network, variant="edsr/tiny", options=OPTIONS, scale=2)
    return folder


def picture(path: Path, height: int = 9, width: int = 11, *, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def pixels_of(path: Path) -> NDArray[np.uint8]:
    return np.asarray(read_picture(path).pixels, np.uint8)


class Command:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch = monkeypatch
        self.capsys = capsys

    def __call__(self, *words: object, code: int = 0) -> tuple[str, str]:
        """Standard output and standard error of ``srlab upscale`` with `words`, which ends with `code`."""
        self.monkeypatch.setattr(sys, "argv", ["srlab", "upscale", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        found = self.capsys.readouterr()
        assert (ended.value.code or 0) == code, found.err
        assert "Traceback" not in found.err
        return found.out, found.err


@pytest.fixture
def upscale(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capsys)


def test_a_picture_is_enlarged_as_the_library_does_it(upscale: Command, model: Path, tmp_path: Path) -> None:
    source = picture(tmp_path / "in.png")
    out, err = upscale(source, tmp_path / "out.png", "--model", model)
    assert out == ""
    assert f"x2 with the run {model}" in err
    assert (pixels_of(tmp_path / "out.png") == srlab.load(model).upscale(pixels_of(source))).all()


@pytest.mark.parametrize("tile", [16, 20, 100])
def test_the_tile_does_not_show(upscale: Command, model: Path, tmp_path: Path, tile: int) -> None:
    source = picture(tmp_path / "in.png", 41, 37)
    upscale(source, tmp_path / "out.png", "--model", model, "--tile", tile)
    pixels, upscaler = pixels_of(source), srlab.load(model)
    assert_same_pixels(
        pixels_of(tmp_path / "out.png"),
        upscaler.upscale(pixels),
        values=upscaler.upscale(pixels / np.float32(255)),
    )


def test_one_pixel_is_enough(upscale: Command, tmp_path: Path) -> None:
    upscale(picture(tmp_path / "in.png", 1, 1), tmp_path / "out.png", "--model", "bicubic", "--scale", 4)
    assert pixels_of(tmp_path / "out.png").shape == (4, 4, 3)


def test_the_suffix_decides_the_format_and_a_folder_takes_the_name(
    upscale: Command, model: Path, tmp_path: Path
) -> None:
    source = picture(tmp_path / "in.png")
    upscale(source, tmp_path / "out.jpg", "--model", model)
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.format == "JPEG"
    (tmp_path / "folder").mkdir()
    upscale(source, tmp_path / "folder", "--model", model)
    assert pixels_of(tmp_path / "folder" / "in.png").shape == (18, 22, 3)


def test_a_folder_is_done_file_by_file_and_a_bad_one_stops_no_other(
    upscale: Command, model: Path, tmp_path: Path
) -> None:
    for name in ("a.png", "c.webp", "d.PNG"):
        picture(tmp_path / "in" / name)
    (tmp_path / "in" / "b.png").write_text("I am no picture")
    (tmp_path / "in" / "notes.txt").write_text("hello")
    _, err = upscale(tmp_path / "in", tmp_path / "out", "--model", model, code=2)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "c.webp", "d.PNG"]
    assert "skipped notes.txt" in err
    assert "b.png is not a picture" in err
    assert "srlab: 1 of 4 pictures was not enlarged" in err


def test_a_fault_of_srlabs_own_stops_no_other_picture(
    upscale: Command, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(path: Path, **options: Any) -> Any:
        if path.name == "b.png":
            raise KeyError("b")
        return read_picture(path, **options)

    monkeypatch.setattr("srlab.use.upscaler.read_picture", read)
    for name in "abc":
        picture(tmp_path / "in" / f"{name}.png")
    _, err = upscale(tmp_path / "in", tmp_path / "out", "--model", model, code=2)
    assert "b.png: KeyError: 'b'; this is a fault of srlab's own" in " ".join(err.split())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "c.png"]


def test_json_says_what_was_written_and_nothing_else_is_on_standard_output(
    upscale: Command, model: Path, tmp_path: Path
) -> None:
    picture(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").write_text("I am no picture")
    out, _ = upscale(tmp_path / "in", tmp_path / "out", "--model", model, "--json", code=2)
    found = json.loads(out)
    assert found["written"] == [str(tmp_path / "out" / "a.png")]
    assert list(found["failed"]) == [str(tmp_path / "in" / "b.png")]
    assert (found["scale"], found["variant"], found["skipped"]) == (2, "edsr/tiny", [])


def test_what_exists_is_left_alone_unless_overwriting_is_asked_for(
    upscale: Command, model: Path, tmp_path: Path
) -> None:
    source = picture(tmp_path / "in.png")
    (tmp_path / "out.png").write_bytes(b"mine")
    _, err = upscale(source, tmp_path / "out.png", "--model", model, code=2)
    assert "--overwrite" in err
    assert (tmp_path / "out.png").read_bytes() == b"mine"
    upscale(source, tmp_path / "out.png", "--model", model, "--overwrite")
    assert pixels_of(tmp_path / "out.png").shape == (18, 22, 3)
    upscale(source, source, "--model", model, "--overwrite", code=2)
    picture(tmp_path / "folder" / "a.png")
    upscale(tmp_path / "folder", tmp_path / "folder", "--model", model, "--overwrite", code=2)
    assert pixels_of(tmp_path / "folder" / "a.png").shape == (9, 11, 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["nothing.png", "out.png", "--model", "bicubic", "--scale", "2"],
            "no picture or folder nothing.png",
        ),
        (["in.png", "out.xyz", "--model", "bicubic", "--scale", "2"], "the suffix .xyz"),
        (["in.png", "out", "--model", "bicubic", "--scale", "2"], "has no suffix"),
        (["in.png", "out.png", "--model", "bicubic"], "--scale 2"),
        (["in.png", "out.png", "--model", "bicubic", "--scale", "5"], "5"),
        (["in.png", "out.png", "--model", "missing"], "missing does not exist"),
        (["in.png", "out.png", "--model", "empty"], "neither the folder of a run nor of a study"),
        (["in.png", "out.png", "--model", "in.png"], "not a weights file of srlab"),
        (["in.png", "out.png", "--model", "model.pth"], "pickle"),
        (["in.png", "out.png", "--model", "bicubic", "--scale", "2", "--device", "cuda:77"], "cuda:77"),
        (["in.png", "out.png", "--model", "bicubic", "--scale", "2", "--tile", "15"], "16; see"),
        (["in.png", "out.png", "--model", "bicubic", "--scale", "2", "--precision", "int8"], "precision"),
        (["empty", "out", "--model", "bicubic", "--scale", "2"], "holds no pictures"),
        (["in.png", "in.png/out.png", "--model", "bicubic", "--scale", "2"], "in.png"),
        (["text.png", "out.png", "--model", "bicubic", "--scale", "2"], "text.png is not a picture"),
        (["cut.png", "out.png", "--model", "bicubic", "--scale", "2"], "cut.png is damaged"),
        (["alpha.png", "out.jpg", "--model", "bicubic", "--scale", "2"], "JPEG cannot hold an alpha"),
    ],
)
def test_wrong_input_is_one_clear_line_and_leaves_nothing_behind(
    upscale: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    source = picture(tmp_path / "in.png", 64, 64)
    Image.new("RGBA", (4, 4)).save("alpha.png")
    Path("text.png").write_text("I am no picture")
    Path("cut.png").write_bytes(source.read_bytes()[:2000])
    Path("empty").mkdir()
    torch.save({"weight": torch.zeros(2)}, "model.pth")
    before = sorted(tmp_path.rglob("*"))
    _, err = upscale(*words, code=2)
    assert message in err.replace("\n", " ")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("needs the right to mount a small disk (root on Linux)")
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount a small disk, which this machine does not give")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_one_line_and_nothing_half_written(
    upscale: Command, model: Path, tmp_path: Path, small_disk: Path
) -> None:
    source = picture(tmp_path / "in.png", 200, 200)
    _, err = upscale(source, small_disk / "out.png", "--model", model, code=2)
    assert "No space left on device" in err
    assert list(small_disk.iterdir()) == []


def test_a_wrong_path_is_told_before_torch_is_loaded(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from srlab.cli import main\n"
        f"sys.argv = ['srlab', 'upscale', {str(tmp_path / 'no.png')!r}, 'out.png', '--model', 'x']\n"
        "try:\n    main()\nexcept SystemExit as ended:\n    assert ended.code == 2\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60, capture_output=True)


def test_a_folder_that_was_broken_off_goes_on_with_what_is_missing(
    upscale: Command, model: Path, tmp_path: Path
) -> None:
    for name in ("a.png", "b.png", "c.png"):
        picture(tmp_path / "in" / name)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b.png").write_bytes(b"mine")
    _, err = upscale(tmp_path / "in", tmp_path / "out", "--model", model, code=2)
    assert "--skip-existing skips those that exist already" in err
    (tmp_path / "out" / "c.png").unlink()
    words = (tmp_path / "in", tmp_path / "out", "--model", model, "--skip-existing")
    out, err = upscale(*words, "--json")
    found = json.loads(out)
    assert found["written"] == [str(tmp_path / "out" / "c.png")]
    assert found["existing"] == [str(tmp_path / "out" / name) for name in ("a.png", "b.png")]
    assert "2 of 3 exist already" in err
    assert (tmp_path / "out" / "b.png").read_bytes() == b"mine"
    _, err = upscale(*words)
    assert "3 of 3 exist already" in err
    _, err = upscale(*words, "--overwrite", code=2)
    assert "give only one of the two" in err


@pytest.mark.parametrize(
    ("mode", "size", "out"),
    [("RGBA", (4, 4), "out.jpg"), ("I;16", (4, 4), "out.webp"), ("L", (9000, 1), "out.webp")],
)
def test_what_the_format_cannot_hold_is_refused_before_the_work(
    upscale: Command,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    size: tuple[int, int],
    out: str,
) -> None:
    def work(*_: object, **__: object) -> None:
        raise AssertionError("the picture was enlarged")

    monkeypatch.setattr("srlab.use.upscaler.Upscaler.bands", work)
    Image.new(mode, size).save(tmp_path / "in.png")
    upscale(tmp_path / "in.png", tmp_path / out, "--model", model, code=2)


def test_a_link_that_leads_nowhere_is_told(upscale: Command, model: Path, tmp_path: Path) -> None:
    picture(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").symlink_to("gone.png")
    _, err = upscale(tmp_path / "in", tmp_path / "out", "--model", model, code=2)
    assert "b.png is a link to gone.png, which does not exist" in err
    assert (tmp_path / "out" / "a.png").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="needs links and pipes")
def test_links_in_a_circle_pipes_and_folders_in_place_of_pictures_are_one_line(
    upscale: Command, tmp_path: Path
) -> None:
    by = ("--model", "bicubic", "--scale", "2")
    good = picture(tmp_path / "in" / "good.png")
    (tmp_path / "in" / "a.png").symlink_to("b.png")
    (tmp_path / "in" / "b.png").symlink_to("a.png")
    (tmp_path / "in" / "folder.png").mkdir()
    os.mkfifo(tmp_path / "in" / "pipe.png")
    for name, message in {
        "a.png": "a.png could not be read: Too many levels of symbolic links; the link leads back to itself",
        "folder.png": "folder.png is a folder",
        "pipe.png": "pipe.png is not a plain file, not a picture",
    }.items():
        _, err = upscale(tmp_path / "in" / name, *by, code=2)
        assert message in err.replace("\n", " ")
    _, err = upscale(good, tmp_path / "in" / "a.png", *by, code=2)
    assert "a.png could not be written: Too many levels of symbolic links" in err.replace("\n", " ")
    _, err = upscale(tmp_path / "in", tmp_path / "out", *by, code=2)
    assert "4 of 5 pictures were not enlarged" in err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.png"]
    _, err = upscale(good, good / "below.png", *by, code=2)
    assert "below.png could not be written: Not a directory; a file is where" in err.replace("\n", " ")


def test_a_name_that_only_the_enlargement_makes_too_long_is_one_line(
    upscale: Command, tmp_path: Path
) -> None:
    by = ("--model", "bicubic", "--scale", "2")
    source = picture(tmp_path / "in" / f"{251 * 'a'}.png")
    before = list(source.parent.iterdir())
    _, err = upscale(source, *by, code=2)
    assert "ile name too long; choose a shorter name" in err.replace("\n", " ")
    assert list(source.parent.iterdir()) == before
    upscale(source, f"{tmp_path / 'out'}/", *by)  # no longer than the picture's own
    upscale(source.parent, tmp_path / "folder", *by)
    assert [path.name for path in (tmp_path / "folder").iterdir()] == [source.name]


def test_a_wrong_limit_on_pixels_is_told_once(
    upscale: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        picture(tmp_path / "in" / f"{name}.png")
    monkeypatch.setenv("SRLAB_MAX_PIXELS", "many")
    _, err = upscale(tmp_path / "in", tmp_path / "out", "--model", "bicubic", "--scale", "2", code=2)
    assert err.count("SRLAB_MAX_PIXELS must be a number of pixels") == 1
    assert not (tmp_path / "out").exists()


def test_names_with_line_breaks_stay_in_their_line(upscale: Command, model: Path, tmp_path: Path) -> None:
    picture(tmp_path / "in" / "a\nb.png")
    _, err = upscale(tmp_path / "in", tmp_path / "out", "--model", model)
    assert f"in/a\\nb.png -> {tmp_path}/out/a\\nb.png\n" in err


# Several pictures, and names


def test_without_out_the_enlargement_lies_beside_the_picture(
    upscale: Command, model: Path, tmp_path: Path
) -> None:
    source = picture(tmp_path / "photo.jpg")
    upscale(source, "--model", model)
    assert pixels_of(tmp_path / "photo-x2.png").shape == (18, 22, 3)
    _, err = upscale(source, "--model", model, code=2)
    assert "photo-x2.png exists; give another name, --overwrite or --skip-existing" in err
    upscale(source, "--model", model, "--format", "webp", "--suffix", "-large", "--quality", 80)
    assert pixels_of(tmp_path / "photo-large.webp").shape == (18, 22, 3)


def test_overwriting_is_advised_only_for_what_may_be_replaced(
    upscale: Command, model: Path, tmp_path: Path
) -> None:
    source, other = picture(tmp_path / "photo.jpg"), picture(tmp_path / "other.jpg")
    for options in ([], ["--overwrite"]):
        _, err = upscale(source, other, "--model", model, *options, code=2)
        assert "--overwrite" not in err
        assert "is no enlargement of" in err
    upscale(source, tmp_path / "large.png", "--model", model)
    _, err = upscale(source, tmp_path / "large.png", "--model", model, code=2)
    assert "or --overwrite" in err
    upscale(source, tmp_path / "large.png", "--model", model, "--overwrite")


def test_several_pictures_go_into_a_folder_under_their_names(
    upscale: Command, model: Path, tmp_path: Path
) -> None:
    a, b = picture(tmp_path / "a.png"), picture(tmp_path / "b.jpg", seed=1)
    upscale(a, b, f"{tmp_path}/out/", "--model", model)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b.jpg"]
    upscale(a, b, f"{tmp_path}/webp/", "--model", model, "--format", "webp")
    assert sorted(path.name for path in (tmp_path / "webp").iterdir()) == ["a.webp", "b.webp"]
    _, err = upscale(
        a, picture(tmp_path / "a.jpg"), f"{tmp_path}/one/", "--model", model, "--format", "png", code=2
    )
    assert "would both be written to" in err
    assert not (tmp_path / "one").exists()


def test_a_second_picture_is_never_taken_for_the_file_to_write(
    upscale: Command, model: Path, tmp_path: Path
) -> None:
    """``srlab upscale *.png --overwrite`` with two pictures."""
    a, b = picture(tmp_path / "a.png"), picture(tmp_path / "b.png", seed=1)
    before = b.read_bytes()
    for words in ([], ["--overwrite"]):
        _, err = upscale(a, b, "--model", model, *words, code=2)
        assert f"To enlarge {a} and {b}, name a folder after them" in err
    assert b.read_bytes() == before
    upscale(a, b, picture(tmp_path / "c.png"), "--model", model)
    assert pixels_of(tmp_path / "c-x2.png").shape == (18, 22, 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["in.png", "out.png", "--quality", "80"], "--quality applies to JPEG"),
        (["in.png", "out.png", "--format", "jpg"], "--format jpg does not fit the suffix of out.png"),
        (["in.png", "out.png", "--suffix", "-a"], "here OUT is the name; leave --suffix out"),
        (["in.png", "--suffix", "../evil"], "--suffix is added to a name, so it must not contain / or"),
        (["in.png", "--flatten", "sky"], "'sky' is not a colour"),
        (["in.png", "--flatten", "#ff000080"], "'#ff000080' has alpha"),
        (["in.png", "--flatten", "rgba(255, 0, 0, 0)"], "has alpha, but the colour must be opaque"),
        (["in.png", "--suffix", ""], "is empty"),
        (["in.png", "--max-pixels", "50"], "11x9 pixels, more than the limit of 50"),
        (["in.png", "gone.png", "new/"], "there is no picture or folder gone.png"),
        (["in.png", "in.png", "gone.png"], "for a folder of that name to write to, write gone.png/"),
    ],
)
def test_options_that_do_not_fit_are_one_clear_line(
    upscale: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "in.png")
    _, err = upscale(*words, "--model", "bicubic", "--scale", 2, code=2)
    assert message in err.replace("\n", " ")
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no /dev")
@pytest.mark.parametrize("words", [["/dev/stdout"], ["/dev/stdout", "--overwrite"], ["/dev/null"]])
def test_a_stream_without_a_format_is_refused_in_one_line(
    upscale: Command, tmp_path: Path, words: list[str]
) -> None:
    source = picture(tmp_path / "in.png")
    _, err = upscale(source, *words, "--model", "bicubic", "--scale", 2, code=2)
    assert f"{words[0]} is not a plain file, and its name has no suffix of a picture format" in " ".join(
        err.split()
    )
    assert "--overwrite" not in err
    assert len(err.splitlines()) <= 3


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
def test_a_pipe_whose_name_says_the_format_is_written_into(upscale: Command, tmp_path: Path) -> None:
    source, pipe = picture(tmp_path / "in.png"), tmp_path / "pipe.png"
    os.mkfifo(pipe)
    command = f'exec cat "{pipe}" > "{tmp_path / "read.png"}"'
    with subprocess.Popen(["sh", "-c", command]) as reader:
        try:
            upscale(source, pipe, "--model", "bicubic", "--scale", 2)
            assert reader.wait(timeout=60) == 0
        finally:
            reader.kill()
    assert pixels_of(tmp_path / "read.png").shape == (18, 22, 3)


def test_what_a_picture_costs_is_said_first(upscale: Command, model: Path, tmp_path: Path) -> None:
    _, err = upscale(picture(tmp_path / "in.png", 40, 30), "--model", model, "--tile", 16)
    assert "in.png: 30x40 -> 60x80 pixels in 6 tiles; takes about " in err
