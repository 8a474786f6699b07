"""What scores promises: a number comes back as it was, never beside one of another protocol."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from srlab.declare.protocol import EvaluationProtocol
from srlab.errors import UserError
from srlab.folder.scores import Score, load_scores, save_scores

RGB = EvaluationProtocol()
SCORES = [
    Score(dataset="set5", image="baby", metric="psnr_y", value=37.06589318273645),
    Score(dataset="set5", image="baby", metric="ssim_y", value=1 / 3),
    Score(dataset="set5", image="bird", metric="psnr_y", value=math.inf),
]


def test_scores_come_back_as_they_were(tmp_path: Path) -> None:
    protocol = EvaluationProtocol(color="luma", border="symmetric")
    save_scores(tmp_path / "scores.json", SCORES, protocol=protocol, scale=3)
    stored = load_scores(tmp_path / "scores.json")
    assert stored.scores == tuple(SCORES)
    assert stored.protocol == protocol
    assert stored.scale == 3


def test_the_file_is_plain_json_and_says_its_protocol(tmp_path: Path) -> None:
    save_scores(tmp_path / "scores.json", SCORES, protocol=RGB, scale=2)

    def refuse(constant: str) -> Any:
        raise AssertionError(f"{constant} is not valid JSON")

    values = json.loads((tmp_path / "scores.json").read_text(), parse_constant=refuse)
    assert values["protocol"] == {"color": "rgb", "border": "replicate"}
    assert values["scale"] == 2
    assert [score["value"] for score in values["scores"]] == [37.06589318273645, 1 / 3, "inf"]


@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_what_is_no_number_is_no_score(value: float) -> None:
    with pytest.raises(ValueError, match="no score"):
        Score(dataset="set5", image="baby", metric="psnr_y", value=value)


def test_files_of_one_protocol_are_read_as_one(tmp_path: Path) -> None:
    save_scores(tmp_path / "a.json", SCORES[:1], protocol=RGB, scale=2)
    save_scores(tmp_path / "b.json", SCORES[1:], protocol=RGB, scale=2)
    assert load_scores(tmp_path / "a.json", tmp_path / "b.json").scores == tuple(SCORES)


@pytest.mark.parametrize(
    ("protocol", "scale", "message"),
    [
        (EvaluationProtocol(color="luma"), 2, "different protocols"),
        (EvaluationProtocol(border="symmetric"), 2, "different protocols"),
        (RGB, 4, "x2 and x4"),
    ],
)
def test_files_of_two_protocols_or_scales_are_not(
    tmp_path: Path, protocol: EvaluationProtocol, scale: int, message: str
) -> None:
    save_scores(tmp_path / "a.json", SCORES[:1], protocol=RGB, scale=2)
    save_scores(tmp_path / "b.json", SCORES[1:], protocol=protocol, scale=scale)
    with pytest.raises(UserError, match=message):
        load_scores(tmp_path / "a.json", tmp_path / "b.json")


def test_one_image_has_one_value_of_a_metric(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="psnr_y of set5's baby is there 2 times"):
        save_scores(tmp_path / "scores.json", [*SCORES, SCORES[0]], protocol=RGB, scale=2)
    save_scores(tmp_path / "a.json", SCORES, protocol=RGB, scale=2)
    with pytest.raises(UserError, match="there 2 times"):
        load_scores(tmp_path / "a.json", tmp_path / "a.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "its format is not 'srlab scores'"),
        ({"version": 2}, "version 2"),
        ({"scale": 5}, "scale is 5, not 2 or 3 or 4"),
        ({"protocol": {"color": "hsv"}}, "hsv"),
        ({"protocol": {"colour": "rgb"}}, "colour"),
        ({"scores": [{"dataset": "a", "image": "b", "metric": "c"}]}, "value"),
        ({"scores": [{"dataset": "a", "image": "b", "metric": "c", "value": "37"}]}, "is .37., not a number"),
    ],
)
def test_a_file_that_something_else_wrote_is_refused_by_name(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = tmp_path / "scores.json"
    save_scores(path, SCORES, protocol=RGB, scale=2)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UserError, match=message) as error:
        load_scores(path)
    assert str(path) in str(error.value)


def test_missing_and_broken_files_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"scores file .*missing\.json does not exist"):
        load_scores(tmp_path / "missing.json")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "cut.json").write_text('{"format": "srl')
    for name in ("list.json", "cut.json"):
        with pytest.raises(UserError, match=name):
            load_scores(tmp_path / name)


def test_reading_scores_takes_no_torch() -> None:
    code = "import sys, srlab.folder.scores; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
