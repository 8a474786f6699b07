"""What planning promises: runs, states and costs before anything starts, and nothing mixed that differs."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from msgspec import structs

from srlab.data.datasets import PictureSizes, picture_sizes, split
from srlab.declare.protocol import TrainingProtocol
from srlab.declare.study import Study, Variant
from srlab.errors import UserError
from srlab.folder import store
from srlab.folder.schema import Images, StudyFile, StudyImage
from srlab.lab.claims import check_claims, check_images, declare_run, declare_study
from srlab.lab.planning import Plan, make_plan
from srlab.networks import EDSROptions, num_parameters, preset
from srlab.training.machine import precision_in_words, precision_of, precision_of_run, resolve_machine
from srlab.training.step_time import measure_step
from stored_files import save_run
from tiny_study import MACHINE, QUESTION, tiny_study

DATA = "0" * 64
IMAGES = Images(
    train=(StudyImage(name="a", set="train", sha256="1"),),
    validation=(),
    test=(StudyImage(name="b", set="set", sha256="2"),),
)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return tiny_study(tmp_path / "data")


def begin(study: Study, folder: Path) -> Plan:
    """A study of which the first run has started."""
    plan = make_plan(study, folder, MACHINE)
    declare(plan)
    run = plan.runs[0][0]
    store.claim(folder / run.name, declare_run(run, study=study, machine=MACHINE, folder=folder, data=DATA))
    return plan


def declare(plan: Plan) -> StudyFile:
    declaration = declare_study(plan, question=QUESTION, data=DATA, images=IMAGES, notes={})
    store.save(plan.folder / store.STUDY, declaration)
    return declaration


def test_a_plan_counts_what_is_there_and_what_is_left(study: Study, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    names = [run.name for run in study.runs()]
    save_run(folder / names[0], status="finished")
    save_run(folder / names[1], status="diverged")
    store.write_text(folder / names[2] / store.FAILURE, "it failed")
    plan = make_plan(study, folder, MACHINE)
    assert [status for _, status in plan.runs] == ["finished", "diverged", "failed", "not started"]
    assert [run.name for run in plan.left] == names[2:]
    assert plan.costs["tiny/edsr"].parameters == num_parameters(study.variants[0].network, scale=2)
    assert plan.costs["tiny/edsr"].multiply_adds > 0


def test_without_a_measurement_there_is_no_estimate(study: Study, tmp_path: Path) -> None:
    plan = make_plan(study, tmp_path / "study", MACHINE)
    assert plan.seconds(plan.left) is None


def test_the_estimate_is_steps_times_the_time_of_one_shared_by_the_jobs(study: Study, tmp_path: Path) -> None:
    plan = make_plan(study, tmp_path / "study", replace(MACHINE, jobs=2), measure_seconds=0.1)
    steps = [plan.costs[run.variant.name].seconds_per_step or 0 for run in plan.left]
    assert all(step > 0 for step in steps)
    seconds = plan.seconds(plan.left)
    assert seconds is not None
    assert seconds.training == pytest.approx(sum(steps) * study.protocol.num_steps / 2)


def test_the_estimate_counts_every_validation_and_the_test_images_of_each_seed_once(
    study: Study, tmp_path: Path
) -> None:
    protocol = replace(study.protocol, num_steps=7, validate_every=3, validation_images=2)
    study = replace(study, protocol=protocol, learning_rates=(1e-3, 1e-4), seeds=(0, 1, 2))
    sizes = PictureSizes(validation=(100, 20, 3), test=(1000, 200))
    plan = make_plan(study, tmp_path / "study", MACHINE)
    costs = {
        name: replace(cost, seconds_per_step=0.0, seconds_per_pixel=2.0) for name, cost in plan.costs.items()
    }
    seconds = replace(plan, costs=costs, sizes=sizes).seconds(plan.left)
    assert seconds is not None
    runs, variants = len(plan.left), len(study.variants)
    assert runs == variants * 2 * 3
    assert seconds.validation == pytest.approx(
        2.0 * runs * (3 * 120 + 123)
    )  # at steps 3, 6 and 7; all at the end
    assert seconds.test == pytest.approx(2.0 * variants * 3 * 1200)
    unknown = replace(plan, costs=costs).seconds(plan.left)
    assert unknown is not None
    assert (unknown.validation, unknown.test) == (None, None)


def test_sizes_are_those_of_the_pictures_that_are_scored(study: Study, tmp_path: Path) -> None:
    found = split(train=study.train, validate=study.validate, test=study.test)
    sizes = picture_sizes(train=study.train, validate=study.validate, test=study.test)
    assert sizes is not None
    assert sizes.validation == tuple(image.pixels[..., 0].size for image in found.validation)
    assert sizes.test == tuple(image.pixels[..., 0].size for tested in found.test for image in tested.images)
    assert picture_sizes(train=(str(tmp_path / "nothing"),), test=study.test) is None


def test_a_network_too_large_to_time_whole_is_timed_in_part(study: Study) -> None:
    large = replace(
        study,
        scale=4,
        variants=(Variant(name="edsr/baseline", network=preset("edsr/baseline", scale=4)),),
        protocol=TrainingProtocol(num_steps=1, batch_size=10_000, lr_patch_size=48),
    )
    seconds = measure_step(large, large.variants[0], MACHINE, seconds=0.01)
    assert seconds is not None
    assert seconds > 1


def test_threads_are_shared_out_and_resolved(study: Study) -> None:
    alone = resolve_machine(study, device="cpu", jobs=1)
    assert resolve_machine(study, device="cpu", jobs=64).threads == 1
    assert resolve_machine(study, device="cpu", threads=3, jobs=2).threads == 3
    assert alone.device == "cuda" or not torch.cuda.is_available()
    with pytest.raises(UserError, match="there is no device 'gpu'; use auto, cpu, cuda or cuda:1"):
        resolve_machine(study, device="gpu")


def test_rates_seeds_and_variants_may_be_added(study: Study, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    begin(study, folder)
    more = replace(
        study,
        variants=(Variant(name="tiny/more", network=EDSROptions(num_blocks=2, num_features=4)),),
        learning_rates=(5e-4,),
        seeds=(0, 1),
    )
    plan = make_plan(more, folder, MACHINE)
    check_claims(plan, data=DATA)
    declared = declare(plan)
    assert len(declared.runs) == 4 + 2
    assert [row.name for row in declared.variants] == ["tiny/edsr", "tiny/srcnn", "tiny/more"]
    assert declared.seeds == (0, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"protocol": TrainingProtocol(num_steps=8, batch_size=2, lr_patch_size=8, precision="fp32")},
            r"number of steps \(4 there, 8 asked for\)",
        ),
        ({"scale": 3}, r"scale \(2 there, 3 asked for\)"),
        ({"learning_rates": (7e-4,), "scale": 4}, r"holds a study.*scale \(2 there, 4 asked for\)"),
        ({"variants": (Variant(name="tiny/edsr", network=EDSROptions(num_blocks=3)),)}, "network.num_blocks"),
        (
            {
                "variants": (Variant(name="tiny/edsr", network=EDSROptions(num_blocks=3)),),
                "learning_rates": (7e-4,),
            },
            r"tiny/edsr\.network\.num_blocks \(1 there, 3 asked for\)",
        ),
    ],
)
def test_any_other_change_is_refused_once_a_run_has_started(
    study: Study, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    folder = tmp_path / "study"
    begin(study, folder)
    changed = replace(study, **change)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=message) as refused:
        check_claims(make_plan(changed, folder, MACHINE), data=DATA)
    assert "another --out" in str(refused.value)


def test_other_images_are_refused_and_another_precision_too(study: Study, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    plan = begin(study, folder)
    check_claims(plan, data=DATA)
    check_claims(plan, data=None)
    with pytest.raises(UserError, match=r"another data \(0"):
        check_claims(plan, data="1" * 64)
    other = replace(study, protocol=replace(study.protocol, precision="bf16"))
    with pytest.raises(UserError, match=r"protocol\.precision \(fp32 there, bf16 asked for\)"):
        check_claims(make_plan(other, folder, MACHINE), data=DATA)


def test_auto_is_one_precision_for_all_variants_the_one_that_the_most_careful_network_needs(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("srlab.training.device.cpu_multiplies_bf16", lambda: True)
    asked = replace(study, protocol=replace(study.protocol, precision="auto"))
    assert [variant.name for variant in asked.variants] == ["tiny/edsr", "tiny/srcnn"]
    assert precision_of(asked, MACHINE) == "fp32"
    assert precision_of(asked.with_variants(["tiny/srcnn"]), MACHINE) == "bf16"
    insists = replace(study, protocol=replace(study.protocol, precision="bf16"))
    assert precision_of(insists, MACHINE) == "bf16"


def test_a_run_that_has_begun_under_auto_keeps_its_precision(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("srlab.training.device.cpu_multiplies_bf16", lambda: True)
    folder = tmp_path / "study"
    whole = replace(study, protocol=replace(study.protocol, precision="auto"))
    begin(whole.with_variants(["tiny/srcnn"]), folder)
    plan = make_plan(whole, folder, MACHINE)
    check_claims(plan, data=DATA)
    by_variant = {
        run.variant.name: precision_of_run(run, study=whole, machine=MACHINE, folder=folder)
        for run, _ in plan.runs
    }
    assert by_variant == {"tiny/edsr": "fp32", "tiny/srcnn": "bf16"}


def test_another_number_of_threads_is_no_other_declaration(study: Study, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    begin(study, folder)
    check_claims(make_plan(study, folder, replace(MACHINE, threads=7, jobs=2)), data=DATA)


def test_before_a_run_has_started_everything_may_change(study: Study, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    declare(make_plan(study, folder, MACHINE))
    changed = replace(study, scale=3, learning_rates=(1e-2,))
    plan = make_plan(changed, folder, MACHINE)
    check_claims(plan, data="1" * 64)
    assert len(declare(plan).runs) == 2


def test_a_comparison_is_planned_before_the_first_run_and_stays(study: Study, tmp_path: Path) -> None:
    first, second = (variant.name for variant in study.variants)
    planned = replace(study, primary=(second, first))
    begin(planned, tmp_path / "planned")
    assert store.load_study(tmp_path / "planned").primary == (second, first)
    for later in (planned, study):  # without the line it stays
        plan = make_plan(later, tmp_path / "planned", MACHINE)
        check_claims(plan, data=DATA)
        assert declare(plan).primary == (second, first)
    begin(study, tmp_path / "free")
    assert store.load_study(tmp_path / "free").primary is None
    for folder, asked, there in (
        ("free", (second, first), "started without one"),
        ("planned", (first, second), f"another planned comparison \\({second} against {first}\\)"),
    ):
        plan = make_plan(replace(study, primary=asked), tmp_path / folder, MACHINE)
        with pytest.raises(UserError, match=f"{there}.*leave primary out"):
            check_claims(plan, data=DATA)
    changed = store.load_json(tmp_path / "planned" / store.STUDY) | {"primary": ["a", "b"]}
    store.save_json(tmp_path / "planned" / store.STUDY, changed)
    with pytest.raises(UserError, match="planned comparison is not of two of its variants, but of a, b"):
        store.load_study(tmp_path / "planned")


def test_a_test_set_may_be_added_but_not_exchanged(study: Study, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    begin(study, folder)
    added = structs.replace(IMAGES, test=(StudyImage(name="c", set="more", sha256="3"),))
    check_images(folder, added)
    exchanged = structs.replace(IMAGES, test=(StudyImage(name="b", set="set", sha256="9"),))
    with pytest.raises(UserError, match="the test set set differs from the one"):
        check_images(folder, exchanged)
    plan = make_plan(replace(study, test=("elsewhere/more",)), folder, MACHINE)
    declared = declare_study(plan, question=QUESTION, data=DATA, images=added, notes={})
    assert {image.set for image in declared.images.test} == {"set", "more"}
    assert len(declared.test) == 2


def test_a_step_that_cannot_be_taken_is_not_estimated_and_stops_no_plan(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("srlab.training.step_time.make_update", full)
    plan = make_plan(study, tmp_path / "study", MACHINE, measure_seconds=0.01)
    assert plan.seconds(plan.left) is None


@pytest.mark.parametrize(("has_bf16", "words"), [(True, "bf16"), (False, "emulates")])
def test_bf16_on_a_processor_without_it_is_called_slow(
    study: Study, monkeypatch: pytest.MonkeyPatch, has_bf16: bool, words: str
) -> None:
    monkeypatch.setattr("srlab.training.machine.cpu_multiplies_bf16", lambda: has_bf16)
    asked = replace(study, protocol=replace(study.protocol, precision="bf16"))
    said = precision_in_words(asked, MACHINE)
    assert words in said
    assert ("slower" in said) is not has_bf16
    assert "slower" not in precision_in_words(study, MACHINE)
