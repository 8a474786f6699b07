"""What is promised of losses of a user's own: all that srlab's have, told early where they cannot work."""

import json
import pickle
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from own_code import srlab, write_mine
from srlab import L1, MSE, Loss, PixelObjective, Sum, UserError, trust
from srlab.declare.objectives import objective_from_dict, objective_to_dict
from srlab.declare.studies import load_study
from srlab.declare.study import Study, Variant
from srlab.folder import user_networks
from srlab.folder.checkpoints import load_weights
from srlab.folder.user_networks import read_objective
from srlab.networks import SRCNNOptions, build_network
from srlab.training.patch_scores import Batches
from srlab.training.train import train
from srlab.training.updates import PixelUpdate
from srlab.user_code import declared as declared_things
from srlab.user_code.code import read_code, run_code
from srlab.verdicts import judge
from tiny_study import tiny_study

EXAMPLES = Path(__file__).parents[1] / "examples"

MINE = '''"""Does my loss help?"""

from srlab import L1, Loss, PixelObjective, Study, Sum, TrainingProtocol, Variant, preset, with_options
from part_of_loss import EPS  # beside this file


def charbonnier(sr, hr):
    return ((sr - hr) ** 2 + EPS**2).sqrt().mean()


mine = Loss("charbonnier_1e-6", charbonnier)
small = with_options(preset("srcnn/vanilla", scale=2), {"num_features": "4,4"})

STUDY = Study(
    name="mine",
    scale=2,
    variants=(
        Variant(name="l1", network=small),
        Variant(name="mine", network=small, objective=PixelObjective(loss=mine)),
        Variant(name="both", network=small, objective=PixelObjective(loss=Sum(L1(), 0.1 * mine))),
    ),
    learning_rates=(1e-3,),
    seeds=(0,),
    protocol=TrainingProtocol(num_steps=6, batch_size=2, lr_patch_size=8, checkpoint_every=2),
    train=(TRAIN,),
    test=(TEST,),
)
'''
PART = "EPS = 1e-6\n"


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRLAB_TRUSTED", str(tmp_path / "trusted.txt"))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mine(tmp_path_factory.mktemp("mine"), MINE, ("part_of_loss.py", PART), tested=2)


