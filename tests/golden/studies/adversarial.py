"""Does a tiny SRGAN make better pictures with a plain or with a dense generator?

Run:       python tests/golden/make.py adversarial
Takes:     a minute
Measured:  nothing; tests/test_golden.py holds what is printed of it
"""

from dataclasses import replace

from srlab import (
    AdversarialObjective,
    Start,
    Study,
    TrainingProtocol,
    Variant,
    preset,
    with_options,
)
from srlab.networks import DiscriminatorOptions

PLAIN = with_options(
    preset("srresnet/original", scale=4), {"num_blocks": "2", "num_features": "2", "skip": "bicubic"}
)
DENSE = with_options(PLAIN, {"num_blocks": "1", "num_dense_blocks": "1"})
OBJECTIVE = AdversarialObjective(
    content="random",
    pixel_weight=0.1,
    discriminator=DiscriminatorOptions(num_features=(4, 4, 8, 8), dense_features=8),
)
LONG = TrainingProtocol(num_steps=80, batch_size=2, lr_patch_size=16)

STUDY = Study(
    name="adversarial",
    scale=2,
    variants=(
        Variant(name="srresnet/plain", network=PLAIN, learning_rates=(5e-3,), protocol=LONG),
        Variant(
            name="srresnet/dense",
            network=DENSE,
            start=Start(source="srresnet/plain", keep=("head", "body.0"), freeze=True),
            learning_rates=(5e-3,),
            protocol=LONG,
        ),
        Variant(name="srgan/plain", network=PLAIN, objective=OBJECTIVE, start=Start(source="srresnet/plain")),
        Variant(name="srgan/dense", network=DENSE, objective=OBJECTIVE, start=Start(source="srresnet/dense")),
        Variant(
            name="srgan/dense_pixels",
            network=DENSE,
            objective=replace(OBJECTIVE, content="pixels", adversarial_weight=0.01),
            start=Start(source="srresnet/dense"),
        ),
    ),
    learning_rates=(1e-3, 1e-4),
    seeds=(0, 1),
    protocol=replace(LONG, num_steps=40),
    train=("data/train",),
    validate=("data/validate",),
    test=("data/four",),
)
