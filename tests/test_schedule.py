"""What the schedules promise: a rate that is a function of the step alone, with stated ends."""

from dataclasses import replace

import pytest

from srlab.declare.protocol import Schedule, TrainingProtocol
from srlab.training.schedule import learning_rate_at
from tiny_run import tiny_run


def rates(schedule: Schedule, *, num_steps: int = 10, halve_at: tuple[float, ...] = ()) -> list[float]:
    protocol = TrainingProtocol(num_steps=num_steps, schedule=schedule, halve_at=halve_at)
    run = tiny_run(protocol, learning_rate=8e-4)
    return [learning_rate_at(step, run) for step in range(num_steps)]


def test_constant_is_constant() -> None:
    assert set(rates("constant")) == {8e-4}


def test_step_halves_after_each_fraction_of_the_run() -> None:
    assert rates("step", halve_at=(0.5,)) == [8e-4] * 5 + [4e-4] * 5
    assert rates("step", halve_at=(0.5, 0.8)) == [8e-4] * 5 + [4e-4] * 3 + [2e-4] * 2


def test_step_halves_at_half_time_whatever_the_rate_and_length() -> None:
    for num_steps in (2, 100, 1000):
        values = rates("step", num_steps=num_steps, halve_at=(0.5,))
        assert values.count(8e-4) == values.count(4e-4) == num_steps // 2


def test_cosine_goes_from_the_whole_rate_through_half_of_it_to_nothing() -> None:
    values = rates("cosine", num_steps=1000)
    assert values[0] == 8e-4
    assert values[500] == pytest.approx(4e-4)
    assert 0 < values[-1] < 8e-4 * 1e-5
    assert values == sorted(values, reverse=True)
    assert rates("cosine", num_steps=1) == [8e-4]


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_a_warm_up_climbs_evenly_to_the_schedules_rate(schedule: Schedule) -> None:
    run = replace(tiny_run(), protocol=TrainingProtocol(num_steps=100, schedule=schedule, warmup_steps=4))
    plain = replace(run, protocol=replace(run.protocol, warmup_steps=0))
    shares = [learning_rate_at(step, run) / learning_rate_at(step, plain) for step in range(6)]
    assert shares == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1])
