"""At which learning rate does each RDN variant of question C4 learn most?

Run:       srlab study docs/results/c4_rdn/pilot.py
Takes:     docs/results/PLAN.md
Measured:  2026-11-27, docs/results.md

Activation within the dense blocks (ReLU, LeakyReLU 0.3, PReLU) x activation of the upsampler (ReLU, the
same). With ReLU in the blocks both are one network, so there are five. The seed study has the three whose
upsampler keeps its ReLU.
"""

from srlab import PixelObjective, Study, TrainingProtocol, Variant, preset, with_options

OBJECTIVE = PixelObjective(loss="l1")

STUDY = Study(
    name="c4_rdn_pilot",
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
    seeds=(100,),
    protocol=TrainingProtocol(
        num_steps=500,
        batch_size=16,
        lr_patch_size=20,
        schedule="cosine",
        adam_eps=1e-7,
        precision="bf16",
        validate_every=500,
        checkpoint_every=100,
    ),
    train=("data/train291", "data/photos36"),
    validate=("data/validation",),
    test=("data/Set5",),
)
