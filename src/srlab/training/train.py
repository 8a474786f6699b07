"""The training loop: one for all networks and objectives, in the order things happen."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from srlab.declare.objectives import objective_to_dict, own_losses
from srlab.declare.protocol import protocol_to_dict
from srlab.declare.start import Start
from srlab.declare.study import Run
from srlab.errors import NotFiniteError, UserError
from srlab.folder.checkpoints import (
    is_finite,
    load_checkpoint,
    load_weights,
    require_same_tensors,
    save_checkpoint,
    save_weights,
)
from srlab.folder.store import LAST_WEIGHTS, WEIGHTS
from srlab.networks import Network, build_network, find_architecture, options_to_dict
from srlab.networks.parts import freeze, keep
from srlab.training.average import Average
from srlab.training.device import ResolvedPrecision, to_device, tune_allocator
from srlab.training.monitor import Monitor
from srlab.training.patch_scores import Batches, fixed_patches, patch_scores
from srlab.training.preview import side_by_side
from srlab.training.schedule import learning_rate_at
from srlab.training.steps import make_steps, on_a_stream_of_its_own
from srlab.training.updates import Update, make_update

CHECKPOINT = "checkpoint.pt"
NUM_LOGS = 100  # in a run, beside those at validations and checkpoints
REPORT_SECONDS = 1.0


Validate = Callable[[Network], dict[str, float]]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a run is: for a progress bar."""

    step: int  # steps done
    num_steps: int
    loss: float | None  # mean since the log before the last one
    seconds: float  # in the steps so far, over all sessions
    psnr_y: float | None  # of the last validation
    resumed_at: int = 0  # the step of the checkpoint that this session goes on from; 0 at a run's start


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended. A diverged run has no weights."""

    status: Literal["finished", "diverged"]
    step: int
    seconds: float
    loss: float | None
    reason: str | None
    processor_seconds: float | None = None  # of all threads; None if a GPU trained


@on_a_stream_of_its_own
def train(
    run: Run,
    *,
    batches: Batches,
    validate: Validate | None,
    preview: tuple[Tensor, Tensor] | None,
    folder: Path,
    device: torch.device,
    precision: ResolvedPrecision,
    report: Callable[[Progress], None],
    source: Path | None = None,
) -> Outcome:
    """Train one run to its last step and keep the weights of that step in `folder`.

    If the protocol averages weights (`ema`), the averaged ones are kept as the run's, validated and drawn;
    those of the last step lie beside.

    It goes on from the folder's checkpoint if there is one and then ends, on the CPU, with the same weights
    bit for bit as if it had never been interrupted, given the same machine and number of threads
    (`use_threads`). `validate` gives numbers such as ``psnr_y`` for the network in inference mode; they are
    logged and choose nothing. `preview` is an LR [1, 3, H, W] and its HR, logged as a picture with each
    validation. `report` is called about once a second. `source` is the weights file that the run's variant
    starts from, if it does. The process's allocator is tuned on the way
    (`tune_allocator`), and torch's global generator seeded.

    Raises:
        UserError: the checkpoint is damaged or another run's, or the source does not fit.
        OSError: the disk is full or read-only; the last checkpoint stays.
    """
    protocol = run.protocol
    tune_allocator()
    torch.manual_seed(run.seed)
    network = build_network(run.variant.network, scale=run.scale)
    start_from(source, network, run.variant.start)
    network = network.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    if run.variant.start is not None and run.variant.start.freeze:
        freeze(network, run.variant.start.keep)
    if not any(parameter.requires_grad for parameter in network.parameters()):
        return finish(run, network, folder, Position())
    update = make_update(run, network, precision=precision)
    average = None if protocol.ema is None else Average(network, run, decay=protocol.ema)
    judged = network if average is None else average.network

    checkpoint = folder / CHECKPOINT
    at = Position()
    if checkpoint.exists():
        at = restore(checkpoint, run, network, update, average, precision=precision)
    if at.step == protocol.num_steps:
        return finish(run, network, folder, at, average)
    resumed_at = at.step
    if resumed_at:
        report(at.progress(protocol.num_steps, resumed_at=resumed_at))

    is_ours = find_architecture(run.variant.network) is None and not own_losses(run.variant.objective)
    steps = make_steps(update, batches, seed=run.seed, device=device, is_ours=is_ours)
    log_interval = math.ceil(protocol.num_steps / NUM_LOGS)
    means = Means()
    if device.type != "cpu":
        at.processor_seconds = None  # the processor waits for the GPU, and its time says nothing
    reported = -math.inf
    patches: tuple[Tensor, Tensor] | None = None
    with Monitor(folder, lengths=at.logs) as monitor:
        if at.step == 0:
            monitor.describe(network, settings(run, precision=precision))

        clock = Clock(at)
        while at.step < protocol.num_steps:
            learning_rate = learning_rate_at(at.step, run)
            means.add(steps(at.step, learning_rate=learning_rate))
            at.step += 1
            if average is not None:
                average.update(network, step=at.step)
            clock.read()

            is_last = at.step == protocol.num_steps
            validates = is_last or at.step % protocol.validation_interval == 0
            saves = is_last or at.step % protocol.checkpoint_interval == 0
            logs = validates or saves or at.step % log_interval == 0

            if logs:
                window = means.count
                losses = means.take()
                clock.read()  # a GPU has now done what it was given
                values = {f"train/{name}": value for name, value in losses.items()}
                values |= {"train/learning_rate": learning_rate, "train/seconds": at.seconds}
                if at.processor_seconds is not None:
                    values["train/processor_seconds"] = at.processor_seconds
                at.loss = losses["loss"]
                # A norm may overflow where the losses are finite; then the weights tell.
                sound = all(math.isfinite(value) for name, value in losses.items() if name != "gradient_norm")
                if not sound or ((validates or saves) and not is_finite(trained(network, update, average))):
                    monitor.values(at.step, values)
                    return diverge(at, first_step=at.step - window + 1, what="weights" if sound else "loss")
                if validates:
                    with undisturbed(judged):
                        try:
                            scores = validate(judged) if validate else {}
                        except NotFiniteError:
                            monitor.values(at.step, values)
                            return diverge(at, first_step=at.step - window + 1, what="SR pictures")
                        if preview is not None:
                            lr, hr = (image.to(device) for image in preview)
                            monitor.picture(at.step, side_by_side(judged, lr, hr))
                        if patches is None:
                            patches = fixed_patches(batches)
                        known = patch_scores(judged, *(to_device(each, device) for each in patches))
                    values |= {f"train/{name}": value for name, value in known.items()}
                    values |= {f"validation/{name}": value for name, value in scores.items()}
                    at.psnr_y = scores.get("psnr_y", at.psnr_y)
                    for name, trained_network in {"": network, **update.networks}.items():
                        monitor.weights(at.step, trained_network, name=name)
                monitor.values(at.step, values)

            if saves:
                if is_last:
                    monitor.end()
                at.logs = monitor.sync()
                state = snapshot(at, run, network, update, average, precision=precision)
                save_checkpoint(checkpoint, state)
            if validates or saves:
                clock.go_on()

            if logs or time.monotonic() - reported >= REPORT_SECONDS:
                report(at.progress(protocol.num_steps, resumed_at=resumed_at))
                reported = time.monotonic()

    return finish(run, network, folder, at, average)


def start_from(source: Path | None, network: Network, start: Start | None) -> None:
    """Give the network what it keeps of the weights file `source`.

    Raises:
        UserError: the file does not have it.
        ValueError: there is a start without a file, or a file without a start.
    """
    if (source is None) != (start is None):
        raise ValueError(f"give a start and a weights file together, or neither: got {start}, {source}")
    if source is not None and start is not None:
        keep(load_weights(source).network.state_dict(), network, start.keep, what=f"the weights {source}")


@dataclass(kw_only=True)
class Position:
    """How far a run is: what its checkpoint holds beside the weights."""

    step: int = 0
    seconds: float = 0.0
    processor_seconds: float | None = 0.0  # of all threads, over all sessions; None if it is not known
    loss: float | None = None
    psnr_y: float | None = None
    logs: dict[str, int] = field(default_factory=dict)  # the length of each log file

    def progress(self, num_steps: int, *, resumed_at: int = 0) -> Progress:
        """As the progress bar shows it."""
        return Progress(
            step=self.step,
            num_steps=num_steps,
            loss=self.loss,
            seconds=self.seconds,
            psnr_y=self.psnr_y,
            resumed_at=resumed_at,
        )


class Clock:
    """Counts the time of a run's steps into its position: not that of validations and checkpoints."""

    def __init__(self, at: Position) -> None:
        self.at = at
        self.go_on()

    def go_on(self) -> None:
        """Count from now on; what went by since `read` does not count."""
        spent = self.at.processor_seconds
        self.begun = time.monotonic() - self.at.seconds
        self.processor_begun = None if spent is None else time.process_time() - spent

    def read(self) -> None:
        """Write the time so far into the position."""
        self.at.seconds = time.monotonic() - self.begun
        if self.processor_begun is not None:
            self.at.processor_seconds = time.process_time() - self.processor_begun


