"""What is promised of metrics of a user's own, and of the one table of those that are included."""

import csv
import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from msgspec import structs
from numpy.typing import NDArray

from own_code import Said, srlab, write_mine
from srlab import Metric, UserError
from srlab.declare.metrics import INCLUDED, LATER_METRICS, OF_PROTOCOL, PERCEPTION
from srlab.declare.studies import load_study
from srlab.declare.study import Study
from srlab.folder.scores import load_scores
from srlab.pixels import metrics as of_pixels
from srlab.show.grid.files import as_csv
from srlab.show.leaderboard import leaderboard
from srlab.show.tables.board import board_grid, scores_grid
from srlab.user_code import declared as declared_things
from srlab.user_code.code import read_code, run_code
from srlab.verdicts import judge
from tiny_study import tiny_study

MINE = '''"""Does a wider network have better edges?"""

import numpy as np

from srlab import Metric, Study, TrainingProtocol, Variant, preset, with_options
from part_of_metric import WEIGHT  # beside this file


def edge_error(sr, hr):
    return WEIGHT * np.abs(np.diff(sr, axis=1) - np.diff(hr, axis=1)).mean()


mine = Metric("edge_error", unit="", decimals=5, better="lower", function=edge_error)


def net(width):
    return with_options(preset("srcnn/vanilla", scale=2), {"num_features": f"{width},4"})


STUDY = Study(
    name="mine",
    scale=2,
    variants=(Variant(name="narrow", network=net(4)), Variant(name="wide", network=net(8))),
    learning_rates=(1e-3,),
    seeds=(0, 1),
    protocol=TrainingProtocol(num_steps=2, batch_size=2, lr_patch_size=8),
    train=(TRAIN,),
    test=(TEST,),
    metrics=(mine,),
)
'''
PART = "WEIGHT = 1.0\n"


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRLAB_TRUSTED", str(tmp_path / "trusted.txt"))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mine(tmp_path_factory.mktemp("mine"), MINE, ("part_of_metric.py", PART), tested=3)


