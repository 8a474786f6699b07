"""Does a generator with dense blocks make a better SRGAN than the original one?

Run:       srlab study docs/results/c6_srgan/study.py
Takes:     docs/results/PLAN.md
Measured:  not yet

Two sources are trained on pixels for equal steps: SRResNet as the seed study has it, and with dense blocks.
From each, three variants go on for equal steps at one rate: an SRGAN, the same losses without a discriminator
(`_content`), and the squared error of pixels alone (`_pixels`). So the discriminator is told from its losses,
and both from more training. docs/results/PLAN.md has the plan.

The content is VGG19's relu2_2 by the normalized file of 2 MB (docs/gan.md), which lies beside the pictures as
`data/vgg19_normalized.pth`.
"""

from dataclasses import replace
from pathlib import Path

from srlab import PixelObjective, Start, Study, TrainingProtocol, Variant, preset
from srlab.declare.loss_values import MSE, Perceptual
from srlab.declare.objectives import with_vgg
from srlab.declare.studies import srgan

VGG = Path("data/vgg19_normalized.pth")
SOURCE_RATES = {"original": 1e-3, "dense": 3e-4}  # C5's pilot: its source, and dense blocks from scratch

PROTOCOL = TrainingProtocol(
    num_steps=1_000,
    batch_size=16,
    lr_patch_size=24,
    schedule="cosine",
    adam_eps=1e-7,
    precision="bf16",
    validate_every=250,
    checkpoint_every=100,
)
OF_SOURCES = replace(PROTOCOL, num_steps=2_400, lr_patch_size=16, validate_every=600, checkpoint_every=240)

ADVERSARIAL = replace(srgan.OBJECTIVE, content="vgg22")  # the shipped study's weights, which were measured
CONTENT = PixelObjective(loss=Perceptual("vgg22") + ADVERSARIAL.pixel_weight * MSE())
OBJECTIVES = {"": ADVERSARIAL, "_content": CONTENT, "_pixels": PixelObjective(loss="mse")}


def source(name: str) -> Variant:
    """The generator, trained on pixels from random weights."""
    return Variant(
        name=f"srresnet/{name}",
        network=preset(f"srresnet/{name}", scale=4),
        objective=PixelObjective(loss="mse"),
        learning_rates=(SOURCE_RATES[name],),
        protocol=OF_SOURCES,
    )


def variant(name: str, ending: str) -> Variant:
    """What goes on from the source of that name."""
    objective = OBJECTIVES[ending]
    if objective.needs_vgg and VGG.is_file():
        objective = with_vgg(objective, VGG)
    return Variant(
        name=f"srgan/{name}{ending}",
        network=preset(f"srresnet/{name}", scale=4),
        objective=objective,
        start=Start(source=f"srresnet/{name}"),
    )


STUDY = Study(
    name="c6_srgan",
    scale=4,
    variants=(
        *(source(name) for name in SOURCE_RATES),
        *(variant(name, ending) for ending in OBJECTIVES for name in SOURCE_RATES),
    ),
    learning_rates=(5e-5,),
    seeds=(0, 1, 2),
    protocol=PROTOCOL,
    train=("data/train291", "data/photos36"),
    validate=("data/validation",),
    test=("data/Set5", "data/Set14", "data/B100"),
    primary=("srgan/dense", "srgan/original"),
)
