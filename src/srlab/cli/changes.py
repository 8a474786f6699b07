"""What a command's options change in a declared study."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from srlab.declare.study import Study


def with_protocol(
    study: "Study", *, steps: int | None = None, settings: list[str] | None = None, **changes: Any
) -> "Study":
    """The study with another training protocol; what is None stays as it is.

    `settings` are texts such as ``momentum=0.9``, of `--protocol`. Where the optimizer changes, the settings
    that the new one does not have go back to their defaults.
    """
    from srlab.cli.parsing import of_option, parse_changes
    from srlab.declare.protocol import parse_settings, without_settings_of_others
    from srlab.errors import UserError

    asked = {name: value for name, value in changes.items() if value is not None}
    own = {name: f"--{name.replace('_', '-')}" for name in changes} | {"num_steps": "--steps"}
    texts = parse_changes(settings or [], option="--protocol")
    for name, value in texts.items():
        option = "--" + name.strip("-").replace("_", "-")
        option = own.get(name, option)
        if option in own.values():
            raise UserError(f"--protocol cannot set {name}; use {option} {value}")
    given = [own[name] for name in asked] + (["--protocol"] if texts else [])
    with of_option("--protocol"):
        asked |= parse_settings(texts, options=own)
    if "optimizer" in asked:
        asked = without_settings_of_others(asked["optimizer"]) | asked
    with of_option("--steps"):
        study = study if steps is None else study.with_steps(steps)
    with of_option(*given):
        return study.with_protocol(asked)


def with_loss(study: "Study", text: str) -> "Study":
    """The study with another loss for its variants that are trained without a discriminator."""
    from dataclasses import replace

    from srlab.cli.parsing import of_option
    from srlab.declare.objectives import PixelObjective
    from srlab.errors import UserError

    with of_option("--loss"):
        objective = PixelObjective(loss=text)
    variants = tuple(
        replace(variant, objective=objective) if isinstance(variant.objective, PixelObjective) else variant
        for variant in study.variants
    )
    if not any(isinstance(variant.objective, PixelObjective) for variant in variants):
        raise UserError(
            f"--loss applies to variants trained without a discriminator; "
            f"study {study.name!r} has no such variant"
        )
    return replace(study, variants=variants)


def with_objective(study: "Study", content: str | None, settings: list[str], vgg: Path | None) -> "Study":
    """The study with another objective for its adversarial variants, and VGG19's weights from a file."""
    from dataclasses import replace

    from srlab.cli.parsing import of_option, parse_changes
    from srlab.declare.objectives import AdversarialObjective, with_settings, with_vgg
    from srlab.errors import UserError

    changes = parse_changes(settings, option="--objective") | (
        {} if content is None else {"content": content}
    )
    variants = list(study.variants)
    for place, variant in enumerate(variants):
        objective = variant.objective
        if isinstance(objective, AdversarialObjective):
            with of_option("--objective", *(["--content"] if content is not None else [])):
                objective = with_settings(objective, changes)
            if vgg is not None and not objective.needs_vgg:
                raise UserError(
                    f"{variant.name} needs no VGG19 weights, since its content is {objective.content}; "
                    "leave --vgg out"
                )
        if vgg is not None and objective.needs_vgg and variant.taken_from is None:
            objective = with_vgg(objective, vgg)
        variants[place] = replace(variant, objective=objective)
    if changes and not any(isinstance(variant.objective, AdversarialObjective) for variant in variants):
        raise UserError(
            f"--content and --objective apply to adversarial variants, but study {study.name!r} has none; "
            "leave them out"
        )
    if vgg is not None and not any(variant.objective.needs_vgg for variant in variants):
        raise UserError(
            f"--vgg is for losses that compare VGG19's features, but study {study.name!r} has no such loss; "
            "leave --vgg out, or choose such a loss: --loss l1+0.1*perceptual:vgg22"
        )
    return replace(study, variants=tuple(variants))


def with_data(study: "Study", train: str | None, validate: str | None, test: str | None) -> "Study":
    """The study with other data, given as comma-separated names or folders."""
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


def dropped_validation(declared: "Study", asked: "Study") -> str:
    """A remark if --train replaces the study's training data and so drops its validation data."""
    if not declared.validate or asked.validate:
        return ""
    return (
        f"the study's validation data ({', '.join(declared.validate)}) belong to its own training data; "
        "here every tenth image of --train is held out to validate; to use other images, "
        "name them with --validate"
    )
