"""What a kept profile promises: settings side by side and never mixed, nothing that is out of date."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from profiled_study import SETTING, declare, made_profile
from srlab.errors import UserError
from srlab.folder import store
from srlab.folder.profile_store import (
    PROFILE,
    Enlarging,
    Setting,
    add_profile,
    costs,
    load_profiles,
    measured_costs,
)

GPU = Setting(device="cuda", device_name="a GPU", threads=2, precision="tf32", torch="2.13.0")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return declare(tmp_path / "study")


def test_a_study_without_a_profile_has_none(folder: Path) -> None:
    assert load_profiles(folder) == ()
    assert measured_costs(folder) == {}


def test_what_is_kept_comes_back_as_it_was(folder: Path) -> None:
    profile = made_profile(folder)
    add_profile(folder, profile)
    assert load_profiles(folder) == (profile,)


@pytest.mark.parametrize(
    "other",
    [
        GPU,
        replace(SETTING, threads=1),
        replace(SETTING, precision="bf16"),
        replace(SETTING, device_name="another CPU"),
        replace(SETTING, torch="2.14.0"),
    ],
)
def test_profiles_of_two_settings_stand_side_by_side(folder: Path, other: Setting) -> None:
    add_profile(folder, made_profile(folder))
    add_profile(folder, made_profile(folder, setting=other, factor=0.1))
    first, second = load_profiles(folder)
    assert (first.setting, second.setting) == (SETTING, other)
    assert [variant.enlarging[0].seconds[0] for variant in first.variants] == pytest.approx([0.01, 0.4, 0.2])
    assert [variant.enlarging[0].seconds[0] for variant in second.variants] == pytest.approx(
        [0.001, 0.04, 0.02]
    )


def test_the_same_setting_again_replaces_its_profile(folder: Path) -> None:
    for factor in (1, 2):
        add_profile(folder, made_profile(folder, factor=factor))
    (profile,) = load_profiles(folder)
    assert profile.variants[1].enlarging[0].seconds[0] == 0.8


def test_a_variant_that_is_declared_otherwise_now_has_no_profile(folder: Path) -> None:
    add_profile(folder, made_profile(folder))
    study = store.load_json(folder / store.STUDY)
    study["variants"][0]["network"]["num_features"] = [8, 8]
    store.save_json(folder / store.STUDY, study)
    (profile,) = load_profiles(folder)
    assert [variant.name for variant in profile.variants] == ["bicubic", "tiny/small"]


def test_another_batch_is_another_training_step(folder: Path) -> None:
    add_profile(folder, made_profile(folder))
    study = store.load_json(folder / store.STUDY)
    store.save_json(folder / store.STUDY, {**study, "protocol": {**study["protocol"], "batch_size": 7}})
    (profile,) = load_profiles(folder)
    assert "tiny/large" not in [variant.name for variant in profile.variants]


def test_a_ratio_is_taken_round_by_round_so_that_a_machine_may_drift() -> None:
    base = Enlarging(size=(8, 8), seconds=(1.0, 10.0, 4.0))
    assert Enlarging(size=(8, 8), seconds=(2.0, 20.0, 8.0)).ratio_to(base) == 2.0
    assert Enlarging(size=(8, 8), seconds=(2.0,)).ratio_to(base) is None
    assert Enlarging(size=(8, 8)).ratio_to(base) is None
    assert base.ratio_to(None) is None


def test_costs_say_what_they_are_of_and_leave_out_what_was_not_measured(folder: Path) -> None:
    profile = made_profile(folder)
    large = profile.variants[1]
    failed = replace(large, enlarging=(Enlarging(size=(1280, 720), reason="it died"),), training=None)
    profile = replace(profile, variants=(profile.variants[0], failed, profile.variants[2]))
    found = costs(profile)
    setting = "(cpu, 2 threads, fp32)"
    assert found == {
        f"milliseconds for 1280 x 720 {setting}": pytest.approx({"bicubic": 10.0, "tiny/small": 200.0}),
        f"peak MB for 1280 x 720 {setting}": {"bicubic": 100.0, "tiny/small": 300.0},
        f"milliseconds for a training step {setting}": pytest.approx({"tiny/small": 20.0}),
    }


def test_machines_of_one_label_are_never_one_cost(folder: Path) -> None:
    add_profile(folder, made_profile(folder))
    add_profile(folder, made_profile(folder, setting=replace(SETTING, device_name="another CPU"), factor=3))
    found = measured_costs(folder)
    assert len(found) == 6
    assert sum("another CPU" in name for name in found) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not valid JSON"),
        ("[]", "not written by srlab"),
        ('{"format": "other", "version": 1, "profiles": []}', "not written by srlab"),
        ('{"format": "srlab profile", "version": 2, "profiles": []}', "reads version 1"),
        ('{"format": "srlab profile", "version": 1, "profiles": [{"setting": {}}]}', "remove it"),
    ],
)
def test_a_damaged_file_is_said_to_be_one(folder: Path, text: str, message: str) -> None:
    (folder / PROFILE).write_text(text)
    with pytest.raises(UserError, match=message):
        load_profiles(folder)


def test_the_file_is_plain_json_with_machine_versions_and_time(folder: Path) -> None:
    add_profile(folder, made_profile(folder))
    (values,) = json.loads((folder / PROFILE).read_text())["profiles"]
    assert values["setting"]["device_name"] == "a CPU"
    assert values["provenance"]["versions"]["torch"]
    assert values["provenance"]["started"]
    assert values["sizes"] == [[1280, 720]]
