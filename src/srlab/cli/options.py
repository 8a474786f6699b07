"""Options that commands share, in the groups in which their help shows them."""

import os
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

COMPARED = "What is compared"
DATA = "Data"
TRAINING = "Training"
ADVERSARIAL = "Of adversarial variants"
WORK = "Where and how the runs go"

LOSS_HELP = (
    "l1, mse, charbonnier, gradient or perceptual:CONTENT, or a weighted sum such as "
    "l1+0.1*perceptual:vgg22+0.05*gradient; CONTENT is vgg22, vgg54, conv5_4 or random."
)
OF_STUDY = "the study's"  # a default that the study's file has


def _limit_pixels(context: typer.Context, pixels: int | None) -> None:
    """For as long as the command runs, also in the processes that it starts.

    A wrong variable is told here, once, and not with each picture.
    """
    from srlab.pixels.images import MAX_PIXELS_VARIABLE, pixel_limit

    pixel_limit(pixels)
    if pixels is not None:
        before = os.environ.get(MAX_PIXELS_VARIABLE)
        os.environ[MAX_PIXELS_VARIABLE] = str(pixels)
        context.call_on_close(
            partial(os.environ.pop, MAX_PIXELS_VARIABLE)
            if before is None
            else partial(os.environ.update, {MAX_PIXELS_VARIABLE: before})
        )


def _trust(given: str | None) -> None:
    if given is not None:
        from srlab.folder.user_networks import trust

        trust(given)


Weighed = Annotated[
    str,
    typer.Option(
        "--weigh",
        help="What counts once: images (each test image) or sets (each test set, small or large).",
    ),
]
EqualWithin = Annotated[
    float,
    typer.Option(
        "--equal-within",
        metavar="DB",
        help="Two variants are equal if their PSNR is shown to differ by less than this.",
    ),
]
Train = Annotated[
    str | None,
    typer.Option(
        "--train",
        help="Training data: names or folders, comma separated.",
        show_default=OF_STUDY,
        rich_help_panel=DATA,
    ),
]
Validate = Annotated[
    str | None,
    typer.Option(
        "--validate",
        help="Validation data: names or folders, comma separated.",
        show_default="the study's; of none, every tenth training image",
        rich_help_panel=DATA,
    ),
]
Test = Annotated[
    str | None,
    typer.Option(
        "--test",
        help="Test data: names or folders, comma separated.",
        show_default=OF_STUDY,
        rich_help_panel=DATA,
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(
        "--steps", min=1, help="Training steps of each run.", show_default=OF_STUDY, rich_help_panel=TRAINING
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        "--batch-size",
        min=1,
        help="Patches in one training step.",
        show_default=OF_STUDY,
        rich_help_panel=TRAINING,
    ),
]
PatchSize = Annotated[
    int | None,
    typer.Option(
        "--lr-patch-size",
        min=1,
        help="Side of a training patch, in LR pixels.",
        show_default=OF_STUDY,
        rich_help_panel=TRAINING,
    ),
]
Schedule = Annotated[
    str | None,
    typer.Option(
        "--schedule",
        help="Schedule of the learning rate: cosine (to zero at the end), constant, or step (with "
        "--protocol halve_at=0.5).",
        show_default=OF_STUDY,
        rich_help_panel=TRAINING,
    ),
]
Optimizer = Annotated[
    str | None,
    typer.Option(
        "--optimizer", help="Optimizer: adam, adamw or sgd.", show_default=OF_STUDY, rich_help_panel=TRAINING
    ),
]
Ema = Annotated[
    float | None,
    typer.Option(
        "--ema",
        metavar="DECAY",
        help="Average the weights over the steps, such as 0.999; the averaged ones are validated and scored.",
        show_default=OF_STUDY,
        rich_help_panel=TRAINING,
    ),
]
ValidateEvery = Annotated[
    int | None,
    typer.Option(
        "--validate-every",
        min=1,
        help="Steps between two validations.",
        show_default="ten validations in a run",
        rich_help_panel=TRAINING,
    ),
]
ValidationImages = Annotated[
    int | None,
    typer.Option(
        "--validation-images",
        min=1,
        help="Number of images in each validation during training. At the end all images are scored.",
        show_default="5",
        rich_help_panel=TRAINING,
    ),
]
ProtocolSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--protocol",
        metavar="SETTING=VALUE",
        help="Any other setting of the training protocol, such as momentum=0.9, weight_decay=1e-4, "
        "warmup_steps=500, gradient_clip_norm=1 or adjustable_clip=0.01; repeatable.",
        rich_help_panel=TRAINING,
    ),
]
Seeds = Annotated[
    str | None,
    typer.Option(
        "--seeds",
        help="Number of seeds (3: seeds 0, 1, 2), or a list (0,4; write 4, for seed 4 alone).",
        show_default=OF_STUDY,
        rich_help_panel=COMPARED,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="The study's folder.", show_default="runs/NAME", rich_help_panel=WORK),
]
Jobs = Annotated[
    int,
    typer.Option(
        "--jobs",
        min=1,
        help="Number of runs at the same time, each in its own process.",
        rich_help_panel=WORK,
    ),
]
Device = Annotated[
    str,
    typer.Option("--device", help="auto (a GPU if there is one), cpu, cuda, cuda:1.", rich_help_panel=WORK),
]
AnyDevice = Annotated[str, typer.Option("--device", help="auto (a GPU if there is one), cpu, cuda, cuda:1.")]
AnyEngine = Annotated[
    Literal["torch", "onnxruntime", "openvino"],
    typer.Option(
        "--engine",
        help="What computes: torch, or on the CPU onnxruntime or openvino, to which the network is "
        "translated first. They need srlab[export] or srlab[openvino].",
    ),
]
MaxPixels = Annotated[  # its callback does everything, so a command has no use for the value
    int | None,
    typer.Option(
        "--max-pixels",
        min=1,
        help="Largest number of pixels that a picture may have. SRLAB_MAX_PIXELS sets it for all commands.",
        show_default="128,000,000",
        callback=_limit_pixels,
    ),
]
Trust = Annotated[  # so does this one's
    str | None,
    typer.Option(
        "--trust",
        metavar="FILE|SHA256",
        help="Run the code of a network that is not srlab's: a Python file, or the SHA-256 that a refusal "
        "names. It is remembered.",
        show_default="only code that you agreed to before",
        callback=_trust,
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        "--precision",
        help="Precision of training: auto, fp32 or bf16. Scores always use fp32.",
        show_default=OF_STUDY,
        rich_help_panel=TRAINING,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        min=1,
        help="Number of CPU threads of each run.",
        show_default="all, divided among the jobs",
        rich_help_panel=WORK,
    ),
]
ShowPlan = Annotated[
    bool,
    typer.Option(
        "--plan", help="Show which runs are planned and what they cost, then stop.", rich_help_panel=WORK
    ),
]
Estimate = Annotated[
    bool,
    typer.Option(
        "--estimate/--no-estimate",
        help="Time a few steps of each variant to estimate the total time.",
        rich_help_panel=WORK,
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object to standard output.", rich_help_panel=WORK)
]
Vgg = Annotated[
    Path | None,
    typer.Option(
        "--vgg",
        metavar="FILE",
        help="File with VGG19's weights, for a content or perceptual loss.",
        show_default="the official file, if it is installed",
        rich_help_panel=TRAINING,
    ),
]
