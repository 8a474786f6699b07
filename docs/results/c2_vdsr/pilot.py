"""At which learning rate does each VDSR variant of question C2 learn most?

Run:       srlab study docs/results/c2_vdsr/pilot.py
Takes:     docs/results/PLAN.md
Measured:  not yet

Eight ten-layer networks of 64 features: activation (ReLU, LeakyReLU 0.3) x upsampling (bilinear first,
sub-pixel before the last layer) x residual (one channel for all three colors, three channels). The activation
is the same after the sub-pixel layer as elsewhere, so each pair differs in one thing. `vdsr/vanilla` and
`vdsr/leaky_relu` are the seed study's; its pixel shuffle network has other widths and is not here.
"""

from srlab import PixelObjective, Study, TrainingProtocol, Variant, preset, with_options


def variant(activation: str, enlargement: str, residual: str) -> Variant:
    """One of the eight; `vanilla` is ReLU with bilinear first, `rgb` a residual of three channels."""
    words = [
        *(["sub_pixel"] if enlargement == "sub_pixel" else []),
        *(["leaky_relu"] if activation == "leaky_relu" else []),
    ]
    words = [*(words or ["vanilla"]), *(["rgb"] if residual == "rgb" else [])]
    changes = {
        "activation": activation,
        "enlargement": enlargement,
        "upsampler_activation": activation if enlargement == "sub_pixel" else "none",
        "gray_residual": "true" if residual == "gray" else "false",
    }
    return Variant(
        name=f"vdsr/{'_'.join(words)}",
        network=with_options(preset("vdsr/vanilla", scale=2), changes),
        objective=PixelObjective(loss="mse"),
    )


STUDY = Study(
    name="c2_vdsr_pilot",
    scale=2,
    variants=tuple(
        variant(activation, enlargement, residual)
        for enlargement in ("bilinear", "sub_pixel")
        for residual in ("gray", "rgb")
        for activation in ("relu", "leaky_relu")
    ),
    learning_rates=(1e-3, 5e-4, 3e-4, 1e-4, 1e-5),
    seeds=(100,),
    protocol=TrainingProtocol(
        num_steps=400,
        batch_size=16,
        lr_patch_size=20,
        schedule="cosine",
        adam_eps=1e-7,
        precision="bf16",
        validate_every=400,
        checkpoint_every=80,
    ),
    train=("data/train291", "data/photos36"),
    validate=("data/validation",),
    test=("data/Set5",),
)
