"""What ``srlab evaluate`` promises: numbers with their protocol, for people and for programs."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from exact_resize import made_picture
from srlab.cli import main
from srlab.declare.protocol import EvaluationProtocol
from srlab.folder import store
from srlab.folder.checkpoints import save_weights
from srlab.networks import EDSROptions, NetworkOptions, build_network, preset
from srlab.pixels.images import list_images, read_hr_image
from srlab.use.evaluation import evaluate_network
from stored_files import save_run

EDSR = EDSROptions(num_blocks=1, num_features=4)
METRICS = ("psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb", "gmsd_y")


class Command:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch = monkeypatch
        self.capsys = capsys

    def __call__(self, *words: object, code: int = 0) -> tuple[str, str]:
        """Standard output and standard error of ``srlab evaluate`` with `words`, which ends with `code`."""
        self.monkeypatch.setattr(sys, "argv", ["srlab", "evaluate", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        found = self.capsys.readouterr()
        assert (ended.value.code or 0) == code, found.err
        return found.out, found.err

    def json(self, *words: object) -> dict[str, Any]:
        out, _ = self(*words, "--json")
        values = json.loads(out)
        assert isinstance(values, dict)
        return values

    def fails(self, *words: object) -> str:
        """The one line that says what went wrong; nothing is printed as a result."""
        out, err = self(*words, code=2)
        assert out == ""
        (line,) = err.splitlines()
        assert line.startswith("srlab: ")
        return line


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capsys)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A data set of two: one in colour, one gray."""
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(made_picture(49, 46)).save(folder / "house.png")
    Image.fromarray(made_picture(40, 52)[:, :, 0]).save(folder / "tree.png")
    return folder


def weights(folder: Path, options: NetworkOptions, *, variant: str, scale: int = 2) -> Path:
    torch.manual_seed(0)
    network = build_network(options, scale=scale)
    path = folder / store.WEIGHTS
    save_weights(path, network, variant=variant, options=options, scale=scale)
    return path


@pytest.mark.parametrize(
    ("dataset", "scale", "protocol", "expected"),
    [
        ("Set5", 2, "luma", "33.66 / 0.9299"),
        ("Set5", 3, "luma", "30.39 / 0.8682"),
        ("Set5", 4, "luma", "28.42 / 0.8104"),
        ("Set5", 2, "rgb", "33.67 / 0.9303"),
        ("Set5", 4, "rgb", "28.43 / 0.8111"),
    ],
)
def test_bicubic_prints_the_published_numbers(
    command: Command, shared_data: Path, dataset: str, scale: int, protocol: str, expected: str
) -> None:
    folder = shared_data / dataset / "HR"
    out, _ = command("bicubic", "--data", folder, "--scale", scale, "--protocol", protocol)
    assert expected in out
    assert f"bicubic on {dataset}, x{scale}" in out


def test_the_table_has_every_image_the_mean_and_the_protocol(command: Command, photos: Path) -> None:
    out, err = command("bicubic", "--data", photos, "--scale", 2)
    lines = out.splitlines()
    cells = {line.split()[0]: line.split()[1:] for line in lines if line.split()}
    assert cells["image"] == list(METRICS)
    for row in ("house", "tree", "mean"):
        assert [len(value.split(".")[1]) for value in cells[row]] == [2, 4, 2, 4, 4]
    assert str(EvaluationProtocol()) in out
    assert err == ""


def test_json_has_the_same_unrounded_and_nothing_else(command: Command, photos: Path) -> None:
    values = command.json("bicubic", "--data", photos, "--scale", 3, "--border", "symmetric")
    images = [read_hr_image(path) for path in list_images(photos)]
    network = build_network(preset("bicubic", scale=3), scale=3)
    protocol = EvaluationProtocol(border="symmetric")
    expected = list(evaluate_network(network, images, protocol=protocol, device=torch.device("cpu")))
    assert (values["protocol"], values["border"]) == ("rgb", "symmetric")
    assert (values["scale"], values["dataset"], values["model"]) == (3, "photos", "bicubic")
    assert values["images"] == [{"name": found.image, **found.scores} for found in expected]
    for metric in METRICS:
        assert values[metric] == pytest.approx(np.mean([found.scores[metric] for found in expected]))


def test_the_luma_protocol_has_no_rgb_metrics(command: Command, photos: Path) -> None:
    values = command.json("bicubic", "--data", photos, "--scale", 2, "--protocol", "luma")
    for scores in (values, *values["images"]):
        assert scores["psnr_rgb"] is None
        assert scores["ssim_rgb"] is None
        assert scores["psnr_y"] > 0
    out, _ = command("bicubic", "--data", photos, "--scale", 2, "--protocol", "luma")
    assert "psnr_rgb" not in out
    assert str(EvaluationProtocol(color="luma")) in out


