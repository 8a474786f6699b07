"""What the store promises: whole files, one declaration for each folder, one process in each."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from srlab.errors import UserError
from srlab.folder import store


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


def test_a_run_goes_on_under_its_own_declaration_only(tmp_path: Path) -> None:
    store.claim(
        tmp_path / "run", {"variant": "a", "scale": 2, "protocol": {"num_steps": 10, "betas": (0.9, 0.999)}}
    )
    store.claim(
        tmp_path / "run", {"variant": "a", "scale": 2, "protocol": {"num_steps": 10, "betas": (0.9, 0.999)}}
    )
    with pytest.raises(UserError, match=r"number of steps \(10 there, 20 asked for\).*another --out"):
        store.claim(
            tmp_path / "run",
            {"variant": "a", "scale": 2, "protocol": {"num_steps": 20, "betas": (0.9, 0.999)}},
        )
    with pytest.raises(UserError, match=r"objective \(null there, l1 asked for\)"):
        store.check_claim(
            tmp_path / "run",
            {
                "variant": "a",
                "scale": 2,
                "protocol": {"num_steps": 10, "betas": (0.9, 0.999)},
                "objective": "l1",
            },
        )


def test_a_default_and_the_number_it_stands_for_are_one_declaration(tmp_path: Path) -> None:
    def declaration(every: int | None) -> dict[str, object]:
        return {"variant": "a", "protocol": {"num_steps": 1500, "validate_every": every}}

    held = store.claim(tmp_path / "run", declaration(150))  # as the study smoke said it once
    assert store.claim(tmp_path / "run", declaration(None)) == held
    with pytest.raises(UserError, match=r"validate_every \(150 there, 149 asked for\)"):
        store.claim(tmp_path / "run", declaration(149))


def test_what_may_differ_stays_as_it_was_declared_first(tmp_path: Path) -> None:
    store.claim(tmp_path / "run", {"variant": "a", "scale": 2, "threads": 2}, ignoring=("threads",))
    held = store.claim(tmp_path / "run", {"variant": "a", "scale": 2, "threads": 4}, ignoring=("threads",))
    assert held == {"variant": "a", "scale": 2, "threads": 2}


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

    found = store.provenance(device="cpu", threads=1)
    assert found["versions"]["torch"]
    assert found["python"] == platform.python_version()
    assert set(found["git"] or {"commit": "", "dirty": False}) == {"commit", "dirty"}
    if len(platform.node()) > 3:
        assert platform.node() not in json.dumps(found)


def test_no_commit_is_claimed_outside_a_checkout(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").touch()
    assert store.git_state(tmp_path) is None


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
    whole = {
        "format": "srlab study",
        "version": 1,
        "name": "mine",
        "question": "Which?",
        "scale": 2,
        "variants": [{"name": "a", "parameters": 9, "running_statistics": 0, "multiply_adds": 9}],
        "seeds": [0],
        "runs": [{"name": "a-lr0.001-seed0", "variant": "a", "learning_rate": 1e-3, "seed": 0}],
        "images": {"train": [], "validation": [], "test": [{"set": "set", "name": "b", "sha256": "1"}]},
        "test": ["set"],
        "evaluation": {"color": "rgb"},
    }
    store.save_json(tmp_path / store.STUDY, whole)
    assert store.load_study(tmp_path)["runs"] == whole["runs"]
    store.save_json(tmp_path / store.STUDY, {**whole, **change})
    with pytest.raises(UserError, match="another program changed it"):
        store.load_study(tmp_path)
