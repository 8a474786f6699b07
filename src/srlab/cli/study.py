"""``srlab study`` and ``srlab train``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from srlab.cli import app
from srlab.cli.output import messages, print_json, say, show_path

if TYPE_CHECKING:
    from srlab.planning import Machine, Plan
    from srlab.studies import StudyFile
    from srlab.study import Study

MEASURE_SECONDS = 8.0

OF_STUDY = "the study's"  # a default that the study's file has

Train = Annotated[
    str | None,
    typer.Option("--train", help="Training data: names or folders, comma separated.", show_default=OF_STUDY),
]
Validate = Annotated[
    str | None,
    typer.Option(
        "--validate",
        help="Validation data: names or folders, comma separated.",
        show_default="the study's; of none, every tenth training image is held out",
    ),
]
Test = Annotated[
    str | None,
    typer.Option("--test", help="Test data: names or folders, comma separated.", show_default=OF_STUDY),
]
Steps = Annotated[
    int | None,
    typer.Option("--steps", min=1, help="Training steps of each run.", show_default=OF_STUDY),
]
BatchSize = Annotated[
    int | None, typer.Option("--batch-size", min=1, help="Patches in a step.", show_default=OF_STUDY)
]
PatchSize = Annotated[
    int | None,
    typer.Option(
        "--lr-patch-size", min=1, help="Side of a training patch, in LR pixels.", show_default=OF_STUDY
    ),
]
Seeds = Annotated[
    str | None,
    typer.Option(
        "--seeds",
        help="How many (3: seeds 0, 1, 2), or which (0,4; 4, for seed 4 alone).",
        show_default=OF_STUDY,
    ),
]
Out = Annotated[Path | None, typer.Option("--out", help="The study's folder.", show_default="runs/NAME")]
Jobs = Annotated[int, typer.Option("--jobs", min=1, help="Runs at a time, each in a process of its own.")]
Device = Annotated[
    str | None, typer.Option("--device", help="cpu, cuda, cuda:1.", show_default="a GPU if there is one")
]
Precision = Annotated[
    str | None,
    typer.Option(
        "--precision",
        help="auto, fp32 or bf16: what training computes in; scores are fp32.",
        show_default=OF_STUDY,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads", min=1, help="Threads of each run.", show_default="all, shared out among the jobs"
    ),
]
ShowPlan = Annotated[
    bool, typer.Option("--plan", help="Show what would run and what it costs; start nothing.")
]
Estimate = Annotated[
    bool,
    typer.Option("--estimate/--no-estimate", help="Time a few steps of each variant to estimate the whole."),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


@app.command()
def study(
    name_or_file: Annotated[
        str,
        typer.Argument(
            metavar="NAME_OR_FILE",
            help="smoke, srcnn, vdsr, edsr, rdn, srresnet, srgan, classic, or a Python file with a STUDY.",
        ),
    ],
    train: Train = None,
    validate: Validate = None,
    test: Test = None,
    steps: Steps = None,
    batch_size: BatchSize = None,
    lr_patch_size: PatchSize = None,
    seeds: Seeds = None,
    learning_rates: Annotated[
        str | None,
        typer.Option(
            "--learning-rates",
            help="Rates to choose from, comma separated: 1e-3,3e-4.",
            show_default=OF_STUDY,
        ),
    ] = None,
    variants: Annotated[
        str | None,
        typer.Option(
            "--variants",
            help="Only these variants, and what they start from; comma separated; vanilla is short enough.",
            show_default="all",
        ),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--source",
            metavar="STUDY_DIR",
            help="A finished study: take from it, untrained, the variants that others start from.",
        ),
    ] = None,
    content: Annotated[
        str | None,
        typer.Option(
            "--content",
            help="Of adversarial variants: what the content loss compares; vgg54, vgg22, conv5_4, pixels or "
            "random.",
            show_default=OF_STUDY,
        ),
    ] = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(
            "--objective",
            metavar="OPTION=VALUE",
            help="Of adversarial variants: adversarial_weight, pixel_weight, pixel_loss or "
            "discriminator_learning_rate, such as pixel_weight=1; repeatable.",
            show_default=OF_STUDY,
        ),
    ] = None,
    vgg: Annotated[
        Path | None,
        typer.Option(
            "--vgg", metavar="FILE", help="VGG19's weights.", show_default="the official file, if it is there"
        ),
    ] = None,
    out: Out = None,
    jobs: Jobs = 1,
    device: Device = None,
    precision: Precision = None,
    threads: Threads = None,
    plan: ShowPlan = False,
    estimate: Estimate = True,
    as_json: AsJson = False,
) -> None:
    """Train a study's variants under one protocol, choose their learning rates, and show who wins.

    The same command again does what is left.

    Seeds, rates, variants and test sets may be added; any other change needs another --out.
    """
    from dataclasses import replace

    from srlab.cli.parsing import parse_names, parse_rates, parse_seeds
    from srlab.studies import load_study

    found = load_study(name_or_file)
    asked = _with_protocol(found.study, steps, batch_size, lr_patch_size, precision)
    if variants is not None:
        asked = asked.with_variants(parse_names(variants, option="--variants"))
    if learning_rates is not None:
        asked = replace(asked, learning_rates=parse_rates(learning_rates))
    if seeds is not None:
        asked = replace(asked, seeds=parse_seeds(seeds))
    asked = _with_objective(_with_data(asked, train, validate, test), content, objective or [], vgg)
    if source is not None:
        from srlab.sources import take_sources

        asked = take_sources(asked, source)
    _carry_out(
        replace(found, study=asked),
        out or Path("runs") / asked.name,
        _machine(asked, device, threads, jobs),
        plan_only=plan,
        estimate=estimate,
        as_json=as_json,
        remark=_dropped_validation(found.study, asked),
    )


@app.command()
def train(
    variant: Annotated[
        str, typer.Argument(metavar="VARIANT", help="A variant of `srlab networks`, such as edsr/baseline.")
    ],
    train: Annotated[str, typer.Option("--train", help="Training data: names or folders, comma separated.")],
    test: Annotated[str, typer.Option("--test", help="Test data: names or folders, comma separated.")],
    scale: Annotated[
        int | None,
        typer.Option(
            "--scale", help="Enlargement: 2, 3 or 4.", show_default="the variant's, if it has only one"
        ),
    ] = None,
    validate: Annotated[
        str | None,
        typer.Option(
            "--validate",
            help="Validation data: names or folders, comma separated.",
            show_default="every tenth training image, held out",
        ),
    ] = None,
    learning_rate: Annotated[float, typer.Option("--learning-rate", help="The one rate.")] = 3e-4,
    loss: Annotated[str, typer.Option("--loss", help="l1, mse or charbonnier.")] = "l1",
    schedule: Annotated[
        str, typer.Option("--schedule", help="How the rate goes: cosine (to zero at the end) or constant.")
    ] = "cosine",
    steps: Annotated[int, typer.Option("--steps", min=1, help="Training steps.")] = 10_000,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Patches in a step.")] = 16,
    lr_patch_size: Annotated[
        int, typer.Option("--lr-patch-size", min=1, help="Side of a training patch, in LR pixels.")
    ] = 24,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The one seed.")] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="OPTION=VALUE",
            help="Change an option of the network, such as num_blocks=8; repeatable.",
        ),
    ] = None,
    out: Out = None,
    device: Device = None,
    precision: Annotated[
        str,
        typer.Option("--precision", help="auto, fp32 or bf16: what training computes in; scores are fp32."),
    ] = "auto",
    threads: Threads = None,
    plan: ShowPlan = False,
    estimate: Estimate = True,
    as_json: AsJson = False,
) -> None:
    """Train one variant: a study of one run, with the study's folder, scores and leaderboard."""
    from srlab.cli.parsing import parse_changes, parse_names
    from srlab.networks import only_scale
    from srlab.studies import StudyFile
    from srlab.study import one_run

    declared = one_run(
        variant,
        scale=only_scale(variant) if scale is None else scale,
        learning_rate=learning_rate,
        seed=seed,
        num_steps=steps,
        loss=loss,
        schedule=schedule,
        changes=parse_changes(settings or []),
        train=parse_names(train, option="--train"),
        test=parse_names(test, option="--test"),
    )
    asked = _with_protocol(declared, None, batch_size, lr_patch_size, precision)
    asked = _with_data(asked, None, validate, None)
    _carry_out(
        StudyFile(
            study=asked, question=f"How good does {asked.variants[0].name} get at x{asked.scale}?", about=""
        ),
        out or Path("runs") / asked.name,
        _machine(asked, device, threads, 1),
        plan_only=plan,
        estimate=estimate,
        as_json=as_json,
    )