def test_a_run_its_weights_and_their_scale_need_no_option(
    command: Command, photos: Path, tmp_path: Path
) -> None:
    path = weights(tmp_path / "run", EDSR, variant="edsr/tiny", scale=3)
    run = command.json(tmp_path / "run", "--data", photos)
    assert run["scale"] == 3
    assert run["model"] == "edsr/tiny"
    file = command.json(path, "--data", photos, "--scale", 3)
    assert file["images"] == run["images"]


def test_weights_at_another_scale_are_refused(command: Command, photos: Path, tmp_path: Path) -> None:
    path = weights(tmp_path, EDSR, variant="edsr/tiny")
    message = command.fails(path, "--data", photos, "--scale", 4)
    assert f"{path} enlarges by 2, not by 4" in message


def test_one_set_of_weights_for_all_scales_is_scored_at_each(command: Command, tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    Image.fromarray(made_picture(24, 24)).save(tmp_path / "small" / "a.png")
    path = weights(tmp_path, preset("vdsr/paper", scale=2), variant="vdsr/paper")
    values = command.json(path, "--data", tmp_path / "small", "--scale", 3, "--protocol", "luma")
    assert values["scale"] == 3
    assert "trained at x2, scored at x3" in " ".join(values["remarks"])


def test_an_rgb_network_under_the_luma_protocol_is_refused(
    command: Command, photos: Path, tmp_path: Path
) -> None:
    path = weights(tmp_path, EDSR, variant="edsr/tiny")
    assert "use --protocol rgb" in command.fails(path, "--data", photos, "--protocol", "luma")


def test_a_run_that_is_not_finished_says_so(command: Command, photos: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    save_run(run)
    (run / "checkpoint.pt").touch()
    assert "is not finished" in command.fails(run, "--data", photos)
    save_run(run, status="diverged")
    assert "diverged" in command.fails(run, "--data", photos)


def test_pictures_of_another_tool_are_scored(command: Command, photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "other_tool"
    folder.mkdir()
    Image.fromarray(made_picture(48, 46)).save(folder / "house_x2.png")
    Image.fromarray(made_picture(40, 52, seed=4)[:, :, 0]).save(folder / "tree_x2.png")
    values = command.json(folder, "--data", photos, "--scale", 2)
    assert values["images"][0]["psnr_y"] == "inf"  # the picture is HR itself
    assert values["psnr_y"] == "inf"
    assert 10 < values["images"][1]["psnr_y"] < 60
    out, _ = command(folder, "--data", photos, "--scale", 2)
    assert "∞" in out
    (folder / "tree_x2.png").unlink()
    assert "has no tree_x2 (1 of 2 pictures)" in command.fails(folder, "--data", photos, "--scale", 2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("bicubic", "--data", "photos"), "--scale 2, 3 or 4"),
        (("photos", "--data", "photos"), "--scale 2, 3 or 4"),
        (("bicubic", "--data", "photos", "--scale", "5"), "2, 3 or 4, not 5"),
        (("bicubic", "--data", "set55", "--scale", "2"), "set55"),
        (("bicubic", "--data", "./missing", "--scale", "2"), "missing"),
        (("edsr/paper", "--data", "photos", "--scale", "2"), "srlab train edsr/paper"),
        (("nothing", "--data", "photos", "--scale", "2"), "nothing does not exist"),
        (("photos/house.png", "--data", "photos"), "house.png"),
        (("empty", "--data", "photos", "--scale", "2"), "holds no pictures"),
        (("bicubic", "--data", "empty", "--scale", "2"), "empty"),
        (("bicubic", "--data", "text", "--scale", "2"), "fake.png is not a picture"),
        (
            ("bicubic", "--data", "tiny", "--scale", "2"),
            "small is 12x12 pixels, too small to be scored at x2",
        ),
    ],
)
def test_what_the_user_can_set_right_is_one_line(
    command: Command,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(photos.parent)
    for name in ("empty", "text", "tiny"):
        Path(name).mkdir()
    Path("text/fake.png").write_text("no picture")
    Image.fromarray(made_picture(12, 12)).save("tiny/small.png")
    if words[2] == "photos" or words[0] == "bicubic":
        words = tuple(f"./{word}" if word in ("photos", "empty", "text", "tiny") else word for word in words)
    assert message in command.fails(*words)
