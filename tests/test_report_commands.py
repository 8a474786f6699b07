"""What the commands at a report's end promise: typed again, they are the study that the report is of."""

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from srlab.cli import main
from srlab.declare.protocol import TrainingProtocol
from srlab.folder import store
from srlab.folder.records import StudyFolder
from srlab.folder.schema import RunFile, StudyFile
from srlab.show.report.commands import Commands, read_commands
from stored_files import planned, stored_variant, study_file
from tiny_study import write_pictures

Srlab = Callable[..., str]
ADVERSARIAL = {
    "kind": "adversarial",
    "content": "vgg22",
    "adversarial_weight": 1e-4,
    "pixel_weight": 1.0,
    "pixel_loss": "mse",
    "discriminator_learning_rate": None,
    "vgg": "f" * 64,
}


@pytest.fixture
def srlab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Srlab:
    """Run a command in this process, which must succeed; its standard output."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["srlab", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert not ended.value.code, said.err
        return said.out

    return run


@pytest.fixture
def trained(srlab: Srlab, tmp_path: Path) -> Path:
    """What `srlab train` leaves behind: a network whose options were changed, away from every default."""
    train, test = (write_pictures(tmp_path / name, 2, seed=len(name)) for name in ("many", "few"))
    srlab(
        *("train", "srcnn/residual", "--scale", "2", "--steps", "2", "--train", train, "--test", test),
        *("--set", "num_features=4x2", "--set", "activation=leaky_relu:0.25", "--learning-rate", "2.5e-4"),
        *("--batch-size", "1", "--lr-patch-size", "8", "--seed", "3", "--loss", "mse"),
        *("--schedule", "constant", "--precision", "fp32", "--device", "cpu", "--threads", "1"),
        *("--out", "made", "--no-estimate"),
    )
    return Path("made")


def commands_of(study: StudyFile, folder: Path) -> Commands:
    store.save(folder / store.STUDY, study)
    return read_commands(StudyFolder(folder))


def test_of_one_variant_that_was_trained_it_is_srlab_train_with_all_that_was_said(
    srlab: Srlab, trained: Path
) -> None:
    again, report = read_commands(StudyFolder(trained)).lines
    assert again.startswith("srlab train srcnn/residual --scale 2 --set num_features=4x2 ")
    assert " --threads 1 " in again  # another number of them sums in another order
    words = shlex.split(again)[1:]
    plan = json.loads(srlab(*words, "--plan", "--no-estimate", "--json"))
    (run,) = plan["runs"]
    assert run["status"] == "finished"  # another declaration would be refused, or be another run
    assert report == "srlab report made"


def test_a_precision_that_was_left_to_the_machine_is_named_and_its_name_is_no_other_declaration(
    srlab: Srlab, tmp_path: Path
) -> None:
    train, test = (write_pictures(tmp_path / name, 2, seed=len(name)) for name in ("many", "few"))
    asked = (
        *("train", "srcnn/residual", "--scale", "2", "--steps", "2", "--train", train, "--test", test),
        *("--batch-size", "1", "--lr-patch-size", "8", "--device", "cpu", "--threads", "1", "--out", "made"),
    )
    srlab(*asked, "--no-estimate")
    study = store.load_study(Path("made"))
    assert study.protocol.precision == "auto"
    had = store.read(Path("made") / study.runs[0].name / store.RUN, RunFile).protocol.precision
    words = shlex.split(read_commands(StudyFolder(Path("made"))).lines[0])[1:]
    assert words[words.index("--precision") + 1] == had
    other = {"fp32": "bf16", "bf16": "fp32"}[had]
    for again, named in ((words, had), (list(asked), "auto")):
        srlab(*again, "--no-estimate")  # is not refused, and there is nothing left to do
        assert store.load_study(Path("made")).protocol.precision == named
    with pytest.raises(AssertionError, match=rf"protocol\.precision \({had} there, {other} asked for\)"):
        srlab(*asked, "--no-estimate", "--precision", other)


def declaration(*, taken: bool = False, **changes: Any) -> StudyFile:
    """``study.json`` of the study srgan, as far as commands are made from it."""
    source = stored_variant("srresnet/original", protocol=TrainingProtocol(num_steps=9), taken=taken)
    runs = [planned(source.name, rate=5e-4), planned("srgan/original", rate=1e-4)]
    values = {"name": "srgan", "learning_rates": (1e-4, 5e-4), "seeds": (0, 1), **changes}
    return study_file([source, stored_variant("srgan/original", objective=ADVERSARIAL)], runs, **values)


def test_rates_that_only_a_source_with_its_own_protocol_has_are_not_asked_of_the_others(
    tmp_path: Path,
) -> None:
    (again, _) = commands_of(declaration(), tmp_path).lines
    assert "--learning-rates 0.0001 --seeds 2" in again


def test_what_adversarial_variants_were_trained_for_is_part_of_the_command(tmp_path: Path) -> None:
    commands = commands_of(declaration(), tmp_path)
    for words in (
        "--content vgg22",
        "--objective adversarial_weight=0.0001",
        "--objective pixel_weight=1.0",
        "--objective discriminator_learning_rate=none",
        "--vgg FILE",
    ):
        assert words in commands.lines[0]
    assert any("f" * 64 in remark for remark in commands.remarks)


def test_what_the_folder_does_not_tell_stands_in_capitals_and_is_explained(tmp_path: Path) -> None:
    commands = commands_of(declaration(name="mine", taken=True), tmp_path)
    assert commands.lines[0].startswith("srlab study mine.py ")
    assert "--source STUDY_DIR" in commands.lines[0]
    assert commands.remarks[0] == "mine.py is the file that declares the study."
    assert "srresnet/original" in commands.remarks[-1]


def test_no_digit_of_a_rate_is_lost(tmp_path: Path) -> None:
    study = declaration(learning_rates=(0.00012345678,))
    assert "--learning-rates 0.00012345678" in commands_of(study, tmp_path).lines[0]
