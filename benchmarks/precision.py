"""Does training in bf16 cost EDSR any PSNR?

Run:  python benchmarks/precision.py --train FOLDER --validate FOLDER [--steps 400] [--seeds 5]
Takes: a step of edsr/vanilla at x4 about 0.2 s in bf16 and 0.5 s in fp32, on 2 cores with AMX

Trains the same network from the same weights on the same batches in fp32 and in bf16, with several seeds,
and scores both in fp32 on the validation pictures. Printed are psnr_y of each run and, per seed, what bf16
gained; then the mean of that with its standard error and the 95 % interval of Student's t, beside the
spread that another seed makes.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import torch
from scipy import stats  # type: ignore[import-untyped]

from srlab.data.patches import Patches
from srlab.declare.protocol import EvaluationProtocol, TrainingProtocol
from srlab.declare.study import Run, Variant
from srlab.errors import UserError
from srlab.folder.checkpoints import load_weights
from srlab.networks import BicubicOptions, build_network, network_color, preset
from srlab.pixels.images import HRImage, list_images, read_hr_image
from srlab.training.device import ResolvedPrecision, cpu_multiplies_bf16, default_threads, use_threads
from srlab.training.train import train
from srlab.use.evaluation import evaluate_network

CPU = torch.device("cpu")
PRECISIONS: tuple[ResolvedPrecision, ...] = ("fp32", "bf16")


def psnr(network: torch.nn.Module, images: list[HRImage]) -> float:
    """Mean psnr_y in dB, under srlab's default protocol."""
    evaluations = evaluate_network(network, images, protocol=EvaluationProtocol(), device=CPU)
    return statistics.mean(evaluation.scores["psnr_y"] for evaluation in evaluations)


def score_run(run: Run, batches: Patches, images: list[HRImage], *, precision: ResolvedPrecision) -> float:
    """Train the run and score its weights; NaN if it diverged."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = train(
            run,
            batches=batches,
            validate=None,
            preview=None,
            folder=Path(folder),
            device=CPU,
            precision=precision,
            report=lambda _: None,
        )
        if outcome.status == "diverged":
            return float("nan")
        return psnr(load_weights(Path(folder) / "weights.safetensors").network, images)


def compare(arguments: argparse.Namespace) -> None:
    """Train and score all runs; print them as they end."""
    options = preset(arguments.variant, scale=arguments.scale)
    protocol = TrainingProtocol(
        num_steps=arguments.steps,
        batch_size=arguments.batch_size,
        lr_patch_size=arguments.lr_patch_size,
        schedule=arguments.schedule,
    )
    pictures = [read_hr_image(path) for path in list_images(arguments.train)]
    images = [read_hr_image(path) for path in list_images(arguments.validate)]
    batches = Patches(
        pictures,
        scale=arguments.scale,
        lr_patch_size=arguments.lr_patch_size,
        batch_size=arguments.batch_size,
        color="luma" if network_color(options) == "luma" else "rgb",
    )
    bicubic = psnr(build_network(BicubicOptions(), scale=arguments.scale), images)
    print(
        f"{arguments.variant} x{arguments.scale}, {arguments.steps} steps of {arguments.batch_size} "
        f"LR patches of {arguments.lr_patch_size}, rate {arguments.learning_rate:g} {arguments.schedule}"
    )
    print(f"psnr_y in dB on {len(images)} pictures; bicubic has {bicubic:.3f}\n")
    print(f"{'seed':>4}{'fp32':>9}{'bf16':>9}{'bf16 - fp32':>14}")
    rows: list[tuple[float, float]] = []
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        run = Run(
            variant=Variant(name=arguments.variant, network=options),
            scale=arguments.scale,
            learning_rate=arguments.learning_rate,
            seed=seed,
            protocol=protocol,
        )
        single, half = (score_run(run, batches, images, precision=precision) for precision in PRECISIONS)
        rows.append((single, half))
        print(f"{seed:>4}{single:>9.3f}{half:>9.3f}{half - single:>+14.3f}", flush=True)
    if len(rows) > 1:
        summarize(rows)


def summarize(rows: list[tuple[float, float]]) -> None:
    """Print the mean of the paired differences and how sure it is."""
    gains = [half - single for single, half in rows]
    error = statistics.stdev(gains) / len(gains) ** 0.5
    reach = float(stats.t.ppf(0.975, len(gains) - 1)) * error
    mean = statistics.mean(gains)
    spread = statistics.stdev(single for single, _ in rows)
    print(f"\nbf16 - fp32: {mean:+.3f} dB, standard error {error:.3f} dB")
    print(f"95 % interval of that: {mean - reach:+.3f} to {mean + reach:+.3f} dB")
    print(f"for comparison, the standard deviation of fp32 over seeds: {spread:.3f} dB")


def main() -> None:
    """Read the arguments, then train."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", type=Path, required=True, help="folder of pictures")
    parser.add_argument("--validate", type=Path, required=True, help="folder of other pictures")
    parser.add_argument("--variant", default="edsr/vanilla")
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--lr-patch-size", type=int, default=24)
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--schedule", choices=("constant", "cosine"), default="cosine")
    parser.add_argument("--threads", type=int, default=default_threads())
    arguments = parser.parse_args()
    if not cpu_multiplies_bf16():
        print("This processor emulates bf16: the scores hold, but it takes long.")
    try:
        use_threads(arguments.threads)
        compare(arguments)
    except UserError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
