"""What data sets promise: the right pictures by name or folder, none in two roles, all on record."""

import hashlib
import subprocess
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srlab.data import datasets
from srlab.data.catalogue import CATALOGUE, data_folder
from srlab.data.datasets import Role, data_hash, load_sets, manifest, split
from srlab.errors import UserError
from srlab.folder.schema import as_json
from srlab.pixels.images import HRImage

ROLES: tuple[Role, ...] = ("train", "validate", "test")


@pytest.fixture(autouse=True)
def _own_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


def picture(path: Path, seed: int, *, size: tuple[int, int] = (12, 10)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def folder(name: str, count: int, *, first: int = 0) -> str:
    for n in range(count):
        picture(Path(name) / f"{n:03}.png", first + n)
    return f"./{name}"


def names(images: Iterable[HRImage]) -> list[str]:
    return [image.name for image in images]


def test_the_data_folder_is_the_one_of_the_environment_or_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert data_folder() == tmp_path / "data"
    monkeypatch.delenv("SRLAB_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    assert data_folder().name == "srlab"


def test_sample_is_there_without_any_folder_and_gives_each_role_its_part() -> None:
    found = {role: load_sets(["sample"], role=role)[0] for role in ROLES}
    assert names(found["train"].images) == [
        "astronaut",
        "coffee",
        "motorcycle_left",
        "motorcycle_right",
        "hubble_deep_field",
    ]
    assert names(found["validate"].images) == ["rocket"]
    assert names(found["test"].images) == ["chelsea"]
    assert "proves nothing" in found["test"].note
    assert found["train"].note == ""
    assert sum(len(part.images) for part in found.values()) == CATALOGUE["sample"].num_images


def test_an_older_scikit_image_that_lacks_a_picture_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(datasets.SAMPLE, "test", ("of_the_future.png",))
    with pytest.raises(UserError, match=r"scikit-image has no of_the_future\.png"):
        load_sets(["sample"], role="test")


def test_a_folder_is_a_set_named_after_it(tmp_path: Path) -> None:
    folder("holiday", 2)
    (tmp_path / "holiday" / "notes.txt").write_text("not a picture")
    for way in ("holiday", "./holiday", str(tmp_path / "holiday"), "holiday/"):
        found = load_sets([way], role="train")[0]
        assert (found.name, names(found.images)) == ("holiday", ["000", "001"])


def test_a_folder_named_hr_is_named_after_the_one_it_lies_in() -> None:
    folder("Set5/HR", 1)
    assert load_sets(["Set5/HR"], role="test")[0].name == "Set5"
    with pytest.raises(UserError, match=r"holds no pictures, but its folder HR does; .* write Set5/HR"):
        load_sets(["Set5"], role="test")


def test_a_name_of_the_catalogue_wins_over_a_folder_of_that_name_unless_it_is_written_as_a_path() -> None:
    folder("data/set5", 3)
    folder("set5", 1, first=10)
    assert len(load_sets(["set5"], role="test")[0].images) == 3
    assert len(load_sets(["./set5"], role="test")[0].images) == 1


def test_291_is_t91_and_bsds200() -> None:
    folder("data/t91", 2)
    picture(Path("data/bsds200/big.png"), 50)
    found = load_sets(["291"], role="train")[0]
    assert found.name == "291"
    assert names(found.images) == ["000", "001", "big"]


def test_an_unknown_name_is_an_error_with_the_known_ones_and_the_nearest() -> None:
    with pytest.raises(
        UserError,
        match=r"no data set and no folder 'urban10' \(did you mean urban100\?\); the sets are sample, t91",
    ):
        load_sets(["urban10"], role="test")


def test_a_set_that_is_not_there_says_how_to_get_it() -> None:
    with pytest.raises(
        UserError, match=r"`srlab data get set14`, or add your own copy .* `srlab data add set14 FOLDER`"
    ):
        load_sets(["set14"], role="test")
    with pytest.raises(UserError, match=r"ask for it at http\S+manga109\S+ then add .* add manga109 FOLDER"):
        load_sets(["manga109"], role="test")
    with pytest.raises(UserError, match="data set t91 is not in"):
        load_sets(["291"], role="train")


def test_a_folder_that_is_missing_empty_or_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    picture(tmp_path / "a.png", 0)
    for name in ("./missing", "empty", "./a.png"):
        with pytest.raises(UserError, match=r"folder .*(missing|empty|a\.png)"):
            load_sets([name], role="train")


def test_a_link_that_leads_nowhere_does_not_make_a_set_smaller(tmp_path: Path) -> None:
    picture(tmp_path / "photos" / "a.png", 1)
    (tmp_path / "photos" / "b.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(UserError, match=r"b\.png is a link to .*gone\.png, which does not exist"):
        load_sets([str(tmp_path / "photos")], role="test")


def test_a_file_that_is_no_picture_is_named() -> None:
    (Path(folder("mixed", 2)) / "words.png").write_text("these are words")
    with pytest.raises(UserError, match=r"words\.png"):
        load_sets(["mixed"], role="train")


def test_pictures_with_alpha_are_refused(tmp_path: Path) -> None:
    (tmp_path / "glass").mkdir()
    Image.fromarray(np.zeros((4, 4, 4), np.uint8)).save(tmp_path / "glass" / "a.png")
    with pytest.raises(UserError, match=r"a\.png.*alpha"):
        load_sets(["glass"], role="train")


def test_two_images_of_one_name_in_a_set_are_refused() -> None:
    picture(Path("twice/a.png"), 0)
    picture(Path("twice/A.jpg"), 1)
    with pytest.raises(UserError, match=r"A\.jpg and .*a\.png have the same name in set twice"):
        load_sets(["twice"], role="train")


def test_two_sets_of_one_name_are_refused() -> None:
    folder("a/val", 1)
    folder("b/val", 1, first=5)
    with pytest.raises(UserError, match="two test sets have the name 'val'"):
        load_sets(["a/val", "b/val"], role="test")


def test_reading_tells_how_far_it_is_and_leaves_the_warning_filters_alone() -> None:
    folder("many", 6)
    told: list[tuple[str, int, int]] = []
    before = list(warnings.filters)
    load_sets(["many"], role="train", progress=lambda *words: told.append(words))
    assert told == [("many", n, 6) for n in range(1, 7)]
    assert list(warnings.filters) == before


def test_without_validation_every_tenth_image_by_name_is_held_out() -> None:
    found = split(train=[folder("train", 25)], test=[folder("test", 1, first=100)])
    assert names(found.validation) == ["009", "019"]
    assert len(found.train) == 23


def test_of_fewer_than_ten_the_last_is_held_out_and_one_must_remain() -> None:
    test = folder("test", 1, first=100)
    found = split(train=[folder("few", 3)], test=[test])
    assert (names(found.train), names(found.validation)) == (["000", "001"], ["002"])
    with pytest.raises(UserError, match="1 training image is not enough"):
        split(train=[folder("one", 1)], test=[test])


def test_validation_that_is_named_is_used_as_it_is() -> None:
    found = split(
        train=[folder("train", 3)], validate=[folder("val", 2, first=50)], test=[folder("t", 1, first=99)]
    )
    assert len(found.train) == 3
    assert [image.dataset for image in found.validation] == ["val", "val"]


@pytest.mark.parametrize(
    ("train", "validate", "test", "roles"),
    [
        ((0, 3), (2, 2), (9, 1), "train and validation"),
        ((0, 3), (5, 2), (1, 1), "train and test"),
        ((0, 3), (5, 2), (6, 2), "validation and test"),
    ],
)
def test_a_picture_in_two_roles_is_an_error_that_names_both_files(
    train: tuple[int, int], validate: tuple[int, int], test: tuple[int, int], roles: str
) -> None:
    named = {
        role: [folder(role, count, first=first)]
        for role, (first, count) in {"train": train, "validate": validate, "test": test}.items()
    }
    first, second = roles.replace("validation", "validate").split(" and ")
    with pytest.raises(UserError, match=rf"is in {roles} data: {first}/\d+\.png and {second}/\d+\.png"):
        split(train=named["train"], validate=named["validate"], test=named["test"])


def test_the_same_pixels_in_another_format_are_the_same_picture() -> None:
    folder("train", 3)
    Path("test").mkdir()
    with Image.open("train/000.png") as image:
        image.save("test/other.bmp")
    with pytest.raises(UserError, match=r"train/000\.png and test/other\.bmp"):
        split(train=["train"], test=["test"])


def test_a_picture_in_two_training_sets_is_an_error_but_twice_in_one_set_stays_and_is_held_out_together() -> (
    None
):
    test = folder("test", 1, first=100)
    with pytest.raises(UserError, match=r"training sets a and b share a picture.*a/000\.png and b/000\.png"):
        split(train=[folder("a", 2), folder("b", 1)], test=[test])
    folder("twins", 12)
    picture(Path("twins/zz.png"), 9)  # the same as 009.png, which is held out
    found = split(train=["twins"], test=[test])
    assert names(found.validation) == ["009", "zz"]
    assert len(found.train) == 11


def test_a_picture_twice_in_one_test_set_is_harmless() -> None:
    folder("test", 1, first=100)
    picture(Path("test/copy.png"), 100)
    assert len(split(train=[folder("train", 3)], test=["test"]).test[0].images) == 2


def test_validation_images_of_one_name_are_told_apart() -> None:
    found = split(
        train=[folder("t", 2)],
        validate=[folder("a", 1, first=10), folder("b", 2, first=20)],
        test=[folder("x", 1, first=99)],
    )
    assert names(found.validation) == ["a-000", "b-000", "001"]


def test_the_manifest_says_what_was_used_and_the_hash_changes_with_any_pixel() -> None:
    train, test = folder("train", 3), folder("test", 1, first=100)
    found = split(train=[train], test=[test])
    told = manifest(found)
    assert [len(images) for images in (told.train, told.validation, told.test)] == [2, 1, 1]
    pixels = found.train[0].pixels
    assert as_json(told.train[0]) == {
        "name": "000",
        "set": "train",
        "sha256": hashlib.sha256(b"12x10x3:" + pixels.tobytes()).hexdigest(),
        "size": [10, 12],
    }
    before = data_hash(found)
    Path("train").rename("renamed")
    assert data_hash(split(train=["renamed"], test=[test])) == before
    picture(Path("renamed/001.png"), 77)
    assert data_hash(split(train=["renamed"], test=[test])) != before


def test_reading_data_needs_no_torch() -> None:
    code = (
        "import sys, srlab.data.datasets, srlab.data.library, srlab.data.download; "
        "raise SystemExit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_real_t91_is_split_in_spite_of_its_twins(shared_data: Path) -> None:
    found = split(train=[str(shared_data / "T91")], test=[str(shared_data / "Set5" / "HR")])
    assert len(found.train) + len(found.validation) == 91
    assert {"t36", "t65"} <= set(names(found.validation))
