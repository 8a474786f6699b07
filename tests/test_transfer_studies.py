"""What the studies `srresnet` and `srgan` promise: with tiny budgets they run from end to end, as shipped."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn

from srlab.declare.objectives import AdversarialObjective
from srlab.declare.studies import load_study
from srlab.declare.study import Study
from srlab.folder.records import read_runs
from srlab.lab.comparison import compare
from srlab.lab.sources import take_sources
from srlab.show.leaderboard import leaderboard
from srlab.training.monitor import trace
from tiny_study import MACHINE, QUESTION, write_pictures


def tiny(name: str, data: Path, **changes: object) -> Study:
    """The shipped study on small pictures: one seed, one step a run, four of the source, one patch each."""
    study = load_study(name).study.with_steps(1).with_protocol({"batch_size": 1, "precision": "fp32"})
    return replace(
        study,
        train=(write_pictures(data / "train", 2, seed=1, size=100),),
        validate=(write_pictures(data / "validate", 1, seed=2, size=60),),
        test=(write_pictures(data / "set", 1, seed=3, size=60),),
        seeds=(0,),
        **changes,  # type: ignore[arg-type]
    )


def carry_out(study: Study, folder: Path) -> dict[str, str]:
    failures = compare(study, folder, MACHINE, question=QUESTION, announce=ignore, report=ignore)
    assert failures == []
    return {run.variant: run.status for run in read_runs(folder)}


def ignore(_: object) -> None:
    pass


@pytest.fixture(scope="module", autouse=True)
def no_graphs() -> Iterator[None]:
    """TensorBoard's graph, of which test_monitor.py tells, takes half of so short a run."""
    with pytest.MonkeyPatch.context() as patch:
        small = trace(nn.Conv2d(3, 3, 1))
        patch.setattr("srlab.training.monitor.trace", lambda _: small)
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The study `srresnet`, done, and the folder of its pictures."""
    data = tmp_path_factory.mktemp("data")
    folder = tmp_path_factory.mktemp("runs") / "srresnet"
    statuses = carry_out(tiny("srresnet", data, learning_rates=(5e-4,)), folder)
    assert len(statuses) == 14
    assert set(statuses.values()) == {"finished"}
    return folder, data


def test_srresnet_runs_from_source_to_leaderboard(finished: tuple[Path, Path]) -> None:
    standings = leaderboard(finished[0]).standings
    assert len(standings) == 15
    assert all(standing.tests for standing in standings)


def test_srgan_takes_its_sources_from_srresnet_and_runs(finished: tuple[Path, Path], tmp_path: Path) -> None:
    folder, data = finished
    study = tiny("srgan", data)
    random = tuple(
        replace(variant, objective=replace(variant.objective, content="random"))
        if isinstance(variant.objective, AdversarialObjective)
        else variant
        for variant in study.variants
    )
    asked = take_sources(replace(study, variants=random), folder)
    assert carry_out(asked, tmp_path / "srgan") == dict.fromkeys(
        ("srresnet/original", "srresnet/transfer_dense", "srgan/original", "srgan/dense"), "finished"
    )
