"""``srlab train``."""

from pathlib import Path
from typing import Annotated

import typer

from srlab.cli import app
from srlab.cli.carrying_out import carry_out, machine_for
from srlab.cli.changes import with_data, with_objective, with_protocol
from srlab.cli.options import (
    COMPARED,
    DATA,
    LOSS_HELP,
    TRAINING,
    AsJson,
    Device,
    Ema,
    Estimate,
    MaxPixels,
    Out,
    ProtocolSettings,
    ShowPlan,
    Threads,
    Trust,
    ValidateEvery,
    ValidationImages,
    Vgg,
)


@app.command()
def train(
    variant: Annotated[
        str,
        typer.Argument(
            metavar="VARIANT", help="A variant that `srlab networks` lists, such as edsr/baseline."
        ),
    ],
    train: Annotated[
        str,
        typer.Option(
            "--train", help="Training data: names or folders, comma separated.", rich_help_panel=DATA
        ),
    ],
    test: Annotated[
        str,
        typer.Option("--test", help="Test data: names or folders, comma separated.", rich_help_panel=DATA),
    ],
    scale: Annotated[
        int | None,
        typer.Option(
            "--scale",
            help="Scale factor: 2, 3 or 4.",
            show_default="the variant's, if it has only one",
            rich_help_panel=COMPARED,
        ),
    ] = None,
    validate: Annotated[
        str | None,
        typer.Option(
            "--validate",
            help="Validation data: names or folders, comma separated.",
            show_default="every tenth training image",
            rich_help_panel=DATA,
        ),
    ] = None,
    learning_rate: Annotated[
        float, typer.Option("--learning-rate", help="Learning rate.", rich_help_panel=TRAINING)
    ] = 3e-4,
    loss: Annotated[
        str, typer.Option("--loss", metavar="LOSS", help=LOSS_HELP, rich_help_panel=TRAINING)
    ] = "l1",
    vgg: Vgg = None,
    schedule: Annotated[
        str,
        typer.Option(
            "--schedule",
            help="Schedule of the learning rate: cosine (to zero at the end), constant, or step (with "
            "--protocol halve_at=0.5).",
            rich_help_panel=TRAINING,
        ),
    ] = "cosine",
    steps: Annotated[
        int, typer.Option("--steps", min=1, help="Training steps.", rich_help_panel=TRAINING)
    ] = 10_000,
    batch_size: Annotated[
        int,
        typer.Option("--batch-size", min=1, help="Patches in one training step.", rich_help_panel=TRAINING),
    ] = 16,
    lr_patch_size: Annotated[
        int,
        typer.Option(
            "--lr-patch-size", min=1, help="Side of a training patch, in LR pixels.", rich_help_panel=TRAINING
        ),
    ] = 24,
    optimizer: Annotated[
        str, typer.Option("--optimizer", help="Optimizer: adam, adamw or sgd.", rich_help_panel=TRAINING)
    ] = "adam",
    ema: Ema = None,
    validate_every: ValidateEvery = None,
    validation_images: ValidationImages = None,
    protocol: ProtocolSettings = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed.", rich_help_panel=TRAINING)] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="OPTION=VALUE",
            help="Change an option of the network, such as num_blocks=8; repeatable.",
            rich_help_panel=COMPARED,
        ),
    ] = None,
    out: Out = None,
    device: Device = "auto",
    precision: Annotated[
        str,
        typer.Option(
            "--precision",
            help="Precision of training: auto, fp32 or bf16. Scores always use fp32.",
            rich_help_panel=TRAINING,
        ),
    ] = "auto",
    threads: Threads = None,
    _max_pixels: MaxPixels = None,
    _trust: Trust = None,
    plan: ShowPlan = False,
    estimate: Estimate = True,
    as_json: AsJson = False,
) -> None:
    """Train one variant: a study of one run, with the study's folder, scores and leaderboard."""
    from srlab.cli.parsing import check_rate, of_option, parse_changes, parse_names
    from srlab.declare.studies import StudyFile
    from srlab.declare.study import one_run
    from srlab.networks import find_preset, only_scale, with_options

    known = find_preset(variant)
    rate = check_rate(learning_rate)
    changes = parse_changes(settings or [])
    training, testing = parse_names(train, option="--train"), parse_names(test, option="--test")
    with of_option("--set"):
        with_options(known.options, changes)
    with of_option("--scale", "--seed", "--loss"):
        declared = one_run(
            variant,
            scale=only_scale(variant) if scale is None else scale,
            learning_rate=rate,
            seed=seed,
            num_steps=steps,
            loss=loss,
            changes=changes,
            train=training,
            test=testing,
        )
    asked = with_protocol(
        declared,
        settings=protocol,
        batch_size=batch_size,
        lr_patch_size=lr_patch_size,
        schedule=schedule,
        optimizer=optimizer,
        ema=ema,
        validate_every=validate_every,
        validation_images=validation_images,
        precision=precision,
    )
    asked = with_objective(with_data(asked, None, validate, None), None, [], vgg)
    carry_out(
        StudyFile(
            study=asked, question=f"How good does {asked.variants[0].name} get at x{asked.scale}?", about=""
        ),
        out or Path("runs") / asked.name,
        machine_for(asked, device, threads, 1),
        plan_only=plan,
        estimate=estimate,
        as_json=as_json,
    )
