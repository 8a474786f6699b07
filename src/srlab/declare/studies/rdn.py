"""Does the activation matter in a residual dense network?

Run:       srlab study rdn --train div2k_train --validate div2k_valid --test set5,set14
Takes:     not measured in full; `srlab study rdn --plan` estimates it for your machine
Measured:  not yet

The seed study's three variants, rates and protocol (L1, Adam as Keras has it, batches of 16 LR patches of
32 x 32 at x2, half of them compressed as JPEG, 50,000 steps). The seed changed the activation inside the
dense blocks and left the upsampler's ReLU; two variants more change both.
"""

from srlab.declare.objectives import PixelObjective
from srlab.declare.protocol import TrainingProtocol
from srlab.declare.study import Study, Variant
from srlab.networks import preset, with_options

OBJECTIVE = PixelObjective(loss="l1")


STUDY = Study(
    name="rdn",
    scale=2,
    variants=(
        *(
            Variant(name=f"rdn/{name}", network=preset(f"rdn/{name}", scale=2), objective=OBJECTIVE)
            for name in ("vanilla", "leaky_relu", "prelu")
        ),
        *(
            Variant(
                name=f"rdn/{name}_throughout",
                network=with_options(preset(f"rdn/{name}", scale=2), {"upsampler_activation": name}),
                objective=OBJECTIVE,
            )
            for name in ("leaky_relu", "prelu")
        ),
    ),
    learning_rates=(1e-3, 5e-4, 3e-4, 1e-4, 5e-5),
    protocol=TrainingProtocol(
        num_steps=50_000,
        batch_size=16,
        lr_patch_size=32,
        schedule="cosine",
        adam_eps=1e-7,
        jpeg_noise=True,
    ),
    train=("div2k_train",),
    validate=("div2k_valid",),
    test=("set5", "set14"),
)
