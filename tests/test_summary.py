"""What a network's summary promises: every layer, told once if it repeats, on 80 columns."""

import re

import pytest
import torch

from srlab.networks import (
    PRESETS,
    EDSROptions,
    RDNOptions,
    VDSROptions,
    build_network,
    meta_network,
    num_parameters,
)
from srlab.networks.layers import layer_rows, layer_table
from srlab.networks.summary import summary


@pytest.mark.parametrize("name", PRESETS)
def test_no_line_is_longer_than_a_terminal(name: str) -> None:
    known = PRESETS[name]
    text = summary(known.options, scale=known.scales[-1])
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("name", PRESETS)
def test_the_rows_account_for_every_parameter(name: str) -> None:
    known = PRESETS[name]
    network = meta_network(known.options, scale=known.scales[0]).eval()
    top = layer_rows(network, torch.empty(1, 3, 8, 8, device="meta"))
    assert top.total == num_parameters(known.options, scale=known.scales[0])


def test_blocks_that_are_alike_are_told_once() -> None:
    few, many = (summary(EDSROptions(num_blocks=blocks), scale=2) for blocks in (2, 300))
    assert "0 to 1 ResidualBlock, 2 alike" in few
    assert "0 to 299 ResidualBlock, 300 alike" in many
    assert few.count("\n") == many.count("\n")


def test_layers_that_differ_are_told_apart() -> None:
    text = summary(RDNOptions(num_blocks=2, num_layers=3), scale=2)
    assert len(re.findall(r"\d ConvLayer", text)) == 3
    other = torch.nn.Sequential(torch.nn.LeakyReLU(0.1), torch.nn.LeakyReLU(0.3))
    assert "alike" not in layer_table(layer_rows(other, torch.empty(1, 3, 8, 8)))


def test_shapes_are_those_that_the_layers_give() -> None:
    network = build_network(EDSROptions(num_blocks=1, num_features=4), scale=2).eval()
    text = layer_table(layer_rows(network, torch.rand(1, 3, 5, 7)))
    assert re.search(r"head Conv2d +3 x 3 +4 x 5 x 7 +112\n", text)
    assert re.search(r"EDSR +3 x 10 x 14\n", text)
    assert not network.head._forward_hooks  # type: ignore[union-attr]


def test_repeated_widths_are_written_as_set_takes_them() -> None:
    text = summary(VDSROptions(num_features=(64,) * 40 + (32, 32)), scale=2)
    assert "  num_features = 64x40,32,32\n" in text
