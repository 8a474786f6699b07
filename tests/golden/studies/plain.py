"""Does a tiny SRCNN learn more with a skip, with LeakyReLU, or with both?

Run:       python tests/golden/make.py plain
Takes:     a minute
Measured:  nothing; tests/test_golden.py holds what is printed of it
"""

from srlab import PixelObjective, Study, TrainingProtocol, Variant, preset, with_options

TINY = {"kernel_sizes": "5,3", "num_features": "8", "padding": "same", "initialization": "pytorch"}
BASE = with_options(preset("srcnn/vanilla", scale=2), TINY)
SKIP = with_options(BASE, {"skip": "bicubic"})
EDSR = with_options(
    preset("edsr/baseline", scale=2), {"num_blocks": "1", "num_features": "4", "skip": "bicubic"}
)

STUDY = Study(
    name="plain",
    scale=2,
    variants=(
        Variant(name="srcnn/base", network=BASE),
        Variant(name="srcnn/skip", network=SKIP),
        Variant(name="srcnn/leaky", network=with_options(BASE, {"activation": "leaky_relu:0.3"})),
        Variant(name="srcnn/skip_leaky", network=with_options(SKIP, {"activation": "leaky_relu:0.3"})),
        Variant(
            name="srcnn/skip_mse",
            network=SKIP,
            objective=PixelObjective(loss="mse"),
            learning_rates=(3e-3,),
        ),
        Variant(name="edsr/tiny", network=EDSR, learning_rates=(1e-2,)),
    ),
    learning_rates=(1e-2, 3e-3),
    seeds=(0, 1, 2),
    protocol=TrainingProtocol(num_steps=300, batch_size=4, lr_patch_size=8, schedule="cosine"),
    train=("data/train",),
    validate=("data/validate",),
    test=("data/set5", "data/four"),
)
