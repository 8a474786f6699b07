"""What ``srlab profile`` promises: time in turns, memory alone, kept with the study, and nothing hidden."""

import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import pytest
import torch
from msgspec import structs

from profiled_study import STUDY, declare
from srlab.declare.start import Start
from srlab.declare.study import Study, Variant
from srlab.errors import UserError
from srlab.folder.checkpoints import save_weights
from srlab.folder.profile_store import Profile, load_profiles
from srlab.networks import build_network, num_parameters, preset
from srlab.networks.parts import num_frozen
from srlab.use.profiling import measuring
from srlab.use.profiling.measuring import Forecast, Listener, profile
from srlab.use.profiling.targets import Target, find_target
from srlab.use.profiling.worker import Answer, Enlarge, Rate, Step, Worker
from tiny_study import MACHINE, start_srlab

SMALL = (64, 48)
SILENT = Listener(begin=lambda _: None, progress=lambda *_: None)


def target(study: Study = STUDY) -> Target:
    return Target(title="tiny", study=study, folder=None, digests={})


# For real: one study measured by the command line, in all its processes.


@dataclass(frozen=True, kw_only=True)
class Measured:
    folder: Path
    profile: Profile
    out: str
    err: str


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    folder = declare(tmp_path_factory.mktemp("profiled") / "study")
    words = ["profile", str(folder), "--threads", "1", "--size", "320x240", "--json"]
    process = start_srlab(words)
    out, err = process.communicate(timeout=1800)
    assert process.returncode == 0, err
    (found,) = load_profiles(folder)
    return Measured(folder=folder, profile=found, out=out, err=err)


def test_every_variant_of_a_study_is_measured_and_bicubic(measured: Measured) -> None:
    assert [variant.name for variant in measured.profile.variants] == ["bicubic", "tiny/large", "tiny/small"]
    assert [variant.training is None for variant in measured.profile.variants] == [True, False, False]
    for variant in measured.profile.variants:
        (enlarging,) = variant.enlarging
        assert enlarging.size == (320, 240)
        assert len(enlarging.seconds) >= 3
        assert min(enlarging.seconds) > 0
        assert enlarging.reason == ""
        if variant.training is not None:
            assert len(variant.training.seconds) == 3
            assert (variant.training.batch_size, variant.training.lr_patch_size) == (2, 8)


def test_all_variants_have_the_same_rounds(measured: Measured) -> None:
    assert len({len(variant.enlarging[0].seconds) for variant in measured.profile.variants}) == 1


def test_sizes_are_those_of_the_network(measured: Measured) -> None:
    large, small = (measured.profile.variant(name) for name in ("tiny/large", "tiny/small"))
    assert large is not None
    assert small is not None
    assert large.parameters == num_parameters(STUDY.variants[0].network, scale=2)
    assert large.multiply_adds > small.multiply_adds > 0
    assert large.receptive_radius == small.receptive_radius > 0


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_memory_is_that_of_a_process_of_its_own(measured: Measured) -> None:
    """Bicubic, measured before, and small, after, know nothing of the 64 features of 320 x 240 in large."""
    bicubic, large, small = (variant.enlarging[0] for variant in measured.profile.variants)
    assert large.peak is not None
    assert large.added is not None
    assert large.added > 64 * 320 * 240 * 4
    for other in (bicubic, small):
        assert len(other.peak_bytes) == 3
        assert other.peak is not None
        assert other.peak < large.peak - 32 * 320 * 240 * 4


def test_what_it_takes_is_said_before_and_where_it_is_kept(measured: Measured) -> None:
    assert "2 variants and bicubic on" in measured.err
    assert "about" in measured.err
    assert f"it goes to {measured.folder}" in measured.err.replace("\n", "")


def test_json_is_one_object_with_setting_and_times(measured: Measured) -> None:
    values = json.loads(measured.out)
    (found,) = values["profiles"]
    assert found["setting"]["threads"] == 1
    assert found["setting"]["precision"] == "fp32"
    assert found["setting"]["torch"] == torch.__version__
    assert found["provenance"]["ended"] >= found["provenance"]["started"]


def test_a_process_that_dies_or_takes_too_long_is_reported_and_not_waited_for() -> None:
    task = Enlarge(variant="tiny/small", size=SMALL, repeats=2, at_most=10)
    with Worker(STUDY, MACHINE, precision="fp32") as worker:
        answer = worker.ask(task, timeout=120)
        assert len(answer.seconds) == 2
        assert worker.ask(Step(variant="tiny/small"), timeout=120).seconds
        assert worker.ask(replace(task, variant="tiny/small", size=(0, 0)), timeout=120).reason
        endless = replace(task, repeats=10**9, at_most=1000)
        assert worker.ask(endless, timeout=0.1).reason == "it was stopped, because it took longer than 0 s"
        assert not worker.is_alive
        assert "died" in worker.ask(task, timeout=120).reason
    with Worker(STUDY, MACHINE, precision="fp32") as worker:
        assert worker.ask(task, timeout=120).seconds
        os.kill(worker.pid, signal.SIGKILL)
        assert "died" in worker.ask(task, timeout=120).reason