class Means:
    """Means of losses since the last look at them. Sums stay on the device; NaN and infinity stay in them."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.count = 0

    def add(self, losses: Mapping[str, Tensor]) -> None:
        # A copy of the first, since a recorded step overwrites its losses.
        self.sums = {
            name: self.sums[name] + loss if self.count else loss.clone() for name, loss in losses.items()
        }
        self.count += 1

    def take(self) -> dict[str, float]:
        means = {name: total.item() / self.count for name, total in self.sums.items()}
        self.count = 0
        return means


def finish(run: Run, network: Network, folder: Path, at: Position, average: Average | None = None) -> Outcome:
    """Keep the last step's weights. Done again after an interruption, it writes the same files."""
    files = {WEIGHTS: network} if average is None else {LAST_WEIGHTS: network, WEIGHTS: average.network}
    for name, kept in files.items():
        save_weights(
            folder / name,
            kept,
            variant=run.variant.name,
            options=run.variant.network,
            scale=run.scale,
        )
    return Outcome(
        status="finished",
        step=at.step,
        seconds=at.seconds,
        loss=at.loss,
        reason=None,
        processor_seconds=at.processor_seconds,
    )


def diverge(at: Position, *, first_step: int, what: str) -> Outcome:
    """The end of a run that is beyond help; its last checkpoint, from before, stays."""
    loss = at.loss if at.loss is not None and math.isfinite(at.loss) else None
    reason = f"{what} not finite from a step between {first_step} and {at.step} on"
    return Outcome(
        status="diverged",
        step=at.step,
        seconds=at.seconds,
        loss=loss,
        reason=reason,
        processor_seconds=at.processor_seconds,
    )


