"""What is said of batch normalization at the end of a run: whether its running statistics have kept up."""

import torch
from torch import nn

from srlab.networks import Network, build_network
from srlab.training.batch_norm import batch_norm_remarks, has_batch_norm
from tiny_run import TINY, TINY_BATCH_NORM, Noise

LR, HR = Noise().batch(0, seed=0)


def normalized() -> Network:
    """A network that copies its input, with running statistics of the batch that it is tried on."""
    network = build_network(TINY_BATCH_NORM, scale=2)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # a plain mean over the batches seen
    with torch.no_grad():
        network.train()(LR)
    return network.eval()


def test_running_statistics_that_fit_need_no_remark() -> None:
    assert batch_norm_remarks(normalized(), LR, HR) == []


def test_running_statistics_that_lag_behind_are_told_with_both_numbers() -> None:
    network = normalized()
    hr = (
        network.train()(LR).detach().clamp(0, 1)
    )  # what training has reached: HR, with the batch's statistics
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            module.running_mean += 5
    (remark,) = batch_norm_remarks(network, LR, hr)
    assert "running statistics lag behind" in remark
    assert "momentum (0.1)" in remark


def test_looking_changes_nothing() -> None:
    network = normalized()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    batch_norm_remarks(network, LR, HR)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not network.training


def test_frozen_parts_keep_their_running_statistics_and_are_no_reason() -> None:
    network = normalized()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            module.running_mean += 5
    parts = [name for name, _ in network.named_children()]
    assert batch_norm_remarks(network, LR, HR, frozen=parts) == []


def test_a_network_without_batch_normalization_is_left_alone() -> None:
    network = build_network(TINY, scale=2)
    assert not has_batch_norm(network)
    assert batch_norm_remarks(network, LR, HR) == []
