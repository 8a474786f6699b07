"""Does a generator with dense blocks make a better SRGAN than the original one, and by what measure?

Run:       srlab study srgan --source runs/srresnet --train div2k_train --validate div2k_valid
Takes:     not measured in full; `srlab study srgan --plan` estimates it for your machine
Measured:  short trainings with relu2_2: docs/gan.md, docs/results.md

Both generators start from SRResNet networks trained on pixels, as in the seed study and in Ledig et al.
(CVPR 2017): ``original`` from the original, ``dense`` from the transfer variant with dense blocks, with
nothing frozen any more. These sources are variants here too, under the protocol that the study `srresnet`
trains them; `--source` takes them from that study instead. Content is VGG19's relu5_4 (`--vgg`, `--content`),
for 5,000 steps, as in the seed.

Weights, rates and discriminator are neither the seed's nor the paper's. Those were made for 100,000 steps and
more; in a few hundred the paper's weights lose the colors, and a larger discriminator had learned less. Here
it is small and learns at 3e-4, six times as fast as the generator, so that it knows something before the
generator has moved far. Its judgement weighs 3e-3. The squared error of pixels weighs 10, which
holds the colors and keeps a grid out. docs/gan.md has what was measured, and the options for the paper's.

PSNR cannot judge a GAN: it falls while pictures gain detail. LPIPS stands beside it in the leaderboard.
"""

from dataclasses import replace

from srlab.declare.objectives import AdversarialObjective
from srlab.declare.protocol import TrainingProtocol
from srlab.declare.start import Start
from srlab.declare.studies import srresnet
from srlab.declare.study import Study, Variant
from srlab.networks import DiscriminatorOptions, preset

SOURCES = ("srresnet/original", "srresnet/transfer_dense")
SOURCE_RATE = 5e-4  # the seed's of its dense source
OBJECTIVE = AdversarialObjective(
    content="vgg54",
    adversarial_weight=3e-3,
    pixel_weight=10.0,
    pixel_loss="mse",
    discriminator_learning_rate=3e-4,
    discriminator=DiscriminatorOptions(num_features=(32, 32, 64, 64), dense_features=64),
)


def _source(variant: Variant) -> Variant:
    """A variant of the study `srresnet` as it is there, at one rate."""
    protocol = srresnet.STUDY.protocol_of(variant)
    return replace(variant, protocol=protocol, learning_rates=(SOURCE_RATE,))


STUDY = Study(
    name="srgan",
    scale=4,
    variants=(
        *(_source(variant) for variant in srresnet.STUDY.variants if variant.name in SOURCES),
        Variant(
            name="srgan/original",
            network=preset("srresnet/original", scale=4),
            objective=OBJECTIVE,
            start=Start(source="srresnet/original"),
        ),
        Variant(
            name="srgan/dense",
            network=preset("srresnet/dense", scale=4),
            objective=OBJECTIVE,
            start=Start(source="srresnet/transfer_dense"),
        ),
    ),
    learning_rates=(5e-5,),
    protocol=TrainingProtocol(
        num_steps=5_000, batch_size=16, lr_patch_size=24, adam_eps=1e-7, jpeg_noise=True, schedule="cosine"
    ),
    train=("div2k_train",),
    validate=("div2k_valid",),
    test=("set5", "set14"),
)
