"""Scores of fixed training patches: the same each time, PSNR and SSIM of them, and nothing disturbed."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
    EventAccumulator,
)
from torch import Tensor, nn

from srlab.networks import VDSROptions, build_network, preset
from srlab.pixels.color import to_uint8
from srlab.pixels.metrics import psnr_y, ssim_y
from srlab.training import train as loop
from srlab.training.patch_scores import MOST_PATCHES, fixed_patches, patch_scores
from tiny_run import TINY, Noise, metrics, train_tiny


class Counting(Noise):
    """Noise that keeps which batches it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[int, int]] = []

    def batch(self, step: int, *, seed: int) -> tuple[Tensor, Tensor]:
        self.asked.append((step, seed))
        return super().batch(step, seed=seed)


def test_the_patches_are_the_first_of_step_0_whatever_the_seed() -> None:
    batches = Counting()
    for one, other in zip(fixed_patches(batches), Noise().batch(0, seed=0), strict=True):
        assert torch.equal(one, other)
    assert batches.asked == [(0, 0)]


def test_a_large_batch_is_cut() -> None:
    class Large:
        def batch(self, step: int, *, seed: int) -> tuple[Tensor, Tensor]:
            assert (step, seed) == (0, 0)
            return torch.rand(50, 3, 4, 4), torch.rand(50, 3, 8, 8)

    lr, hr = fixed_patches(Large())
    assert len(lr) == len(hr) == MOST_PATCHES


def test_scores_are_those_of_the_rounded_pictures() -> None:
    network = build_network(TINY, scale=2).eval()
    lr, hr = torch.rand(3, 3, 8, 8), torch.rand(3, 3, 16, 16)
    found = patch_scores(network, lr, hr)
    with torch.no_grad():
        pictures = [(to_uint8(sr), to_uint8(true)) for sr, true in zip(network(lr), hr, strict=True)]
    errors = [10 ** (-psnr_y(sr, true, border=0) / 10) for sr, true in pictures]
    assert 10 ** (-found["patches_psnr_y"] / 10) == pytest.approx(sum(errors) / 3)
    assert found["patches_ssim_y"] == pytest.approx(sum(ssim_y(*each, border=0) for each in pictures) / 3)


def test_luma_networks_are_scored_on_y_and_borders_are_left_out() -> None:
    luma = build_network(VDSROptions(num_features=(4, 4), color="luma", gray_residual=False), scale=2).eval()
    y = torch.rand(2, 1, 8, 8), torch.rand(2, 1, 16, 16)
    assert set(patch_scores(luma, *y)) == {"patches_psnr_y", "patches_ssim_y"}
    network = build_network(preset("srcnn/paper_915", scale=2), scale=2).eval()
    lr, hr = torch.rand(1, 1, 16, 16), torch.rand(1, 1, 32, 32)
    before = patch_scores(network, lr, hr)
    hr[..., : network.border, :] = 1
    assert patch_scores(network, lr, hr) == before


def test_small_patches_have_no_ssim_and_what_is_not_finite_no_scores() -> None:
    network = build_network(TINY, scale=2).eval()
    lr, hr = torch.rand(1, 3, 5, 5), torch.rand(1, 3, 10, 10)
    assert set(patch_scores(network, lr, hr)) == {"patches_psnr_y"}
    nn.init.constant_(next(network.parameters()), float("nan"))
    assert patch_scores(network, lr, hr) == {}


def test_tensorboard_has_both_scores_and_the_gradients_norm(tmp_path: Path) -> None:
    train_tiny(tmp_path)
    log = EventAccumulator(str(tmp_path / "tensorboard"), size_guidance={"scalars": 0}).Reload()
    for tag in ("train/patches_psnr_y", "train/patches_ssim_y"):
        assert [point.step for point in log.Scalars(tag)] == [4, 8, 12]
    assert [point.step for point in log.Scalars("train/gradient_norm")] == list(range(1, 13))
    assert all(point.value > 0 for point in log.Scalars("train/gradient_norm"))
    last = metrics(tmp_path)[-1]
    assert last["patches_psnr_y"] != last["psnr_y"]  # each has its own name in metrics.jsonl


def test_scoring_changes_nothing_of_the_training(tmp_path: Path) -> None:
    weights: list[bytes] = []
    for name in ("with", "without"):
        (tmp_path / name).mkdir()
        changes: dict[str, Any] = {} if name == "with" else {"patch_scores": lambda *_: {}}
        with patch.multiple(loop, **changes) if changes else patch.object(loop, "NUM_LOGS", loop.NUM_LOGS):
            train_tiny(tmp_path / name)
        weights.append((tmp_path / name / "weights.safetensors").read_bytes())
    assert weights[0] == weights[1]
