"""What ``srlab networks`` promises: the list, one network in detail, its picture; one line when wrong."""

import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from srlab.cli import main
from srlab.networks import PRESETS

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def srlab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command line; gives the exit code, standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["srlab", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err

    return run


def test_all_variants_are_listed_at_all_their_scales(srlab: Command) -> None:
    code, out, _ = srlab("networks", "--json")
    assert code == 0
    (rows,) = json.loads(out).values()
    assert [(row["name"], row["scale"]) for row in rows] == [
        (known.name, scale) for known in PRESETS.values() for scale in known.scales
    ]
    assert {
        "name": "srresnet/original",
        "about": "16 normalized blocks, ends in tanh",
        "architecture": "SRResNet",
        "scale": 4,
        "color": "rgb",
        "parameters": 1_550_659,
        "running_statistics": 4_224,
        "multiply_adds": 127_766_937_600,
    } in rows


def test_the_documentation_has_the_same_numbers(srlab: Command) -> None:
    _, out, _ = srlab("networks", "--json")
    rows = [
        f"| `{row['name']}` | x{row['scale']} | {row['parameters']:,} | {row['running_statistics']:,} "
        f"| {row['multiply_adds'] / 1e9:,.1f} G |"
        for row in json.loads(out)["networks"]
    ]
    text = (Path(__file__).parents[1] / "docs" / "architectures.md").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line.startswith("| `") and " | x" in line] == rows


def test_the_list_is_whole_on_a_narrow_terminal(srlab: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    code, out, _ = srlab("networks", "--scale", "3")
    assert code == 0
    (line,) = (line for line in out.splitlines() if line.startswith("rdn/paper_small"))
    assert re.split(" {2,}", line) == [
        "rdn/paper_small",
        "the paper's 20 narrow blocks",
        *("x3", "rgb", "5,801,155", "0", "594.8 G"),
    ]
    assert "edsr/vanilla" not in out


def test_five_words_say_what_each_variant_is() -> None:
    for known in PRESETS.values():
        assert 3 <= len(known.about.split()) <= 6, known
        assert len(known.about) <= 36, known  # so that the list fits 100 columns
        within = [other.about for other in PRESETS.values() if other.name.split("/")[0] in known.name]
        assert within.count(known.about) == 1, known


@pytest.mark.parametrize("columns", [80, 100])
def test_on_a_terminal_the_list_is_no_wider_and_no_name_is_broken(
    srlab: Command, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, color_system=None, width=columns, highlight=False)
    monkeypatch.setattr("srlab.cli.output.results", console)
    monkeypatch.setattr("srlab.cli.networks.results", console)
    srlab("networks")
    lines = shown.getvalue().splitlines()
    assert max(map(len, lines)) <= columns
    assert {line.split()[0] for line in lines if line and line[0] != " "} >= PRESETS.keys()
    words = {word for line in lines for word in line.split()}
    assert {"interpolation;", "normalization"} <= words  # no word is broken either


def test_while_it_counts_a_terminal_shows_how_far_it_is_and_a_pipe_nothing(
    srlab: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert srlab("networks", "srcnn", "--scale", "2")[2] == ""
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, color_system=None, width=80)
    monkeypatch.setattr("srlab.cli.networks.messages", console)
    code, out, _ = srlab("networks", "srcnn", "--scale", "2")
    assert code == 0
    assert "counting parameters and multiply-adds" in shown.getvalue()
    assert "counting" not in out


def test_one_variant_is_shown_layer_by_layer(srlab: Command) -> None:
    code, out, _ = srlab("networks", "edsr/batch_norm")
    assert code == 0
    assert out.startswith("edsr/batch_norm: EDSR x4, rgb\n")
    assert "BatchNorm2d" in out
    assert "Parameters: 1,521,667" in out


def test_options_make_a_network_of_one_s_own_at_any_scale(srlab: Command, tmp_path: Path) -> None:
    path = tmp_path / "mine.svg"
    arguments = (
        "--scale",
        "3",
        "--set",
        "num_blocks=2",
        "--set",
        "activation=leaky_relu:0.1",
        "--plot",
        str(path),
    )
    code, out, err = srlab("networks", "edsr/batch_norm", *arguments)
    assert (code, out, err) == (0, f"{path}\n", "")
    assert "LeakyReLU 0.1" in path.read_text(encoding="utf-8")
    code, out, _ = srlab("networks", "edsr/batch_norm", *arguments[:-2])
    assert code == 0
    assert "num_blocks = 2\n" in out


def test_a_network_of_one_s_own_has_a_name_of_its_own(srlab: Command) -> None:
    _, out, _ = srlab("networks", "edsr/vanilla", "--set", "num_blocks=2", "--json")
    (row,) = json.loads(out)["networks"]
    assert row["name"] == "edsr/vanilla+num_blocks-2"
    assert row["parameters"] < 1_517_571


def test_a_family_is_listed_by_its_name(srlab: Command) -> None:
    _, out, _ = srlab("networks", "vdsr", "--json")
    names = [row["name"] for row in json.loads(out)["networks"]]
    assert names == [
        known.name for known in PRESETS.values() for _ in known.scales if known.name.startswith("vdsr/")
    ]
    code, out, err = srlab("networks", "srresnet", "--scale", "2")
    assert (code, out) == (2, "")
    assert "no variant of srresnet exists at x2" in err


def test_one_variant_as_json(srlab: Command) -> None:
    code, out, _ = srlab("networks", "vdsr/paper", "--scale", "3", "--json")
    assert code == 0
    (row,) = json.loads(out)["networks"]
    assert (row["color"], row["parameters"], row["scale"]) == ("luma", 665_921, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["edsr/batchnorm"], "did you mean edsr/batch_norm"),
        (["edsr/batch_norm", "--scale", "3"], "exists at x4, not at x3"),
        (["--scale", "5"], "the scale must be 2, 3 or 4, not 5"),
        (["edsr/vanilla", "--set", "kernel_sizes=9,1,5"], "EDSR has no option 'kernel_sizes'"),
        (["edsr/vanilla", "--set", "num_blocks"], "--set takes KEY=VALUE"),
        (["edsr/vanilla", "--plot", "edsr.pdf"], "an .svg or a .png file, not 'edsr.pdf'"),
        (["--plot", "all.svg"], "need a variant"),
        (["vdsr", "--plot", "all.svg"], "need a variant"),
        (["edsr/vanilla", "--set", "dropout=1"], "no option 'dropout'; it has num_blocks"),
    ],
    ids=" ".join,
)
def test_wrong_input_is_one_line_and_exit_code_2(srlab: Command, arguments: list[str], message: str) -> None:
    code, out, err = srlab("networks", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.startswith("srlab: ")
    assert err.count("\n") == 1


def test_an_option_set_twice_is_refused_not_half_ignored(srlab: Command) -> None:
    code, out, err = srlab("networks", "edsr/vanilla", "--set", "num_blocks=8", "--set", "num_blocks=9")
    assert (code, out) == (2, "")
    assert "--set names num_blocks twice" in err


def test_an_interruption_says_so_and_ends_with_130(srlab: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("srlab.networks.find_preset", interrupted)
    code, out, err = srlab("networks", "edsr/vanilla")
    assert (code, out) == (130, "")
    assert "srlab: interrupted" in err
