"""What a plan says a study will see: as often as it says, from the spreads that it names."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from scored_study import ScoredStudy, noisy
from srlab.cli import app
from srlab.data.datasets import test_set_sizes as set_sizes
from srlab.show.draw.colors import FOR_PAPERS
from srlab.show.report.figures import drawings
from srlab.verdicts import judge, judge_scores, read_scores
from srlab.verdicts.inference import Design
from srlab.verdicts.power import (
    DEFAULT,
    DIFFERENCES,
    Spreads,
    earlier_spread,
    power,
    power_curves,
    sights,
    smallest,
    spread_of,
)

C4 = Path(__file__).parents[1] / "docs" / "results" / "c4_rdn" / "scores.csv.gz"


def test_the_default_is_what_the_study_measured_that_it_names() -> None:
    found = spread_of(judge_scores(read_scores(C4), metrics=["psnr_y"]))
    assert found is not None
    assert [found.trainings, found.images, found.share] == pytest.approx(
        [DEFAULT.trainings, DEFAULT.images, DEFAULT.share], rel=0.03
    )


def test_a_study_finds_its_smallest_difference_in_four_of_five_cases() -> None:
    difference = smallest(DEFAULT, num_variants=4, num_seeds=3, set_sizes=(5, 14, 100), alpha=0.05)
    assert difference is not None
    generator = np.random.default_rng(0)
    sets, contrasts = np.repeat([0, 1, 2], [5, 14, 100]), np.array([[1.0, -1.0, 0.0, 0.0]])
    hits = 0
    for _ in range(300):
        scores = DEFAULT.trainings * generator.standard_normal((4, 3, 1)) + np.zeros(119)
        scores += DEFAULT.images / np.sqrt(2) * generator.standard_normal((4, 1, 119))
        scores[0] += difference * (1 + DEFAULT.share * generator.standard_normal(119))
        hits += int(Design(scores=scores, sets=sets).test(contrasts).p_values()[0] <= 0.05)
    assert hits / 300 == pytest.approx(0.8, abs=0.06)


def test_power_agrees_with_what_was_simulated_for_the_statistics_page() -> None:
    """docs/statistics.md, "0.3 dB found": 38.5 and 85.2 % of pairs of the usual kind."""
    usual = Spreads(trainings=0.08 / np.sqrt(2), images=0.35, share=0.0, source="")
    for sizes, percent in (((5, 14), 38.5), ((5, 14, 100), 85.2)):
        found = power(0.3, usual, num_variants=7, num_seeds=3, set_sizes=sizes, alpha=0.05 / 21)
        assert 100 * found == pytest.approx(percent, abs=4)


def test_seeds_and_images_bring_smaller_differences_into_sight() -> None:
    planned, five, images, both = sights(DEFAULT, num_variants=7, num_seeds=3, set_sizes=(5, 14))
    assert [(one.seeds, one.images) for one in (planned, five, images, both)] == [
        (3, 19),
        (5, 19),
        (3, 119),
        (5, 119),
    ]
    for one in (planned, five, images, both):
        assert one.one_pair is not None
        assert one.first_pair is not None
        assert one.one_pair < one.first_pair
    assert both.one_pair < min(five.one_pair, images.one_pair) < planned.one_pair  # type: ignore[operator, type-var]
    (only,) = sights(DEFAULT, num_variants=2, num_seeds=5, set_sizes=(100,))
    assert only.one_pair == only.first_pair


@pytest.mark.parametrize(("seeds", "sizes"), [(1, (100,)), (3, (1,)), (2, (2,))])
def test_where_nothing_can_be_decided_no_difference_is_large_enough(
    seeds: int, sizes: tuple[int, ...]
) -> None:
    assert smallest(DEFAULT, num_variants=2, num_seeds=seeds, set_sizes=sizes, alpha=0.001) is None


def test_spreads_are_those_of_the_study_itself_or_of_the_nearest_beside_it(tmp_path: Path) -> None:
    runs = tmp_path / "runs"

    def make(name: str, trainings: float, *names: str, scale: int = 2) -> None:
        folder = ScoredStudy(runs / name, {"set5": 5, "b100": 100})
        folder.changes |= {"name": name, "scale": scale}
        generator = np.random.default_rng(0)
        for place, variant in enumerate(names):
            folder.variant(
                variant,
                {
                    of: 30
                    + 0.1 * place
                    + trainings * generator.standard_normal((5, 1))
                    + np.zeros(count)
                    + 0.02 * generator.standard_normal(count)
                    for of, count in folder.sets.items()
                },
            )
        folder.write()

    def taken(own: str, *variants: str, scale: int = 2) -> Spreads:
        return earlier_spread(runs / own, variants=variants, scale=scale)

    assert taken("new", "a") == DEFAULT
    make("other", 0.3, "x", "y", "z")
    make("alike", 0.1, "a", "b")
    assert taken("new", "a", "c").source == "the study alike"
    assert taken("new", "a", "c").trainings == pytest.approx(0.1, rel=0.5)
    assert taken("new", "c").source == "the study other"
    assert taken("new", "c", scale=4) == DEFAULT
    assert taken("alike", "x", "y", "z").source == "the study alike"
    (runs / "alike" / "study.json").write_text("{")
    assert taken("new", "a").source == "the study other"


def test_one_seed_says_nothing_of_spreads(tmp_path: Path) -> None:
    folder = ScoredStudy(tmp_path, {"set5": 5})
    folder.variant("a", noisy(30, seeds=1, images=5)).variant("b", noisy(31, seeds=1, images=5)).write()
    assert spread_of(judge(tmp_path)) is None


def test_a_finished_study_shows_how_often_such_a_study_finds_a_difference() -> None:
    verdicts = judge_scores(read_scores(C4), metrics=["psnr_y"])
    own, more = power_curves(verdicts)
    assert [(own.seeds, own.images), (more.seeds, more.images)] == [(5, 119), (10, 119)]
    spread = spread_of(verdicts)
    assert spread is not None
    seen = smallest(spread, num_variants=5, num_seeds=5, set_sizes=(5, 14, 100), alpha=0.05 / 10)
    assert seen is not None
    assert np.interp(np.log(seen), np.log(DIFFERENCES), own.found) == pytest.approx(0.8, abs=0.03)
    assert own.found[0] < 0.02  # 0.01 dB
    assert own.found[-1] == 1  # 2 dB
    assert all(later >= sooner for sooner, later in zip(own.found, more.found, strict=True))
    (drawing,) = (one for one in drawings(verdicts, bicubic=None) if one.group == "power")
    assert f"5 seeds, 119 test images (this study): {seen:.2f} dB" in drawing.description
    lines = drawing.draw(FOR_PAPERS, "narrow").axes[0].lines
    assert [100 * share for share in own.found] in [list(map(float, line.get_ydata())) for line in lines]  # type: ignore[arg-type]


def test_one_seed_shows_no_curve(tmp_path: Path) -> None:
    folder = ScoredStudy(tmp_path, {"set5": 5})
    folder.variant("a", noisy(30, seeds=1, images=5)).variant("b", noisy(31, seeds=1, images=5)).write()
    assert power_curves(judge(tmp_path)) == []


def test_the_catalogue_knows_how_many_images_a_set_has_that_is_not_there() -> None:
    assert set_sizes(["set5", "set14", "sample"]) == (5, 14, 1)
    assert set_sizes(["set5", "no/such/folder"]) is None


def test_a_plan_says_what_the_study_will_see(tmp_path: Path) -> None:
    asked = ["study", "srcnn", "--seeds", "3", "--plan", "--no-estimate", "--out", str(tmp_path / "new")]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["3", "19", "0.21", "dB", "0.71", "dB"] in lines
    assert ["5", "119", "0.13", "dB", "0.19", "dB"] in lines
    assert DEFAULT.source in result.stdout
    found = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)["power"]
    assert found["spread"] == vars(DEFAULT)
    assert [(row["seeds"], row["images"]) for row in found["smallest_difference"]] == [
        (3, 19),
        (5, 19),
        (3, 119),
        (5, 119),
    ]


def test_a_plan_with_one_seed_says_that_it_decides_nothing_and_refuses_nothing() -> None:
    result = CliRunner().invoke(app, ["study", "srcnn", "--seeds", "1", "--plan", "--no-estimate"])
    assert result.exit_code == 0
    assert "one seed decides nothing between variants" in result.stdout
    assert ["1", "19", "none", "none"] in [line.split() for line in result.stdout.splitlines()]
