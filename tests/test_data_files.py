"""What the files beside a report promise: every number of a study, and no file of anybody else is lost."""

import csv
import json
from pathlib import Path

import pytest

from report_study import TWO, ReportStudy
from srlab.cli import main
from srlab.errors import UserError
from srlab.folder import store
from srlab.folder.records import read_runs
from srlab.folder.scores import load_scores
from srlab.show.data_files import about_parquet, write_data
from srlab.show.report import write_report
from srlab.verdicts import judge


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ReportStudy(variants=TWO, size=(24, 20), has_pictures=False).write(tmp_path_factory.mktemp("made"))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_scores_are_those_of_the_chosen_runs_and_of_bicubic_in_full(study: Path, tmp_path: Path) -> None:
    write_data(study, tmp_path)
    found = {
        (row["variant"], row["seed"], row["set"], row["image"], row["metric"]): row["value"]
        for row in rows(tmp_path / "scores.csv")
    }
    stored = {}
    for run in read_runs(study):
        if run.learning_rate == 1e-3:
            for score in load_scores(run.folder / store.TEST_SCORES).scores:
                key = (run.variant, str(run.seed), score.dataset, score.image, score.metric)
                stored[key] = repr(score.value)
    for score in load_scores(study / store.BASELINE / store.TEST_SCORES).scores:
        stored["bicubic", "", score.dataset, score.image, score.metric] = repr(score.value)
    assert found == stored
    assert len(found) == 7 * 7 * 2
    (first, *_) = rows(tmp_path / "scores.csv")
    assert list(first) == [
        *("study", "variant", "options", "learning_rate", "seed", "set", "image", "metric", "protocol"),
        "value",
    ]
    assert {row["protocol"] for row in rows(tmp_path / "scores.csv")} == {"rgb-replicate x2"}
    assert {row["options"] for row in rows(tmp_path / "scores.csv") if row["variant"] == "srcnn/skip"} == {
        "skip=bicubic"
    }


def test_the_curves_are_all_that_every_run_has_logged(study: Path, tmp_path: Path) -> None:
    write_data(study, tmp_path)
    found = {
        (row["run"], int(row["step"]), row["metric"], float(row["value"]))
        for row in rows(tmp_path / "curves.csv")
    }
    logged = {
        (run.name, line.step, name, float(value))
        for run in read_runs(study)
        for line in run.log
        for name, value in line.values.items()
    }
    assert found == logged
    assert len({run for run, *_ in found}) == 2 * 2 * 3


def test_the_costs_are_those_of_the_verdicts(study: Path, tmp_path: Path) -> None:
    write_data(study, tmp_path)
    costs = judge(study).costs
    found = rows(tmp_path / "costs.csv")
    assert [row["variant"] for row in found] == [cost.variant for cost in costs]
    assert [int(row["parameters"]) for row in found] == [2000, 2100]
    assert [float(row["tuning_seconds"]) for row in found] == [cost.tuning_seconds for cost in costs]
    assert found[0]["processor_seconds"] == ""  # nobody knows them


def test_the_declaration_is_the_stored_one_and_is_not_written_over_itself(
    study: Path, tmp_path: Path
) -> None:
    declaration = study / store.STUDY
    before = declaration.stat().st_mtime_ns
    assert tmp_path / "study.json" in write_data(study, tmp_path)
    assert (tmp_path / "study.json").read_bytes() == declaration.read_bytes()
    written = write_data(study)
    assert {path.name for path in written} - {"scores.parquet"} == {"scores.csv", "curves.csv", "costs.csv"}
    assert declaration.stat().st_mtime_ns == before


def test_a_report_has_them_beside_it_and_may_be_made_again(study: Path, tmp_path: Path) -> None:
    for _ in range(2):
        paths = write_report(study, tmp_path / "page.html")
        assert {path.name for path in paths} - {"scores.parquet"} == {
            *("page.html", "scores.csv", "curves.csv", "costs.csv", "study.json")
        }
        assert all(path.parent == tmp_path and path.is_file() for path in paths)


@pytest.mark.parametrize("name", ["scores.csv", "curves.csv", "costs.csv"])
def test_a_file_of_somebody_else_is_left_and_nothing_is_written(
    study: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("variant,seed,image,value\nmine,0,a,30\n", encoding="utf-8")
    with pytest.raises(UserError, match=rf"{name} is there and was not written by srlab"):
        write_report(study, tmp_path / "page.html")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert "mine" in (tmp_path / name).read_text(encoding="utf-8")


def test_another_studys_declaration_is_never_written_over(study: Path, tmp_path: Path) -> None:
    other = ReportStudy(variants=TWO, size=(24, 20), has_pictures=False, name="other").write(tmp_path)
    before = (other / store.STUDY).read_bytes()
    with pytest.raises(UserError, match="is the folder of another study, whose"):
        write_report(study, other / "page.html")
    assert (other / store.STUDY).read_bytes() == before
    assert not (other / "page.html").exists()


def test_without_pyarrow_it_says_how_to_get_parquet_and_that_an_older_file_is_there(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("srlab.show.data_files.has_parquet", lambda: False)
    written = write_data(study, tmp_path)
    assert "scores.parquet" not in [path.name for path in written]
    said = about_parquet(tmp_path)
    assert said.startswith("no scores.parquet was written. ")
    assert said.endswith("python -m pip install pyarrow")
    (tmp_path / "scores.parquet").touch()
    assert "is an older one" in about_parquet(tmp_path)


def test_a_parquet_file_of_somebody_else_is_left(study: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "scores.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"scores\.parquet is there and was not written by srlab"):
        write_data(study, tmp_path)
    (tmp_path / "scores.parquet").unlink()
    for _ in range(2):
        assert tmp_path / "scores.parquet" in write_data(study, tmp_path)


def test_the_command_names_what_it_wrote(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("srlab.show.data_files.has_parquet", lambda: False)
    for words, code in ((["--out", str(tmp_path / "data")], 0), (["--out", str(study / "study.json")], 2)):
        monkeypatch.setattr("sys.argv", ["srlab", "scores", str(study), "--json", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert (ended.value.code or 0) == code
    said = capsys.readouterr()
    files = [Path(file).name for file in json.loads(said.out)["files"]]
    assert files == ["scores.csv", "curves.csv", "costs.csv", "study.json"]
    no_parquet, is_a_file = said.err.splitlines()
    assert no_parquet.startswith("no scores.parquet was written. ")
    assert is_a_file.startswith("srlab: --out: ")
    assert is_a_file.endswith("is a file; name a folder")
