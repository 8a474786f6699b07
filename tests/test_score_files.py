"""What a file of scores promises: nothing is lost in it, and what is wrong with one is said with its row."""

import gzip
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scored_study import FOUR, ScoredStudy, noisy
from srlab.errors import UserError
from srlab.verdicts import Metric, declared, judge, judge_scores, metric_of, read_score_table, read_scores
from srlab.verdicts.score_files import COLUMNS, as_rows, has_parquet, to_csv, write_parquet
from srlab.verdicts.values import VALIDATION

GOLDEN = Path(__file__).parent / "golden" / "studies"

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def into_a_file(text: str) -> Path:
        path = tmp_path / "mine.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return into_a_file


def as_csv(study: Path, path: Path) -> Path:
    path.write_text(to_csv(as_rows(read_score_table(study)), COLUMNS), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["plain", "adversarial"])
def test_a_studys_scores_give_its_verdicts_to_the_last_digit(name: str, tmp_path: Path) -> None:
    own = judge(GOLDEN / name)
    found = judge_scores(read_scores(as_csv(GOLDEN / name, tmp_path / "scores.csv")))
    assert found.answer == own.answer
    assert found.tables == own.tables
    assert found.plane == own.plane
    assert found.images == own.images
    assert found.unknown_effects == own.unknown_effects
    keys = [
        [
            (effect.name, effect.scope, effect.metric, effect.estimate, effect.interval, effect.p_holm)
            for effect in of.effects
            if effect.scope != VALIDATION
        ]
        for of in (own, found)
    ]
    assert keys[0] == keys[1]
    assert len(keys[0]) > 4
    assert (found.study, found.scale, found.protocol) == (own.study, own.scale, own.protocol)


def test_what_is_missing_in_a_study_is_missing_in_its_file(tmp_path: Path) -> None:
    own = judge(GOLDEN / "unfinished")
    found = judge_scores(read_scores(as_csv(GOLDEN / "unfinished", tmp_path / "scores.csv")))
    assert not own.is_complete
    scored = [row for row in own.tables[0].rows if row.mean is not None]
    assert [row.mean for row in found.tables[0].rows] == [row.mean for row in scored]
    assert found.tables[0].pairs == own.tables[0].pairs


def test_an_exact_copy_has_an_infinite_psnr_in_the_file_too(tmp_path: Path) -> None:
    study = ScoredStudy(tmp_path / "study", sets={"one": 3})
    exact = noisy(30, images=3)
    exact[:, 1] = math.inf
    study.variant("net/a", exact).variant("net/b", noisy(30, images=3, key=1))
    found = read_scores(as_csv(study.write(), tmp_path / "scores.csv"))
    assert np.array_equal(found.cells.scores["net/a"][2]["one", "psnr_y"], exact[2])


def test_options_come_back_whatever_is_in_them(tmp_path: Path) -> None:
    study = ScoredStudy(tmp_path / "study", sets={"one": 3})
    odd = 'a;b = "c", \\; d'
    study.variant("net/a", noisy(30, images=3), network={"skip": odd, "alike": 1})
    study.variant("net/b", noisy(30, images=3, key=1), network={"skip": None, "alike": 1})
    found = read_scores(as_csv(study.write(), tmp_path / "scores.csv"))
    assert found.options == read_score_table(tmp_path / "study").options
    assert found.options == {"net/a": {"skip": odd}, "net/b": {"skip": "none"}}


def test_a_study_of_adversarial_variants_alone_is_known_as_one(tmp_path: Path) -> None:
    study = ScoredStudy(tmp_path / "study", sets={"one": 4})
    for key, name in enumerate(("net/a", "net/b")):
        study.variant(
            name,
            noisy(30, images=4, key=key),
            lpips=noisy(0.3, images=4, key=key + 2),
            objective={"kind": "adversarial", "loss": "l1"},
        )
    own = judge(study.write())
    found = judge_scores(read_scores(as_csv(study.path, tmp_path / "scores.csv")))
    assert own.is_adversarial
    assert found.is_adversarial
    assert found.plane == own.plane != {}
    assert not judge_scores(read_scores(tmp_path / "scores.csv"), metrics=["psnr_y"]).is_adversarial


def test_four_columns_are_enough(write: Write) -> None:
    found = judge_scores(read_scores(write(FOUR)))
    (table,) = found.tables
    assert [row.variant for row in table.rows if row.mean is not None] == ["mine", "base"]
    assert table.rows[0].to_base is not None
    assert table.rows[0].to_base.estimate == pytest.approx(0.6)
    assert found.base == "base"


