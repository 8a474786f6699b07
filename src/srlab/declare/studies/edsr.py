"""Is EDSR's residual block better than those with batch normalization or another activation?

Run:       srlab study edsr --train div2k_train --validate div2k_valid --test set5,set14
Takes:     not measured in full; `srlab study edsr --plan` estimates it for your machine
Measured:  vanilla alone, 4,000 steps: docs/results.md

The seed study's six variants, rates and protocol (L1, Adam as Keras has it, batches of 16 LR patches of 24
x 24 at x4, 10,000 steps). The rate falls to zero whatever its start, where the seed subtracted 5e-5 at half
time: a twentieth of the highest rate, and all of the lowest. The variants are what their names say; three of
the seed's were mislabelled.

`batch_norm_quick` is a control: `batch_norm` with the momentum 0.1 in place of Keras' 0.01. In a short
training Keras' momentum lags behind the weights, and part of what batch normalization costs may be this.
"""

from srlab.declare.objectives import PixelObjective
from srlab.declare.protocol import TrainingProtocol
from srlab.declare.study import Study, Variant
from srlab.networks import preset, with_options

NAMES = ("vanilla", "leaky_relu", "relu_after_add", "batch_norm", "batch_norm_relu", "srresnet_block")

NETWORKS = {f"edsr/{name}": preset(f"edsr/{name}", scale=4) for name in NAMES}
NETWORKS["edsr/batch_norm_quick"] = with_options(
    NETWORKS["edsr/batch_norm"], {"batch_norm": "eps=0.001,momentum=0.1"}
)

STUDY = Study(
    name="edsr",
    scale=4,
    variants=tuple(
        Variant(name=name, network=network, objective=PixelObjective(loss="l1"))
        for name, network in NETWORKS.items()
    ),
    learning_rates=(1e-3, 5e-4, 3e-4, 1e-4, 5e-5),
    protocol=TrainingProtocol(
        num_steps=10_000,
        batch_size=16,
        lr_patch_size=24,
        schedule="cosine",
        adam_eps=1e-7,
    ),
    train=("div2k_train",),
    validate=("div2k_valid",),
    test=("set5", "set14"),
)
