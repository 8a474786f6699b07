"""How far apart are the classic networks when all are trained alike?

Run:       srlab study classic --train div2k_train --validate div2k_valid --test set5,set14
Takes:     not measured in full; `srlab study classic --plan` estimates it for your machine
Measured:  not yet

Five networks as their papers have them, at x4: SRCNN 9-5-5, VDSR, EDSR's baseline, the small RDN, SRResNet.
Their papers trained them on other data, with other losses, for other lengths; here all share data, loss,
patches, steps and schedule, and each takes the best of three rates. SRCNN and VDSR work on luma and are
scored as colour pictures, like the others. This protocol is nobody's own: it asks for the order, not for
the papers' numbers. The bound on the gradient is for VDSR, whose twenty layers need it, and holds for all.
"""

from srlab.declare.objectives import PixelObjective
from srlab.declare.protocol import TrainingProtocol
from srlab.declare.study import Study, Variant
from srlab.networks import preset

NAMES = ("srcnn/paper_955", "vdsr/paper", "edsr/baseline", "rdn/paper_small", "srresnet/paper")

STUDY = Study(
    name="classic",
    scale=4,
    variants=tuple(
        Variant(name=name, network=preset(name, scale=4), objective=PixelObjective(loss="l1"))
        for name in NAMES
    ),
    learning_rates=(1e-3, 3e-4, 1e-4),
    protocol=TrainingProtocol(
        num_steps=50_000,
        batch_size=16,
        lr_patch_size=24,
        schedule="cosine",
        gradient_clip_norm=1.0,
    ),
    train=("div2k_train",),
    validate=("div2k_valid",),
    test=("set5", "set14"),
)
