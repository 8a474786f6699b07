"""What measuring published numbers again promises: the table's protocol, a tolerance, and no silent gap."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from srlab.cli import main
from srlab.declare.published import NUMBERS, PROTOCOLS
from srlab.errors import UserError
from srlab.folder.checkpoints import save_weights
from srlab.networks import build_network, preset
from srlab.pixels.images import HRImage
from srlab.use import reproduce as module
from srlab.use.reproduce import Claim, Result, claims, find_claims, reproduce

Srlab = Callable[..., tuple[int, str, str]]


@pytest.fixture
def srlab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Srlab:
    """The command line, in an empty folder and without data sets: exit code, output, messages."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path / "data"))

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["srlab", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run


def images(name: str) -> tuple[HRImage, ...]:
    draw = np.random.default_rng(5)
    pixels = draw.integers(0, 256, (5, 24, 28, 3), dtype=np.uint8)
    return tuple(HRImage(name=f"{name}{n}", pixels=one, is_gray=False) for n, one in enumerate(pixels))


def only(name: str) -> Claim:
    (claim,) = find_claims([name])
    return claim


def measured(*names: str, weights: tuple[Path, ...] = ()) -> list[Result]:
    return list(reproduce(find_claims(names), images=images, weights=weights))


def test_every_published_number_but_those_of_gans_is_a_claim_under_its_protocol() -> None:
    known = claims()
    assert len({claim.name for claim in known}) == len(known)
    scored = {(claim.test_set, claim.network, claim.scale) for claim in known if claim.test_set}
    assert scored == {
        (test_set, network, scale)
        for test_set, networks in NUMBERS.items()
        for network, by_scale in networks.items()
        if network != "SRGAN"
        for scale in by_scale
    }
    assert all(claim.protocol == PROTOCOLS[claim.network] for claim in known if claim.test_set)
    claim = only("edsr-set5-x4-psnr")
    assert (claim.published, claim.variant, claim.protocol) == (32.46, "edsr/paper", "rgb")


def test_all_papers_sizes_and_multiply_adds_are_met_without_any_file() -> None:
    results = [one for one in measured("srcnn", "vdsr", "edsr", "rdn", "srresnet") if not one.claim.test_set]
    assert len(results) == 13
    assert {one.outcome for one in results} == {"pass"}


def test_a_number_out_of_its_tolerance_fails() -> None:
    (result,) = measured("bicubic-set5-x2-psnr")  # the pictures here are noise
    assert result.outcome == "fail"
    assert result.measured is not None
    assert result.measured < 33.6


def test_what_is_missing_is_said_and_the_rest_is_measured() -> None:
    def without(name: str) -> tuple[HRImage, ...]:
        if name == "set14":
            raise UserError("set14 is not here: srlab data get set14")
        return images(name)

    wanted = find_claims(["bicubic-set14-x2-psnr", "bicubic-b100-x2-psnr", "rdn-set5-x2-psnr", "rdn-par"])
    found = {one.claim.name: one for one in reproduce(wanted, images=without)}
    assert found["bicubic-set14-x2-psnr"].needs == "set14: set14 is not here: srlab data get set14"
    assert found["bicubic-b100-x2-psnr"].needs == "100 pictures in b100; there are 5"
    assert found["rdn-set5-x2-psnr"].needs == "weights of rdn/paper (--weights FILE)"
    assert found["rdn-parameters"].outcome == "pass"


def weights_of(path: Path, variant: str, *, scale: int) -> Path:
    torch.manual_seed(3)
    options = preset(variant, scale=scale)
    save_weights(path, build_network(options, scale=scale), variant=variant, options=options, scale=scale)
    return path


def test_weights_are_taken_for_their_network_and_those_of_all_scales_for_each(tmp_path: Path) -> None:
    file = weights_of(tmp_path / "mine.safetensors", "srcnn/paper_915", scale=3)
    results = measured("srcnn-9-1-5-set5", "srcnn-9-5-5-set5-x3-psnr", weights=(file,))
    by_network = {one.claim.network: one for one in results}
    assert {one.claim.scale for one in results if one.weights == "mine.safetensors"} == {2, 3, 4}
    assert by_network["SRCNN 9-5-5"].outcome == "needs"


def test_weights_of_which_nothing_was_published_are_refused(tmp_path: Path) -> None:
    file = weights_of(tmp_path / "mine.safetensors", "srcnn/vanilla", scale=2)
    with pytest.raises(UserError, match="of srcnn/vanilla, of which no published number is known"):
        measured("srcnn-9-1-5-set5", weights=(file,))


def test_a_picture_is_enlarged_once_for_all_numbers_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = module._means

    def means(claim: Claim, *more: Any) -> dict[str, float]:
        asked.append(claim.name)
        return real(claim, *more)

    monkeypatch.setattr(module, "_means", means)
    assert len(measured("bicubic-set5-x2")) == 2
    assert asked == ["bicubic-set5-x2-psnr"]


def test_the_command_lists_measures_and_ends_with_1_where_a_claim_fails(
    srlab: Srlab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code, out, _ = srlab("reproduce")
    assert code == 0
    assert "vdsr-set5-x2-psnr" in out
    code, out, err = srlab("reproduce", "vdsr-par", "rdn-set5", "--markdown", tmp_path / "claims.md")
    assert code == 0, err
    assert "1 pass, 0 fail, 6 cannot be measured here\n- 6 need weights of rdn/paper" in out
    page = (tmp_path / "claims.md").read_text()
    assert "| vdsr-parameters | 665,000 | 665,921 |  | pass |" in page
    assert "- 6 need weights of rdn/paper (--weights FILE)" in page
    monkeypatch.setattr(module, "_cost", lambda _: 1.0)
    code, out, _ = srlab("reproduce", "vdsr-par", "--json")
    assert code == 1
    (claim,) = json.loads(out)["claims"]
    assert (claim["outcome"], claim["measured"], claim["published"]) == ("fail", 1.0, 665000.0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], "no claim begins with 'nothing'"),
        (["vdsr", "--all"], "name claims, or use --all, not both"),
        (["--weights", "a.pth"], "name the claims to measure"),
        (["vdsr", "--weights", "missing.pth"], "missing.pth does not exist"),
    ],
)
def test_what_cannot_be_meant_is_one_line(srlab: Srlab, words: list[str], said: str) -> None:
    code, _, err = srlab("reproduce", *words)
    assert code == 2
    assert said in " ".join(err.split())
