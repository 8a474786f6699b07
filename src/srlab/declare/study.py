"""The declaration of a study: variants x learning rates x seeds under one training protocol.

Values only: nothing here trains, reads or writes.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from srlab.declare.checks import as_name, as_names, as_numbers, as_tuple, check_type, shown
from srlab.declare.metrics import Metric, check_metric
from srlab.declare.objectives import LEAST_SIDE, Objective, PixelObjective, own_losses
from srlab.declare.own_losses import check_loss
from srlab.declare.protocol import EvaluationProtocol, TrainingProtocol
from srlab.declare.start import WEIGHTS_SUFFIX, Start
from srlab.errors import UserError
from srlab.networks import (
    BicubicOptions,
    NetworkOptions,
    check_network,
    find_architecture,
    is_network_options,
    meta_network,
    network_color,
    preset,
    with_options,
)
from srlab.networks.discriminator import HR_PATCH_SIZE
from srlab.networks.options import changed_name
from srlab.networks.parts import check_fits, check_parts, is_part
from srlab.user_code.declared import Own

RateSearch = Literal["grid", "halving"]
TRIAL_SEED = 1_000_000  # of the short trainings that choose a rate by halving
# With rate and seed it is a folder's name, of 255 bytes at most.
_VARIANT_NAME = re.compile(r"(?=.{1,200}\Z)[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)?")


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One row of the comparison: a network, what it is trained for, and what it starts from.

    `learning_rates` and `protocol` are the variant's own if they are given, else the study's. A source that
    is trained longer than the variants that start from it needs its own, and so does a GAN. `taken_from` is
    the folder of another study. Its finished runs of this variant are taken instead of training it.
    """

    name: str
    network: NetworkOptions
    objective: Objective = field(default_factory=PixelObjective)
    start: Start | None = None
    learning_rates: tuple[float, ...] | None = None
    protocol: TrainingProtocol | None = None
    taken_from: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _VARIANT_NAME.fullmatch(self.name):
            raise UserError(
                f"{shown(self.name)} is not a valid name of a variant: the name becomes a folder, so use "
                "at most 200 letters, digits, '_', '-', '.', '+' and one '/'"
            )
        where = f"variant {self.name!r}"
        object.__setattr__(self, "taken_from", as_name(self.taken_from))
        for name, types, expected in (
            ("objective", Objective, 'an objective, such as PixelObjective(loss="mse")'),
            ("start", Start | None, "a Start, or None"),
            ("protocol", TrainingProtocol | None, "a TrainingProtocol, or None for the study's"),
            ("taken_from", str | None, "the folder of another study, or None"),
        ):
            check_type(getattr(self, name), types, what=f"{where}: its {name}", expected=expected)
        if not is_network_options(self.network):
            raise UserError(
                f"{where}: its network must be the options of a network, such as preset('edsr/baseline', "
                f"scale=4), or those of your own Architecture, not {shown(self.network)}"
            )
        if self.learning_rates is not None:
            rates = as_numbers(self.learning_rates, what=f"{where}: learning_rates")
            if not rates:
                raise UserError(f"{where} cannot have its own learning rates; leave learning_rates out")
            object.__setattr__(self, "learning_rates", rates)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training: a variant at one learning rate with one seed."""

    variant: Variant
    scale: int
    learning_rate: float
    seed: int
    protocol: TrainingProtocol

    @property
    def name(self) -> str:
        """The run's folder. The rate is written so that two rates never share one."""
        return f"{self.variant.name.replace('/', '-')}-lr{self.learning_rate!r}-seed{self.seed}"


