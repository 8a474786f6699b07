"""What the store promises: whole files, one declaration for each folder, one process in each."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from srlab.declare.protocol import RunProtocol
from srlab.declare.start import Start
from srlab.errors import UserError
from srlab.folder import store
from srlab.folder.schema import RunFile, as_json
from srlab.folder.sessions import begin_session, git_state
from stored_files import planned, run_file, save_study, stored_variant


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "values.json"
    store.save_json(path, {"a": 1})

    def fail(part: Path) -> None:
        part.write_text("{")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        store.write_atomically(path, fail)
    assert store.load_json(path) == {"a": 1}
    assert [found.name for found in tmp_path.iterdir()] == ["values.json"]


def test_a_number_that_json_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.save_json(tmp_path / "values.json", {"a": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "choice.json").write_text("{")
    with pytest.raises(UserError, match=r"choice\.json is not valid JSON"):
        store.load_json(tmp_path / "choice.json")


def with_steps(num_steps: int, **changes: Any) -> RunFile:
    return run_file("a", protocol=RunProtocol(num_steps=num_steps, precision="fp32", **changes))


def test_a_run_goes_on_under_its_own_declaration_only(tmp_path: Path) -> None:
    store.claim(tmp_path, with_steps(10))
    store.claim(tmp_path, with_steps(10))
    with pytest.raises(UserError, match=r"number of steps \(10 there, 20 asked for\).*another --out"):
        store.claim(tmp_path, with_steps(20))
    start = Start(source="b")
    with pytest.raises(UserError, match=r"start \(none there, .* asked for\)"):
        store.check_claim(tmp_path, structs.replace(with_steps(10), start=start))


def test_what_only_a_later_srlab_declares_is_another_declaration(tmp_path: Path) -> None:
    store.claim(tmp_path, with_steps(10))
    values = store.load_json(tmp_path / store.RUN)
    values["protocol"]["later"] = 0.99
    store.save_json(tmp_path / store.RUN, values)
    assert store.read(tmp_path / store.RUN, RunFile) == with_steps(10)
    with pytest.raises(UserError, match=r"protocol\.later \(0\.99 there, none asked for\)"):
        store.claim(tmp_path, with_steps(10))


def test_a_default_and_the_number_it_stands_for_are_one_declaration(tmp_path: Path) -> None:
    held = store.claim(tmp_path, with_steps(1500, validate_every=150))  # as the study smoke said it once
    assert store.claim(tmp_path, with_steps(1500)) == held
    with pytest.raises(UserError, match=r"validate_every \(150 there, 149 asked for\)"):
        store.claim(tmp_path, with_steps(1500, validate_every=149))


def test_what_may_differ_stays_as_it_was_declared_first(tmp_path: Path) -> None:
    first, later = run_file("a", threads=2), run_file("a", threads=4)
    store.claim(tmp_path, first, ignoring=("threads",))
    assert store.claim(tmp_path, later, ignoring=("threads",)) == first


def test_two_processes_never_hold_one_lock(tmp_path: Path) -> None:
    lock = tmp_path / "study.lock"
    code = (
        "import sys; from pathlib import Path; from srlab.folder import store\n"
        "with store.locked(Path(sys.argv[1]), busy='busy'): print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with (
        pytest.raises(UserError, match="another srlab is here"),
        store.locked(lock, busy="another srlab is here"),
    ):
        pass
    holder.kill()
    holder.communicate()
    with store.locked(lock, busy="the dead hold nothing", timeout=5):
        pass


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no study.json"),
        ({"format": "other"}, "not written by srlab"),
        ({"format": "srlab study", "version": 99}, "version 99"),
    ],
)
def test_a_folder_that_is_no_study_is_said_to_be_none(
    tmp_path: Path, content: dict[str, object] | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "study.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=message):
        store.load_study(tmp_path)
    with pytest.raises(UserError, match="does not exist"):
        store.load_study(tmp_path / "nowhere")


def test_provenance_names_code_and_machine_but_not_the_host() -> None:
    import platform

    found = begin_session(device="cpu", threads=1)
    assert found.versions["torch"]
    assert found.python == platform.python_version()
    if len(platform.node()) > 3:
        assert platform.node() not in json.dumps(as_json(found))


def test_no_commit_is_claimed_outside_a_checkout(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").touch()
    assert git_state(tmp_path) is None


@pytest.mark.parametrize(
    "change",
    [
        {"runs": "abc"},
        {"runs": [{"name": "../elsewhere", "variant": "a", "learning_rate": 1e-3, "seed": 0}]},
        {"runs": [{"name": "a", "variant": "another", "learning_rate": 1e-3, "seed": 0}]},
        {"runs": [{"name": "a", "variant": "a", "learning_rate": "fast", "seed": 0}]},
        {"variants": None},
        {"images": {}},
        {"evaluation": 3},
    ],
    ids=str,
)
def test_a_study_that_something_else_changed_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    save_study(tmp_path, [stored_variant("a")], [planned("a")])
    assert store.load_study(tmp_path).runs == (planned("a"),)
    whole = store.load_json(tmp_path / store.STUDY)
    store.save_json(tmp_path / store.STUDY, {**whole, **change})
    with pytest.raises(UserError, match="another program changed it"):
        store.load_study(tmp_path)
