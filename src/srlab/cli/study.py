"""``srlab study``."""

from pathlib import Path
from typing import Annotated

import typer

from srlab.cli import app
from srlab.cli.carrying_out import carry_out, machine_for
from srlab.cli.changes import dropped_validation, with_data, with_loss, with_objective, with_protocol
from srlab.cli.options import (
    ADVERSARIAL,
    COMPARED,
    LOSS_HELP,
    OF_STUDY,
    TRAINING,
    AsJson,
    BatchSize,
    Device,
    Ema,
    Estimate,
    Jobs,
    MaxPixels,
    Optimizer,
    Out,
    PatchSize,
    Precision,
    ProtocolSettings,
    Schedule,
    Seeds,
    ShowPlan,
    Steps,
    Test,
    Threads,
    Train,
    Trust,
    Validate,
    ValidateEvery,
    ValidationImages,
    Vgg,
)

MOST_SEEDS = 10


@app.command()
def study(
    name_or_file: Annotated[
        str,
        typer.Argument(
            metavar="NAME_OR_FILE",
            help="Name of a study (smoke, srcnn, vdsr, edsr, rdn, srresnet, srgan, classic), or a Python "
            "file that defines STUDY.",
        ),
    ],
    train: Train = None,
    validate: Validate = None,
    test: Test = None,
    steps: Steps = None,
    batch_size: BatchSize = None,
    lr_patch_size: PatchSize = None,
    schedule: Schedule = None,
    optimizer: Optimizer = None,
    ema: Ema = None,
    validate_every: ValidateEvery = None,
    validation_images: ValidationImages = None,
    protocol: ProtocolSettings = None,
    seeds: Seeds = None,
    rate_search: Annotated[
        str | None,
        typer.Option(
            "--rate-search",
            help="How each variant's rate is found: grid (every rate with every seed) or halving (short "
            "trainings choose, and the best rate alone has all seeds).",
            show_default=OF_STUDY,
            rich_help_panel=COMPARED,
        ),
    ] = None,
    until_decided: Annotated[
        bool,
        typer.Option(
            "--until-decided",
            help="Add seeds to the variants that are undecided, with looks at 3, 5, 7 and 10 seeds.",
            rich_help_panel=COMPARED,
        ),
    ] = False,
    max_seeds: Annotated[
        int | None,
        typer.Option(
            "--max-seeds",
            min=2,
            help="Up to how many seeds --until-decided adds.",
            show_default="10",
            rich_help_panel=COMPARED,
        ),
    ] = None,
    budgets: Annotated[
        str | None,
        typer.Option(
            "--budgets",
            metavar="PARTS",
            help="Do the whole study a second time for a part of the steps, such as 1/4, and say whether the "
            "order holds; comma separated.",
            show_default=OF_STUDY,
            rich_help_panel=COMPARED,
        ),
    ] = None,
    learning_rates: Annotated[
        str | None,
        typer.Option(
            "--learning-rates",
            help="Learning rates to choose from, comma separated: 1e-3,3e-4.",
            show_default=OF_STUDY,
            rich_help_panel=COMPARED,
        ),
    ] = None,
    variants: Annotated[
        str | None,
        typer.Option(
            "--variants",
            help="Train only these variants and their sources; comma separated. The last part of a name is "
            "enough: vanilla.",
            show_default="all",
            rich_help_panel=COMPARED,
        ),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--source",
            metavar="STUDY_DIR",
            help="Folder of a finished study. Take the sources of transfer and GAN variants from it, "
            "instead of training them.",
            rich_help_panel=COMPARED,
        ),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            "--loss",
            metavar="LOSS",
            help=f"Loss of the variants trained without a discriminator: {LOSS_HELP}",
            show_default=OF_STUDY,
            rich_help_panel=TRAINING,
        ),
    ] = None,
    content: Annotated[
        str | None,
        typer.Option(
            "--content",
            help="Features of the content loss: vgg54, vgg22, conv5_4, pixels or random.",
            show_default=OF_STUDY,
            rich_help_panel=ADVERSARIAL,
        ),
    ] = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(
            "--objective",
            metavar="OPTION=VALUE",
            help="Set adversarial_weight, pixel_weight, pixel_loss or discriminator_learning_rate, such as "
            "pixel_weight=1; repeatable.",
            show_default=OF_STUDY,
            rich_help_panel=ADVERSARIAL,
        ),
    ] = None,
    vgg: Vgg = None,
    out: Out = None,
    jobs: Jobs = 1,
    device: Device = "auto",
    precision: Precision = None,
    threads: Threads = None,
    _max_pixels: MaxPixels = None,
    _trust: Trust = None,
    plan: ShowPlan = False,
    estimate: Estimate = True,
    as_json: AsJson = False,
) -> None:
    """Train a study's variants under one protocol, choose their learning rates, and show who wins.

    The same command again does what is left.

    Seeds, rates, variants and test sets may be added; any other change needs another --out.
    """
    from dataclasses import replace

    from srlab.cli.parsing import of_option, parse_budgets, parse_names, parse_rates, parse_seeds
    from srlab.declare.studies import load_study
    from srlab.errors import UserError

    found = load_study(name_or_file)
    asked = with_protocol(
        found.study,
        steps=steps,
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
    if variants is not None:
        with of_option("--variants"):
            asked = asked.with_variants(parse_names(variants, option="--variants"))
    if learning_rates is not None:
        with of_option("--learning-rates"):
            asked = replace(asked, learning_rates=parse_rates(learning_rates))
    if seeds is not None:
        with of_option("--seeds"):
            asked = replace(asked, seeds=parse_seeds(seeds))
    if rate_search is not None:
        with of_option("--rate-search"):
            asked = replace(asked, rate_search=rate_search)  # type: ignore[arg-type]  # it checks
    if budgets is not None:
        with of_option("--budgets"):
            asked = replace(asked, budgets=parse_budgets(budgets))
    if until_decided or max_seeds is not None:
        if not until_decided and asked.max_seeds is None:
            raise UserError("--max-seeds is of --until-decided; give both, or --seeds alone")
        with of_option("--until-decided", "--max-seeds"):
            asked = replace(asked, max_seeds=max_seeds or asked.max_seeds or MOST_SEEDS)
    if loss is not None:
        asked = with_loss(asked, loss)
    asked = with_objective(with_data(asked, train, validate, test), content, objective or [], vgg)
    if source is not None:
        from srlab.lab.sources import take_sources

        asked = take_sources(asked, source)
    carry_out(
        replace(found, study=asked),
        out or Path("runs") / asked.name,
        machine_for(asked, device, threads, jobs),
        plan_only=plan,
        estimate=estimate,
        as_json=as_json,
        remark=dropped_validation(found.study, asked),
    )
