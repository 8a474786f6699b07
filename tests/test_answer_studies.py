"""What docs/results/PLAN.md promises of the studies beside it: their files declare what the plan says."""

import importlib
import json
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

from made_study import MadeRun, MadeStudy
from srlab.declare.objectives import AdversarialObjective, PixelObjective
from srlab.declare.start import Start
from srlab.declare.studies import load_study
from srlab.declare.study import Study
from srlab.errors import UserError
from srlab.networks import num_parameters
from srlab.networks.options import differences

RESULTS = Path(__file__).parents[1] / "docs" / "results"
SEEDS = {
    "c1_srcnn": (0, 1, 2, 3, 4),
    "c2_vdsr": (0, 1, 2, 3, 4),
    "c3_edsr": (0, 1, 2, 3, 4),
    "c4_rdn": (0, 1, 2, 3, 4),
    "c5_srresnet": (0, 1, 2),
}
NUM_VARIANTS = {"c1_srcnn": 14, "c2_vdsr": 8, "c3_edsr": 8, "c4_rdn": 5, "c5_srresnet": 12}
PRIMARY = {
    "c1_srcnn": ("srcnn/pixel_shuffle_residual_leaky_relu", "srcnn/vanilla"),
    "c2_vdsr": ("vdsr/leaky_relu", "vdsr/vanilla"),
    "c3_edsr": ("edsr/leaky_relu", "edsr/vanilla"),  # of the seed's other five, the best in the test's pilot
    "c4_rdn": ("rdn/leaky_relu", "rdn/vanilla"),
    "c5_srresnet": ("srresnet/transfer_dense", "srresnet/transfer_wide"),
}
WITH_TWIN = ("c1_srcnn", "c2_vdsr", "c3_edsr", "c4_rdn")
every_study = pytest.mark.parametrize("name", sorted(SEEDS))


def load(path: Path) -> Study:
    return load_study(str(path)).study


