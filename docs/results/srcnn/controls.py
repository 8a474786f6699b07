"""Which change makes SRCNN better: LeakyReLU, a residual skip, or sub-pixel convolution?

The study `srcnn` with two controls, so that the skip and the sub-pixel layer each change alone in one pair:
`vanilla_same` is vanilla with the zero padding that the variants with a skip have, and
`small_residual_leaky_relu` is pixel_shuffle_residual_leaky_relu with bilinear enlargement first.
"""

from dataclasses import replace

from srlab import preset, with_options
from srlab.declare.studies.srcnn import STUDY as SRCNN

_VANILLA = SRCNN.variants[0]
_SMALL = preset("srcnn/pixel_shuffle_residual_leaky_relu", scale=2)

STUDY = replace(
    SRCNN,
    name="controls",
    variants=(
        *SRCNN.variants,
        replace(
            _VANILLA, name="srcnn/vanilla_same", network=with_options(_VANILLA.network, {"padding": "same"})
        ),
        replace(
            _VANILLA,
            name="srcnn/small_residual_leaky_relu",
            network=with_options(_SMALL, {"enlargement": "bilinear"}),
        ),
    ),
)
