"""What is said of a study in which runs failed, diverged, or were interrupted?

Run:       python tests/golden/make.py
Takes:     a minute
Measured:  nothing; tests/test_golden.py holds what is printed of it
"""

from srlab import Start, Study, TrainingProtocol, Variant, preset, with_options

TINY = {"kernel_sizes": "5,3", "num_features": "8", "padding": "same", "initialization": "pytorch"}
BASE = with_options(preset("srcnn/vanilla", scale=2), TINY)
LEAKY = with_options(BASE, {"activation": "leaky_relu:0.3"})
WILD = with_options(BASE, {"initialization": "glorot_uniform"})

STUDY = Study(
    name="unfinished",
    scale=2,
    variants=(
        Variant(name="srcnn/base", network=BASE),
        Variant(name="srcnn/leaky", network=LEAKY),
        Variant(name="srcnn/wild", network=WILD, learning_rates=(1e30,)),
        Variant(name="srcnn/after_leaky", network=LEAKY, start=Start(source="srcnn/leaky")),
        Variant(name="srcnn/skip", network=with_options(BASE, {"skip": "bicubic"})),
    ),
    learning_rates=(1e-2, 3e-3),
    seeds=(0, 1),
    protocol=TrainingProtocol(num_steps=100, batch_size=4, lr_patch_size=8, checkpoint_every=40),
    train=("data/train",),
    validate=("data/validate",),
    test=("data/set5",),
)