# With a stand-in for the process, which says what it is told.


@dataclass
class Told:
    """What workers were asked, and what they answer: `seconds` for each pass of a variant."""

    seconds: dict[str, float]
    asked: list[tuple[int, Any]] = field(default_factory=list)
    started: int = 0
    lost: Callable[[int, Any], bool] = lambda *_: False

    def worker(self, *_: object, **__: object) -> "StandIn":
        self.started += 1
        return StandIn(self, self.started)


@dataclass
class StandIn:
    told: Told
    number: int
    is_alive: bool = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        self.close()

    def close(self) -> None:
        self.is_alive = False

    def ask(self, task: Any, **_: float) -> Answer:
        self.told.asked.append((self.number, task))
        if isinstance(task, Rate):
            return Answer(rate=1e12)
        if self.told.lost(self.number, task):
            self.close()
            return Answer(reason="its process died")
        seconds = self.told.seconds[task.variant]
        repeats = task.repeats if isinstance(task, Enlarge) else 1
        return Answer(seconds=(seconds,) * repeats, peak_bytes=2, before_bytes=1)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    told = Told({"bicubic": 0.001, "tiny/large": 1.0, "tiny/small": 0.5})
    monkeypatch.setattr(measuring, "Worker", told.worker)
    return told


def test_variants_take_turns_and_each_round_begins_with_another(told: Told) -> None:
    profile(target(), MACHINE, sizes=[SMALL], listener=SILENT)
    last = told.started
    turns = [task.variant for number, task in told.asked if number == last and isinstance(task, Enlarge)]
    rounds = [turns[start : start + 3] for start in range(0, len(turns), 3)]
    assert len(rounds) == 9
    assert all(sorted(one) == ["bicubic", "tiny/large", "tiny/small"] for one in rounds)
    assert {one[0] for one in rounds} == {"bicubic", "tiny/large", "tiny/small"}


def test_memory_is_measured_in_a_process_for_each_variant_and_size(told: Told) -> None:
    found = profile(target(), MACHINE, sizes=[SMALL, (32, 32)], listener=SILENT)
    alone = [number for number, task in told.asked if isinstance(task, Enlarge) and number < told.started]
    assert len(alone) == len(set(alone)) == 3 * 6
    assert found.variants[0].enlarging[0].peak_bytes == (2, 2, 2)
    assert found.variants[0].enlarging[0].added == 1


def test_a_quick_pass_is_repeated_in_its_turn_and_a_long_one_is_not(told: Told) -> None:
    profile(target(), MACHINE, sizes=[SMALL], listener=SILENT)
    repeats = {
        task.variant: task.repeats
        for number, task in told.asked
        if number == told.started and isinstance(task, Enlarge)
    }
    assert repeats == {"bicubic": 50, "tiny/large": 1, "tiny/small": 1}


def test_memory_is_the_median_of_some_processes_and_of_one_where_a_pass_is_long(told: Told) -> None:
    told.seconds["tiny/large"] = 15.0
    found = profile(target(), MACHINE, sizes=[SMALL], listener=SILENT)
    assert [len(variant.enlarging[0].peak_bytes) for variant in found.variants] == [3, 1, 3]
    drawn = structs.replace(found.variants[0].enlarging[0], peak_bytes=(9, 4, 5), before_bytes=(1, 3, 1))
    assert (drawn.peak, drawn.added) == (5, 4)


def test_long_passes_have_fewer_rounds(told: Told) -> None:
    told.seconds |= {"tiny/large": 15.0, "tiny/small": 14.0}
    found = profile(target(), MACHINE, sizes=[SMALL], listener=SILENT)
    assert {len(variant.enlarging[0].seconds) for variant in found.variants} == {3}


@pytest.mark.usefixtures("told")
def test_a_pass_over_the_limit_is_timed_once_and_said_to_be() -> None:
    found = profile(target(), MACHINE, sizes=[SMALL], limit=0.7, listener=SILENT)
    bicubic, large, small = (variant.enlarging[0] for variant in found.variants)
    assert large.seconds == (1.0,)
    assert "takes over 0.7 s" in large.reason
    assert large.peak_bytes == (2,)
    assert large.ratio_to(small) is None
    assert len(small.seconds) == len(bicubic.seconds) == 9


def test_what_cannot_be_done_alone_is_not_tried_in_turns_and_stops_nothing(told: Told) -> None:
    told.lost = lambda _, task: isinstance(task, Enlarge) and task.variant == "tiny/large"
    found = profile(target(), MACHINE, sizes=[SMALL], listener=SILENT)
    bicubic, large, small = (variant.enlarging[0] for variant in found.variants)
    assert (large.seconds, large.reason) == ((), "its process died")
    assert len(small.seconds) == len(bicubic.seconds) == 9
    assert sum(isinstance(task, Enlarge) and task.variant == "tiny/large" for _, task in told.asked) == 1


