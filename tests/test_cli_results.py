"""What ``srlab pictures`` and ``srlab tensorboard`` promise: what a study came to, to look at."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from made_study import MadeRun, MadeStudy, scene
from srlab import UserError
from srlab.cli import main
from srlab.declare.protocol import EvaluationProtocol
from srlab.folder import store
from srlab.folder.checkpoints import load_weights
from srlab.folder.choice import update_choice
from srlab.folder.scores import Score, save_scores
from srlab.folder.winner import find_weights, ranking, winner
from srlab.pixels.images import read_hr_image
from srlab.show.draw.bars import Bar, draw_bars
from srlab.show.ranking_on_image import rank_on_image
from srlab.training.tensorboard_logs import best_logs
from srlab.use.evaluation import evaluate_network

RUNS = [
    MadeRun(variant="net/a", psnr_y=30.0),
    MadeRun(variant="net/a", psnr_y=30.4, seed=1),
    MadeRun(variant="net/a", psnr_y=25.0, learning_rate=0.1),
    MadeRun(variant="net/b", psnr_y=30.1),
    MadeRun(variant="net/b", psnr_y=30.1, seed=1),
    MadeRun(variant="net/c", status="diverged"),
]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return MadeStudy(runs=RUNS, scenes={"five": {"one": scene()}}, has_weights=True).write(tmp_path)


class Command:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch = monkeypatch
        self.capsys = capsys

    def __call__(self, *words: object, code: int = 0) -> tuple[str, str]:
        """Standard output and standard error of ``srlab`` with `words`, which ends with `code`."""
        self.monkeypatch.setattr(sys, "argv", ["srlab", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        found = self.capsys.readouterr()
        assert (ended.value.code or 0) == code, found.err
        assert "Traceback" not in found.err
        return found.out, found.err


@pytest.fixture
def srlab_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capsys)


def test_the_winner_is_the_best_variant_by_its_mean_and_then_its_best_seed(study: Path) -> None:
    assert winner(study).name == "net-a-lr0.001-seed1"


def test_a_study_without_a_finished_run_has_no_winner(tmp_path: Path) -> None:
    made = MadeStudy(runs=[MadeRun(variant="net/a", status="diverged")]).write(tmp_path)
    with pytest.raises(UserError, match="so it has no winner") as error:
        winner(made)
    assert "best finished run" not in str(error.value)


def changed(path: Path, *place: str, to: object) -> None:
    """Put another value into a JSON file; None takes the key out."""
    values = at = json.loads(path.read_text())
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = to
    if to is None:
        del at[place[-1]]
    path.write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("place", "value", "wrong"),
    [
        (
            ("net/a", "learning_rate"),
            0.5,
            "net/a.learning_rate is 0.5, but no run of it is planned at that rate",
        ),
        (("net/a",), None, "it has nothing for net/a, and the scores of its runs give 0.001"),
        (("net/b", "psnr_y"), 99.0, "it has 0.001 with 99.0 dB for net/b, and the scores"),
    ],
)
def test_a_choice_that_something_else_changed_chooses_no_winner(
    study: Path, place: tuple[str, ...], value: object, wrong: str
) -> None:
    changed(study / store.CHOICE, "variants", *place, to=value)
    with pytest.raises(UserError, match=f"choice.json.*{wrong}") as error:
        winner(study)
    assert "remove it and run the same `srlab study` again, which chooses again" in str(error.value)
    update_choice(study)
    assert winner(study).name == "net-a-lr0.001-seed1"


def test_while_runs_are_left_the_choice_is_the_one_made_last(study: Path) -> None:
    changed(study / store.CHOICE, "variants", "net/a", to=None)
    (study / RUNS[0].name / store.RESULT).unlink()
    assert winner(study).variant == "net/b"


def test_a_finished_run_without_scores_leaves_no_winner_but_a_line(study: Path) -> None:
    path = study / "net-a-lr0.001-seed1" / store.SCORES
    path.unlink()
    with pytest.raises(UserError, match=r"net-a-lr0.001-seed1/scores.json is missing.*scores again"):
        winner(study)


def test_weights_of_another_run_are_not_taken_for_its_own(
    study: Path, srlab_command: Command, tmp_path: Path
) -> None:
    Image.fromarray(scene(8, 9)).save(tmp_path / "in.png")
    run = winner(study).folder
    shutil.copy(study / "net-b-lr0.001-seed0" / store.WEIGHTS, run / store.WEIGHTS)
    for model in (study, run, run / store.WEIGHTS):
        _, err = srlab_command("upscale", tmp_path / "in.png", tmp_path / "o.png", "--model", model, code=2)
        assert f"{run / store.WEIGHTS} holds weights of net/b, but the run in this folder trains net/a" in err
    assert not (tmp_path / "o.png").exists()


def test_a_study_that_has_not_ended_names_its_best_finished_run(study: Path) -> None:
    (study / store.CHOICE).unlink()
    with pytest.raises(UserError, match=r"so it has no winner.*best finished run is .*net-a-lr0.001-seed1"):
        winner(study)


def test_the_winner_upscales_and_it_is_said_which_it_is(
    study: Path, srlab_command: Command, tmp_path: Path
) -> None:
    Image.fromarray(scene(8, 9)).save(tmp_path / "in.png")
    _, err = srlab_command("upscale", tmp_path / "in.png", tmp_path / "out.png", "--model", study)
    assert "net-a-lr0.001-seed1, the winner of" in err
    assert "highest validation psnr_y" in err
    assert "its validation psnr_y is 30.40 dB; bicubic has 28.40 dB there)" in err
    assert f"{tmp_path / 'in.png'} -> {tmp_path / 'out.png'}" in err


def test_a_winner_that_did_not_beat_bicubic_says_so(tmp_path: Path) -> None:
    made = MadeStudy(runs=[MadeRun(variant="net/a", psnr_y=28.0)], has_weights=True).write(tmp_path)
    why = find_weights(made).why
    assert "validation psnr_y is 28.00 dB; it did not beat bicubic, which has 28.40 dB)" in why


# A study about what starts from a source, and one with a discriminator


def gan_runs(*, with_gmsd: bool = True) -> list[MadeRun]:
    """The source has the best PSNR, the dense generator the best GMSD, and rates disagree between the two."""
    runs = [MadeRun(variant="net/source", psnr_y=31.0, gmsd_y=0.03)]
    for variant, rate, psnr_y, gmsd_y in (
        ("gan/original", 0.001, 27.0, 0.08),
        ("gan/original", 0.01, 29.0, 0.09),
        ("gan/dense", 0.001, 25.0, 0.05),
        ("gan/dense", 0.01, 24.0, 0.06),
    ):
        runs.append(
            MadeRun(
                variant=variant,
                learning_rate=rate,
                psnr_y=psnr_y,
                gmsd_y=gmsd_y if with_gmsd else None,
                is_adversarial=True,
                source="net/source",
            )
        )
    return runs


def gan_study(folder: Path, *, with_gmsd: bool = True) -> Path:
    runs = gan_runs(with_gmsd=with_gmsd)
    return MadeStudy(runs=runs, scenes={"five": {"one": scene()}}, has_weights=True).write(folder)


def test_what_others_start_from_is_no_candidate_unless_it_is_named(tmp_path: Path) -> None:
    runs = [
        MadeRun(variant="net/source", psnr_y=31.0),
        MadeRun(variant="net/transfer", psnr_y=29.0, source="net/source"),
        MadeRun(variant="net/scratch", psnr_y=29.5),
    ]
    made = MadeStudy(runs=runs, has_weights=True).write(tmp_path)
    assert winner(made).variant == "net/scratch"
    why = find_weights(made).why
    assert "sources cannot win (net/source): --model" in why
    named = find_weights(made / "net" / "source")
    assert named.weights.parent.name == "net-source-lr0.001-seed0"
    assert find_weights(made / "net" / "other").why.startswith("the weights file")


def test_a_gan_is_chosen_by_a_perceptual_distance_and_it_is_said_by_which(tmp_path: Path) -> None:
    made = gan_study(tmp_path)
    assert winner(made).name == "gan-dense-lr0.001-seed0"
    why = find_weights(made).why
    assert "lowest validation gmsd_y" in why
    assert "its gmsd_y is 0.0500 and bicubic's 0.1000, its psnr_y 25.00 dB and bicubic's 28.40 dB" in why
    choice = store.load_json(made / store.CHOICE)
    assert choice["rule"].endswith("takes the rate with the lowest validation gmsd_y instead.")
    original, source = (choice["variants"][name] for name in ("gan/original", "net/source"))
    assert (original["learning_rate"], original["measure"]) == (0.001, "gmsd_y")
    assert original["distance"] == pytest.approx(0.08)
    assert "measure" not in source


def test_lpips_chooses_where_all_have_it_by_the_same_weights(tmp_path: Path) -> None:
    made = gan_study(tmp_path)
    runs = [run for run in gan_runs() if run.is_adversarial]
    for run in runs:
        value = 0.2 if run.variant == "gan/original" else 0.3
        scores = [Score(dataset="validation", image=image, metric="lpips_vgg", value=value) for image in "ab"]
        path = made / run.name / store.VALIDATION_PERCEPTUAL
        save_scores(path, scores, protocol=EvaluationProtocol(), scale=2, weights={"vgg16": "a"})
        last = path
    update_choice(made)
    assert winner(made).variant == "gan/original"
    changed(last, "weights", to={"vgg16": "b"})
    update_choice(made)
    assert winner(made).variant == "gan/dense"  # by GMSD again


def test_a_gan_study_without_perceptual_scores_asks_for_them(tmp_path: Path) -> None:
    made = gan_study(tmp_path, with_gmsd=False)
    with pytest.raises(
        UserError, match=r"no such distance is stored: run `srlab perceptual .*study`, which needs no"
    ):
        winner(made)
    assert find_weights(made / "gan-dense-lr0.01-seed0").weights.is_file()


def test_a_gans_bars_and_pictures_are_in_the_order_of_the_distance(tmp_path: Path) -> None:
    made = gan_study(tmp_path)
    assert [runs[0].variant for runs in ranking(made)] == ["gan/dense", "gan/original", "net/source"]
    figure = draw_bars(
        [
            Bar(name="a", scores={"gmsd_y": 0.2, "psnr_y": 30.0}),
            Bar(name="b", scores={"gmsd_y": 0.1, "psnr_y": 20.0}),
        ],
        title="",
        caption="",
        baseline={"gmsd_y": 0.15, "psnr_y": 25.0},
        distance="gmsd_y",
    )
    first, second = figure.axes
    assert [label.get_text() for label in first.get_yticklabels()] == ["b", "a"]
    assert first.get_xlabel() == "gmsd_y, lower is better (the axis starts at zero)"
    assert second.get_xlabel().startswith("psnr_y in dB")
    assert [patch.get_facecolor() for patch in first.patches] != [p.get_facecolor() for p in second.patches]
    image = tmp_path / "photo.png"
    Image.fromarray(scene(60, 60)).save(image)
    found = rank_on_image(made, image)
    values = [model.scores["gmsd_y"] for model in found.models]
    assert (found.distance, values) == ("gmsd_y", sorted(values))
    assert found.as_json()["ranked_by"] == "gmsd_y"


def test_pictures_are_drawn_and_their_paths_printed(study: Path, srlab_command: Command) -> None:
    out, _ = srlab_command("pictures", study)
    paths = [Path(line) for line in out.splitlines()]
    assert [path.name for path in paths] == ["scores.png", "scores.svg", "curves.png", "panel-five.png"]
    assert all(path.is_file() for path in paths)


def test_pictures_go_where_they_are_wanted(study: Path, srlab_command: Command, tmp_path: Path) -> None:
    out, _ = srlab_command("pictures", study, "--out", tmp_path / "there", "--json")
    assert [Path(path).parent for path in json.loads(out)["pictures"]] == [tmp_path / "there"] * 4
    assert not (study / "pictures").exists()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(scene(61, 90, seed=5)).save(path)
    return path


def test_all_models_are_ranked_on_a_picture_of_ones_own(
    study: Path, photo: Path, srlab_command: Command
) -> None:
    out, _ = srlab_command("pictures", study, "--image", photo, "--json")
    found = json.loads(out)
    assert found["image"] == "photo"
    assert found["size"] == [90, 60]  # cropped to a multiple of the scale
    assert found["protocol"] == str(EvaluationProtocol())
    models = found["models"]
    assert [model["rank"] for model in models] == [1, 2, 3, 4, 5]
    assert {(model["variant"], model["learning_rate"], model["seed"]) for model in models} == {
        ("bicubic", None, None),
        *((variant, 0.001, seed) for variant in ("net/a", "net/b") for seed in (0, 1)),
    }
    scores = [model["psnr_y"] for model in models]
    assert scores == sorted(scores, reverse=True)
    assert [Path(path).name for path in found["pictures"]] == [
        "image-photo-scores.png",
        "image-photo-panel.png",
    ]
    assert all(Path(path).is_file() for path in found["pictures"])


def test_the_ranking_is_printed_as_a_table_with_its_protocol(
    study: Path, photo: Path, srlab_command: Command
) -> None:
    out, err = srlab_command("pictures", study, "--image", photo)
    assert err == ""
    assert out.splitlines()[1].split() == ["rank", "variant", "rate", "seed", "psnr_y", "ssim_y"]
    for word in ("psnr_y", "ssim_y", "net/a", "bicubic", "rgb: SR rounded", "image-photo-panel.png"):
        assert word in out


def test_scores_on_a_picture_are_those_of_the_evaluation(study: Path, photo: Path) -> None:
    ranking = rank_on_image(study, photo)
    (model,) = [model for model in ranking.models if model.name == "net-b-lr0.001-seed1"]
    weights = load_weights(study / model.name / "weights.safetensors")
    (evaluation,) = evaluate_network(
        weights.network, [read_hr_image(photo)], protocol=EvaluationProtocol(), device=torch.device("cpu")
    )
    assert model.scores == evaluation.scores


def test_all_takes_every_finished_run(study: Path, photo: Path) -> None:
    ranking = rank_on_image(study, photo, every_run=True)
    assert len(ranking.models) == 1 + 5


def test_pictures_are_kept_of_the_best_variants_alone(study: Path, photo: Path) -> None:
    ranking = rank_on_image(study, photo, keep=1)
    (kept,) = ranking.best_variants()
    assert kept is next(model for model in ranking.models if model.run is not None)


@pytest.mark.parametrize(
    ("mode", "size", "message"),
    [
        ("RGBA", (40, 40), "alpha"),
        ("P", (40, 40), "palette"),
        ("RGB", (14, 40), "14x40 pixels, too few"),
        ("RGB", (1, 1), "1x1"),
    ],
)
def test_a_picture_that_cannot_be_scored_is_refused_with_the_reason(
    study: Path, srlab_command: Command, tmp_path: Path, mode: str, size: tuple[int, int], message: str
) -> None:
    path = tmp_path / "odd.png"
    Image.new(mode, size).save(path)
    _, err = srlab_command("pictures", study, "--image", path, code=2)
    assert message in err
    assert not (study / "pictures").exists()


@pytest.mark.parametrize("words", [["--all"], ["--device", "cpu"]])
def test_options_without_their_picture_are_refused(
    study: Path, srlab_command: Command, words: list[str]
) -> None:
    _, err = srlab_command("pictures", study, *words, code=2)
    assert "works only together with --image" in err


@pytest.mark.parametrize("command", ["pictures", "tensorboard"])
def test_what_is_no_study_is_refused(tmp_path: Path, srlab_command: Command, command: str) -> None:
    _, err = srlab_command(command, tmp_path, code=2)
    assert "study.json" in err
    _, err = srlab_command(command, tmp_path / "missing", code=2)
    assert "does not exist" in err


def with_logs(study: Path) -> Path:
    for folder in study.iterdir():
        if (folder / "run.json").exists():
            with SummaryWriter(str(folder / "tensorboard")) as writer:
                writer.add_scalar("train/loss", 0.5, 1)
    return study


def test_the_best_logs_come_first_and_unfinished_runs_count_by_their_last_score(tmp_path: Path) -> None:
    runs = [*RUNS, MadeRun(variant="net/d", status="started")]
    study = with_logs(MadeStudy(runs=runs).write(tmp_path))
    (study / "net-d-lr0.001-seed0" / "metrics.jsonl").write_text(
        '{"step": 1, "psnr_y": 20.0}\n{"step": 2, "psnr_y": 30.2}\n{"step": 3, "loss": 0.1}\n{"step": 4, "psn'
    )
    names = [log.name for log in best_logs(study, top=10)]
    assert names[:2] == ["net-a-lr0.001-seed1", "net-d-lr0.001-seed0"]
    assert names[-1] == "net-c-lr0.001-seed0"
    assert [log.name for log in best_logs(study, top=2)] == names[:2]


def test_a_study_without_logs_is_refused(study: Path) -> None:
    with pytest.raises(UserError, match="no run of the study"):
        best_logs(study, top=6)


def children(pid: int) -> set[int]:
    """Processes below `pid`, on Linux."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        if parent == pid:
            child = int(path.parent.name)
            found |= {child} | children(child)
    return found


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM])
def test_tensorboard_shows_the_best_runs_and_leaves_nothing_behind(
    study: Path, tmp_path: Path, ended_by: signal.Signals
) -> None:
    with_logs(study)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from srlab.cli import main; main()",
            "tensorboard",
            str(study),
            "--top",
            "2",
            "--port",
            "0",
        ],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary), "COLUMNS": "200"},
    )
    assert process.stderr is not None
    try:
        lines: list[str] = []
        while "TensorBoard is at" not in (line := process.stderr.readline()):
            assert line, "".join(lines)
            lines.append(line)
        assert lines[0] == "net-a-lr0.001-seed1: validation psnr_y 30.40 dB\n"
        address = line.split()[3]
        expected = ["net-a-lr0.001-seed1", "net-b-lr0.001-seed0"]
        deadline = time.monotonic() + 60
        while (shown := sorted(_get(f"{address}data/runs"))) != expected and time.monotonic() < deadline:
            time.sleep(0.2)
        assert shown == expected
        below = children(process.pid)
        assert below
    finally:
        process.send_signal(ended_by)
        rest = process.communicate(timeout=30)[1]
    assert process.returncode == 0, rest
    assert "Traceback" not in rest
    assert not any(Path(f"/proc/{pid}").exists() for pid in below)
    assert list(temporary.iterdir()) == []


def _get(address: str) -> list[str]:
    with urllib.request.urlopen(address, timeout=10) as answer:
        return [str(name) for name in json.loads(answer.read())]


def test_a_port_that_is_taken_is_one_line(study: Path, srlab_command: Command) -> None:
    with_logs(study)
    with socket.create_server(("localhost", 0)) as server:
        _, err = srlab_command("tensorboard", study, "--port", server.getsockname()[1], code=2)
    assert "choose another --port" in err
