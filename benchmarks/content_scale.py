"""By what must VGG19's features be divided for their squared error to be as large as that of pixels?

Run:  python benchmarks/content_scale.py --vgg FILE [--layer relu2_2] --images FOLDER [--scale 4] [--every 4]

Ledig et al. (CVPR 2017) divide by 12.75 so that the VGG loss is on a scale with their MSE loss, whose HR is
in [-1, 1]. So the factor sought makes both errors equal for SR that is bicubic: it is the root of (mean
squared error of features) / (mean squared error of pixels in [-1, 1]), each the mean over the images. Printed
are also the features' mean and energy (mean square), which show what scale they have.
The last line says what the loss, as srlab computes it, amounts to. Without --vgg: random weights. Some
seconds for each image of 480 x 320 and thread.
"""

import argparse
from pathlib import Path
from typing import get_args

import torch
from numpy.typing import NDArray
from torch import Tensor

from srlab.networks.vgg import Layer, load_vgg, random_vgg
from srlab.pixels.color import to_tensor
from srlab.pixels.degradations import degrade
from srlab.pixels.images import crop_to_multiple, list_images, read_hr_image
from srlab.pixels.resize import resize_uint8


def as_batch(pixels: NDArray) -> Tensor:  # type: ignore[type-arg]
    """[H, W, 3] -> [1, 3, H, W] in [0, 1], fp32."""
    return to_tensor(pixels)[None].float()


def main() -> None:
    """Print the factor, and what it comes from."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--vgg", type=Path, help="a weights file of either layout; default: random weights")
    parser.add_argument("--layer", choices=get_args(Layer), default="relu2_2")
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--scale", type=int, choices=(2, 3, 4), default=4)
    parser.add_argument("--every", type=int, default=1, help="take each n-th image")
    arguments = parser.parse_args()
    network = (
        random_vgg(arguments.layer) if arguments.vgg is None else load_vgg(arguments.vgg, arguments.layer)
    )
    shipped, network.factor = network.factor, 1.0
    sums = torch.zeros(4, dtype=torch.float64)
    paths = list_images(arguments.images)[:: arguments.every]
    for path in paths:
        hr = crop_to_multiple(read_hr_image(path).pixels, arguments.scale)
        lr = degrade(hr, scale=arguments.scale, border="replicate")
        sr = resize_uint8(lr, size=hr.shape[:2])
        pixels, features = zip(*((x, network(x)) for x in (as_batch(hr), as_batch(sr))), strict=True)
        values = (
            features[0].mean(),
            features[0].square().mean(),
            (features[0] - features[1]).square().mean(),
            4 * (pixels[0] - pixels[1]).square().mean(),
        )
        sums += torch.stack(values).double()
    mean, energy, content, pixel = (sums / len(paths)).tolist()
    print(f"{len(paths)} images of {arguments.images}, x{arguments.scale}, {arguments.layer}")
    print(f"features: mean {mean:.3f}, energy {energy:.3f}")
    print(f"squared error of bicubic: features {content:.4f}, pixels in [-1, 1] {pixel:.5f}")
    print(f"factor {(content / pixel) ** 0.5:.2f}")
    loss = content / shipped**2
    print(
        f"divided by {shipped:g} the content loss is {loss:.5f}: {loss / pixel:.3g} times the squared error "
        f"of pixels in [-1, 1], {4 * loss / pixel:.3g} times that of pixels in [0, 1]"
    )


if __name__ == "__main__":
    main()
