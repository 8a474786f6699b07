"""What our PReLU promises: torch's values and gradients, in less time."""

import pytest
import torch
from torch import Tensor, nn

from srlab.networks.prelu import PReLU

slopes = pytest.mark.parametrize("num_slopes", [1, 3])


def both(num_slopes: int, x: Tensor, *, autocast: bool = False) -> tuple[list[Tensor], list[Tensor]]:
    """Output, gradient of x and gradient of the slopes, by torch's layer and by ours."""
    results = []
    for layer in (nn.PReLU(num_slopes), PReLU(num_slopes)):
        with torch.no_grad():
            layer.weight.copy_(torch.linspace(-0.2, 0.4, num_slopes))
        layer.to(torch.float64 if x.dtype == torch.float64 else torch.float32)
        here = x.detach().clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            output = layer(here)
        generator = torch.Generator().manual_seed(1)
        output.backward(torch.randn(output.shape, generator=generator).to(output.dtype))
        assert here.grad is not None
        assert layer.weight.grad is not None
        results.append([output.detach(), here.grad, layer.weight.grad])
    return results[0], results[1]


@slopes
def test_its_gradient_is_right(num_slopes: int) -> None:
    layer = PReLU(num_slopes, init=0.3).double()
    x = torch.randn(2, 3, 2, 4, dtype=torch.float64, requires_grad=True)

    def run(x: Tensor, weight: Tensor) -> Tensor:
        return torch.func.functional_call(layer, {"weight": weight}, (x,))

    assert torch.autograd.gradcheck(run, (x, layer.weight))


@slopes
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_are_torch_s(num_slopes: int, memory_format: torch.memory_format) -> None:
    x = torch.randn(4, 3, 5, 6).contiguous(memory_format=memory_format)
    x[0, :, 0, 0] = 0  # where the two sides meet
    theirs, ours = both(num_slopes, x)
    assert torch.equal(ours[0], theirs[0])
    assert torch.equal(ours[1], theirs[1])
    assert ours[1].is_contiguous(memory_format=memory_format)
    torch.testing.assert_close(ours[2], theirs[2])


@slopes
def test_it_works_in_bf16_autocast(num_slopes: int) -> None:
    theirs, ours = both(num_slopes, torch.randn(4, 3, 8, 8).bfloat16(), autocast=True)
    assert [tensor.dtype for tensor in ours] == [torch.bfloat16, torch.bfloat16, torch.float32]
    assert torch.equal(ours[0], theirs[0])
    assert torch.equal(ours[1], theirs[1])
    torch.testing.assert_close(ours[2], theirs[2], atol=0.05, rtol=0.02)


def test_weights_are_exchanged_with_torch_s() -> None:
    theirs = nn.PReLU(3, init=0.4)
    ours = PReLU(3)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(1, 3, 2, 2)
    assert torch.equal(ours(x), theirs(x))


@pytest.mark.filterwarnings("ignore:.torch.jit.trace:DeprecationWarning")
def test_it_can_be_traced() -> None:
    layer, x = PReLU(3), torch.randn(1, 3, 2, 2)
    assert torch.equal(torch.jit.trace(layer, x)(-x), layer(-x))
