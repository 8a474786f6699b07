"""What ``srlab profile`` promises on the command line: it shows what there is, and measures what is asked."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from profiled_study import SETTING, STUDY, declare, made_profile
from report_study import ReportStudy
from srlab.cli import main
from srlab.folder.checkpoints import save_weights
from srlab.folder.profile_store import PROFILE, Profile, Setting, add_profile, load_profiles
from srlab.networks import build_network
from srlab.training.machine import Machine

GPU = Setting(device="cuda", device_name="a GPU", threads=2, precision="tf32", torch="2.13.0")
Srlab = Callable[..., tuple[str, str]]


@pytest.fixture
def srlab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Srlab:
    def run(*words: object, code: int = 0) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["srlab", "profile", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert (ended.value.code or 0) == code, err
        assert "Traceback" not in err
        return out, err.replace("\n", " ")

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return declare(tmp_path / "study")


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Machine, dict[str, Any]]]:
    """What was to be measured; a profile that nobody measured comes back."""
    found: list[tuple[Machine, dict[str, Any]]] = []

    def profile(target: Any, machine: Machine, **how: Any) -> Profile:
        found.append((machine, how))
        here = setting(machine, precision=how["precision"])
        return made_profile(target.folder, setting=here, size=how["sizes"][0])

    def setting(machine: Machine, *, precision: str) -> Setting:
        return Setting(
            device=machine.device,
            device_name="a CPU",
            threads=machine.threads,
            precision=precision,
            torch="2.13.0",
        )

    monkeypatch.setattr("srlab.use.profiling.measuring.profile", profile)
    monkeypatch.setattr("srlab.use.profiling.measuring.setting", setting)
    return found


def test_a_study_that_has_a_profile_shows_all_and_measures_nothing(
    srlab: Srlab, folder: Path, asked: list[Any]
) -> None:
    add_profile(folder, made_profile(folder))
    add_profile(folder, made_profile(folder, setting=GPU, factor=0.1))
    out, _ = srlab(folder)
    assert asked == []
    assert out.index("a CPU: cpu, 2 threads, fp32") < out.index("a GPU: cuda, 2 threads, tf32")
    rows = [" ".join(line.split()) for line in out.splitlines() if line.startswith("tiny/small")]
    assert rows[1] == "tiny/small 200 200 to 200 0.50 300 200"
    assert rows[3] == "tiny/small 20 20 to 20 0.50 300 200"
    assert "of all tensors on the GPU" in out


def test_a_study_without_one_is_measured_and_keeps_it(
    srlab: Srlab, folder: Path, asked: list[tuple[Machine, dict[str, Any]]]
) -> None:
    out, _ = srlab(folder, "--threads", 2)
    assert [machine for machine, _ in asked] == [Machine(device="cpu", threads=2)]
    assert asked[0][1]["sizes"] == ((1280, 720), (320, 180))
    assert load_profiles(folder)[0].setting == SETTING
    assert "SR 1280 x 720" in out


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (("--threads", 2), 0),
        (("--threads", 2, "--size", "1280x720"), 0),
        (("--threads", 2, "--size", "640x480"), 1),
        (("--threads", 1), 1),
        (("--threads", 2, "--precision", "bf16"), 1),
        (("--threads", 2, "--again"), 1),
        (("--again",), 1),
    ],
)
def test_only_what_is_not_there_is_measured_unless_asked_for_again(
    srlab: Srlab, folder: Path, asked: list[Any], words: tuple[object, ...], count: int
) -> None:
    add_profile(folder, made_profile(folder))
    srlab(folder, *words)
    assert len(asked) == count


def test_json_has_all_profiles_of_a_study(srlab: Srlab, folder: Path) -> None:
    add_profile(folder, made_profile(folder))
    add_profile(folder, made_profile(folder, setting=GPU))
    values = json.loads(srlab(folder, "--json")[0])
    assert [profile["setting"]["device"] for profile in values["profiles"]] == ["cpu", "cuda"]
    assert values["trained"]["tiny/large"]["ended"] == 0


def test_weights_are_measured_and_nothing_is_written(
    srlab: Srlab, tmp_path: Path, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "srlab.use.profiling.measuring.profile", lambda *_, **__: made_profile(declare(tmp_path / "other"))
    )
    path = tmp_path / "weights.safetensors"
    options = STUDY.variants[0].network
    save_weights(path, build_network(options, scale=2), variant="mine", options=options, scale=2)
    out, _ = srlab(path)
    assert f"{path}: mine (x2)" in out
    assert "tiny/large" in out
    assert not list(tmp_path.rglob(PROFILE))
    assert asked == []


def test_what_was_added_since_is_said_to_be_missing(srlab: Srlab, folder: Path) -> None:
    profile = made_profile(folder)
    add_profile(folder, structs.replace(profile, variants=profile.variants[:2]))
    assert "not measured: tiny/small" in srlab(folder)[0]


def test_a_busy_machine_is_told(srlab: Srlab, folder: Path) -> None:
    add_profile(folder, made_profile(folder))
    assert "was busy" not in srlab(folder)[0]
    add_profile(folder, structs.replace(made_profile(folder), load=3.5))
    assert "was busy when this began (load 3.5): trust the ratios" in srlab(folder)[0]


def test_fronts_are_of_the_mean_scores_of_the_test_sets(srlab: Srlab, tmp_path: Path) -> None:
    """Skip scores best, vanilla worst but for bicubic; a run of skip took a second longer than vanilla's."""
    study = ReportStudy(has_pictures=False).write(tmp_path)
    add_profile(study, made_profile(study))
    out, _ = srlab(study)
    _, front = out.split("no cheaper variant has a better psnr_y on all sets")
    lines = [" ".join(line.split()) for line in front.splitlines()]
    assert "multiply-adds bicubic, srcnn/skip" in lines
    assert "seconds of one run by the clock srcnn/vanilla, srcnn/skip" in lines
    assert "ssim_y" not in front
    values = json.loads(srlab(study, "--json")[0])
    (fronts,) = values["fronts"]
    assert fronts["psnr_y"]["parameters"] == ["bicubic", "srcnn/leaky", "srcnn/skip"]
    assert fronts["psnr_y"]["milliseconds for 1280 x 720 (cpu, 2 threads, fp32)"][0] == "bicubic"
    assert values["trained"]["srcnn/skip"]["seconds"] == 31.0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nothing",), "there is no folder or file nothing"),
        (("edsr/baseline", "--scale", 2, "--size", "big"), "--size must be width x height"),
        (("edsr/baseline", "--scale", 2, "--size", "0x0"), "--size: the sides of an SR picture to time"),
        (("edsr/baseline", "--scale", 2, "--device", "gpu"), "--device: there is no device 'gpu'"),
        (("bicubic",), "every profile includes bicubic"),
    ],
)
def test_a_fault_of_the_user_is_one_line(srlab: Srlab, words: tuple[object, ...], message: str) -> None:
    _, err = srlab(*words, code=2)
    assert message in err


def test_a_scale_that_is_not_the_studys_is_refused(srlab: Srlab, folder: Path) -> None:
    add_profile(folder, made_profile(folder))
    assert "enlarges by 2, not by 4" in srlab(folder, "--scale", 4, code=2)[1]