@pytest.mark.parametrize(
    "text",
    [
        FOUR.replace("variant,seed", "Variant, SEED "),
        FOUR.replace(",", ";"),
        FOUR.replace(",", "\t"),
        "\ufeff" + FOUR,
        FOUR.replace("\n", "\r\n"),
        FOUR.replace(",0,", ",0.0,").replace("base,1", '"base",1'),
        FOUR.replace("\nmine,0", "\n\nmine,0"),
    ],
    ids=["case", "semicolons", "tabs", "byte order mark", "line ends", "as pandas", "blank line"],
)
def test_other_programs_write_csv_in_other_ways(write: Write, text: str) -> None:
    expected, found = (read_scores(write(one)).cells.scores for one in (FOUR, text))
    assert found.keys() == expected.keys()
    for variant, seeds in expected.items():
        for seed, by_image in seeds.items():
            assert {key: of.tolist() for key, of in found[variant][seed].items()} == {
                key: of.tolist() for key, of in by_image.items()
            }


def test_a_file_may_be_compressed(tmp_path: Path, write: Write) -> None:
    expected = judge_scores(read_scores(write(FOUR))).tables[0].pairs[0]
    packed = tmp_path / "scores.csv.gz"
    packed.write_bytes(gzip.compress(FOUR.encode()))
    found = judge_scores(read_scores(packed)).tables[0].pairs[0]
    assert (found.variant, found.other, found.estimate) == (
        expected.variant,
        expected.other,
        expected.estimate,
    )
    packed.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(UserError, match="is damaged: it begins as a file of gzip"):
        read_scores(packed)


def test_the_order_of_the_rows_changes_nothing(write: Write) -> None:
    header, *rows = FOUR.splitlines()
    one, two = (judge_scores(read_scores(write("\n".join([header, *of])))) for of in (rows, rows[::-1]))
    pairs = [verdicts.tables[0].pairs[0] for verdicts in (one, two)]
    assert pairs[0].variant == pairs[1].variant == "mine"
    assert pairs[0].estimate == pytest.approx(pairs[1].estimate)
    assert pairs[0].p_value == pytest.approx(pairs[1].p_value)


