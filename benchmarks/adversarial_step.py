"""What does a step of SRGAN consist of, and what does srlab save of it?

Run:  python benchmarks/adversarial_step.py [--variant srresnet/original] [--batch-size 16] [--rounds 5]
      [--threads 2] [--cpu-time]

Weights are random, which costs the same as real ones. The parts take turns, a step each, and each round
begins with another one; printed are medians over the rounds in milliseconds, and as ratios to the whole step
with relu2_2:

- pixels only: the generator's step without discriminator and VGG19
- content pixels, relu2_2, relu5_4: srlab's whole step with that content
- judged again: the discriminator steps first and judges SR once more for the generator, as many
  re-implementations do
- VGG19 in fp32: its weights and features in full precision
- Adam unfused: torch's Adam as it comes
- plain: judged again, everything in fp32, NCHW, Adam as it comes

The first step of each part is not counted. With --cpu-time it is the processor's time that is counted, over
all threads: for a machine that is not idle. A minute of it, with batches of 8.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from srlab.folder.sessions import cpu_name
from srlab.networks import Discriminator, Network, build_network, preset
from srlab.networks.vgg import Layer, random_vgg
from srlab.training.adversarial import AdversarialUpdate
from srlab.training.content import ContentLoss, FeatureDistance, pixel_content
from srlab.training.device import (
    ResolvedPrecision,
    default_threads,
    resolve_precision,
    tune_allocator,
    use_threads,
)
from srlab.training.updates import DEFAULT_PROTOCOL, PixelUpdate

CPU = torch.device("cpu")
RATE = 1e-6

Step = Callable[[Tensor, Tensor], object]


class JudgedAgain:
    """The step that re-implementations take: the discriminator first, then the generator by the new one."""

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, content: ContentLoss, precision: str
    ) -> None:
        self.generator, self.discriminator, self.content = generator, discriminator, content
        self.is_bf16 = precision == "bf16"
        self.optimizers = [
            torch.optim.Adam(each.parameters(), lr=RATE) for each in (generator, discriminator)
        ]

    def __call__(self, lr: Tensor, hr: Tensor) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.is_bf16):
            sr = self.generator(lr)
            real, fake = self.discriminator(hr), self.discriminator(sr.detach())
        self._descend(1, F.softplus(-real.float()).mean() + F.softplus(fake.float()).mean())
        with torch.autocast("cpu", torch.bfloat16, enabled=self.is_bf16):
            again = self.discriminator(sr)
        self._descend(0, self.content(sr.float(), hr) + 1e-3 * F.softplus(-again.float()).mean())

    def _descend(self, index: int, loss: Tensor) -> None:
        self.optimizers[index].zero_grad(set_to_none=True)
        loss.backward()
        self.optimizers[index].step()


def networks(variant: str, *, channels_last: bool = True) -> tuple[Network, nn.Module]:
    """A fresh generator and discriminator."""
    torch.manual_seed(0)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    generator = build_network(preset(variant, scale=4), scale=4).to(memory_format=layout)  # type: ignore[call-overload]
    return generator.train(), Discriminator().to(memory_format=layout).train()  # type: ignore[call-overload]


def features(precision: ResolvedPrecision, layer: Layer = "relu2_2") -> FeatureDistance:
    """Content of random weights."""
    return FeatureDistance(random_vgg(layer), device=CPU, precision=precision)


def srlab_step(
    variant: str, content: ContentLoss, precision: ResolvedPrecision, *, fused: bool = True
) -> Step:
    """A whole step of srlab."""
    generator, discriminator = networks(variant)
    update = AdversarialUpdate(
        generator,
        discriminator=discriminator,
        content=content,
        protocol=DEFAULT_PROTOCOL,
        precision=precision,
    )
    if not fused:
        for side in update.sides.values():
            side.optimizer = torch.optim.Adam(side.parameters)
    return lambda lr, hr: update(lr, hr, learning_rate=RATE)


def steps(variant: str, precision: ResolvedPrecision) -> dict[str, Step]:
    """What is measured, by name."""
    pixels = PixelUpdate(networks(variant)[0], loss="mse", precision=precision)
    plain = networks(variant, channels_last=False)
    return {
        "content relu2_2": srlab_step(variant, features(precision), precision),
        "pixels only": lambda lr, hr: pixels(lr, hr, learning_rate=RATE),
        "content pixels": srlab_step(variant, pixel_content, precision),
        "content relu5_4": srlab_step(variant, features(precision, "relu5_4"), precision),
        "judged again": JudgedAgain(*networks(variant), features(precision), precision),
        "VGG19 in fp32": srlab_step(variant, features("fp32"), precision),
        "Adam unfused": srlab_step(variant, features(precision), precision, fused=False),
        "plain": JudgedAgain(*plain, features("fp32"), "fp32"),
    }


def main() -> None:
    """Measure all in turns and print a line for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--variant", default="srresnet/original")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=default_threads())
    parser.add_argument("--cpu-time", action="store_true", help="count the processor's time, not the clock's")
    arguments = parser.parse_args()
    clock = time.process_time if arguments.cpu_time else time.perf_counter
    use_threads(arguments.threads)
    tune_allocator()
    precision = resolve_precision("auto", CPU)
    generator = torch.Generator().manual_seed(0)
    hr = torch.rand(arguments.batch_size, 3, 96, 96, generator=generator)
    lr = F.avg_pool2d(hr, 4)
    last = [image.to(memory_format=torch.channels_last) for image in (lr, hr)]

    measured = steps(arguments.variant, precision)
    names = list(measured)
    times: dict[str, list[float]] = {name: [] for name in names}
    for number in range(arguments.rounds + 1):
        for place in range(len(names)):
            name = names[(number + place) % len(names)]
            images = (lr, hr) if name == "plain" else last
            start = clock()
            measured[name](*images)
            times[name].append(clock() - start)
    print(
        f"{cpu_name()}, {arguments.threads} threads, load {os.getloadavg()[0]:.1f}, torch {torch.__version__}"
    )
    print(
        f"{arguments.variant} x4, {arguments.batch_size} HR patches of 96 x 96, {precision}; milliseconds "
        f"{'of the processor ' if arguments.cpu_time else ''}a step\n"
    )
    base = times[names[0]][1:]
    for name in names:
        mine = times[name][1:]
        ratio = statistics.median(a / b for a, b in zip(mine, base, strict=True))
        print(f"{name:<18}{1000 * statistics.median(mine):>9.0f}{ratio:>8.2f}")


if __name__ == "__main__":
    main()