@dataclass(frozen=True, kw_only=True)
class Study:
    """Variants, rates and seeds to compare; `train`, `validate` and `test` name data sets or folders.

    Without `validate`, every tenth training image is held out. With one seed nothing is decided between
    variants. `primary` are two variants, the first of which
    is compared with the second: the one comparison that the study is made for. It is stored before the first
    run, and tested by itself. With `max_seeds`, what is undecided gets more seeds, up to so many. `metrics`
    are a user's own, by which test images are scored beside the included ones; a study that has finished may
    get one later.

    With `budgets` of (4,) the whole study is done a second time, for a quarter of the steps and with a
    schedule of its own, to see whether the order holds.

    `rate_search` says how each variant's learning rate is found: ``grid`` trains every rate with every seed;
    ``halving`` tries all rates in short trainings with a seed of their own, and trains the best one alone.
    """

    name: str
    scale: int
    variants: tuple[Variant, ...]
    learning_rates: tuple[float, ...]
    protocol: TrainingProtocol
    seeds: tuple[int, ...] = (0, 1, 2)
    evaluation: EvaluationProtocol = field(default_factory=EvaluationProtocol)
    train: tuple[str, ...]
    validate: tuple[str, ...] = ()
    test: tuple[str, ...]
    primary: tuple[str, str] | None = None
    max_seeds: int | None = None
    metrics: tuple[Metric, ...] = ()
    rate_search: RateSearch = "grid"
    budgets: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"\w[\w .+-]*", self.name):
            raise UserError(
                f"{shown(self.name)} is not a valid name of a study: the name becomes a folder, so use "
                "letters, digits, spaces, '_', '-', '.' and '+'"
            )
        where = f"study {self.name!r}"
        if type(self.scale) is not int or self.scale not in (2, 3, 4):
            raise UserError(f"{where}: the scale must be 2, 3 or 4, not {shown(self.scale)}")
        check_type(
            self.protocol, TrainingProtocol, what=f"{where}: its protocol", expected="a TrainingProtocol"
        )
        check_type(
            self.evaluation,
            EvaluationProtocol,
            what=f"{where}: its evaluation",
            expected="an EvaluationProtocol",
        )
        for name, of in (("variants", "variants"), ("seeds", "whole numbers")):
            object.__setattr__(self, name, as_tuple(getattr(self, name), what=f"{where}: {name}", of=of))
        for variant in self.variants:
            check_type(variant, Variant, what=f"{where}: one of its variants", expected="a Variant")
        # 1 and NumPy's numbers are rates too, but a folder is named after 1.0.
        rates = as_numbers(self.learning_rates, what=f"{where}: learning_rates")
        object.__setattr__(self, "learning_rates", rates)
        for role in ("train", "validate", "test"):
            object.__setattr__(self, role, as_names(getattr(self, role), what=f"{where}: {role}"))
        for what, values in (
            ("variants", self.variants),
            ("learning rates", self.learning_rates),
            ("seeds", self.seeds),
            ("training data", self.train),
            ("test data", self.test),
        ):
            if not values:
                raise UserError(f"study {self.name!r} has no {what}; name at least one")
        if not all(type(seed) is int and 0 <= seed < 2**32 for seed in self.seeds):
            raise UserError(
                f"a seed must be a whole number from 0 to 2**32 - 1; study {self.name!r} has "
                f"{shown(self.seeds)}"
            )
        for what, numbers in (
            ("seed", self.seeds),
            ("learning rate", self.learning_rates),
            *(("learning rate", self.rates_of(variant)) for variant in self.variants),
        ):
            if len(set(numbers)) < len(numbers):
                raise UserError(f"study {self.name!r} names a {what} twice: {numbers}")
            if what == "learning rate" and not all(rate > 0 for rate in numbers):
                raise UserError(
                    f"a learning rate must be a positive number; study {self.name!r} has {numbers}"
                )
        if self.rate_search not in get_args(RateSearch):
            raise UserError(f"{where}: rate_search must be grid or halving, not {shown(self.rate_search)}")
        if self.rate_search == "halving" and TRIAL_SEED in self.seeds:
            raise UserError(f"{where}: the seed {TRIAL_SEED} is that of the trials; take another one")
        most = self.max_seeds
        if most is not None and (type(most) is not int or not 1 < len(self.seeds) <= most):
            raise UserError(
                f"{where}: to add seeds until all is decided, begin with two seeds or more, and with no more "
                f"than max_seeds: it has {len(self.seeds)} and {shown(most)}"
            )
        self._check_budgets(where)
        self._check_variants()
        self._check_primary(where)
        self._check_networks()
        self._check_starts()
        self._check_objectives()
        self._check_metrics(where)
        colored = [variant.name for variant in self.variants if network_color(variant.network) != "luma"]
        if self.evaluation.color == "luma" and colored:
            raise UserError(
                f"study {self.name!r} uses the luma protocol, but {', '.join(colored)} works on RGB and "
                "cannot be scored by it; use the rgb protocol, which scores both kinds"
            )

    def _check_budgets(self, where: str) -> None:
        parts = as_tuple(self.budgets, what=f"{where}: budgets", of="whole numbers")
        if not all(type(part) is int and part > 1 for part in parts) or len(set(parts)) < len(parts):
            raise UserError(
                f"{where}: budgets are whole numbers above 1, each once: 4 for a quarter of the steps; "
                f"it has {shown(self.budgets)}"
            )
        object.__setattr__(self, "budgets", parts)
        fewest = min(self.protocol_of(variant).num_steps for variant in self.variants)
        if parts and fewest < max(parts):
            raise UserError(
                f"{where}: 1/{max(parts)} of {fewest} steps is less than one step; take a larger part, or "
                "more steps"
            )
        taken = [variant.name for variant in self.variants if variant.taken_from is not None]
        if parts and taken:
            raise UserError(
                f"{where}: {', '.join(taken)} takes its runs from another study, which has other steps; "
                "leave the budgets out"
            )

    def _check_variants(self) -> None:
        first: dict[object, str] = {}
        for variant in self.variants:
            if variant.name == "bicubic" or isinstance(variant.network, BicubicOptions):
                raise UserError(
                    f"study {self.name!r} has bicubic as a variant; every leaderboard includes bicubic "
                    "anyway; leave the variant out, or give it another name"
                )
            folder = variant.name.replace("/", "-")
            for key, what in (
                (
                    folder.lower(),
                    "the same name (upper and lower case do not count, because a name becomes a folder)",
                ),
                (
                    (variant.network, variant.objective, variant.start, self.protocol_of(variant)),
                    "the same network, objective, start and protocol",
                ),
            ):
                if key in first:
                    raise UserError(
                        f"study {self.name!r}: {first[key]!r} and {variant.name!r} have {what}; variants "
                        "of a study must differ"
                    )
                first[key] = variant.name

    def _check_primary(self, where: str) -> None:
        """The planned comparison, with the names in full."""
        if self.primary is None:
            return
        names = as_names(self.primary, what=f"{where}: primary")
        if len(names) != 2:
            raise UserError(
                f"{where}: primary is the comparison that is planned, of two variants, such as "
                f"({self.variants[-1].name!r}, {self.variants[0].name!r}); it has {shown(self.primary)}"
            )
        first, second = (self._find_variant(name).name for name in names)
        if first == second:
            raise UserError(f"{where}: primary compares {first!r} with itself; name two variants")
        object.__setattr__(self, "primary", (first, second))

    def _check_networks(self) -> None:
        for variant in self.variants:
            try:
                check_network(variant.network, scale=self.scale)
            except UserError as error:
                raise UserError(f"study {self.name!r}, variant {variant.name!r}: {error}") from error

    def _check_starts(self) -> None:
        by_name = {variant.name: variant for variant in self.variants}
        for variant in self.variants:
            if (start := variant.start) is None:
                continue
            try:
                network = meta_network(variant.network, scale=self.scale)
                check_parts(network, start.keep)
                if start.freeze and all(is_part(name, start.keep) for name, _ in network.named_parameters()):
                    raise UserError("its start freezes every part, so nothing is left to train")
                if start.is_file:
                    continue
                if start.source not in by_name:
                    raise UserError(
                        f"there is no variant {start.source!r} to start from; a source is the full name of "
                        f"another variant of the study, or a file whose name ends in {WEIGHTS_SUFFIX}"
                    )
                source = meta_network(by_name[start.source].network, scale=self.scale).state_dict()
                check_fits(source, network, start.keep, what=start.source)
            except UserError as error:
                raise UserError(f"study {self.name!r}, variant {variant.name!r}: {error}") from error
        for variant in self.variants:
            seen = [variant.name]
            while (source_variant := self.source_of(by_name[seen[-1]])) is not None:
                if source_variant.name in seen:
                    raise UserError(
                        f"study {self.name!r}: {' starts from '.join([*seen, source_variant.name])}, which "
                        "is a circle; one of them must start from random weights"
                    )
                seen.append(source_variant.name)

    def _check_objectives(self) -> None:
        for variant in self.variants:
            if variant.taken_from is not None:
                continue
            if isinstance(variant.objective, PixelObjective):
                self._check_features(variant, variant.objective)
                self._check_own_losses(variant, variant.objective)
                continue
            if network_color(variant.network) == "luma":
                raise UserError(
                    f"study {self.name!r}, variant {variant.name!r}: an adversarial objective needs a "
                    "network that works on RGB; this one works on luma"
                )
            hr_patch_size = self.scale * self.protocol_of(variant).lr_patch_size
            least = max(
                variant.objective.discriminator.least_side,
                *(LEAST_SIDE[features] for features in variant.objective.features),
                1,
            )
            if hr_patch_size < least:
                raise UserError(
                    f"study {self.name!r}, variant {variant.name!r}: the discriminator and the content "
                    f"loss need HR patches of at least {least} x {least}, not of {hr_patch_size}; take "
                    f"--lr-patch-size {-(-least // self.scale)} or more (the paper has HR patches of "
                    f"{HR_PATCH_SIZE}, so {HR_PATCH_SIZE // self.scale})"
                )

    def _check_features(self, variant: Variant, objective: PixelObjective) -> None:
        if not objective.features:
            return
        where = f"study {self.name!r}, variant {variant.name!r}"
        if network_color(variant.network) == "luma":
            raise UserError(
                f"{where}: a perceptual loss needs a network that works on RGB; this one works on luma"
            )
        border = meta_network(variant.network, scale=self.scale).border
        side = self.scale * self.protocol_of(variant).lr_patch_size - 2 * border
        least = max(LEAST_SIDE[features] for features in objective.features)
        if side < least:
            raise UserError(
                f"{where}: the loss {objective.loss} needs patches of at least {least} x {least} HR "
                f"pixels, but gets {side} x {side}; take --lr-patch-size "
                f"{-(-(least + 2 * border) // self.scale)} or more"
            )

    def _check_own_losses(self, variant: Variant, objective: PixelObjective) -> None:
        if not objective.own:
            return
        network = meta_network(variant.network, scale=self.scale)
        side = self.scale * self.protocol_of(variant).lr_patch_size - 2 * network.border
        channels = 1 if network_color(variant.network) == "luma" else 3
        for loss in objective.own:
            try:
                check_loss(loss, channels=channels, side=side)
            except UserError as error:
                raise UserError(f"study {self.name!r}, variant {variant.name!r}: {error}") from error

    def _check_metrics(self, where: str) -> None:
        object.__setattr__(self, "metrics", as_tuple(self.metrics, what=f"{where}: metrics", of="metrics"))
        for metric in self.metrics:
            expected = "a Metric of your own; the included ones are scored anyway"
            check_type(metric, Metric, what=f"{where}: one of its metrics", expected=expected)
            if sum(metric.name == other.name for other in self.metrics) > 1:
                raise UserError(f"{where} names the metric {metric.name!r} twice; give each its own name")
            try:
                check_metric(metric)
            except UserError as error:
                raise UserError(f"{where}: {error}") from error

    def own_parts(self) -> list[Own]:
        """What of the study is a user's own: architectures, losses and metrics, each once."""
        architectures = (find_architecture(variant.network) for variant in self.variants)
        losses = (loss for variant in self.variants for loss in own_losses(variant.objective))
        found: list[Own] = [*(one for one in architectures if one is not None), *losses, *self.metrics]
        return list({(one.kind, one.name, one.identity): one for one in found}.values())

    def source_of(self, variant: Variant) -> Variant | None:
        """The variant that `variant` starts from; None for one that starts from nothing, or from a file."""
        if variant.start is None or variant.start.is_file or variant.taken_from is not None:
            return None
        return next(known for known in self.variants if known.name == variant.start.source)

    def tiers(self) -> list[tuple[Variant, ...]]:
        """The variants in groups. If a variant starts from another one, that one is in an earlier group."""
        depth: dict[str, int] = {}
        for variant in self.variants:
            count, source = 0, self.source_of(variant)
            while source is not None:
                count, source = count + 1, self.source_of(source)
            depth[variant.name] = count
        return [
            tuple(variant for variant in self.variants if depth[variant.name] == tier)
            for tier in range(max(depth.values()) + 1)
        ]

    def rates_of(self, variant: Variant) -> tuple[float, ...]:
        """The learning rates that `variant` is trained at."""
        return self.learning_rates if variant.learning_rates is None else variant.learning_rates

    def protocol_of(self, variant: Variant) -> TrainingProtocol:
        """The protocol that `variant` is trained under."""
        return variant.protocol or self.protocol

    def with_variants(self, names: Sequence[str]) -> "Study":
        """The study with the named variants and those that they start from.

        `vanilla` means the one that ends in `/vanilla`. A planned comparison is left out with its variants.
        """
        chosen = [self._find_variant(name) for name in dict.fromkeys(names)]
        for variant in chosen:  # grows on the way
            if (source := self.source_of(variant)) is not None:
                chosen.append(source)
        known = {variant.name for variant in chosen}
        primary = self.primary if self.primary and known.issuperset(self.primary) else None
        return replace(self, variants=tuple(dict.fromkeys(chosen)), primary=primary)

    def with_seeds(self, count: int) -> "Study":
        """The study with `count` seeds or more: its own, and the smallest numbers that are none of them."""
        others = [seed for seed in range(count) if seed not in self.seeds]
        return replace(self, seeds=(*self.seeds, *others[: max(0, count - len(self.seeds))]))

    def with_steps(self, num_steps: int) -> "Study":
        """The study with another number of steps; a variant's own number changes in proportion."""
        factor = num_steps / self.protocol.num_steps
        variants = tuple(
            variant
            if variant.protocol is None or variant.taken_from is not None
            else replace(
                variant,
                protocol=replace(
                    variant.protocol, num_steps=max(1, round(variant.protocol.num_steps * factor))
                ),
            )
            for variant in self.variants
        )
        return replace(self, variants=variants, protocol=replace(self.protocol, num_steps=num_steps))

    def with_part_of_steps(self, part: int) -> "Study":
        """The study for one in `part` of the steps, one at least; warm-ups are shorter in proportion."""

        def shorter(protocol: TrainingProtocol) -> TrainingProtocol:
            num_steps = max(1, protocol.num_steps // part)
            return replace(
                protocol, num_steps=num_steps, warmup_steps=min(protocol.warmup_steps // part, num_steps)
            )

        variants = tuple(
            variant if variant.protocol is None else replace(variant, protocol=shorter(variant.protocol))
            for variant in self.variants
        )
        return replace(self, variants=variants, protocol=shorter(self.protocol))

    def with_protocol(self, changes: Mapping[str, Any]) -> "Study":
        """The study with the protocol's fields in `changes`, for every variant alike."""
        variants = tuple(
            variant
            if variant.protocol is None or variant.taken_from is not None
            else replace(variant, protocol=replace(variant.protocol, **changes))
            for variant in self.variants
        )
        return replace(self, variants=variants, protocol=replace(self.protocol, **changes))

    def _find_variant(self, name: str) -> Variant:
        by_name = {variant.name: variant for variant in self.variants}
        if name in by_name:
            return by_name[name]
        short = [variant for variant in self.variants if variant.name.rpartition("/")[2] == name]
        if len(short) == 1:
            return short[0]
        if short:
            raise UserError(
                f"study {self.name!r} has more than one variant {name!r}: "
                f"{', '.join(found.name for found in short)}; write the one you mean in full"
            )
        raise UserError(f"study {self.name!r} has no variant {name!r}; it has {', '.join(by_name)}")

    def runs(self) -> Iterator[Run]:
        """Every run: all variants at the first rate and seed, then the other rates, then the other seeds."""
        rates = dict.fromkeys(rate for variant in self.variants for rate in self.rates_of(variant))
        in_order = [rate for rate in self.learning_rates if rate in rates]
        in_order += [rate for rate in rates if rate not in in_order]
        for seed in self.seeds:
            for learning_rate in in_order:
                for variant in self.variants:
                    if learning_rate in self.rates_of(variant):
                        yield self.run(variant, learning_rate=learning_rate, seed=seed)

    def run(self, variant: Variant, *, learning_rate: float, seed: int) -> Run:
        """The run of `variant` at that rate with that seed."""
        return Run(
            variant=variant,
            scale=self.scale,
            learning_rate=learning_rate,
            seed=seed,
            protocol=self.protocol_of(variant),
        )


def one_run(
    variant: str,
    *,
    scale: int,
    learning_rate: float,
    seed: int = 0,
    num_steps: int,
    loss: str = "l1",
    schedule: str = "constant",
    changes: Mapping[str, str],
    train: tuple[str, ...],
    test: tuple[str, ...],
) -> Study:
    """A study of one run: a named variant, with some options changed, at one rate and seed.

    The changes become part of the variant's name.
    """
    network = preset(variant, scale=scale)
    if changes:
        network = with_options(network, changes)
    name = changed_name(variant, changes)
    return Study(
        name=f"train-{name.replace('/', '-')}-x{scale}",
        scale=scale,
        variants=(Variant(name=name, network=network, objective=PixelObjective(loss=loss)),),
        learning_rates=(learning_rate,),
        protocol=TrainingProtocol(num_steps=num_steps, schedule=schedule),  # type: ignore[arg-type]  # it checks
        seeds=(seed,),
        train=train,
        test=test,
    )
