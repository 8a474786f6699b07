"""At which learning rate does each EDSR variant of question C3 learn most?

Run:       srlab study docs/results/c3_edsr/pilot.py
Takes:     docs/results/PLAN.md
Measured:  2026-11-27, docs/results.md

The seed study's six residual blocks, as their names say, and two controls. `prelu` has PReLU without batch
normalization. With it, batch normalization (no, yes) x activation (ReLU, PReLU) is complete, and so is batch
normalization x ReLU after the sum. `batch_norm_quick` averages its running statistics with a momentum of 0.1
where the seed has 0.01.
"""

from srlab import PixelObjective, Study, TrainingProtocol, Variant, preset, with_options

SEED = ("vanilla", "leaky_relu", "relu_after_add", "batch_norm", "batch_norm_relu", "srresnet_block")
OBJECTIVE = PixelObjective(loss="l1")

STUDY = Study(
    name="c3_edsr_pilot",
    scale=4,
    variants=(
        *(
            Variant(name=f"edsr/{name}", network=preset(f"edsr/{name}", scale=4), objective=OBJECTIVE)
            for name in SEED
        ),
        Variant(
            name="edsr/prelu",
            network=with_options(preset("edsr/vanilla", scale=4), {"activation": "prelu"}),
            objective=OBJECTIVE,
        ),
        Variant(
            name="edsr/batch_norm_quick",
            network=with_options(
                preset("edsr/batch_norm", scale=4), {"batch_norm": "eps=0.001,momentum=0.1"}
            ),
            objective=OBJECTIVE,
        ),
    ),
    learning_rates=(1e-3, 5e-4, 3e-4, 1e-4, 5e-5),
    seeds=(100,),
    protocol=TrainingProtocol(
        num_steps=300,
        batch_size=16,
        lr_patch_size=16,
        schedule="cosine",
        adam_eps=1e-7,
        precision="bf16",
        validate_every=300,
        checkpoint_every=60,
    ),
    train=("data/train291", "data/photos36"),
    validate=("data/validation",),
    test=("data/Set5",),
)