def parameters(study: Study) -> dict[str, int]:
    return {variant.name: num_parameters(variant.network, scale=study.scale) for variant in study.variants}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A copy of the folder whose studies have no rates yet."""
    copy = tmp_path / "results"
    for name in SEEDS:
        shutil.copytree(RESULTS / name, copy / name, ignore=shutil.ignore_patterns("rates.json"))
    shutil.copy(RESULTS / "choose_rates.py", copy)
    return copy


@pytest.fixture
def choose_rates(results: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(results))
    monkeypatch.delitem(sys.modules, "choose_rates", raising=False)
    return importlib.import_module("choose_rates")


def write_rates(results: Path, name: str) -> dict[str, float]:
    pilot = load(results / name / "pilot.py")
    rates = {
        variant.name: pilot.learning_rates[i % len(pilot.learning_rates)]
        for i, variant in enumerate(pilot.variants)
    }
    scores = {variant.name: 30.0 - place for place, variant in enumerate(pilot.variants)}
    scores["edsr/vanilla"], scores["edsr/prelu"] = 99.0, 98.0  # those that C3's best is not chosen from
    found = {"learning_rates": rates, "validation_psnr_y": {name: scores[name] for name in rates}}
    (results / name / "rates.json").write_text(json.dumps(found))
    return rates


@every_study
def test_the_pilot_tries_five_rates_with_a_seed_of_its_own(name: str) -> None:
    pilot = load(RESULTS / name / "pilot.py")
    assert len(pilot.learning_rates) == 5
    assert pilot.seeds == (100,)
    assert len(pilot.variants) == NUM_VARIANTS[name]
    assert all(count > 0 for count in parameters(pilot).values())
    for variant in pilot.variants:
        protocol = pilot.protocol_of(variant)
        assert (protocol.schedule, protocol.precision, protocol.batch_size) == ("cosine", "bf16", 16)
        assert protocol.validation_interval == protocol.num_steps


@every_study
def test_without_the_pilots_choice_the_study_says_what_to_run(name: str, results: Path) -> None:
    with pytest.raises(UserError, match=r"rates\.json: the pilot has not chosen the learning rates yet; run"):
        load(results / name / "study.py")


@every_study
def test_the_study_has_the_pilots_variants_and_four_times_its_steps(name: str, results: Path) -> None:
    rates = write_rates(results, name)
    pilot, study = (load(results / name / file) for file in ("pilot.py", "study.py"))
    assert (study.name, study.seeds) == (name, SEEDS[name])
    assert {variant.name: study.rates_of(variant) for variant in study.variants} == {
        variant: (rate,) for variant, rate in rates.items()
    }
    for planned, variant in zip(pilot.variants, study.variants, strict=True):
        assert variant.network == planned.network
        protocol = study.protocol_of(variant)
        assert protocol.num_steps == 4 * pilot.protocol_of(planned).num_steps
        assert protocol.num_steps == 4 * protocol.validation_interval
    assert [Path(folder).name for folder in study.test] == ["Set5", "Set14", "B100"]
    assert (study.train, study.validate) == (pilot.train, pilot.validate)
    assert study.primary == PRIMARY[name]


def test_of_each_generator_one_thing_after_another_is_taken_from_its_gan() -> None:
    study = load(RESULTS / "c6_srgan" / "study.py")
    assert (study.primary, study.seeds) == (("srgan/dense", "srgan/original"), (0, 1, 2))
    variants = {variant.name: variant for variant in study.variants}
    assert len(variants) == 8
    for name in ("original", "dense"):
        source = variants.pop(f"srresnet/{name}")
        gan, content, pixels = (variants.pop(f"srgan/{name}{of}") for of in ("", "_content", "_pixels"))
        assert all(one.start == Start(source=source.name) for one in (gan, content, pixels))
        assert source.network == gan.network == content.network == pixels.network
        assert isinstance(gan.objective, AdversarialObjective)
        assert isinstance(content.objective, PixelObjective)
        assert isinstance(pixels.objective, PixelObjective)
        assert str(content.objective.loss) == f"{gan.objective.pixel_weight:g}*mse+perceptual:vgg22"
        assert (gan.objective.content, gan.objective.pixel_loss) == ("vgg22", "mse")
        assert str(pixels.objective.loss) == "mse"
    assert not variants
    of_sources = {study.protocol_of(one).num_steps for one in study.variants if one.start is None}
    assert of_sources == {2_400}


@pytest.mark.parametrize("name", WITH_TWIN)
def test_the_twin_differs_from_the_study_in_its_length_alone(name: str, results: Path) -> None:
    write_rates(results, name)
    study, twin = (load(results / name / file) for file in ("study.py", "quarter.py"))
    assert 4 * twin.protocol.num_steps == study.protocol.num_steps
    assert [variant.name for variant in twin.variants] == [variant.name for variant in study.variants]
    assert (twin.seeds, twin.train, twin.validate, twin.test) == (
        study.seeds,
        study.train,
        study.validate,
        study.test,
    )
    assert list(twin.runs()) != list(study.runs())
    assert twin.primary == study.primary


@every_study
def test_rates_in_the_repository_are_the_pilots_own(name: str) -> None:
    path = RESULTS / name / "rates.json"
    if not path.exists():
        pytest.skip("the pilot has not run yet")
    rates = json.loads(path.read_text())["learning_rates"]
    pilot = load(RESULTS / name / "pilot.py")
    assert set(rates.values()) <= set(pilot.learning_rates)
    assert load(RESULTS / name / "study.py").name == name


def test_in_the_srcnn_grid_each_change_comes_alone() -> None:
    grid = {
        variant.name: variant.network
        for variant in load(RESULTS / "c1_srcnn" / "pilot.py").variants
        if variant.name.startswith("grid/")
    }
    assert len(grid) == 8
    assert len(set(map(repr, grid.values()))) == 8
    base = grid["grid/relu+bicubic"]
    assert set(differences(grid["grid/leaky_relu+bicubic"], base)) == {"activation"}
    assert set(differences(grid["grid/relu+skip+bicubic"], base)) == {"skip"}
    assert set(differences(grid["grid/relu+sub_pixel"], base)) == {"enlargement"}


def test_dense_and_wide_have_about_as_many_parameters() -> None:
    counts = parameters(load(RESULTS / "c5_srresnet" / "pilot.py"))
    assert counts["srresnet/transfer_wide"] == pytest.approx(counts["srresnet/transfer_dense"], rel=0.02)


def pilot_folder(folder: Path, *runs: MadeRun) -> Path:
    return MadeStudy(runs=runs).write(folder)


def test_the_rate_with_the_highest_validation_score_is_written(
    tmp_path: Path, results: Path, choose_rates: ModuleType
) -> None:
    pilot = pilot_folder(
        tmp_path,
        MadeRun(variant="a", psnr_y=30.0, learning_rate=1e-3, seed=100),
        MadeRun(variant="a", psnr_y=31.0, learning_rate=1e-4, seed=100),
        MadeRun(variant="b", status="diverged", learning_rate=1e-3, seed=100),
        MadeRun(variant="b", psnr_y=29.0, learning_rate=1e-4, seed=100),
    )
    path = choose_rates.write_rates(results, pilot)
    assert json.loads(path.read_text()) == {
        "learning_rates": {"a": 1e-4, "b": 1e-4},
        "validation_psnr_y": {"a": 31.0, "b": 29.0},
    }
    before = path.stat().st_mtime_ns
    choose_rates.write_rates(results, pilot)
    assert path.stat().st_mtime_ns == before


def test_rates_that_are_there_are_never_changed(
    tmp_path: Path, results: Path, choose_rates: ModuleType
) -> None:
    (results / "rates.json").write_text('{"learning_rates": {"a": 0.1}}')
    pilot = pilot_folder(tmp_path, MadeRun(variant="a", psnr_y=30.0, learning_rate=1e-3, seed=100))
    with pytest.raises(UserError, match="other rates than the pilot"):
        choose_rates.write_rates(results, pilot)
    assert json.loads((results / "rates.json").read_text()) == {"learning_rates": {"a": 0.1}}


def test_nothing_is_written_while_a_run_of_the_pilot_is_missing(
    tmp_path: Path, results: Path, choose_rates: ModuleType
) -> None:
    pilot = pilot_folder(
        tmp_path,
        MadeRun(variant="a", psnr_y=30.0, learning_rate=1e-3, seed=100),
        MadeRun(variant="a", status="not started", learning_rate=1e-4, seed=100),
    )
    with pytest.raises(UserError, match="have not ended"):
        choose_rates.write_rates(results, pilot)
    assert not (results / "rates.json").exists()
