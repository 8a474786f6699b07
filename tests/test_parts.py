"""What parts of a network promise: kept to the bit, frozen for good, and wrong names refused."""

from typing import Any

import pytest
import torch

from srlab.errors import UserError
from srlab.networks import PRESETS, SRResNetOptions, build_network, meta_network, num_running_statistics
from srlab.networks.parts import check_fits, check_parts, freeze, is_part, keep, num_frozen

TINY = SRResNetOptions(num_blocks=2, num_features=4)
LARGER = SRResNetOptions(num_blocks=1, num_dense_blocks=1, num_features=4, trunk_conv=False)
KEPT = ("head", "body.0")

# Issue: total, trainable, not trainable (frozen weights and all running statistics) as the seed counted them
TRANSFER = {
    "srresnet/transfer_vanilla": (1_592_387, 904_643, 687_744),
    "srresnet/transfer_no_batch_norm": (1_588_291, 902_595, 685_696),
    "srresnet/transfer_dense": (2_735_619, 2_049_923, 685_696),
    "srresnet/transfer_wide": (2_771_011, 2_085_315, 685_696),
    "srresnet/dense": (2_735_619, 2_733_187, 2_432),
}


@pytest.mark.parametrize(("name", "counts"), TRANSFER.items(), ids=TRANSFER)
def test_a_transfer_variant_has_the_seed_s_counts(name: str, counts: tuple[int, int, int]) -> None:
    known = PRESETS[name]
    network = meta_network(known.options, scale=4)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    statistics = num_running_statistics(known.options, scale=4)
    frozen = num_frozen(network, known.frozen)
    assert (parameters + statistics, parameters - frozen, frozen + statistics) == counts


def test_the_frozen_part_is_the_head_and_nine_blocks() -> None:
    known = PRESETS["srresnet/transfer_dense"]
    network: Any = build_network(known.options, scale=4).train()
    freeze(network, known.frozen)
    trained = {name.rpartition(".")[0] for name, weight in network.named_parameters() if weight.requires_grad}
    assert not any(name.startswith(("head", "body.8.")) for name in trained)
    assert any(name.startswith("body.9.") for name in trained)
    assert not network.body[8].training
    assert network.body[17].training


def test_kept_parts_are_the_source_s_to_the_bit_and_the_rest_stays() -> None:
    torch.manual_seed(0)
    source, network = build_network(TINY, scale=4), build_network(LARGER, scale=4)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    keep(source.state_dict(), network, KEPT, what="the source")
    for name, tensor in network.state_dict().items():
        expected = source.state_dict()[name] if is_part(name, KEPT) else before[name]
        assert torch.equal(tensor, expected), name
    assert any(not is_part(name, KEPT) for name in before)


def test_a_frozen_part_changes_by_nothing_that_a_step_does() -> None:
    torch.manual_seed(0)
    network = build_network(LARGER, scale=2).train()
    freeze(network, KEPT)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    optimizer = torch.optim.Adam([weight for weight in network.parameters() if weight.requires_grad], 1e-2)
    network(torch.rand(2, 3, 6, 6)).sum().backward()
    optimizer.step()
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]) == is_part(name, KEPT), name
    assert all(weight.grad is None for name, weight in network.named_parameters() if is_part(name, KEPT))


def test_the_backward_pass_does_not_enter_the_frozen_part() -> None:
    network: Any = build_network(LARGER, scale=2).train()
    freeze(network, KEPT)
    lr = torch.rand(1, 3, 6, 6)
    assert not network.body[0](network.head(lr)).requires_grad


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (("heads",), "no part 'heads' with weights; its parts with weights are head, body, tail"),
        (("body.3",), "the source has no body.3"),
        ((), "no body.2.weight, which the start should keep|has no body"),
    ],
)
def test_what_the_source_does_not_have_is_refused(parts: tuple[str, ...], message: str) -> None:
    source = build_network(SRResNetOptions(num_blocks=1, num_features=4), scale=4).state_dict()
    network = build_network(SRResNetOptions(num_blocks=4, num_features=4), scale=4)
    with pytest.raises(UserError, match=message):
        check_fits(source, network, parts, what="the source")


def test_another_shape_is_refused_and_so_is_more_than_the_whole() -> None:
    network = build_network(SRResNetOptions(num_blocks=1, num_features=4), scale=4)
    wide = build_network(SRResNetOptions(num_blocks=1, num_features=5), scale=4).state_dict()
    with pytest.raises(
        UserError, match=r"head.conv.weight of w has the shape \[5, 3, 9, 9\]; .* needs \[4, 3, 9, 9\]"
    ):
        check_fits(wide, network, ("head",), what="w")
    more = {**network.state_dict(), "extra": torch.zeros(1)}
    with pytest.raises(UserError, match="w has extra, which"):
        check_fits(more, network, (), what="w")
    check_fits(more, network, ("head",), what="w")


def test_a_name_is_a_part_only_up_to_a_dot() -> None:
    assert is_part("body.1.conv.weight", ("body.1",))
    assert not is_part("body.10.conv.weight", ("body.1",))
    check_parts(build_network(TINY, scale=4), KEPT)
