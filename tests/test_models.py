"""What ``srlab models`` promises: networks that are included, with a card that is true, found by name."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image

import srlab
from report_study import TWO, ReportStudy, run_name
from srlab import UserError
from srlab.cli import main
from srlab.data.datasets import load_sets
from srlab.declare.protocol import EvaluationProtocol
from srlab.files import sha256_of
from srlab.folder import store
from srlab.folder.checkpoints import load_weights, save_weights
from srlab.networks import EDSROptions, build_network, num_parameters
from srlab.use import models
from srlab.use.evaluation import evaluate_network
from srlab.use.models import Card, best, find_model, included, read_card
from srlab.use.models.making import main as include
from srlab.use.models.making import make_card, pixels_hash
from srlab.use.models.verifying import verify
from srlab.use.upscale import device_of
from stored_files import save_run
from tiny_study import write_pictures

TINY = EDSROptions(num_blocks=1, num_features=4)
WINNER = "srcnn/pixel_shuffle_residual_leaky_relu"
Srlab = Callable[..., tuple[str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Srlab:
    """Run a command in an empty folder: its standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object, code: int = 0) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["srlab", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        found = capsys.readouterr()
        assert (ended.value.code or 0) == code, found.err
        return found.out, found.err

    return run


@pytest.fixture
def set5(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five small pictures in place of Set5."""
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path / "data"))
    write_pictures(tmp_path / "data" / "set5", 5, seed=3)
    return tmp_path / "data" / "set5"


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, set5: Path) -> Iterator[Callable[..., Card]]:
    """An empty folder in place of the package's, and a way to put tiny networks with true cards into it."""
    assert set5.is_dir()
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setattr(models, "FOLDER", folder)
    included.cache_clear()
    (template,) = [card for card in _real_cards() if card.name == WINNER and card.scale == 2]
    (tested,) = load_sets(["set5"], role="test")

    def put(name: str = "edsr/tiny", *, scale: int = 2, better_by: float = 0.0) -> Card:
        file = folder / f"{name.replace('/', '-')}-x{scale}.safetensors"
        torch.manual_seed(0)
        network = build_network(TINY, scale=scale)
        save_weights(file, network, variant="edsr/tiny", options=TINY, scale=scale)
        protocol = EvaluationProtocol()
        found = [
            evaluation.scores
            for evaluation in evaluate_network(
                network, tested.images, protocol=protocol, device=device_of(network)
            )
        ]
        scores = {metric: float(np.mean([values[metric] for values in found])) for metric in found[0]}
        scores["psnr_y"] += better_by
        values = msgspec.to_builtins(template) | {
            "name": name,
            "variant": "edsr/tiny",
            "scale": scale,
            "weights": file.name,
            "bytes": file.stat().st_size,
            "sha256": sha256_of(file),
            "tests": [
                {
                    "name": "set5",
                    "images": 5,
                    "pixels": pixels_hash(image.pixel_hash() for image in tested.images),
                    "scores": scores,
                    "bicubic": scores,
                }
            ],
        }
        file.with_suffix(".json").write_text(json.dumps(values))
        included.cache_clear()
        return msgspec.convert(values, Card)

    yield put
    included.cache_clear()


def _real_cards() -> tuple[Card, ...]:
    return tuple(read_card(path) for path in sorted(Path(models.__file__).parent.glob("*.json")))


# What is included


def test_a_trained_network_for_x2_is_included() -> None:
    assert WINNER in {card.name for card in included() if card.scale == 2}


@pytest.mark.parametrize("card", _real_cards(), ids=lambda card: card.title)
def test_every_card_is_true_of_its_file(card: Card) -> None:
    assert sha256_of(card.path) == card.sha256
    assert card.path.stat().st_size == card.bytes
    weights = load_weights(card.path)
    assert (weights.variant, weights.scale, weights.color) == (card.variant, card.scale, card.color)
    assert card.parameters == num_parameters(weights.options, scale=card.scale)


@pytest.mark.parametrize("card", _real_cards(), ids=lambda card: card.title)
def test_every_network_that_is_included_beats_bicubic_on_every_set(card: Card) -> None:
    assert {found.name for found in card.tests} >= {"set5", "set14", "b100"}
    for found in card.tests:
        assert found.scores["psnr_y"] > found.bicubic["psnr_y"] + 0.5
        assert found.scores["ssim_y"] > found.bicubic["ssim_y"]


def test_every_weights_file_has_a_card_and_all_are_small() -> None:
    folder = Path(models.__file__).parent
    files = sorted(folder.glob("*.safetensors"))
    assert [file.name for file in files] == sorted(card.weights for card in _real_cards())
    assert sum(file.stat().st_size for file in files) <= 20e6


def test_an_included_network_is_better_than_bicubic_on_a_photograph() -> None:
    """Without any data set: a picture that scikit-image ships."""
    (sample,) = load_sets(["sample"], role="test")
    network = load_weights(best(2).path).network
    bicubic = build_network(srlab.preset("bicubic", scale=2), scale=2)
    found, baseline = (
        next(
            iter(
                evaluate_network(one, sample.images, protocol=EvaluationProtocol(), device=device_of(network))
            )
        ).scores["psnr_y"]
        for one in (network, bicubic)
    )
    assert found > baseline + 0.5


# By name


def test_a_name_loads_the_included_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    upscaler = srlab.load(WINNER)
    assert (upscaler.variant, upscaler.scale) == (WINNER, 2)
    assert upscaler.source.startswith(f"{WINNER}, which is included with srlab (")
    assert upscaler.upscale(np.zeros((5, 7, 3), np.uint8)).shape == (10, 14, 3)


def test_a_path_object_may_be_a_name_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert srlab.load(Path(WINNER)).variant == WINNER


def test_a_folder_of_that_name_wins(
    shelf: Callable[..., Card], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf("edsr/tiny")
    monkeypatch.chdir(tmp_path)
    assert find_model("edsr/tiny").weights.parent == tmp_path / "shelf"
    network = build_network(TINY, scale=2)
    save_weights(Path("edsr/tiny/weights.safetensors"), network, variant="mine", options=TINY, scale=2)
    assert srlab.load("edsr/tiny").variant == "mine"


def test_a_variant_of_a_study_is_named_behind_its_folder(tmp_path: Path) -> None:
    study = ReportStudy(
        variants=TWO, seeds=(0,), rates=(1e-3,), metrics=("psnr_y",), has_pictures=False
    ).write(tmp_path)
    for variant, place in (("srcnn/vanilla", 0), ("srcnn/skip", 1)):
        found = find_model(f"{study}/{variant}", scale=2)
        assert found.weights == study / run_name(place, 1e-3, 0) / store.WEIGHTS
    with pytest.raises(UserError, match="does not exist"):
        find_model(f"{study}/srcnn/other")


def test_an_empty_folder_of_that_name_is_an_error_and_not_the_included_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(WINNER).mkdir(parents=True)
    with pytest.raises(UserError, match="neither the folder of a run nor of a study"):
        srlab.load(WINNER)


@pytest.mark.parametrize(
    "near", ["srcnn/pixel_shuffle_residual_leaky_rely", "pixel_shuffle_residual_leaky_relu", "srcnn"]
)
def test_a_near_miss_is_told_the_name(near: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"{near} does not exist.* did you mean {WINNER}"):
        srlab.load(near)


def test_what_is_like_no_name_is_told_what_is_included(
    shelf: Callable[..., Card], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf("edsr/tiny")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"runs/none does not exist.* it includes edsr/tiny x2\."):
        srlab.load("runs/none")


def test_of_a_name_at_several_scales_one_must_be_chosen(shelf: Callable[..., Card]) -> None:
    shelf("edsr/tiny", scale=2)
    shelf("edsr/tiny", scale=4)
    with pytest.raises(UserError, match="included for x2 and x4: choose one, such as --scale 2"):
        srlab.load("edsr/tiny")
    assert srlab.load("edsr/tiny", scale=4).scale == 4
    with pytest.raises(UserError, match=r"includes edsr/tiny x2, edsr/tiny x4, not edsr/tiny x3"):
        srlab.load("edsr/tiny", scale=3)


# The best


def test_without_a_name_it_is_the_network_with_the_highest_psnr_for_the_scale(
    shelf: Callable[..., Card],
) -> None:
    shelf("edsr/good", better_by=1)
    shelf("edsr/better", better_by=2)
    shelf("edsr/other", scale=3, better_by=9)
    assert best(2).name == "edsr/better"
    assert [card.name for card in included()] == ["edsr/better", "edsr/good", "edsr/other"]
    assert srlab.load().source.startswith("edsr/better, the best network for x2 that is included")
    assert srlab.load(scale=3).scale == 3


def test_a_scale_for_which_none_is_included_says_what_there_is(shelf: Callable[..., Card]) -> None:
    shelf("edsr/good")
    with pytest.raises(UserError, match=r"no trained network for x4; it includes edsr/good x2\."):
        srlab.load(scale=4)


# The commands


def test_upscale_takes_the_best_and_says_which(command: Srlab, tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 9, 3), 80, np.uint8)).save(tmp_path / "photo.png")
    _, err = command("upscale", "photo.png", "large.png")
    assert f"x2 with {best(2).name}, the best network for x2 that is included with srlab" in err
    with Image.open(tmp_path / "large.png") as image:
        assert image.size == (18, 16)


def test_evaluate_scores_an_included_network_by_name(command: Srlab, set5: Path) -> None:
    out, err = command("evaluate", WINNER, "--data", set5)
    assert f"{WINNER} on set5, x2" in out
    assert "which is included with srlab" in err


def test_the_list_has_training_scores_size_and_licence(command: Srlab) -> None:
    out, _ = command("models")
    card = best(2)
    scores = card.on("set5")
    assert scores is not None
    row = next(line for line in out.splitlines() if line.startswith(card.name))
    assert row.split()[1:3] == ["x2", f"{card.parameters:,}"]
    assert f"{scores.scores['psnr_y']:.2f}" in row
    assert row.rstrip().endswith("kB  MIT")
    assert f"{card.training.steps:,} steps" in out
    assert card.licence.note in out


def test_json_has_every_field_of_every_card(command: Srlab) -> None:
    out, _ = command("models", "--json")
    found = json.loads(out)["models"]
    cards = [{key: value for key, value in one.items() if key not in ("path", "file")} for one in found]
    assert [msgspec.convert(card, Card) for card in cards] == list(included())
    assert {one["file"] for one in found} == {"whole"}
    assert all(Path(one["path"]).is_file() for one in found)


def test_verify_compares_file_and_scores(command: Srlab, shelf: Callable[..., Card]) -> None:
    card = shelf("edsr/tiny")
    result = verify(card)
    assert (result.file_is_right, result.outcome, result.is_right) == (True, "equal", True)
    out, _ = command("models", "--verify")
    assert "edsr/tiny x2: the file is intact; the scores on set5 equal those of the card" in out


def test_verify_finds_scores_that_are_not_the_cards(command: Srlab, shelf: Callable[..., Card]) -> None:
    assert verify(shelf("edsr/tiny", better_by=0.01)).outcome == "different"
    out, err = command("models", "--verify", code=2)
    assert "the scores on set5 differ from those of the card" in out
    assert (
        "srlab: edsr/tiny x2: the file or its scores differ from the model card; install srlab again" in err
    )


def test_verify_finds_one_flipped_bit(command: Srlab, shelf: Callable[..., Card]) -> None:
    card = shelf("edsr/tiny")
    content = bytearray(card.path.read_bytes())
    content[-3] ^= 1
    card.path.write_bytes(content)
    assert not verify(card).file_is_right
    out, _ = command("models", "--verify", "--json", code=2)
    assert json.loads(out)["models"][0]["verified"]["file_is_right"] is False


@pytest.mark.parametrize("state", ["missing", "damaged"])
def test_weights_that_are_not_whole_are_no_fault_of_the_user(
    command: Srlab, shelf: Callable[..., Card], tmp_path: Path, state: str
) -> None:
    card = shelf("edsr/tiny")
    if state == "missing":
        card.path.unlink()
    else:
        card.path.write_bytes(card.path.read_bytes()[:100])
    Image.fromarray(np.full((8, 9, 3), 80, np.uint8)).save(tmp_path / "ok.png")
    message = (
        f"the weights of edsr/tiny x2 that come with srlab are {state}: install srlab again ({card.path})"
    )
    for words in (("upscale", "ok.png"), ("upscale", "ok.png", "--model", "edsr/tiny")):
        _, err = command(*words, code=2)
        assert message in err
    _, err = command("evaluate", "edsr/tiny", "--data", tmp_path / "data" / "set5", code=2)
    assert message in err


@pytest.mark.parametrize("state", ["missing", "damaged"])
def test_the_list_marks_weights_that_are_not_whole(
    command: Srlab, shelf: Callable[..., Card], state: str
) -> None:
    card = shelf("edsr/tiny")
    shelf("edsr/whole")
    if state == "missing":
        card.path.unlink()
    else:
        card.path.write_bytes(card.path.read_bytes()[:100])
    out, err = command("models", code=2)
    rows = {
        line.split()[0]: line.split()
        for line in out.splitlines()
        if line.startswith("edsr/") and "  " in line
    }
    assert state in rows["edsr/tiny"]
    assert state not in rows["edsr/whole"]
    assert f"srlab: the weights of edsr/tiny x2 are {state}; install srlab again" in err
    out, _ = command("models", "--json", code=2)
    assert {one["name"]: one["file"] for one in json.loads(out)["models"]} == {
        "edsr/tiny": state,
        "edsr/whole": "whole",
    }


def test_verify_says_where_the_set_has_other_pixels_or_is_not_there(
    command: Srlab, shelf: Callable[..., Card], set5: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = shelf("edsr/tiny")
    write_pictures(set5, 5, seed=4)
    assert verify(card).outcome == "other images"
    assert verify(card).is_right
    out, _ = command("models", "--verify")
    assert "the pixels of your set5 differ from the card's" in out
    monkeypatch.setenv("SRLAB_DATA", str(set5.parent / "empty"))
    assert verify(card).outcome == "no data"
    out, _ = command("models", "--verify")
    assert "set5 is not installed, so nothing was scored" in out


@pytest.mark.parametrize("card", _real_cards(), ids=lambda card: card.title)
def test_the_real_scores_on_set5_are_those_of_the_card(
    card: Card, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path))
    (tmp_path / "set5").symlink_to(shared_data / "Set5" / "HR")
    assert verify(card).outcome == "equal"


# Cards


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": 5}, "scale"),
        ({"bytes": "many"}, "bytes"),
        ({"licence": {"weights": "MIT"}}, "note"),
        ({"colour": "rgb"}, "colour"),
        ({"format": 2}, "format"),
    ],
    ids=str,
)
def test_a_card_that_is_not_as_it_should_be_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    values = msgspec.to_builtins(_real_cards()[0])
    (tmp_path / "card.json").write_text(json.dumps(values | change))
    with pytest.raises(UserError, match=message):
        read_card(tmp_path / "card.json")


