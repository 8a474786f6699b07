"""What remarks on a run promise: a discriminator that won, or tells nothing, is told; a bad moment is not."""

import json
from pathlib import Path

import pytest

from srlab.training.remarks import discriminator_remarks

FAIR: dict[str, float | None] = {
    "discriminator_real": 0.7,
    "discriminator_fake": 0.4,
    "generator_gradient_norm": 0.1,
    "discriminator_gradient_norm": 0.2,
}


def remarks(
    folder: Path, *, last: list[dict[str, float | None]], before: dict[str, float | None]
) -> list[str]:
    """Of a run of 100 steps: a line each step, `last` for the last ones."""
    lines = [FAIR | before for _ in range(100 - len(last))] + [FAIR | values for values in last]
    text = "".join(json.dumps({"step": step} | line) + "\n" for step, line in enumerate(lines, start=1))
    (folder / "metrics.jsonl").write_text(text)
    return discriminator_remarks(folder, num_steps=100)


def test_nothing_is_said_of_a_fair_run(tmp_path: Path) -> None:
    assert remarks(tmp_path, last=[], before={}) == []


def test_what_was_long_before_the_end_is_not_held_against_a_run(tmp_path: Path) -> None:
    assert remarks(tmp_path, last=[{}] * 10, before={"discriminator_fake": 0.7}) == []


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            {"discriminator_real": 0.99, "discriminator_fake": 0.01},
            "the discriminator has won: in the last tenth of the run its mean outputs were 0.990 on HR and "
            "0.010 on SR",
        ),
        (
            {"discriminator_real": 0.5, "discriminator_fake": 0.505},
            "the discriminator does not tell HR from SR",
        ),
        ({"generator_gradient_norm": 1e-9}, "the generator's gradient has vanished"),
        ({"discriminator_gradient_norm": 0.0}, "the discriminator's gradient has vanished"),
    ],
)
def test_what_stays_so_over_the_last_tenth_is_told(
    tmp_path: Path, values: dict[str, float | None], told: str
) -> None:
    (remark,) = remarks(tmp_path, last=[values] * 10, before={})
    assert remark.startswith(told)
    assert remarks(tmp_path, last=[values] * 9, before={}) == []


def test_a_run_that_logged_no_discriminator_has_no_remarks(tmp_path: Path) -> None:
    assert discriminator_remarks(tmp_path, num_steps=10) == []
    (tmp_path / "metrics.jsonl").write_text('{"step": 10, "loss": 0.1}\n')
    assert discriminator_remarks(tmp_path, num_steps=10) == []


def test_a_number_that_was_not_finite_is_left_out(tmp_path: Path) -> None:
    assert remarks(tmp_path, last=[{"discriminator_real": None}] * 10, before={}) == []