def snapshot(
    at: Position,
    run: Run,
    network: Network,
    update: Update,
    average: Average | None = None,
    *,
    precision: ResolvedPrecision,
) -> dict[str, Any]:
    """All that the next step depends on, and whose it is."""
    devices = {parameter.device for parameter in network.parameters() if parameter.device.type == "cuda"}
    return {
        **identity(run, precision=precision),
        **trained(network, update, average),
        "position": asdict(at),
        "generators": [torch.get_rng_state(), *(torch.cuda.get_rng_state(device) for device in devices)],
    }


def trained(network: nn.Module, update: Update, average: Average | None = None) -> dict[str, dict[str, Any]]:
    """What the steps so far have made."""
    made = {"network": network.state_dict(), "update": update.state_dict()}
    return made if average is None else {**made, "average": average.network.state_dict()}


def restore(
    path: Path,
    run: Run,
    network: Network,
    update: Update,
    average: Average | None = None,
    *,
    precision: ResolvedPrecision,
) -> Position:
    """Bring network, update, average and torch's generators to where the checkpoint was written.

    Raises:
        UserError: the checkpoint is damaged or another run's.
    """
    state = load_checkpoint(path)
    expected = identity(run, precision=precision)
    if changed := [name for name in expected if state.get(name) != expected[name]]:
        raise UserError(
            f"{path} belongs to a run with another {changed[0]}: {state.get(changed[0])!r:.80}, not "
            f"{expected[changed[0]]!r}; delete it to start this run from its first step"
        )
    try:
        require_same_tensors(state["network"], network.state_dict(), what=str(path))
        averaged = {} if average is None else state["average"]
        if not is_finite([state["network"], state["update"], averaged]):  # else the run would end as diverged
            raise UserError(
                f"{path} is damaged: it holds numbers that are not finite; delete it, and the run starts "
                "again from its first step"
            )
        network.load_state_dict(state["network"], strict=True)
        update.load_state_dict(state["update"])
        if average is not None:
            average.load(averaged, what=f"the average in {path}")
        torch.set_rng_state(state["generators"][0])
        for generator in state["generators"][1:]:
            torch.cuda.set_rng_state(generator, next(network.parameters()).device)
        at = Position(**{"processor_seconds": None, **state["position"]})  # older ones did not measure it
        if type(at.step) is not int or not 0 < at.step <= run.protocol.num_steps:
            raise ValueError(f"step {at.step!r} of {run.protocol.num_steps}")
    except UserError:
        raise
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{path} is not a complete checkpoint of srlab ({type(error).__name__}: {error!s:.80}); delete "
            "it, and the run starts again from its first step"
        ) from error
    return at


def identity(run: Run, *, precision: ResolvedPrecision) -> dict[str, Any]:
    """Which run a checkpoint belongs to. `srlab.folder.store.claim` sees that nothing else changed."""
    return {
        "run": run.name,
        "num_steps": run.protocol.num_steps,
        "precision": precision,
    }


def settings(run: Run, *, precision: ResolvedPrecision) -> dict[str, str | int | float | bool]:
    """The run's hyper-parameters by name, as TensorBoard shows them."""
    start = run.variant.start
    values = {
        "variant": run.variant.name,
        "scale": run.scale,
        "learning_rate": run.learning_rate,
        "seed": run.seed,
        **objective_to_dict(run.variant.objective),
        **({f"start.{name}": value for name, value in asdict(start).items()} if start else {}),
        **protocol_to_dict(run.protocol),
        "precision": precision,
        **{f"network.{name}": value for name, value in options_to_dict(run.variant.network).items()},
    }
    return {
        name: value if isinstance(value, str | int | float | bool) else str(value)
        for name, value in values.items()
    }


@contextmanager
def undisturbed(network: nn.Module) -> Iterator[None]:
    """Use the network in inference mode; afterwards modes, statistics and generators are as they were."""
    modes = [(module, module.training) for module in network.modules()]
    devices = {parameter.device for parameter in network.parameters() if parameter.device.type == "cuda"}
    network.eval()
    try:
        with torch.random.fork_rng(devices=devices), torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training