def test_a_card_is_made_from_the_runs_own_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Srlab
) -> None:
    for name, seed in (("train", 1), ("validate", 2), ("test", 3)):
        write_pictures(tmp_path / name, 2, seed=seed)
    command(
        *("train", "srcnn/vanilla", "--set", "num_features=4,4", "--out", "study", "--no-estimate"),
        *("--train", "train", "--validate", "validate", "--test", "test", "--seed", 7),
        *("--steps", 3, "--batch-size", 2, "--lr-patch-size", 12),
    )
    (run,) = (path.parent for path in Path("study").glob("*/weights.safetensors"))
    (tmp_path / "shelf").mkdir()
    monkeypatch.setattr("srlab.use.models.FOLDER", tmp_path / "shelf")
    monkeypatch.setattr("srlab.use.models.making.FOLDER", tmp_path / "shelf")
    with pytest.raises(UserError, match="under which terms may the images of train be used"):
        include([str(run), "--name", "srcnn/made"])
    include([str(run), "--name", "srcnn/made", "--terms", "train=mine", "--terms", "validate=mine too"])
    included.cache_clear()
    (card,) = included()
    included.cache_clear()
    assert (card.name, card.scale, card.bytes) == ("srcnn/made", 2, card.path.stat().st_size)
    assert sha256_of(card.path) == card.sha256
    trained, kept = (load_weights(file).network.state_dict() for file in (run / store.WEIGHTS, card.path))
    assert all(torch.equal(kept[name], tensor) for name, tensor in trained.items())
    assert (card.training.steps, card.training.seed, card.training.batch_size) == (3, 7, 2)
    assert [(one.name, one.images, one.terms) for one in card.training.data] == [("train", 2, "mine")]
    (tested,) = card.tests
    stored = [
        row["value"]
        for row in json.loads((run / "test" / "scores.json").read_text())["scores"]
        if row["metric"] == "psnr_y"
    ]
    assert tested.scores["psnr_y"] == pytest.approx(np.mean(stored), abs=1e-6)

    words = [str(run), "--name", "srcnn/half", "--terms", "train=mine", "--terms", "validate=mine too"]
    include([*words, "--float16"])
    included.cache_clear()
    half = next(card for card in included() if card.name == "srcnn/half")
    included.cache_clear()
    assert half.bytes < card.bytes
    assert sha256_of(half.path) == half.sha256
    # The card has the scores of the rounded weights, not the run's.
    images = load_sets(["test"], role="test")[0].images
    network = load_weights(half.path).network
    scored = evaluate_network(network, images, protocol=half.protocol, device=torch.device("cpu"))
    expected = np.mean([evaluation.scores["psnr_y"] for evaluation in scored])
    assert half.tests[0].scores["psnr_y"] == pytest.approx(expected, abs=1e-6)
    monkeypatch.setattr("srlab.use.models.making.MOST_LOST", -1)
    with pytest.raises(SystemExit, match="float16 costs"):
        include([*words[:2], "srcnn/worse", *words[3:], "--float16"])
    assert not list((tmp_path / "shelf").glob("srcnn-worse*"))


def test_no_card_is_made_of_a_run_that_is_not_finished(tmp_path: Path) -> None:
    save_run(tmp_path)
    with pytest.raises(UserError):
        make_card(tmp_path, weights=tmp_path / "w", licence=_real_cards()[0].licence, terms={})