@pytest.fixture(scope="module")
def before(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study's folder after a run of the file without its metric."""
    folder = tmp_path_factory.mktemp("before")
    changed(file, folder, "    metrics=(mine,),\n", "")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRLAB_TRUSTED", str(folder / "yes.txt"))
        assert study(folder / "mine.py", folder / "out").code == 0
    return folder / "out"


@pytest.fixture(scope="module")
def finished(file: Path, before: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same folder after a run of the file with it."""
    folder = tmp_path_factory.mktemp("finished")
    shutil.copytree(before, folder / "out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRLAB_TRUSTED", str(folder / "yes.txt"))
        said = study(file, folder / "out")
    assert said.code == 0, said.text
    return folder / "out"


def study(file: Path, out: Path, *words: object) -> Said:
    return srlab("study", file, "--out", out, "--no-estimate", *words)


def changed(file: Path, folder: Path, old: str, new: str) -> Path:
    """A copy of the study's file in which one text is another."""
    shutil.copy(file.parent / "part_of_metric.py", folder)
    assert old in file.read_text()
    (folder / file.name).write_text(file.read_text().replace(old, new))
    return folder / file.name


def scores_of(folder: Path, metric: str | None = None) -> list[Any]:
    """The stored test scores of a study: of one metric, or of all but it."""
    return [
        (path.parent.parent.name, *structs.astuple(score))
        for path in sorted(folder.glob("*/test/scores.json"))
        for score in load_scores(path).scores
        if metric is None or score.metric == metric
    ]


# A study


def test_a_finished_study_is_scored_for_the_new_metric_alone(before: Path, finished: Path) -> None:
    new = scores_of(finished, "edge_error")
    assert len(new) == 3 * (1 + 4)  # images, of bicubic and of the runs
    assert [one for one in scores_of(finished) if one not in new] == scores_of(before)
    for path in before.rglob("*"):  # weights, pictures, choices
        if path.is_file() and path.name in ("weights.safetensors", "result.json", "choice.json", "0.png"):
            assert (finished / path.relative_to(before)).read_bytes() == path.read_bytes()
    there = json.loads((finished / "study.json").read_text())
    assert {key: value for key, value in there.items() if key != "metrics"} == json.loads(
        (before / "study.json").read_text()
    )


def test_its_value_is_what_the_function_gives_for_the_stored_picture(file: Path, finished: Path) -> None:
    edge_error = run_code(read_code(file))["edge_error"]
    assert callable(edge_error)
    for run, _, image, _, value in scores_of(finished, "edge_error"):
        (picture,) = (finished / run / "test").glob(f"*/{image}.png")
        sr, hr = (of_pixels_of(path) for path in (picture, file.parent / "set" / f"{image}.png"))
        assert value == edge_error(sr[2:-2, 2:-2], hr[2:-2, 2:-2])


def of_pixels_of(path: Path) -> NDArray[np.float64]:
    from PIL import Image

    return np.asarray(Image.open(path), np.float64) / 255


def test_again_nothing_is_done(file: Path, finished: Path) -> None:
    path = finished / "bicubic" / "test" / "scores.json"
    stamp = path.stat().st_mtime_ns
    assert study(file, finished).code == 0
    assert path.stat().st_mtime_ns == stamp


def test_where_a_picture_is_gone_the_network_makes_it_again(
    file: Path, before: Path, finished: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(before, tmp_path / "out")
    next(folder.glob("narrow*seed0/test/*/1.png")).unlink()
    assert study(file, folder).code == 0
    assert scores_of(folder) == scores_of(finished)


def test_a_study_that_has_it_from_the_start_has_the_same_scores(
    file: Path, finished: Path, tmp_path: Path
) -> None:
    assert study(file, tmp_path / "out", "--variants", "narrow", "--seeds", "0,", "--jobs", "2").code == 0
    found = scores_of(tmp_path / "out")
    assert len(found) == 2 * 3 * 6
    assert set(found) <= set(scores_of(finished))


def test_its_verdicts_go_by_its_direction_and_psnr_y_still_ranks(finished: Path) -> None:
    verdicts = judge(finished)
    table = verdicts.table(metric="edge_error")
    assert table is not None
    means = [row.mean for row in table.rows if row.mean is not None]
    assert means == sorted(means)
    assert (verdicts.metrics[0], verdicts.metrics[-1]) == ("psnr_y", "edge_error")
    assert verdicts.tables[0].metric == "psnr_y"
    assert all(test.p_equal is None for test in table.pairs)


def test_it_is_in_every_table(finished: Path, tmp_path: Path) -> None:
    board = leaderboard(finished)
    assert "set edge_error" in [column.heading for column in board_grid(board).columns]
    rows = list(csv.DictReader(as_csv(scores_grid(board)).splitlines()))
    table = judge(finished).table(metric="edge_error")
    assert table is not None
    means = {row.variant: row.mean for row in table.rows}
    assert {row["variant"]: float(row["edge_error"]) for row in rows} == means
    files = [tmp_path / f"board.{ending}" for ending in ("md", "tex", "csv")]
    options = zip(("--markdown", "--latex", "--csv"), files, strict=True)
    said = srlab("leaderboard", finished, "--wide", *(word for pair in options for word in pair))
    shown = f"{means['wide']:.5f}"
    assert [shown in text for text in (said.text, files[0].read_text(), files[1].read_text())] == [True] * 3
    assert str(means["wide"]) in files[2].read_text()
    standing = json.loads(srlab("leaderboard", finished, "--json").text)["standings"][0]
    assert standing["tests"]["set"]["edge_error"]["mean"] == means[standing["variant"]]
    assert srlab("report", finished, "--out", tmp_path / "report.html").code == 0
    page = (tmp_path / "report.html").read_text()
    assert "Lower is better" in page
    assert page.count(shown) > 0


def test_the_file_of_scores_has_it_and_srlab_verdict_reads_it(finished: Path, tmp_path: Path) -> None:
    assert srlab("scores", finished, "--out", tmp_path).code == 0
    rows = list(csv.DictReader((tmp_path / "scores.csv").read_text().splitlines()))
    found = [float(row["value"]) for row in rows if row["metric"] == "edge_error"]
    assert sorted(found) == sorted(one[-1] for one in scores_of(finished, "edge_error"))
    file = tmp_path / "scores.csv"
    said = srlab("verdict", file, "--metric", "edge_error", "--lower-is-better")
    assert said.code == 0
    table = judge(finished).table(metric="edge_error")
    assert table is not None
    assert f"{table.rows[0].mean:.4f}" in said.text


def test_what_is_stored_is_shown_without_running_any_code(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(finished, tmp_path / "out")
    for part in (folder / "code").glob("*/*.py"):
        part.write_text("raise ZeroDivisionError('it runs')\n")
    monkeypatch.setattr(declared_things, "_known", {})
    said = srlab("leaderboard", folder)
    assert (said.code, "edge_error" in said.text) == (0, True)


def test_its_code_lies_in_the_study(finished: Path) -> None:
    (folder,) = (finished / "code").iterdir()
    (described,) = json.loads((finished / "study.json").read_text())["metrics"]
    assert described == {
        "name": "edge_error",
        "unit": "",
        "decimals": 5,
        "better": "lower",
        "code": described["code"],
    }
    assert folder.name == described["code"][:16]
    assert (folder / "part_of_metric.py").read_text() == PART


def test_how_it_is_shown_may_change_and_its_code_may_not(file: Path, finished: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(finished, tmp_path / "out")
    same = changed(file, tmp_path, 'decimals=5, better="lower"', 'decimals=3, better="lower"')
    assert study(same, folder).code == 0
    assert json.loads((folder / "study.json").read_text())["metrics"][0]["decimals"] == 3
    (tmp_path / "part_of_metric.py").write_text("WEIGHT = 2.0\n")
    said = study(same, folder)
    assert said.code == 2
    assert "holds scores of the metric 'edge_error', which had other code" in said.text
    assert "give it another name" in said.text
    other = changed(file, tmp_path, '"edge_error"', '"edges"')
    (tmp_path / "part_of_metric.py").write_text("WEIGHT = 2.0\n")
    assert study(other, folder).code == 0
    assert [one[-1] for one in scores_of(folder, "edges")] == pytest.approx(
        [2 * one[-1] for one in scores_of(folder, "edge_error")]
    )


def test_what_an_older_srlab_left_out_is_added_beside_it(file: Path, finished: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(finished, tmp_path / "out")
    path = folder / "bicubic" / "test" / "scores.json"
    stored = json.loads(path.read_text())
    scores = [score for score in stored["scores"] if score["metric"] != "gmsd_y"]
    path.write_text(json.dumps({**stored, "scores": scores}))
    without = changed(file, tmp_path, "    metrics=(mine,),\n", "")
    assert study(without, folder).code == 0
    assert sorted(scores_of(folder)) == sorted(scores_of(finished))
    assert json.loads((folder / "study.json").read_text())["metrics"][0]["name"] == "edge_error"


# What goes wrong


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("raise ZeroDivisionError('no')", "raised ZeroDivisionError: no"),
        ("return float('nan')", "is nan; mend its function, which must return a finite number"),
        ("return sr - hr", "raised TypeError"),
        ("return None", "raised TypeError"),
        ("return '3'", "raised TypeError: it returned '3'"),
    ],
)
def test_a_metric_that_fails_is_told_before_anything_begins(
    wrong: str, message: str, file: Path, tmp_path: Path
) -> None:
    path = changed(file, tmp_path, "    return WEIGHT", f"    {wrong}\n    return WEIGHT")
    said = study(path, tmp_path / "out")
    assert (said.code, (tmp_path / "out").exists()) == (2, False)
    assert "metric 'edge_error' of a random picture (60x64 pixels)" in said.text
    assert message in said.text


def test_a_metric_that_fails_on_one_image_is_told_and_writes_nothing_of_it(
    file: Path, before: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(before, tmp_path / "out")
    small = "    if hr.shape[0] == 38:\n        return np.inf\n    return WEIGHT"  # 42 high, 2 left out twice
    said = study(changed(file, tmp_path, "    return WEIGHT", small), folder)
    assert said.code == 2
    assert "metric 'edge_error' of 1 (36x38 pixels) is inf; mend its function" in said.text
    assert scores_of(folder) == scores_of(before)
    assert study(file, folder).code == 0  # mended: no score of it is there yet


def by(better: str = "higher", **fields: Any) -> Metric:
    return Metric("mine", better=better, function=lambda sr, hr: 0.0, **fields)  # type: ignore[arg-type]  # noqa: ARG005


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("psnr_y", "the name of an included metric"),
        ("LPIPS_alex", "the name of an included metric"),
        ("seeds", "the name of a column"),
        ("a b", "not a valid name"),
        ("x_sd", "not a valid name"),
        (3, "not a valid name"),
    ],
)
def test_a_name_that_is_taken_is_refused(name: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Metric(name, function=min)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"unit": 3}, "unit must be a short text"),
        ({"unit": "a\nb"}, "unit must be a short text"),
        ({"decimals": 2.5}, "decimals must be a whole number"),
        ({"better": "less"}, "better must be higher or lower"),
        ({"function": 3}, "3 is no function of SR and HR"),
    ],
)
def test_fields_that_are_wrong_are_refused(fields: Any, message: str) -> None:
    with pytest.raises(UserError, match=f"metric 'mine': .*{message}"):
        Metric("mine", **fields)


