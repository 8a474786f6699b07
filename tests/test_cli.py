"""What every command promises: help in the order of use, defaults shown, one line for what went wrong."""

import io
import os
import re
import shlex
import signal
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer.main
from rich.console import Console

from srlab.cli import ORDER, app, main
from srlab.cli.examples import EXAMPLES
from srlab.cli.output import show, show_grid
from srlab.cli.progress import StudyProgress, pace
from srlab.errors import UserError
from srlab.lab.execution import Event
from srlab.lab.scheduler import explain
from srlab.pixels.images import pixel_limit
from srlab.show.grid import Column, Grid
from srlab.training.train import Progress
from srlab.words import MINUS
from tiny_study import start_srlab, write_pictures, write_study_file

Srlab = Callable[..., tuple[int, str, str]]
# Left out, these do nothing; there is no default to show.
OPTIONAL = {
    "--set",
    "--protocol",
    "--plot",
    "--csv",
    "--markdown",
    "--latex",
    "--image",
    "--source",
    "--figures",
}


@pytest.fixture
def srlab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Srlab:
    """Run a command in this process: its exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["srlab", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], io.StringIO]:
    """Give standard output a terminal of so many columns; what is shown on it."""

    def make(columns: int) -> io.StringIO:
        shown = io.StringIO()
        console = Console(file=shown, force_terminal=True, color_system=None, width=columns, highlight=False)
        monkeypatch.setattr("srlab.cli.output.results", console)
        return shown

    return make


def commands() -> dict[str, Any]:
    group: Any = typer.main.get_command(app)
    found = {}
    for name, command in group.commands.items():
        for inner, nested in getattr(command, "commands", {"": command}).items():
            found[f"{name} {inner}".strip()] = nested
    return found


def test_help_lists_the_commands_in_the_order_in_which_one_uses_them(srlab: Srlab) -> None:
    group: Any = typer.main.get_command(app)
    listed = group.list_commands(None)
    assert set(listed) <= set(ORDER)
    assert listed == [name for name in ORDER if name in listed]
    _, out, _ = srlab("--help")
    places = [out.index(f"│ {name} ") for name in listed]
    assert places == sorted(places)


@pytest.mark.parametrize("command", commands())
def test_help_shows_what_every_option_is_without_being_given(srlab: Srlab, command: str) -> None:
    code, out, _ = srlab(*command.split(), "--help")
    assert code == 0
    rows = re.split(r"^│ [* ] *(?=--)|^│ (?=--)", out, flags=re.MULTILINE)
    silent = []
    for parameter in commands()[command].params:
        if parameter.param_type_name != "option" or parameter.required or parameter.opts[0] in OPTIONAL:
            continue
        if parameter.is_flag and not parameter.default:  # without it, it is not so
            continue
        (row,) = (row for row in rows if row.startswith(f"{parameter.opts[0]} "))
        if "[default:" not in row:
            silent.append(parameter.opts[0])
    assert silent == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["networks", "--bogus"], "srlab: no such option: --bogus; see `srlab networks --help`"),
        (["upscale"], "srlab: missing argument 'IMAGE... [OUT]'; see `srlab upscale --help`"),
        (["netwrks"], "srlab: no such command 'netwrks'. Did you mean 'networks'? see `srlab --help`"),
        (["study", "smoke", "--steps", "many"], "invalid value for '--steps': "),
    ],
    ids=" ".join,
)
def test_a_command_that_is_no_command_is_one_line(srlab: Srlab, words: list[str], message: str) -> None:
    code, out, err = srlab(*words)
    assert (code, out) == (2, "")
    assert err.startswith("srlab: ")
    assert err.count("\n") == 1
    assert message in err


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["leaderboard", "runs/a", "--csv", ""], "what comes after --csv"),
        (["report", "runs/a", "--figures="], "what comes after --figures"),
        (["pictures", "runs/a", "--out", "", "--json"], "what comes after --out"),
        (["upscale", "", "x.png", "--model", "bicubic", "--scale", "2"], "one of the arguments"),
        (["evaluate", "", "--data", "set"], "one of the arguments"),
        (["data", "add", "set5", ""], "one of the arguments"),
    ],
    ids=" ".join,
)
def test_an_empty_word_is_refused_before_anything_is_read(srlab: Srlab, words: list[str], what: str) -> None:
    code, out, err = srlab(*words)
    assert (code, out) == (2, "")
    assert err == f"srlab: {what} is empty: give a value, or leave it out\n"


def test_no_command_at_all_is_answered_with_the_help(srlab: Srlab) -> None:
    _, out, err = srlab()
    assert "Usage: srlab" in out + err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(30, "Read-only file system", "x"),
            "x cannot be used: read-only file system; choose another",
        ),
        (OSError(24, "Too many open files"), "the system refused: too many open files"),
        (OSError("a text of its own"), "a text of its own"),
    ],
)
def test_what_the_system_refuses_is_a_sentence(
    srlab: Srlab, monkeypatch: pytest.MonkeyPatch, error: OSError, said: str
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("srlab.networks.find_preset", refused)
    code, _, err = srlab("networks", "edsr/vanilla")
    assert code == 2
    assert said in err
    assert "Errno" not in err


def test_a_full_disk_says_what_to_do() -> None:
    assert explain(OSError(28, "No space left on device", "a/b")).startswith(
        "no space is left on the disk for a/b"
    )


def test_a_name_with_line_breaks_stays_in_its_line(srlab: Srlab, tmp_path: Path) -> None:
    write_pictures(tmp_path / "set", 1, seed=1)
    (tmp_path / "set" / "0.png").rename(tmp_path / "set" / "two\nlines\x1b[31m.png")
    code, out, _ = srlab("evaluate", "bicubic", "--data", "set", "--scale", "2")
    assert code == 0
    assert [line for line in out.splitlines() if line.startswith("two\\nlines\\x1b[31m ")]
    assert "\x1b" not in out
    code, _, err = srlab("evaluate", "two\nlines", "--data", "set", "--scale", "2")
    assert code == 2
    assert err.startswith("srlab: two\\nlines does not exist")
    assert err.count("\n") == 1


def test_sentences_are_wrapped_on_a_terminal_and_nowhere_else(
    terminal: Callable[[int], io.StringIO], capsys: pytest.CaptureFixture[str]
) -> None:
    sentence = "- " + "words and a/path/that/is/kept/whole " * 4 + "here"
    show(sentence, indent="  ")
    assert capsys.readouterr().out == sentence + "\n"
    shown = terminal(50)
    show(sentence, indent="  ")
    lines = shown.getvalue().splitlines()
    assert len(lines) == 4
    assert all(len(line) <= 50 for line in lines)
    assert [line[:2] for line in lines] == ["- ", "  ", "  ", "  "]


def table(name: str, count: str = "81,123", *, is_name: bool = False) -> Grid:
    columns = (
        Column(key="variant", heading="variant", is_text=True, is_name=is_name),
        Column(key="parameters", heading="parameters"),
        Column(key="psnr_y", heading="psnr_y"),
    )
    return Grid.of_texts("t", columns, [(part, count, "36.24") for part in name.split()])


def test_a_table_folds_where_the_terminal_is_narrow_and_drops_nothing(
    terminal: Callable[[int], io.StringIO], capsys: pytest.CaptureFixture[str]
) -> None:
    grid = table("srcnn/pixel_shuffle_residual_leaky_relu")
    show_grid(grid)
    assert "srcnn/pixel_shuffle_residual_leaky_relu      81,123   36.24\n" in capsys.readouterr().out
    shown = terminal(34)
    show_grid(grid)
    lines = shown.getvalue().splitlines()
    assert all(len(line) <= 34 for line in lines)
    assert "".join(line.split()[0] for line in lines[1:]) == "srcnn/pixel_shuffle_residual_leaky_relu"
    assert "81,123" in lines[1]
    assert "36.24" in lines[1]


def test_long_names_lose_their_middle_and_stay_distinct_where_the_terminal_is_narrow(
    terminal: Callable[[int], io.StringIO],
) -> None:
    names = "srcnn/pixel_shuffle_residual_leaky_relu srcnn/pixel_shuffle_leaky_relu bicubic"
    shown = terminal(44)
    show_grid(table(names, "10,081,123", is_name=True))
    lines = shown.getvalue().splitlines()
    assert len(lines) == 1 + len(names.split())
    assert all(len(line) <= 44 and line.endswith("10,081,123   36.24") for line in lines[1:])
    short = [line.split()[0] for line in lines[1:]]
    assert len(set(short)) == len(short)
    assert all(name.startswith("srcnn/") and name.endswith("_leaky_relu") for name in short[:2])


def test_what_looks_like_markup_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    show_grid(table("[bold]name[/bold]"))
    assert "[bold]name[/bold]" in capsys.readouterr().out


def test_on_a_terminal_a_minus_is_the_keyboards(capsys: pytest.CaptureFixture[str]) -> None:
    show_grid(table("a", f"{MINUS}0.35"))
    assert "-0.35" in capsys.readouterr().out


def test_slow_steps_are_told_in_seconds() -> None:
    assert pace(1 / 12.3) == "12.3 steps/s"
    assert pace(45.6) == "45.6 s/step"
    assert pace(600.0) == "600.0 s/step"


def steps_told(
    monkeypatch: pytest.MonkeyPatch, at: Sequence[tuple[float, int]], *, resumed_at: int = 0
) -> list[str]:
    """The lines about a run of 1500 steps of which each `at` is a time in seconds and the steps done."""
    shown = io.StringIO()
    with StudyProgress(Console(file=shown)) as progress:
        for seconds, step in at:
            monkeypatch.setattr(time, "monotonic", lambda seconds=seconds: seconds)
            now = Progress(
                step=step, num_steps=1500, loss=None, seconds=seconds, psnr_y=None, resumed_at=resumed_at
            )
            progress.report(Event(name="srcnn-vanilla", phase="training", progress=now))
    return shown.getvalue().splitlines()


def test_a_run_keeps_the_unit_of_its_first_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = steps_told(monkeypatch, [(0, 0), (40, 41), (80, 79), (120, 118)])
    assert [line.split(", ")[1] for line in lines] == ["1.0 steps/s", "0.99 steps/s", "0.98 steps/s"]
    lines = steps_told(monkeypatch, [(0, 0), (40, 39), (80, 81)])
    assert [line.split(", ")[1] for line in lines] == ["1.0 s/step", "0.99 s/step"]


def test_a_run_says_once_from_which_step_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    first, *later = steps_told(monkeypatch, [(0, 300), (1, 301), (40, 340), (80, 380)], resumed_at=300)
    assert first == "srcnn-vanilla: goes on from step 300 of 1500"
    assert [line.split(",")[0] for line in later] == [
        "srcnn-vanilla: step 340 of 1500",
        "srcnn-vanilla: step 380 of 1500",
    ]
    assert not [line for line in steps_told(monkeypatch, [(0, 1), (1, 2)]) if "goes on" in line]


def test_a_polite_kill_ends_a_study_like_an_interruption(tmp_path: Path) -> None:
    study = write_study_file(tmp_path, steps=100_000, every=20)
    out = tmp_path / "out"
    words = ["study", str(study), "--no-estimate", "--jobs", "2", "--threads", "1", "--out", str(out)]
    process = start_srlab(words)
    until = time.monotonic() + 120
    while not list(out.glob("*/metrics.jsonl")) and time.monotonic() < until and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "run the same command again: it continues where this one stopped" in err
    assert "srlab: interrupted" in err
    assert "Warning" not in err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", commands())
def test_no_paragraph_of_a_help_breaks_in_its_middle(srlab: Srlab, command: str) -> None:
    _, out, _ = srlab(*command.split(), "-h")
    words, _, _ = out.partition("╭")
    paragraphs = [one for one in re.split(r"\n\s*\n", words) if "Usage:" not in one and one.strip()]
    assert paragraphs
    width = max(map(len, words.splitlines()))
    for paragraph in paragraphs:
        for line, following in pairwise(paragraph.strip("\n").splitlines()):
            assert len(line.rstrip()) + 1 + len(following.split()[0]) >= width - 1  # the word had no room


@pytest.mark.parametrize("command", ["", "data", *commands()])
def test_every_help_ends_with_two_examples_and_h_is_help(srlab: Srlab, command: str) -> None:
    code, out, _ = srlab(*command.split(), "-h")
    assert code == 0
    assert srlab(*command.split(), "--help")[1] == out
    _, _, end = out.rpartition("Examples:")
    assert tuple(line.strip() for line in end.splitlines() if line.strip()) == EXAMPLES[command]


@pytest.mark.parametrize("words", [words for pair in EXAMPLES.values() for words in pair])
def test_every_example_is_a_command_that_parses(words: str) -> None:
    name, *arguments = shlex.split(words)
    assert name == "srlab"
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command = command.commands[arguments.pop(0)]
    assert command.make_context(command.name, list(arguments)).args == []


PICTURES = ["--train", "p", "--test", "q", "--plan"]


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["study", "smoke", "--learning-rates", "1e-3,1e-3"], "--learning-rates: "),
        (["study", "smoke", "--seeds", "0,0"], "--seeds: "),
        (["study", "smoke", "--seeds", "99999999999,"], "--seeds: "),
        (["study", "smoke", "--variants", "vanila"], "--variants: "),
        (["study", "smoke", "--test", "a,a"], "--test "),
        (["study", "smoke", "--precision", "fp16", "--optimizer", "adam"], "--precision: "),
        (["study", "smoke", "--schedule", "step"], "--schedule: "),
        (["study", "smoke", "--protocol", "adam_eps=-1"], "--protocol: "),
        (["study", "srgan", "--content", "vgg"], "--content: "),
        (["study", "srgan", "--objective", "pixel_loss=vgg"], "--objective: "),
        (["train", "srcnn/vanilla", "--learning-rate", "nan", *PICTURES], "--learning-rate "),
        (["train", "srcnn/vanilla", "--seed", "99999999999", *PICTURES], "--seed: "),
        (["train", "srcnn/vanilla", "--loss", "huber", *PICTURES], "--loss: "),
        (["train", "edsr/baseline", "--scale", "5", *PICTURES], "--scale: "),
        (["train", "srcnn/vanilla", "--set", "skip=foo", *PICTURES], "--set: "),
        (["networks", "edsr/vanilla", "--scale", "7"], "--scale: "),
        (["networks", "edsr/vanilla", "--set", "num_blocks=0"], "--set: "),
        (["evaluate", "bicubic", "--data", "x", "--scale", "7"], "--scale: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_value_is_told_by_its_option_not_by_an_argument_of_python(
    srlab: Srlab, words: list[str], option: str
) -> None:
    code, out, err = srlab(*words)
    assert (code, out) == (2, "")
    assert err.startswith(f"srlab: {option}")
    assert "learning_rates" not in err


def test_every_command_that_reads_pictures_takes_their_largest_size() -> None:
    takes = [
        name
        for name, command in commands().items()
        if any("--max-pixels" in option.opts for option in command.params)
    ]
    assert sorted(takes) == [
        "data add",
        "evaluate",
        "perceptual",
        "pictures",
        "publish",
        "report",
        "serve",
        "study",
        "train",
        "upscale",
    ]


@pytest.mark.parametrize(
    "words",
    [
        ["evaluate", "bicubic", "--scale", "2", "--data", "photos"],
        ["train", "edsr/baseline", "--scale", "2", "--train", "photos", "--test", "photos"],
        ["study", "smoke", "--train", "photos", "--test", "photos"],
        ["data", "add", "set5", "photos"],
        ["upscale", "photos/0.png"],
    ],
)
def test_a_picture_of_more_pixels_than_max_pixels_is_refused(
    srlab: Srlab, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    write_pictures(Path("photos"), 5, size=60, seed=0)
    monkeypatch.setenv("SRLAB_DATA", str(Path("data").resolve()))
    monkeypatch.setenv("SRLAB_MAX_PIXELS", "5000")
    code, _, err = srlab(*words, "--max-pixels", "3599")
    assert code == 2
    assert "60x60 pixels, more than the limit of 3,599" in err.replace("\n", " ")
    assert os.environ["SRLAB_MAX_PIXELS"] == "5000"


@pytest.mark.parametrize(
    ("words", "reader"),
    [
        (["pictures", "study"], "srlab.show.pictures.write_pictures"),
        (["pictures", "study", "--image", "photo.png"], "srlab.show.ranking_on_image.rank_on_image"),
        (["report", "study"], "srlab.show.report.write_report"),
        (["perceptual", "study"], "srlab.lab.perceptual_scores.score_study"),
    ],
)
def test_max_pixels_holds_for_as_long_as_the_command_runs(
    srlab: Srlab, monkeypatch: pytest.MonkeyPatch, words: list[str], reader: str
) -> None:
    def tell(*_: object, **__: object) -> None:
        raise UserError(f"the limit is {pixel_limit()}")

    monkeypatch.delenv("SRLAB_MAX_PIXELS", raising=False)
    monkeypatch.setattr(reader, tell)
    assert "the limit is 50\n" in srlab(*words, "--max-pixels", "50")[2]
    assert "SRLAB_MAX_PIXELS" not in os.environ