def _with_protocol(
    study: "Study",
    steps: int | None,
    batch_size: int | None,
    lr_patch_size: int | None,
    precision: str | None,
) -> "Study":
    changes: dict[str, Any] = {
        "batch_size": batch_size,
        "lr_patch_size": lr_patch_size,
        "precision": precision,
    }
    study = study if steps is None else study.with_steps(steps)
    return study.with_protocol({name: value for name, value in changes.items() if value is not None})


def _with_objective(study: "Study", content: str | None, settings: list[str], vgg: Path | None) -> "Study":
    """The study with another objective for its adversarial variants."""
    from dataclasses import replace

    from srlab.cli.parsing import parse_changes
    from srlab.errors import UserError
    from srlab.objectives import AdversarialObjective, with_settings, with_vgg

    if content is None and vgg is None and not settings:
        return study
    changes = parse_changes(settings, option="--objective") | (
        {} if content is None else {"content": content}
    )
    variants = list(study.variants)
    for place, variant in enumerate(variants):
        if isinstance(variant.objective, AdversarialObjective):
            objective = with_settings(variant.objective, changes)
            if vgg is not None:
                if not objective.needs_vgg:
                    raise UserError(
                        f"--vgg has no use for {variant.name}, whose content is {objective.content}; "
                        "leave it out"
                    )
                objective = with_vgg(objective, vgg)
            variants[place] = replace(variant, objective=objective)
    if not any(isinstance(variant.objective, AdversarialObjective) for variant in variants):
        raise UserError(
            "--content, --objective and --vgg are for adversarial variants, of which study "
            f"{study.name!r} has none"
        )
    return replace(study, variants=tuple(variants))


