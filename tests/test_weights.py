"""What weights by name promise: the published file in its place, or none; and a word on what to do."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from badserver import Answer, Server, running
from srlab.data import weights
from srlab.data.download import Patience
from srlab.data.weights import WEIGHTS, Weights, add_weights, get_weights, weights_file
from srlab.declare.objectives import AdversarialObjective, with_vgg
from srlab.errors import UserError
from srlab.training.content import check_content
from test_cli_data import (
    Srlab,
    srlab,  # noqa: F401 - a fixture
)
from test_vgg import normalized, official

CONTENT = b"weights" * 50_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
QUICK = Patience(connect=2, stall=0.3, attempts=2, pause=0.001)


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as state:
        yield state


@pytest.fixture
def known(server: Server, monkeypatch: pytest.MonkeyPatch) -> Weights:
    """VGG19 as if it were CONTENT, on our server under two addresses, its name a beginning of the hash."""
    entry = replace(
        WEIGHTS["vgg19"], urls=(f"{server.url}/one.pth", f"{server.url}/two.pth"), sha256=SHA256[:8]
    )
    monkeypatch.setitem(WEIGHTS, "vgg19", entry)
    return entry


@pytest.mark.usefixtures("known")
def test_weights_come_to_their_place_once_and_are_verified(server: Server, data: Path) -> None:
    server.answers = [Answer(content=CONTENT)]
    said: list[str] = []
    path = get_weights("vgg19", report=said.append, patience=QUICK)
    assert path == weights_file("vgg19") == data / "weights" / "vgg19-dcbb9e9d.pth"
    assert path.read_bytes() == CONTENT
    assert f"verified: sha256 {SHA256}" in "\n".join(said)
    assert get_weights("vgg19", report=said.append, patience=QUICK) == path
    assert len(server.requests) == 1


@pytest.mark.usefixtures("known")
def test_a_download_that_broke_off_goes_on(server: Server) -> None:
    server.answers = [Answer(content=CONTENT, break_after=100_000), Answer(content=CONTENT)]
    path = get_weights("vgg19", report=lambda _: None, patience=QUICK)
    assert path.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100000-"]


@pytest.mark.usefixtures("known")
def test_a_file_with_another_hash_is_thrown_away_and_the_next_address_tried(server: Server) -> None:
    server.answers = [Answer(content=b"another file" * 1000), Answer(content=CONTENT)]
    said: list[str] = []
    assert get_weights("vgg19", report=said.append, patience=QUICK).read_bytes() == CONTENT
    assert "was published; the file was deleted" in "\n".join(said)


@pytest.mark.usefixtures("known")
def test_what_no_address_has_is_told_with_the_way_out(server: Server) -> None:
    server.answers = [Answer(status=404)]
    with pytest.raises(UserError, match=r"answered 404 .*srlab data add vgg19 FILE"):
        get_weights("vgg19", report=lambda _: None, patience=QUICK)
    assert not weights_file("vgg19").exists()


@pytest.mark.usefixtures("known")
def test_a_copy_is_added_only_if_it_is_the_published_file(tmp_path: Path) -> None:
    (tmp_path / "mine.pth").write_bytes(CONTENT)
    (tmp_path / "other.pth").write_bytes(CONTENT[1:])
    with pytest.raises(UserError, match=r"other.pth is not vgg19-dcbb9e9d.pth: its SHA-256 is .* begin with"):
        add_weights("vgg19", tmp_path / "other.pth", report=lambda _: None)
    with pytest.raises(UserError, match=r"is a folder; the file vgg19-dcbb9e9d.pth was expected"):
        add_weights("vgg19", tmp_path, report=lambda _: None)
    add_weights("vgg19", tmp_path / "mine.pth", report=lambda _: None)
    assert weights_file("vgg19").read_bytes() == CONTENT


def test_the_commands_for_data_know_weights_too(
    srlab: Srlab,  # noqa: F811
    known: Weights,
    server: Server,
    tmp_path: Path,
) -> None:
    server.answers = [Answer(content=CONTENT)]
    code, out, _ = srlab("data", "list", "--json")
    listed = {row["name"]: row for row in json.loads(out)["weights"]}
    assert list(listed) == ["vgg19", "squeezenet", "alexnet", "vgg16"]
    assert not listed["vgg19"]["present"]
    code, out, err = srlab("data", "get", "vgg19")
    assert (code, Path(out.strip())) == (0, weights_file("vgg19"))
    assert known.urls[0] in err.replace("\n", "")
    (tmp_path / "copy.pth").write_bytes(CONTENT)
    assert srlab("data", "add", "vgg19", str(tmp_path / "copy.pth"))[0] == 0
    assert "squeezenet" in srlab("data", "list")[1]


def test_names_of_files_end_in_the_hash_that_is_checked() -> None:
    for name in WEIGHTS:
        assert WEIGHTS[name].file.endswith(f"-{WEIGHTS[name].sha256}.pth")


# What an objective needs before a run starts


def test_missing_weights_are_told_with_what_to_fetch_and_where_it_goes(data: Path) -> None:
    with pytest.raises(UserError, match=r"srlab data get vgg19.*--vgg PATH") as raised:
        check_content(AdversarialObjective())
    assert str(data / "weights" / "vgg19-dcbb9e9d.pth") in str(raised.value)


@pytest.mark.parametrize("content", ["pixels", "random"])
def test_content_without_vgg_needs_no_weights(content: str) -> None:
    check_content(AdversarialObjective(content=content))  # type: ignore[arg-type]


def test_weights_by_path_are_held_to_what_was_declared(tmp_path: Path) -> None:
    path = tmp_path / "vgg.pth"
    torch.save(normalized(), path)
    objective = with_vgg(AdversarialObjective(content="vgg22"), path)
    check_content(objective)
    with pytest.raises(UserError, match=r"relu2_2 only"):
        check_content(replace(objective, content="vgg54"))
    with pytest.raises(UserError, match=r"declared with VGG19 weights of SHA-256 .* --vgg PATH"):
        check_content(replace(objective, vgg_path=None))
    torch.save(official(), path)
    with pytest.raises(UserError, match=r"another file than the content loss was declared with"):
        check_content(objective)


def test_the_official_file_is_the_same_by_name_and_by_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a copy.pth"
    torch.save(official(), path)
    begins = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    monkeypatch.setattr("srlab.declare.objectives.OFFICIAL_VGG19", f"vgg19-{begins}")
    monkeypatch.setattr("srlab.training.content.OFFICIAL_VGG19", f"vgg19-{begins}")
    monkeypatch.setitem(WEIGHTS, "vgg19", replace(WEIGHTS["vgg19"], sha256=begins))
    by_name = AdversarialObjective(content="vgg22")
    by_path = with_vgg(by_name, path)
    assert by_path == by_name
    check_content(by_path)
    weights.add_weights("vgg19", path, report=lambda _: None)
    check_content(by_name)