@pytest.fixture(scope="module")
def finished(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study's folder after ``srlab study mine.py --jobs 2``: it is trained in processes of its own."""
    folder = tmp_path_factory.mktemp("runs") / "mine"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRLAB_TRUSTED", str(folder.parent / "yes.txt"))
        assert srlab("study", file, "--out", folder, "--jobs", "2", "--no-estimate").code == 0
    return folder


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was declared or agreed to in this process."""
    monkeypatch.setattr(declared_things, "_known", {})
    monkeypatch.setattr(user_networks, "_said_here", set())


def logged(folder: Path) -> dict[str, float]:
    last: dict[str, float] = json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])
    return last


# A study


def test_a_study_names_it_and_keeps_its_code(finished: Path, file: Path) -> None:
    study = json.loads((finished / "study.json").read_text())
    mine, both = (variant["objective"] for variant in study["variants"][1:])
    assert (mine["loss"], both["loss"]) == ("charbonnier_1e-6", "l1+0.1*charbonnier_1e-6")
    assert mine["code"] == both["code"]
    (folder,) = (finished / "code").iterdir()
    assert folder.name == mine["code"]["charbonnier_1e-6"][:16]
    assert (folder / "part_of_loss.py").read_text() == PART
    assert json.loads((folder / "code.json").read_text())["sha256"] == read_code(file).digest


def test_it_is_what_is_trained_for_and_its_part_of_a_sum_is_logged(finished: Path) -> None:
    weights = [(finished / f"{name}-lr0.001-seed0" / "weights.safetensors") for name in ("l1", "mine")]
    assert weights[0].read_bytes() != weights[1].read_bytes()
    parts = logged(finished / "both-lr0.001-seed0")
    assert parts["loss"] == pytest.approx(parts["l1"] + 0.1 * parts["loss_charbonnier_1e-6"])


def test_the_loss_is_what_changes_between_variants_and_not_its_code(finished: Path) -> None:
    names = [effect.name for effect in judge(finished).effects]
    assert any("l1 → charbonnier_1e-6" in name for name in names)
    assert not any("code" in name for name in names)


def test_a_run_of_other_code_is_refused_and_the_study_may_grow(
    file: Path, finished: Path, tmp_path: Path
) -> None:
    other = tmp_path / "mine.py"
    (tmp_path / "part_of_loss.py").write_text("# words\n" + PART)
    other.write_text(file.read_text().replace("(1e-3,)", "(1e-3, 1e-4)"))
    said = srlab("study", other, "--out", finished, "--plan", "--no-estimate")
    assert (said.code, "6 runs, 3 left" in said.text) == (0, True), said.text
    (tmp_path / "part_of_loss.py").write_text("EPS = 1e-3\n")
    said = srlab("study", other, "--out", finished, "--plan", "--no-estimate")
    assert (said.code, "loss charbonnier_1e-6: other code of your own" in said.text) == (2, True), said.text


def test_an_interrupted_run_ends_as_if_it_had_not_been(file: Path, finished: Path, tmp_path: Path) -> None:
    shutil.copy(file.parent / "part_of_loss.py", tmp_path)
    stop = (
        "from pathlib import Path\ncalls = []\n\n\ndef charbonnier(sr, hr):\n    calls.append(1)\n"
        f"    if len(calls) == 6 and Path({str(tmp_path / 'stop')!r}).exists():\n"
        "        raise KeyboardInterrupt\n"
    )
    (tmp_path / "mine.py").write_text(file.read_text().replace("def charbonnier(sr, hr):\n", stop))
    (tmp_path / "stop").touch()
    words = ("study", tmp_path / "mine.py", "--out", tmp_path / "out", "--variants", "mine", "--no-estimate")
    assert srlab(*words).code == 130
    folder = tmp_path / "out" / "mine-lr0.001-seed0"
    assert (folder / "checkpoint.pt").exists()
    (tmp_path / "stop").unlink()
    assert srlab(*words).code == 0
    weights = (finished / folder.name / "weights.safetensors").read_bytes()
    assert (folder / "weights.safetensors").read_bytes() == weights


@pytest.mark.usefixtures("stranger")
def test_its_stored_code_runs_only_after_the_user_said_so(finished: Path, tmp_path: Path) -> None:
    digest = json.loads(next((finished / "code").glob("*/code.json")).read_text())["sha256"]
    study = shutil.copytree(finished, tmp_path / "mine")
    objective = json.loads((study / "study.json").read_text())["variants"][1]["objective"]
    with pytest.raises(UserError, match=rf"the loss 'charbonnier_1e-6', whose code .* --trust {digest}"):
        read_objective(objective, study)
    trust(digest)
    assert read_objective(objective, study) == PixelObjective(
        loss=declared_things.find_own("Loss", "charbonnier_1e-6", objective["code"]["charbonnier_1e-6"])
    )


@pytest.mark.usefixtures("stranger")
def test_results_are_shown_and_weights_are_used_without_its_code(finished: Path, tmp_path: Path) -> None:
    study = shutil.copytree(finished, tmp_path / "mine")
    for part in (study / "code").glob("*/*.py"):
        part.write_text("raise ZeroDivisionError('it runs')\n")
    assert srlab("leaderboard", study).code == 0
    assert load_weights(study / "mine-lr0.001-seed0" / "weights.safetensors").variant == "mine"


def test_a_gpu_does_not_record_the_steps_of_code_that_is_not_srlabs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []

    def make_steps(*_: object, is_ours: bool, **__: object) -> None:
        found.append(is_ours)
        raise InterruptedError

    monkeypatch.setattr("srlab.training.train.make_steps", make_steps)
    study = tiny_study(tmp_path)
    (own,) = {one.network for one in load_study(str(EXAMPLES / "espcn.py")).study.variants[:1]}
    for network, loss in ((SRCNNOptions(), L1()), (own, L1()), (SRCNNOptions(), L1() + mine)):
        variant = Variant(name="a", network=network, objective=PixelObjective(loss=loss))
        with pytest.raises(InterruptedError):
            train(
                study.run(variant, learning_rate=1e-3, seed=0),
                batches=cast(Batches, None),
                validate=None,
                preview=None,
                folder=tmp_path,
                device=torch.device("cpu"),
                precision="fp32",
                report=lambda _: None,
            )
    assert found == [True, False, False]


# A value


def squared(sr: Tensor, hr: Tensor, power: int = 2) -> Tensor:
    """Mean of a power of the error."""
    return ((sr - hr) ** power).mean()


mine = Loss("squared", squared)


def test_it_is_a_loss_like_any_other() -> None:
    loss = L1() + 0.5 * mine
    assert str(loss) == "l1+0.5*squared"
    assert loss == Sum(0.5 * mine, L1())
    objective = PixelObjective(loss=loss)
    assert objective_from_dict(json.loads(json.dumps(objective_to_dict(objective)))) == objective
    with pytest.raises(UserError, match="names squared twice"):
        Sum(mine, 2 * mine)
    with pytest.raises(UserError, match="there is no loss 'squared'"):
        PixelObjective(loss="squared")


def test_a_step_is_that_of_the_included_loss_it_equals() -> None:
    lr, hr = torch.rand(2, 3, 24, 24), torch.rand(2, 3, 48, 48)
    found = []
    for loss in (MSE(), mine):
        torch.manual_seed(0)
        network = build_network(SRCNNOptions(num_features=(4, 4)), scale=2)
        PixelUpdate(network, loss=PixelObjective(loss=loss))(lr, hr, learning_rate=1e-2)
        found.append([weight.clone() for weight in network.parameters()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_it_travels_to_another_process_with_its_code(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = pickle.dumps(load_study(str(file)).study)
    monkeypatch.setattr(declared_things, "_known", {})
    study = pickle.loads(sent)
    loss = study.variants[1].objective.loss
    assert (loss.name, study.variants[2].objective.own) == ("charbonnier_1e-6", (loss,))
    assert loss.function(torch.ones(2), torch.zeros(2)).item() == 1


DECLARED = """from functools import partial
import torch
from srlab import L1, Loss
WEIGHT = 2
def part(sr, hr):
    return (sr - hr).abs().mean()
def other(sr, hr):
    return WEIGHT * part(sr, hr)
def of(power):
    def loss(sr, hr):
        return ((sr - hr) ** power).mean()
    return loss
def declare(power):
    return Loss("mine", of(power))
UNUSED = 1
mine = MINE
"""


@pytest.mark.parametrize(
    ("mine", "before", "after", "is_same"),
    [
        ('Loss("mine", other)', "WEIGHT = 2", "WEIGHT = 3", False),
        ('Loss("mine", other)', ".abs()", ".square()", False),
        ('Loss("mine", other)', "UNUSED = 1", "UNUSED = 2", True),
        ('Loss("mine", part)', "WEIGHT = 2", "WEIGHT = 3", True),
        ('Loss("mine", of(2))', "of(2)", "of(3)", False),
        ('Loss("mine", partial(other))', "WEIGHT = 2", "WEIGHT = 3", False),
        ('Loss("mine", lambda sr, hr: part(sr, hr))', ".abs()", ".square()", False),
        ('[L1() + 0.1 * Loss("mine", part)][0].parts[1].loss', "0.1", "0.2", True),
        ("declare(2)", "declare(2)", "declare(3)", False),
    ],
)
def test_it_is_what_it_rests_on(mine: str, before: str, after: str, is_same: bool, tmp_path: Path) -> None:
    found: list[Any] = []
    for old, new in ((before, before), (before, after)):
        (tmp_path / "a.py").write_text(DECLARED.replace("MINE", mine).replace(old, new))
        found.append(run_code(read_code(tmp_path / "a.py"))["mine"])
    assert (found[0] == found[1]) == is_same


def test_two_of_one_name_are_refused(tmp_path: Path) -> None:
    text = DECLARED.replace("MINE", '[Loss("mine", part), Loss("mine", other)]')
    (tmp_path / "a.py").write_text(text)
    with pytest.raises(UserError, match=r"loss 'mine' is declared twice in .*a\.py"):
        run_code(read_code(tmp_path / "a.py"))


# What is refused


@pytest.mark.parametrize("name", ["", "9", "a+b", "2*a", "x:y", "l1", "perceptual", "x1e", "a" * 51, 3])
def test_a_name_that_could_not_be_read_back_is_refused(name: Any) -> None:
    with pytest.raises(UserError, match="not a valid name of a loss"):
        Loss(name, squared)


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(UserError, match="loss 'mine': 3 is no function of SR and HR"):
        Loss("mine", 3)  # type: ignore[arg-type]


def broken(sr: Tensor, hr: Tensor, how: str) -> Any:
    """What goes wrong."""
    if how == "raises":
        raise ZeroDivisionError("no\nreason")
    return {
        "no tensor": 1.0,
        "map": (sr - hr).abs(),
        "for each": (sr - hr).abs().mean((1, 2, 3)),
        "nan": (sr - hr).mean() * float("nan"),
        "detached": (sr - hr).abs().mean().detach(),
        "of hr": torch.ones((), requires_grad=True) * hr.mean(),
        "wild gradient": (sr * 0).sqrt().sum(),
    }[how]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("raises", r"raised ZeroDivisionError: no reason for SR and HR of the shape \[2, 3, 2, 2\]"),
        (
            "no tensor",
            "must return a tensor with one number, .* it returned float",
        ),
        ("map", r"a tensor without dimensions .* returned the shape \[2, 3, 2, 2\]"),
        ("for each", r"returned the shape \[2\]"),
        ("nan", "gives nan for random pictures"),
        ("detached", "cannot be trained for"),
        ("of hr", "no gradient reaches SR"),
        ("wild gradient", "its gradient has NaN or infinity"),
    ],
)
def test_a_loss_that_cannot_work_is_refused_before_a_study_begins(
    how: str, message: str, tmp_path: Path
) -> None:
    study: Study = tiny_study(tmp_path)
    loss = Loss("broken", partial(broken, how=how))
    variant = Variant(
        name="a/b", network=SRCNNOptions(num_features=(4, 4)), objective=PixelObjective(loss=L1() + loss)
    )
    with pytest.raises(UserError, match="variant 'a/b': loss 'broken'"):
        replace(study, variants=(variant,))
    with pytest.raises(UserError, match=message):
        replace(study, variants=(variant,))


def test_the_command_says_so_in_plain_words(file: Path, tmp_path: Path) -> None:
    shutil.copy(file.parent / "part_of_loss.py", tmp_path)
    (tmp_path / "mine.py").write_text(file.read_text().replace(".sqrt().mean()", ".sqrt()"))
    said = srlab("study", tmp_path / "mine.py", "--out", tmp_path / "out")
    assert (said.code, (tmp_path / "out").exists()) == (2, False)
    assert "must return one number" in said.text
    assert "Traceback" not in said.text
