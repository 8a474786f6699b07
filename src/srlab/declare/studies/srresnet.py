"""Do dense blocks in SRResNet's second half help, and is it the blocks, their size, or the training?

Run:       srlab study srresnet --train div2k_train --validate div2k_valid --test set5,set14
Takes:     not measured in full; `srlab study srresnet --plan` estimates it for your machine
Measured:  one rate, one seed, small budgets: docs/results.md

The seed study's transfer learning: a trained SRResNet (``original``) lends its head and first 9 of 16 blocks,
which stay frozen; 8 new blocks of one kind or another, the rest of the network and its loss are what differs.
Protocol and rates are the seed's (MSE or L1, Adam as Keras has it, batches of 16 LR patches of 24 x 24 at x4,
half of them compressed as JPEG, 25,000 steps; the rate falls to zero, where the seed's was constant). The
source is trained four times as long. The seed had no controls; here each network is also trained from random
weights (``scratch_``), and from the source with nothing frozen (``finetune_``), and ``wide`` has plain blocks
of the dense ones' size.
"""

from dataclasses import replace

from srlab.declare.objectives import PixelObjective
from srlab.declare.protocol import TrainingProtocol
from srlab.declare.start import Start
from srlab.declare.study import Study, Variant
from srlab.networks import preset
from srlab.networks.srresnet import KEPT

NETWORKS = ("vanilla", "no_batch_norm", "dense", "wide")
SOURCE = "srresnet/original"
MSE = PixelObjective(loss="mse")

PROTOCOL = TrainingProtocol(
    num_steps=25_000,
    batch_size=16,
    lr_patch_size=24,
    schedule="cosine",
    adam_eps=1e-7,
    jpeg_noise=True,
)


def transfer(name: str, network: str, *, objective: PixelObjective = MSE, freeze: bool) -> Variant:
    """A variant that keeps the source's head and first blocks."""
    return Variant(
        name=f"srresnet/{name}",
        network=preset(f"srresnet/transfer_{network}", scale=4),
        objective=objective,
        start=Start(source=SOURCE, keep=KEPT, freeze=freeze),
    )


STUDY = Study(
    name="srresnet",
    scale=4,
    variants=(
        Variant(
            name=SOURCE,
            network=preset(SOURCE, scale=4),
            objective=MSE,
            protocol=replace(PROTOCOL, num_steps=4 * PROTOCOL.num_steps),
        ),
        *(transfer(f"transfer_{network}", network, freeze=True) for network in NETWORKS),
        transfer("transfer_dense_mae", "dense", objective=PixelObjective(loss="l1"), freeze=True),
        *(transfer(f"finetune_{network}", network, freeze=False) for network in NETWORKS),
        *(
            Variant(
                name=f"srresnet/scratch_{network}",
                network=preset(f"srresnet/transfer_{network}", scale=4),
                objective=MSE,
            )
            for network in NETWORKS
        ),
    ),
    learning_rates=(1e-3, 5e-4, 3e-4, 1e-4, 5e-5),
    protocol=PROTOCOL,
    train=("div2k_train",),
    validate=("div2k_valid",),
    test=("set5", "set14"),
)
