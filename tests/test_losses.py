"""What the losses promise: closed forms, means over all values, and a border left out."""

import pytest
import torch
from torch import Tensor

from srlab.declare.objectives import PixelLoss
from srlab.errors import UserError
from srlab.training.losses import (
    CHARBONNIER_EPS,
    PIXEL_LOSSES,
    charbonnier,
    gradient,
    l1,
    mse,
    without_border,
)

SR = torch.tensor([[[[0.0, 0.5], [1.0, 0.25]]]])
HR = torch.tensor([[[[0.0, 0.0], [0.0, 0.25]]]])


def test_l1_is_the_mean_distance() -> None:
    assert l1(SR, HR).item() == pytest.approx(1.5 / 4)


def test_mse_is_the_mean_squared_distance() -> None:
    assert mse(SR, HR).item() == pytest.approx(1.25 / 4)


def test_charbonnier_is_the_root_of_the_square_plus_eps_squared() -> None:
    expected = sum((d**2 + CHARBONNIER_EPS**2) ** 0.5 for d in (0.0, 0.5, 1.0, 0.0)) / 4
    assert charbonnier(SR, HR).item() == pytest.approx(expected)


def test_charbonnier_has_a_gradient_of_zero_at_zero_where_l1_has_a_kink() -> None:
    sr = HR.clone().requires_grad_()
    charbonnier(sr, HR).backward()
    assert torch.equal(sr.grad if sr.grad is not None else torch.ones(1), torch.zeros_like(HR))


def test_every_loss_that_can_be_declared_exists() -> None:
    assert set(PIXEL_LOSSES) == set(PixelLoss.__args__)  # type: ignore[attr-defined]


@pytest.mark.parametrize("loss", PIXEL_LOSSES.values(), ids=PIXEL_LOSSES)
def test_a_loss_does_not_depend_on_batch_or_patch_size(loss: object) -> None:
    assert callable(loss)
    small = loss(SR, HR)
    large = loss(SR.repeat(3, 2, 2, 1), HR.repeat(3, 2, 2, 1))
    torch.testing.assert_close(large, small)


def test_a_border_is_left_out_on_all_four_edges() -> None:
    images = torch.zeros(1, 1, 6, 7)
    images[..., 2:4, 2:5] = 1
    inside: Tensor = without_border(images, border=2)
    assert inside.shape == (1, 1, 2, 3)
    assert inside.min() == 1
    assert without_border(images, border=0) is images


def test_a_border_that_leaves_nothing_is_a_users_error() -> None:
    with pytest.raises(
        UserError, match=r"patches of 7x6 SR pixels are too small .* leaves out 3 pixels along each edge"
    ):
        without_border(torch.zeros(1, 1, 6, 7), border=3)


def test_gradient_is_the_mean_error_of_the_differences_of_neighbours() -> None:
    error = SR - HR
    rows = [(error[..., 0, 1] - error[..., 0, 0]).item(), (error[..., 1, 1] - error[..., 1, 0]).item()]
    columns = [(error[..., 1, 0] - error[..., 0, 0]).item(), (error[..., 1, 1] - error[..., 0, 1]).item()]
    assert (rows, columns) == ([0.5, -1.0], [1.0, -0.5])
    assert gradient(SR, HR).item() == pytest.approx((0.75 + 0.75) / 2)


def test_gradient_does_not_see_a_shift_of_all_pixels() -> None:
    assert gradient(SR + 0.25, SR).item() == pytest.approx(0, abs=1e-7)
