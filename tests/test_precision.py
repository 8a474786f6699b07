"""What ``--precision auto`` promises: bf16 only where it is fast and the picture stays the same."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import srlab
from own_code import srlab as command
from srlab import UserError
from srlab.networks import EDSROptions, build_network, preset
from srlab.use import precision
from srlab.use.models import best
from srlab.use.precision import MOST_LEVELS, judged, levels_lost
from srlab.use.upscaler import Upscaler


def load(levels: float, monkeypatch: pytest.MonkeyPatch, *, has_bf16: bool = True) -> Upscaler:
    """The included network on a processor that has bf16 or not, where bf16 differs by so many levels."""
    monkeypatch.setattr(precision, "multiplies_bf16", lambda _: has_bf16)
    monkeypatch.setattr(precision, "levels_lost", lambda _: levels)
    return srlab.load(best(2).name, scale=2, device="cpu", precision="auto")


def test_without_bf16_arithmetic_it_is_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    upscaler = load(0.0, monkeypatch, has_bf16=False)
    assert upscaler.precision == "fp32"
    assert upscaler.remark == "computed in fp32: this processor has no bf16 arithmetic"


def test_with_it_the_difference_on_a_test_picture_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    upscaler = load(MOST_LEVELS, monkeypatch)
    assert upscaler.precision == "bf16"
    assert "bf16, which differs from fp32 by 0.10 of 255 levels on average" in upscaler.remark
    for levels in (MOST_LEVELS + 1e-6, float("nan"), float("inf")):
        upscaler = load(levels, monkeypatch)
        assert upscaler.precision == "fp32"
        assert "bf16 would differ from it by" in upscaler.remark


def test_the_difference_is_that_of_the_two_precisions() -> None:
    assert levels_lost(build_network(preset("bicubic", scale=2), scale=2)) == 0  # in fp32, whatever is asked
    network = build_network(EDSROptions(num_blocks=1, num_features=4), scale=2).eval()
    lost = levels_lost(network)
    assert 0.001 < lost < 1
    for weight in network.parameters():
        weight.detach().zero_()
    assert levels_lost(network) == 0
    assert judged(lost).precision == ("bf16" if lost <= MOST_LEVELS else "fp32")


def test_the_command_says_which_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(np.zeros((9, 8, 3), np.uint8)).save(tmp_path / "photo.png")
    monkeypatch.setattr(precision, "multiplies_bf16", lambda _: True)
    monkeypatch.setattr(precision, "levels_lost", lambda _: 0.25)
    said = command("upscale", tmp_path / "photo.png", "--precision", "auto")
    assert said.code == 0, said.text
    assert "computed in fp32: bf16 would differ from it by 0.25 of 255 levels on average" in said.text
    assert "computed in" not in command("upscale", tmp_path / "photo.png", "--overwrite").text


def test_another_engine_has_no_auto() -> None:
    pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install 'srlab[export]'")
    pytest.importorskip("onnxscript", reason="needs onnx and onnxscript: pip install 'srlab[export]'")
    with pytest.raises(
        UserError, match=r"--precision auto is for --engine torch; with onnxruntime name fp32"
    ):
        srlab.load(best(2).name, scale=2, precision="auto", engine="onnxruntime")


def test_it_is_the_device_s_arithmetic_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    for found in (True, False):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=found: {"amx_bf16": found})
        assert precision.multiplies_bf16(torch.device("cpu")) is found
    assert not precision.multiplies_bf16(torch.device("meta"))
