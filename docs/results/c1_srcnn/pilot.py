"""At which learning rate does each SRCNN variant of question C1 learn most?

Run:       srlab study docs/results/c1_srcnn/pilot.py
Takes:     docs/results/PLAN.md
Measured:  not yet

The seed study's six variants, and eight on one body in which each change comes alone: activation (ReLU,
LeakyReLU 0.3) x skip (none, bicubic) x upsampling (bicubic first, sub-pixel last). The body is that of
pixel_shuffle_residual_leaky_relu: kernels 5-3-5, widths 64-32, zeros around.
"""

from srlab import PixelObjective, Study, TrainingProtocol, Variant, preset, with_options

SEED = (
    "vanilla",
    "leaky_relu",
    "residual",
    "residual_leaky_relu",
    "pixel_shuffle_leaky_relu",
    "pixel_shuffle_residual_leaky_relu",
)
BODY = preset("srcnn/pixel_shuffle_residual_leaky_relu", scale=2)
OBJECTIVE = PixelObjective(loss="mse")


def on_the_body(activation: str, skip: str, enlargement: str) -> Variant:
    """One of the eight: its name lists what it has."""
    words = [activation, *(["skip"] if skip != "none" else []), enlargement]
    return Variant(
        name=f"grid/{'+'.join(words)}",
        network=with_options(BODY, {"activation": activation, "skip": skip, "enlargement": enlargement}),
        objective=OBJECTIVE,
    )


STUDY = Study(
    name="c1_srcnn_pilot",
    scale=2,
    variants=(
        *(
            Variant(name=f"srcnn/{name}", network=preset(f"srcnn/{name}", scale=2), objective=OBJECTIVE)
            for name in SEED
        ),
        *(
            on_the_body(activation, skip, enlargement)
            for activation in ("relu", "leaky_relu")
            for skip in ("none", "bicubic")
            for enlargement in ("bicubic", "sub_pixel")
        ),
    ),
    learning_rates=(1e-3, 5e-4, 3e-4, 1e-4, 1e-5),
    seeds=(100,),
    protocol=TrainingProtocol(
        num_steps=750,
        batch_size=16,
        lr_patch_size=20,
        schedule="cosine",
        adam_eps=1e-7,
        precision="bf16",
        validate_every=750,
        checkpoint_every=150,
    ),
    train=("data/train291", "data/photos36"),
    validate=("data/validation",),
    test=("data/Set5",),
)