def test_a_process_lost_in_its_turn_takes_no_other_variant_with_it(told: Told) -> None:
    """Bicubic, large and small have been measured alone in the second to the tenth process."""
    told.lost = lambda number, task: number > 10 and task.variant == "tiny/large"
    found = profile(target(), MACHINE, sizes=[SMALL], listener=SILENT)
    bicubic, large, small = found.variants
    assert (large.enlarging[0].seconds, large.enlarging[0].reason) == ((), "its process died")
    assert large.enlarging[0].peak == 2
    assert large.training is not None
    assert (large.training.seconds, large.training.reason) == ((), "its process died")
    assert len(small.enlarging[0].seconds) == len(bicubic.enlarging[0].seconds) == 9
    assert small.training is not None
    assert small.training.seconds == (0.5, 0.5, 0.5)


def test_the_forecast_comes_before_any_measurement_and_progress_counts_to_the_end(told: Told) -> None:
    forecasts: list[tuple[int, Forecast]] = []
    steps: list[tuple[int, int, str]] = []
    listener = Listener(
        begin=lambda forecast: forecasts.append((len(told.asked), forecast)),
        progress=lambda *step: steps.append(step),
    )
    profile(target(), MACHINE, sizes=[SMALL], listener=listener)
    ((asked, forecast),) = forecasts
    assert asked == 1  # how fast the machine is
    assert (forecast.passes, forecast.variants) == (3, 3)
    assert forecast.seconds > 0
    assert [done for done, _, _ in steps] == list(range(3 + 9 * 3 + 3 * 2))
    assert steps[-1][1] == len(steps)
    assert "tiny/large, 64x48, alone" in [what for _, _, what in steps]


@pytest.mark.usefixtures("told")
def test_the_forecast_grows_with_the_work() -> None:
    found: list[float] = []
    listener = Listener(begin=lambda forecast: found.append(forecast.seconds), progress=lambda *_: None)
    for sizes in ([SMALL], [(4096, 4096)]):
        profile(target(), MACHINE, sizes=sizes, listener=listener)
    assert found[1] > found[0]


@pytest.mark.usefixtures("told")
def test_an_sr_picture_has_sides_that_its_scale_divides() -> None:
    study = replace(STUDY, scale=3)
    found = profile(target(study), MACHINE, sizes=[(1280, 720), (1279, 721)], listener=SILENT)
    assert found.sizes == ((1278, 720),)
    with pytest.raises(UserError, match="got 8x4"):
        profile(target(), MACHINE, sizes=[(8, 4)], listener=SILENT)


@pytest.mark.usefixtures("told")
def test_frozen_weights_are_counted() -> None:
    start = Start(source="any.safetensors", keep=("layers.1",), freeze=True)
    frozen = Variant(name="tiny/large", network=STUDY.variants[0].network, start=start)
    found = profile(
        target(replace(STUDY, variants=(frozen,))), MACHINE, sizes=[SMALL], listener=SILENT
    ).variants[1]
    network = build_network(frozen.network, scale=2)
    assert found.frozen == num_frozen(network, ("layers.1",)) > 0
    assert found.parameters == num_parameters(frozen.network, scale=2)


# What a path or a name means.


def test_a_study_is_measured_as_it_is_declared(tmp_path: Path) -> None:
    found = find_target(str(declare(tmp_path / "study")))
    assert found.folder == tmp_path / "study"
    assert found.study.variants == STUDY.variants
    assert found.study.protocol == STUDY.protocol
    assert found.study.scale == 2
    with pytest.raises(UserError, match="enlarges by 2, not by 4"):
        find_target(str(tmp_path / "study"), scale=4)


def test_a_weights_file_is_the_network_that_it_describes(tmp_path: Path) -> None:
    options = STUDY.variants[1].network
    path = tmp_path / "weights.safetensors"
    save_weights(path, build_network(options, scale=3), variant="mine", options=options, scale=3)
    found = find_target(str(path))
    assert found.folder is None
    assert [(variant.name, variant.network) for variant in found.study.variants] == [("mine", options)]
    assert found.study.scale == 3


def test_a_variant_is_named_as_srlab_networks_lists_it() -> None:
    found = find_target("edsr/baseline", scale=4)
    assert found.study.variants[0].network == preset("edsr/baseline", scale=4)
    assert find_target("srresnet/paper").study.scale == 4
    start = find_target("srresnet/transfer_vanilla").study.variants[0].start
    assert start is not None
    assert start.freeze


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("edsr/base", "no folder or file edsr/base.*did you mean"),
        ("edsr/baseline", "exists at x2, x3, x4: choose one"),
        ("bicubic", "every profile includes bicubic"),
        ("nowhere.safetensors", "does not exist"),
        (".", "neither the folder of a run nor of a study"),
    ],
)
def test_what_means_nothing_is_refused(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        find_target(name)
