"""Whether batch normalization's running statistics have kept up with a network that changed under them.

Training normalizes with the statistics of each batch; scoring uses their running mean. With a small momentum
(Keras' 0.99 is 0.01 in torch's terms) the running mean is of weights from many steps ago, which costs a short
training up to 8 dB.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from srlab.networks import Network
from srlab.networks.luma import Luma
from srlab.networks.parts import freeze

LAG = 0.5  # dB; srlab's own threshold


def has_batch_norm(network: nn.Module) -> bool:
    """Whether a layer of batch normalization is there."""
    return any(isinstance(module, _BatchNorm) for module in network.modules())


def batch_norm_remarks(network: Network, lr: Tensor, hr: Tensor, *, frozen: Sequence[str] = ()) -> list[str]:
    """What a batch says of the running statistics; [] where they serve as well as the batch's own.

    `lr` is [N, C, H, W] and `hr` [N, C, sH, sW], in [0, 1], N at least 2. Parts named in `frozen` keep their
    running statistics in training too. The network is left in inference mode, its statistics as they were.
    """
    if not has_batch_norm(network):
        return []
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    forward = network.forward_luma if isinstance(network, Luma) else network
    psnr = {}
    with torch.no_grad():
        for mode in ("running", "batch"):
            network.train(mode == "batch")
            if frozen:
                freeze(network, frozen)
            error = (forward(lr).clamp(0, 1) - hr).square().mean().item()
            psnr[mode] = -10 * torch.tensor(max(error, 1e-12)).log10().item()
    network.eval()
    for name, buffer in network.named_buffers():
        buffer.copy_(before[name])
    lag = psnr["batch"] - psnr["running"]
    if lag < LAG:
        return []
    return [
        f"batch normalization's running statistics lag behind the weights: on a training batch they give "
        f"{psnr['running']:.1f} dB, the batch's own statistics {psnr['batch']:.1f} dB. The scores use the "
        "running statistics. A larger momentum (0.1) or a longer training closes the gap"
    ]
