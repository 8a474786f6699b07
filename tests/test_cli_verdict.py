"""What ``srlab verdict`` promises: for a study's scores what the study says, and the same for anybody's."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from scored_study import FOUR
from srlab.cli import main
from srlab.show.data_files import write_data

GOLDEN = Path(__file__).parent / "golden" / "studies"
Srlab = Callable[..., tuple[int, str, str]]


@pytest.fixture
def srlab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Srlab:
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["srlab", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(str(ended.value.code or 0)), said.out, said.err

    return run


@pytest.fixture
def four(tmp_path: Path) -> Path:
    (tmp_path / "four.csv").write_text(FOUR, encoding="utf-8")
    return Path("four.csv")


@pytest.mark.parametrize("name", ["plain", "adversarial"])
def test_it_says_of_a_studys_scores_what_the_leaderboard_says(srlab: Srlab, name: str) -> None:
    write_data(GOLDEN / name, Path("data"))
    board = json.loads(srlab("leaderboard", GOLDEN / name, "--json")[1])
    found = json.loads(srlab("verdict", "data/scores.csv", "--json")[1])
    assert found["answer"] == board["answer"]
    standings = [row for row in board["standings"] if row["rank"]]
    assert found["ranks"] == {
        row["variant"]: [row["rank"]["best"], row["rank"]["worst"]] for row in standings
    }
    to_base = {}
    for pair in found["pairs"]:
        if found["base"] in (pair["variant"], pair["other"]):
            sign = 1 if pair["other"] == found["base"] else -1
            ends = (sign * pair["low"], sign * pair["high"])
            who = pair["variant"] if sign == 1 else pair["other"]
            to_base[who] = [sign * pair["estimate"], min(ends), max(ends)]
    for row in standings:
        if row["over_base"]:
            over = row["over_base"][found["scope"]]
            expected = [over["estimate"], over["interval"]["low"], over["interval"]["high"]]
            assert to_base[row["variant"]] == pytest.approx(expected, rel=1e-12)


def test_its_first_lines_are_the_leaderboards(srlab: Srlab) -> None:
    write_data(GOLDEN / "plain", Path("data"))
    board = srlab("leaderboard", GOLDEN / "plain")[1].splitlines()
    found = srlab("verdict", "data/scores.csv")[1].splitlines()
    assert found[1] == board[1]
    assert "edsr/tiny" in found[5]


def test_json_has_the_pairs_the_ranks_and_the_answer_of_another_tools_scores(
    srlab: Srlab, four: Path
) -> None:
    code, out, err = srlab("verdict", four, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    (pair,) = found["pairs"]
    assert (pair["variant"], pair["other"]) == ("mine", "base")
    assert set(pair) == {"variant", "other", "estimate", "low", "high", "p_holm", "outcome"}
    assert pair["outcome"] in ("better", "worse", "equal", "undecided")
    assert pair["estimate"] == pytest.approx(0.6)
    assert pair["low"] < 0.6 < pair["high"]
    assert set(found["ranks"]) == {"mine", "base"}
    assert all(1 <= best <= worst <= 2 for best, worst in found["ranks"].values())
    assert "mine" in found["answer"]


def test_the_base_and_the_level_can_be_chosen(srlab: Srlab, four: Path) -> None:
    out = srlab("verdict", four, "--base", "mine", "--level", "0.5")[1]
    assert re.search(r"^ *2 +base .* -0\.6000 \[-\d", out, flags=re.MULTILINE)
    code, _, err = srlab("verdict", four, "--base", "bse")
    assert (code, err) == (2, "srlab: the file has no variant 'bse'; did you mean base? It has base, mine\n")
    assert srlab("verdict", four, "--level", "0.3")[0] == 2


def test_each_difference_from_the_base_has_one_of_four_verdicts_beside_it(srlab: Srlab) -> None:
    write_data(GOLDEN / "plain", Path("data"))
    out = srlab("verdict", "data/scores.csv")[1]
    assert re.search(r"^ +1 +edsr/tiny .*\]  better ", out, flags=re.MULTILINE)
    assert re.search(r"srcnn/skip .*\]  undecided ", out)
    example = Path(__file__).parents[1] / "examples" / "other_tool.csv"
    words = (example, "--column", "variant=model", "--column", "value=psnr")
    assert re.search(r" wider .*\]  equal within 0\.1 dB ", srlab("verdict", *words)[1])
    assert re.search(r" wider .*\]  undecided ", srlab("verdict", *words, "--equal-within", "0.01")[1])


def test_images_or_sets_count_once(srlab: Srlab) -> None:
    write_data(GOLDEN / "plain", Path("data"))
    found = [
        json.loads(srlab("verdict", "data/scores.csv", "--weigh", weigh, "--json")[1])
        for weigh in ("images", "sets")
    ]
    board = json.loads(srlab("leaderboard", GOLDEN / "plain", "--weigh", "sets", "--json")[1])
    assert found[0]["pairs"][0]["estimate"] != found[1]["pairs"][0]["estimate"]
    assert found[1]["answer"] == board["answer"] != found[0]["answer"]


def test_a_planned_comparison_stands_first(srlab: Srlab, four: Path) -> None:
    out = srlab("verdict", four, "--primary", "mine,base")[1]
    assert out.splitlines()[1].startswith("The planned comparison: ")
    (planned,) = json.loads(srlab("verdict", four, "--primary", "mine,base", "--json")[1])["primary"]
    assert (planned["variant"], planned["other"]) == ("mine", "base")
    for words, said in (
        (["mine"], "--primary takes two variants, such as mine,baseline; got 'mine'"),
        (["mine,mine"], "--primary names 'mine' twice"),
        (["mine,yours"], "the file has no variant 'yours'"),
    ):
        code, _, err = srlab("verdict", four, "--primary", *words)
        assert code == 2
        assert said in err


def test_an_unknown_metric_needs_its_direction_and_a_known_one_has_it(srlab: Srlab, four: Path) -> None:
    code, _, err = srlab("verdict", four, "--metric", "ergas")
    assert code == 2
    assert "does not know the metric ergas; add --higher-is-better or --lower-is-better" in err
    first = {}
    for words in (["ergas", "--lower-is-better"], ["ergas", "--higher-is-better"], ["LPIPS"], ["psnr"]):
        out = srlab("verdict", four, "--metric", *words)[1]
        first[" ".join(words)] = re.findall(r"^ *[12-]+ +(\w+)", out, flags=re.MULTILINE)[0]
    assert first == {
        "ergas --lower-is-better": "base",
        "ergas --higher-is-better": "mine",
        "LPIPS": "base",
        "psnr": "mine",
    }
    code, _, err = srlab("verdict", four, "--metric", "psnr", "--lower-is-better")
    assert code == 2
    assert "of psnr, higher is better" in err


def test_values_of_no_named_metric_are_read_as_higher_is_better_and_it_says_so(
    srlab: Srlab, four: Path
) -> None:
    note = "larger is taken to be better by 'value', which srlab does not know"
    assert note in srlab("verdict", four)[1]
    assert note not in srlab("verdict", four, "--higher-is-better")[1]
    srlab("verdict", four, "--report", "out.html")
    assert note.replace("'", "&#39;") in Path("out.html").read_text(encoding="utf-8")


def test_a_column_may_have_another_name(srlab: Srlab, four: Path) -> None:
    four.write_text(FOUR.replace("variant", "model"), encoding="utf-8")
    code, _, err = srlab("verdict", four)
    assert code == 2
    assert "four.csv has no column variant; it needs variant, seed, image, value" in err
    assert "--column variant=NAME" in err
    assert srlab("verdict", four, "--column", "variant=model")[0] == 0


def test_what_is_wrong_is_one_line_and_nothing_is_written(srlab: Srlab, four: Path) -> None:
    four.write_text(f"{FOUR}mine,2,a,high\n", encoding="utf-8")
    code, out, err = srlab("verdict", four, "--report", "out.html")
    assert (code, out) == (2, "")
    assert err == "srlab: four.csv, row 10: value is 'high', which is not a number\n"
    assert not Path("out.html").exists()
    assert srlab("verdict", "four.csv", "--report", "out.txt")[0] == 2


def test_the_report_has_the_verdict_and_nothing_that_the_file_does_not_say(srlab: Srlab, four: Path) -> None:
    code, out, _ = srlab("verdict", four, "--metric", "psnr", "--report", "out.html")
    assert (code, out.splitlines()[-1]) == (0, "out.html")
    page = Path("out.html").read_text(encoding="utf-8")
    assert "mine has the highest mean" in page or "mine is best" in page
    for section in ("answer", "leaderboard", "effects", "images", "setting", "glossary"):
        assert f'<section id="{section}"' in page
        assert f'href="#{section}"' in page
    for section in ("pictures", "training", "cost", "networks"):
        assert f'id="{section}"' not in page
        assert f'href="#{section}"' not in page
    assert "srlab verdict four.csv --metric psnr --report out.html" in page
    assert "from a file of scores." in page
    assert "\N{MULTIPLICATION SIGN}0" not in page
    assert "bicubic</th>" not in page
    for of_a_study in ("parameters", "to_bicubic", "of 0 finished"):
        assert f'data-key="{of_a_study}"' not in page


def test_the_page_shows_what_the_example_prints(srlab: Srlab, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[1]
    page = (root / "docs" / "report.md").read_text(encoding="utf-8")
    example = r"^    srlab (verdict examples/.*)\n\n```text\n(.*?)```$"
    ((words, shown),) = re.findall(example, page, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(root)
    monkeypatch.setenv("COLUMNS", "100")
    printed = srlab(*words.split())[1]
    assert [line.rstrip() for line in printed.splitlines()] == shown.splitlines()