def test_what_is_no_metric_is_refused_in_a_study(tmp_path: Path) -> None:
    study: Study = tiny_study(tmp_path)
    for metrics, message in (
        ((Metric("mine"),), "metric 'mine' has no function"),
        (("psnr_y",), "the included ones are scored anyway"),
        ((by(), by()), "names the metric 'mine' twice"),
        (by(), r"for one value write \(Metric"),
    ):
        with pytest.raises(UserError, match=message):
            replace(study, metrics=cast(Any, metrics))


def test_it_travels_to_another_process_with_its_code(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = pickle.dumps(load_study(str(file)).study)
    monkeypatch.setattr(declared_things, "_known", {})
    (metric,) = pickle.loads(sent).metrics
    assert (metric.name, metric.decimals, metric.is_lower_better) == ("edge_error", 5, True)
    assert metric.function(np.ones((4, 4, 3)), np.ones((4, 4, 3))) == 0
    assert pickle.loads(pickle.dumps(INCLUDED["ssim_y"])) == INCLUDED["ssim_y"]


def test_the_code_of_the_page_declares_a_loss_and_a_metric(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "own-losses-and-metrics.md").read_text(encoding="utf-8")
    code = [block.partition("```")[0] for block in page.split("```python\n")[1:]]
    (tmp_path / "page.py").write_text("\n".join(code), encoding="utf-8")
    found = run_code(read_code(tmp_path / "page.py"))
    study = tiny_study(tmp_path)
    variant = replace(study.variants[0], objective=cast(Any, found["with_l1"]))
    study = replace(study, variants=(variant,), metrics=(cast(Metric, found["EDGES"]),))
    assert [own.kind for own in study.own_parts()] == ["Loss", "Metric"]


# The table of included metrics


def test_every_list_of_metrics_is_of_the_one_table() -> None:
    assert OF_PROTOCOL["rgb"] == ("psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb", "gmsd_y")
    assert OF_PROTOCOL["luma"] == ("psnr_y", "ssim_y", "gmsd_y")
    assert LATER_METRICS == ("gmsd_y",)
    assert PERCEPTION[0] == "lpips_alex"
    assert PERCEPTION[-1] == "gmsd_y"
    assert all(hasattr(of_pixels, name) for name in OF_PROTOCOL["rgb"])