def _with_data(study: "Study", train: str | None, validate: str | None, test: str | None) -> "Study":
    from dataclasses import replace

    from srlab.cli.parsing import parse_names

    names: dict[str, Any] = {
        role: parse_names(text, option=f"--{role}")
        for role, text in (("train", train), ("validate", validate), ("test", test))
        if text is not None
    }
    if "train" in names and "validate" not in names and study.validate and study.train != names["train"]:
        names["validate"] = ()  # the study's own validation data go with its own training data
    return replace(study, **names)


def _dropped_validation(declared: "Study", asked: "Study") -> str:
    """What is to be said where other training data have put the study's validation data aside."""
    if not declared.validate or asked.validate:
        return ""
    return (
        f"the study's own validation data, {', '.join(declared.validate)}, go with its own training data: "
        "every tenth image of --train is held out instead, or name some with --validate"
    )


def _machine(study: "Study", device: str | None, threads: int | None, jobs: int) -> "Machine":
    from srlab.planning import resolve_machine

    return resolve_machine(study, device=device, threads=threads, jobs=jobs)


def _carry_out(
    found: "StudyFile",
    folder: Path,
    machine: "Machine",
    *,
    plan_only: bool,
    estimate: bool,
    as_json: bool,
    remark: str = "",
) -> None:
    from srlab.planning import make_plan

    seconds = MEASURE_SECONDS if estimate else 0
    if plan_only:
        from srlab.claims import check_claims
        from srlab.sources import check_sources

        check_sources(found.study, folder)
        plan = make_plan(found.study, folder, machine, measure_seconds=seconds)
        check_claims(plan, data=None)
        _show_plan(plan, found, as_json=as_json)
        if remark:
            say(remark)
        return
    from srlab.cli.progress import StudyProgress
    from srlab.comparison import compare
    from srlab.errors import UserError
    from srlab.scheduler import explain

    try:
        with StudyProgress(messages, remark=remark) as progress:
            failures = compare(
                found.study,
                folder,
                machine,
                question=found.question,
                announce=progress.announce,
                report=progress.report,
                reading=progress.read,
                measure_seconds=seconds,
            )
    except OSError as error:
        raise UserError(explain(error)) from error
    except KeyboardInterrupt:
        if messages.is_terminal:
            messages.print()  # past the ^C
        say("the same command goes on where this one stopped")
        raise
    _finish(folder, failures, as_json=as_json)


def _finish(folder: Path, failures: list[Any], *, as_json: bool) -> None:
    from srlab.cli.leaderboard import show_leaderboard
    from srlab.leaderboard import leaderboard as standings
    from srlab.store import FAILURE, TEST, write_text
    from srlab.tables import as_csv, as_dict, as_markdown

    board = standings(folder)
    write_text(folder / "leaderboard.csv", as_csv(board))
    write_text(folder / "leaderboard.md", as_markdown(board))
    written = [folder / "leaderboard.csv", folder / "leaderboard.md", *_write_pictures(folder)]
    if as_json:
        failed = [
            {"run": failure.name, "kind": failure.kind, "reason": failure.reason} for failure in failures
        ]
        print_json(
            {
                "folder": str(folder),
                **as_dict(board),
                "failures": failed,
                "files": [str(path) for path in written],
            }
        )
    else:
        show_leaderboard(board)
        for path in written:
            show_path(path)
    for failure in failures:
        say(f"srlab: {failure.name} failed: {failure.reason}")
    if failures:
        details = [
            path
            for failure in failures
            for place in (folder / failure.name, folder / failure.name / TEST)
            if (path := place / FAILURE).exists()
        ]
        messages.print(
            "the same command tries again what failed"
            + ("; each failure.txt has the details" if details else ""),
            markup=False,
        )
        raise typer.Exit(2 if all(failure.kind == "user" for failure in failures) else 1)


def _write_pictures(folder: Path) -> list[Path]:
    from srlab.errors import UserError

    try:
        from srlab.pictures import write_pictures
    except ImportError:
        return []
    try:
        return list(write_pictures(folder))
    except UserError as error:
        say(f"no pictures: {error}")
        return []


def _show_plan(plan: "Plan", found: "StudyFile", *, as_json: bool) -> None:
    from srlab.cli.plan import plan_as_dict, show_plan

    if as_json:
        print_json(plan_as_dict(plan, question=found.question))
    else:
        show_plan(plan, question=found.question)
