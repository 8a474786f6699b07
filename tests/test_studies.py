"""What the shipped studies promise: a question each, the seed's grids, its faults mended."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from srlab.declare import studies
from srlab.declare.objectives import PixelObjective
from srlab.declare.studies import NAMES, load_study
from srlab.declare.study import Run
from srlab.errors import UserError
from srlab.networks import RDNOptions, num_parameters, preset
from srlab.training.schedule import learning_rate_at
from tiny_study import write_study_file

SEED_RATES = {
    "srcnn": (1e-3, 5e-4, 3e-4, 1e-4, 1e-5),
    "vdsr": (1e-3, 5e-4, 3e-4, 1e-4, 1e-5),
    "edsr": (1e-3, 5e-4, 3e-4, 1e-4, 5e-5),
    "rdn": (1e-3, 5e-4, 3e-4, 1e-4, 5e-5),
}
every_study = pytest.mark.parametrize("name", NAMES)


def names_of(study: str) -> set[str]:
    return {variant.name.partition("/")[2] for variant in load_study(study).study.variants}


def test_every_file_of_the_folder_is_a_study_with_a_name() -> None:
    files = {path.stem for path in Path(studies.__file__).parent.glob("*.py")} - {"__init__"}
    assert files == set(NAMES)


@every_study
def test_every_study_says_what_it_asks_and_can_be_built(name: str) -> None:
    found = load_study(name)
    assert found.question.endswith("?")
    assert found.study.name == name
    lines = found.about.splitlines()
    for word in ("Run:", "Takes:", "Measured:"):
        assert any(line.startswith(word) for line in lines), f"{name} has no line {word}"
    for variant in found.study.variants:
        assert num_parameters(variant.network, scale=found.study.scale) > 0


@pytest.mark.parametrize("name", sorted(SEED_RATES))
def test_the_seed_studies_have_its_rates_and_adam(name: str) -> None:
    study = load_study(name).study
    assert study.learning_rates == SEED_RATES[name]
    assert study.protocol.adam_eps == 1e-7
    assert study.test == ("set5", "set14")


def test_srcnn_has_the_seeds_protocol_and_a_bicubic_residual() -> None:
    study = load_study("srcnn").study
    assert (study.scale, study.protocol.batch_size, study.protocol.lr_patch_size) == (2, 64, 32)
    assert study.protocol.num_steps == 50 * 348
    assert {variant.objective for variant in study.variants} == {PixelObjective(loss="mse")}
    assert "residual_bicubic" in names_of("srcnn")
    assert len(study.variants) == 7


def test_vdsr_separates_the_channels_from_the_upsampling() -> None:
    study = load_study("vdsr").study
    assert (study.scale, study.protocol.batch_size, study.protocol.num_steps) == (2, 256, 10 * 629)
    assert names_of("vdsr") == {"vanilla", "leaky_relu", "pixel_shuffle", "vanilla_rgb", "pixel_shuffle_rgb"}


@every_study
def test_every_rate_falls_to_zero_so_that_no_last_step_is_a_lottery(name: str) -> None:
    study = load_study(name).study
    for variant in study.variants:
        protocol = study.protocol_of(variant)
        run = Run(variant=variant, scale=study.scale, learning_rate=1e-3, seed=0, protocol=protocol)
        assert learning_rate_at(protocol.num_steps - 1, run) < 1e-3 * 1e-3
        assert learning_rate_at(protocol.num_steps // 2, run) > 1e-4


def test_rdn_has_the_upsamplers_activation_changed_too() -> None:
    study = load_study("rdn").study
    assert study.protocol.jpeg_noise
    assert study.protocol.num_steps == 50_000
    throughout = [variant.network for variant in study.variants if variant.name.endswith("_throughout")]
    assert len(throughout) == 2
    for network in throughout:
        assert isinstance(network, RDNOptions)
        assert network.upsampler_activation == network.activation


def test_classic_trains_five_networks_alike() -> None:
    study = load_study("classic").study
    assert study.scale == 4
    assert [type(variant.network).__name__ for variant in study.variants] == [
        "SRCNNOptions",
        "VDSROptions",
        "EDSROptions",
        "RDNOptions",
        "SRResNetOptions",
    ]
    assert len({variant.objective for variant in study.variants}) == 1


def test_smoke_is_the_seeds_six_and_needs_no_data() -> None:
    study = load_study("smoke").study
    assert len(study.variants) == 6
    assert {*study.train, *study.validate, *study.test} == {"sample"}
    assert all(variant.network == preset(variant.name, scale=2) for variant in study.variants)


def test_a_study_of_ones_own_is_a_file(tmp_path: Path) -> None:
    found = load_study(str(write_study_file(tmp_path)))
    assert found.question == "Does it work?"
    assert [variant.name for variant in found.study.variants] == ["tiny/edsr", "tiny/srcnn"]
    assert replace(found.study, seeds=(1,)).seeds == (1,)


def test_the_study_worked_through_in_the_documentation_can_be_loaded(tmp_path: Path) -> None:
    text = (Path(__file__).parents[1] / "docs" / "studies.md").read_text()
    path = tmp_path / "kernels.py"
    path.write_text(text.partition("```python\n")[2].partition("```")[0])
    study = load_study(str(path)).study
    assert len(list(study.runs())) == 8


def test_the_documentation_names_every_study_with_its_runs() -> None:
    text = (Path(__file__).parents[1] / "docs" / "studies.md").read_text()
    for name in NAMES:
        runs = len(list(load_study(name).study.runs()))
        assert re.search(rf"\| `{name}` \|.*\| {runs} \|", text), name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "defines no study"),
        ("import nothing_like_this\n", r"line 1: ModuleNotFoundError"),
        ("def broken(:\n", "SyntaxError"),
        ("\n\n1 / 0\n", "line 3: ZeroDivisionError"),
        ("import sys\nsys.exit(0)\n", "line 2: it calls exit"),
        ("raise GeneratorExit\n", "line 1: GeneratorExit"),
        ("class Mine(BaseException): pass\nraise Mine('no')\n", "line 2: Mine: no"),
        ("from srlab.networks import preset\npreset('edsr/none', scale=4)\n", "line 2: there is no variant"),
        ("from srlab.declare.studies.smoke import STUDY\n", "end with a question mark"),
    ],
)
def test_a_study_file_that_is_wrong_says_where(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        load_study(str(path))


def test_ctrl_c_while_a_study_file_is_read_is_no_fault_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        load_study(str(path))


def test_an_unknown_study_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="smoke, srcnn, vdsr, edsr, rdn, srresnet, srgan"):
        load_study("srgan2")
    with pytest.raises(UserError, match=r"the study file .* does not exist"):
        load_study(str(tmp_path / "none.py"))


def test_transfer_has_its_controls() -> None:
    """Each network is trained from random weights and with nothing frozen too (W17)."""
    study = load_study("srresnet").study
    by_kind = {
        kind: {variant.network for variant in study.variants if variant.name.startswith(f"srresnet/{kind}_")}
        for kind in ("transfer", "finetune", "scratch")
    }
    assert by_kind["transfer"] == by_kind["finetune"] == by_kind["scratch"]
    assert preset("srresnet/transfer_wide", scale=4) in by_kind["transfer"]
    assert {variant.start and variant.start.freeze for variant in study.variants} == {None, True, False}
    assert study.tiers()[0][0].name == "srresnet/original"
