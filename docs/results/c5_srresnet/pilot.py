"""At which learning rate does each SRResNet variant of question C5 learn most?

Run:       srlab study docs/results/c5_srresnet/pilot.py
Takes:     docs/results/PLAN.md
Measured:  2026-11-27, not whole, docs/results.md

A trained SRResNet (`original`, four times as many steps) lends its head and first 9 blocks to what follows.
`transfer_`: they stay frozen. `scratch_`: the same network from random weights. `finetune_`: from the source
with nothing frozen. `dense` and `wide` have about as many parameters, so their difference is the blocks; each
differs from `no_batch_norm` in blocks and size. `transfer_dense_quick` has the running statistics of `wide`
(momentum 0.1 after the blocks, where the seed has 0.01).
"""

from dataclasses import replace

from srlab import PixelObjective, Start, Study, TrainingProtocol, Variant, preset, with_options
from srlab.networks.srresnet import KEPT

NETWORKS = ("vanilla", "no_batch_norm", "dense", "wide")
SOURCE = "srresnet/original"
MSE = PixelObjective(loss="mse")

PROTOCOL = TrainingProtocol(
    num_steps=150,
    batch_size=16,
    lr_patch_size=16,
    schedule="cosine",
    adam_eps=1e-7,
    precision="bf16",
    validate_every=150,
    checkpoint_every=30,
)


def variant(name: str, network: str, *, start: Start | None) -> Variant:
    """A variant with the network of the preset ``srresnet/transfer_<network>``."""
    return Variant(
        name=f"srresnet/{name}",
        network=preset(f"srresnet/transfer_{network}", scale=4),
        objective=MSE,
        start=start,
    )


FROZEN = Start(source=SOURCE, keep=KEPT, freeze=True)
FREE = Start(source=SOURCE, keep=KEPT)
DENSE = variant("transfer_dense", "dense", start=FROZEN)

STUDY = Study(
    name="c5_srresnet_pilot",
    scale=4,
    variants=(
        Variant(
            name=SOURCE,
            network=preset(SOURCE, scale=4),
            objective=MSE,
            protocol=replace(PROTOCOL, num_steps=4 * PROTOCOL.num_steps, validate_every=600),
        ),
        *(variant(f"transfer_{network}", network, start=FROZEN) for network in NETWORKS),
        replace(
            DENSE,
            name="srresnet/transfer_dense_quick",
            network=with_options(DENSE.network, {"trunk_batch_norm": "eps=0.001,momentum=0.1"}),
        ),
        *(variant(f"finetune_{network}", network, start=FREE) for network in ("vanilla", "dense")),
        *(variant(f"scratch_{network}", network, start=None) for network in NETWORKS),
    ),
    learning_rates=(1e-3, 5e-4, 3e-4, 1e-4, 5e-5),
    seeds=(100,),
    protocol=PROTOCOL,
    train=("data/train291", "data/photos36"),
    validate=("data/validation",),
    test=("data/Set5",),
)