def test_a_column_may_have_another_name(write: Write) -> None:
    path = write(FOUR.replace("variant", "Model").replace("value", "PSNR"))
    found = read_scores(path, columns={"variant": "model", "value": "psnr"})
    assert found.variants == ("base", "mine")
    assert found.metrics == ("psnr",)
    with pytest.raises(UserError, match=r"has no column net; it has Model, seed, image, PSNR"):
        read_scores(path, columns={"variant": "net"})
    with pytest.raises(UserError, match=r"no column 'model' to be named; the columns are study, variant"):
        read_scores(path, columns={"model": "variant"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty; it needs a row of column names"),
        ("variant,seed,image,value\n", "has no row of scores; a verdict needs at least one variant"),
        ("variant,seed,image,value\nbicubic,,a,3\n", "has only rows of bicubic"),
        (FOUR.replace("seed", "run"), r"has no column seed; it needs .*, and has variant, run, image, value"),
        ("{}\n", "has no column variant or seed or image or value; it needs"),
        (FOUR.replace("seed", "image"), "2 columns that are called image; it needs one"),
        (FOUR + "mine,1,b,31.7\n", "row 10: value of image 'b' by mine, seed 1, is there twice; row 9 has"),
        (FOUR + "mine,2,a,high\n", "row 10: value is 'high', which is not a number"),
        (FOUR.replace(",30.6", ',"30,6"'), "row 6: value is '30,6', which is not a number; write it with a"),
        (FOUR + "mine,2,a,nan\n", "row 10: value is nan, which is no score; leave the row out"),
        (FOUR + "mine,2,a,-inf\n", "row 10: value is -inf, which is no score"),
        (FOUR + "mine,2,a,\n", "row 10: value is empty"),
        (FOUR + ",2,a,3\n", "row 10: variant is empty"),
        (FOUR + "mine,,a,3\n", "row 10: seed is empty; only bicubic has none"),
        (FOUR + "mine,first,a,3\n", "row 10: seed is 'first'; it must be a whole number"),
        (FOUR + "mine,0.5,a,3\n", "row 10: seed is '0.5'; it must be a whole number"),
        (FOUR + "mine,2,a\n", "row 10: it has 3 cells, and the header has 4"),
        (FOUR + "mine,2,a,3\n", "row 3: image 'b' of test is here, and mine, seed 2, has no value of it"),
        (FOUR + '"mine,2,a,3\n', "is not a CSV file: row 10: "),
        (FOUR.replace("mine,0,a", "mine\0,0,a"), "is not a CSV file: it is not text in UTF-8"),
    ],
)
def test_what_is_wrong_is_said_in_a_line_with_the_row(write: Write, text: str, said: str) -> None:
    path = write(text)
    with pytest.raises(UserError, match=said) as caught:
        read_scores(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


RATES = """variant,learning_rate,options,protocol,seed,image,value
bicubic,,,p,,a,28
base,0.01,skip=none,p,0,a,30
"""


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("base,0.001,skip=none,p,1,a,30", "row 4: base has the learning rate 0.001, and 0.01 in row 3"),
        ("base,,skip=none,p,1,a,30", "row 4: base has the learning rate none, and 0.01 in row 3"),
        ("base,fast,skip=none,p,1,a,30", "row 4: learning_rate is 'fast', which is not a number"),
        ("base,0.01,skip=yes,p,1,a,30", "row 4: base has other options than in row 3"),
        ("base,0.01,skip,p,1,a,30", "row 4: options are 'skip'; they are written as activation=relu; skip="),
        ("base,0.01,skip=none,q,1,a,30", "row 4: the protocol is 'q', and 'p' in row 2; scores of two"),
        ("bicubic,,,p,1,a,29", "row 4: bicubic has 29.0 for image 'a', and 28.0 in row 2; it is not trained"),
    ],
)
def test_what_cannot_be_compared_is_refused(write: Write, row: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_scores(write(f"{RATES}{row}\n"))


def test_bicubic_may_be_there_once_for_each_seed(write: Write) -> None:
    found = read_scores(write(f"{RATES}Bicubic,,,p,0,a,28.0\nbicubic,,,p,1,a,28\n"))
    assert found.variants == ("base",)
    assert found.cells.scores["bicubic"][0]["test", "value"].tolist() == [28.0]


def test_bytes_that_are_no_text_and_files_that_are_not_there_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(bytes(range(256)))
    with pytest.raises(UserError, match="is not a CSV file"):
        read_scores(tmp_path / "a.csv")
    with pytest.raises(UserError, match="does not exist; name a file with scores"):
        read_scores(tmp_path / "b.csv")
    with pytest.raises(UserError, match="is a folder; name a file with scores"):
        read_scores(tmp_path)


def test_parquet_holds_what_csv_holds(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    table = read_score_table(GOLDEN / "adversarial")
    write_parquet(tmp_path / "scores.parquet", table)
    own = read_scores(as_csv(GOLDEN / "adversarial", tmp_path / "scores.csv"))
    found = read_scores(tmp_path / "scores.parquet")
    assert to_csv(as_rows(found), COLUMNS) == to_csv(as_rows(own), COLUMNS)
    (tmp_path / "other.parquet").write_bytes(b"PAR1 or not")
    with pytest.raises(UserError, match="is not a Parquet file"):
        read_scores(tmp_path / "other.parquet")


def test_without_its_package_parquet_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    assert not has_parquet()
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"cannot be read\. .*: python -m pip install pyarrow"):
        read_scores(tmp_path / "a.parquet")


def test_one_metric_can_be_judged_alone(tmp_path: Path) -> None:
    table = read_scores(as_csv(GOLDEN / "plain", tmp_path / "scores.csv"))
    found = judge_scores(table, metrics=["gmsd_y"])
    assert {of.metric for of in found.tables} == {"gmsd_y"}
    means = [row.mean for row in found.tables[0].rows if row.mean is not None]
    assert means == sorted(means)  # lower is better
    with pytest.raises(UserError, match=r"there are no scores of 'lpips'; there are some of psnr_y, ssim_y"):
        judge_scores(table, metrics=["lpips"])


def test_a_metric_of_other_tools_knows_its_direction_whatever_its_case() -> None:
    assert metric_of("LPIPS").is_lower_better
    assert (metric_of("PSNR").unit, metric_of("PSNR").is_lower_better) == ("dB", False)
    assert not metric_of("ergas").is_lower_better
    with declared([Metric("ergas", better="lower")]):
        assert metric_of("ergas").is_lower_better
