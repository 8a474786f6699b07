"""What the logs promise: TensorBoard and metrics.jsonl show what a run did, and each step once."""

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
    EventAccumulator,
)
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData  # type: ignore[import-untyped]

from srlab.networks import PRESETS, Network, build_network
from srlab.pixels.images import HRImage
from srlab.training.monitor import Monitor, trace
from srlab.training.preview import preview_crop, side_by_side
from tiny_run import PREVIEW, TINY_BATCH_NORM, events, logged, metrics, tiny_run, train_tiny

CURVES = [
    "train/loss",
    "train/learning_rate",
    "train/seconds",
    "train/processor_seconds",
    "validation/psnr_y",
    "validation/ssim_y",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("run")
    train_tiny(folder)
    return folder


@pytest.fixture(scope="module")
def log(run: Path) -> Any:
    return EventAccumulator(str(run / "tensorboard"), size_guidance={"images": 0, "scalars": 0}).Reload()


def hyper_parameters(folder: Path) -> dict[str, HParamsPluginData]:
    return {
        value.tag: HParamsPluginData.FromString(value.metadata.plugin_data.content)
        for event in events(folder)
        for value in event.summary.value
        if value.metadata.plugin_data.plugin_name == "hparams"
    }


def test_tensorboard_shows_the_curves_of_the_metrics_file(run: Path, log: Any) -> None:
    for tag in CURVES:
        name = tag.rpartition("/")[2]
        lines = [(line["step"], pytest.approx(line[name])) for line in metrics(run) if name in line]
        assert [(point.step, point.value) for point in log.Scalars(tag)] == lines
        assert lines


def test_a_short_run_logs_every_step_and_each_validation_with_it(run: Path) -> None:
    assert [line["step"] for line in metrics(run)] == list(range(1, 13))
    assert [line["step"] for line in metrics(run) if "psnr_y" in line] == [4, 8, 12]


def test_tensorboard_shows_a_histogram_of_every_weight_at_each_validation(run: Path, log: Any) -> None:
    names = {f"weights/{name}" for name, _ in build_network(TINY_BATCH_NORM, scale=2).named_parameters()}
    assert names <= set(log.Tags()["histograms"]) | set(log.Tags()["tensors"])
    for name in names:
        assert [step for tag, step in sorted(logged(run)) if tag == name] == [4, 8, 12]


def test_tensorboard_shows_bicubic_sr_and_hr_side_by_side(log: Any) -> None:
    pictures = log.Images("validation/bicubic_sr_hr")
    assert [picture.step for picture in pictures] == [4, 8, 12]
    assert (pictures[0].width, pictures[0].height) == (36, 12)


def test_tensorboard_shows_the_graph(log: Any) -> None:
    assert any("conv" in node.op for node in log.Graph().node)


def test_tensorboard_shows_the_hyper_parameters_in_the_runs_own_folder(run: Path) -> None:
    assert [path for path in (run / "tensorboard").iterdir() if path.is_dir()] == []
    values = hyper_parameters(run)["_hparams_/session_start_info"].session_start_info.hparams
    assert values["variant"].string_value == "tiny/edsr"
    assert values["learning_rate"].number_value == 1e-3
    assert values["num_steps"].number_value == 12
    assert values["network.num_features"].number_value == 4
    assert values["loss"].string_value == "l1"
    shown = hyper_parameters(run)["_hparams_/experiment"].experiment.metric_infos
    assert {metric.name.tag for metric in shown} <= set(CURVES)
    assert "_hparams_/session_end_info" in hyper_parameters(run)


def test_each_tag_is_there_once_for_each_step_in_the_raw_files(run: Path) -> None:
    assert set(logged(run).values()) == {1}


def test_a_number_that_is_not_finite_is_null_in_the_metrics_file(tmp_path: Path) -> None:
    with Monitor(tmp_path, lengths={}) as monitor:
        monitor.values(3, {"train/loss": math.nan, "validation/psnr_y": math.inf})
    assert metrics(tmp_path) == [{"step": 3, "loss": None, "psnr_y": None}]
    assert logged(tmp_path) == {("train/loss", 3): 1, ("validation/psnr_y", 3): 1}


def test_what_was_logged_after_the_checkpoint_is_forgotten(tmp_path: Path) -> None:
    with Monitor(tmp_path, lengths={}) as monitor:
        monitor.values(1, {"train/loss": 1.0})
        lengths = monitor.sync()
        monitor.values(2, {"train/loss": 2.0})
    with Monitor(tmp_path, lengths=lengths) as monitor:
        monitor.values(2, {"train/loss": 3.0})
    with Monitor(tmp_path, lengths=lengths) as monitor:
        monitor.values(2, {"train/loss": 4.0})
        lengths = monitor.sync()
        monitor.values(3, {"train/loss": 5.0})
    with Monitor(tmp_path, lengths=lengths) as monitor:
        monitor.values(3, {"train/loss": 6.0})
    assert [line["loss"] for line in metrics(tmp_path)] == [1.0, 4.0, 6.0]
    log = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(point.step, point.value) for point in log.Scalars("train/loss")] == [
        (1, 1.0),
        (2, 4.0),
        (3, 6.0),
    ]


def test_log_files_that_somebody_removed_do_not_stop_a_run(tmp_path: Path) -> None:
    with Monitor(tmp_path, lengths={}) as monitor:
        monitor.values(1, {"train/loss": 1.0})
        lengths = monitor.sync()
    for name in lengths:
        (tmp_path / name).unlink()
    with Monitor(tmp_path, lengths=lengths) as monitor:
        monitor.values(2, {"train/loss": 2.0})
    assert [line["step"] for line in metrics(tmp_path)] == [2]


def test_files_of_others_in_the_tensorboard_folder_are_left_alone(tmp_path: Path) -> None:
    note = tmp_path / "tensorboard" / "note.txt"
    note.parent.mkdir()
    note.write_text("mine")
    with Monitor(tmp_path, lengths={}) as monitor:
        monitor.values(1, {"train/loss": 1.0})
    assert note.read_text() == "mine"


def test_tracing_changes_neither_the_network_nor_the_generator(capsys: pytest.CaptureFixture[str]) -> None:
    network = build_network(TINY_BATCH_NORM, scale=2).train()
    before, generator = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    trace(network)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert all(module.training for module in network.modules())
    assert torch.equal(torch.get_rng_state(), generator)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "name", ["srcnn/paper_915", "vdsr/vanilla", "edsr/srresnet_block", "rdn/prelu", "srresnet/paper"]
)
def test_every_architecture_can_be_traced(name: str) -> None:
    found = PRESETS[name]
    graph, _ = trace(build_network(found.options, scale=found.scales[0]))
    assert len(graph.node) > 5


def test_every_setting_of_a_run_can_be_logged(tmp_path: Path) -> None:
    run = tiny_run()
    outcome = train_tiny(tmp_path, run, preview=None, validate=None)
    assert outcome.status == "finished"
    names = set(hyper_parameters(tmp_path)["_hparams_/session_start_info"].session_start_info.hparams)
    assert {"halve_at", "adam_betas", "gradient_clip_norm", "network.activation"} <= names


# The validation picture


def test_the_preview_is_the_middle_of_a_picture_and_its_lr() -> None:
    rows, columns = np.mgrid[0:101, 0:81].astype(np.uint8)
    image = HRImage(name="ramp", pixels=np.stack([rows, columns, rows], axis=-1), is_gray=False)
    lr, hr = preview_crop(image, scale=4, hr_size=32)
    assert (lr.shape, hr.shape) == ((1, 3, 8, 8), (1, 3, 32, 32))
    assert (hr[0, 0, 0, 0] * 255).round() == 32  # (25 // 2 - 8 // 2) * 4
    means = (hr.reshape(1, 3, 8, 4, 8, 4).mean((3, 5)) - lr).abs()
    assert means.max() < 1 / 255


def test_the_preview_of_a_small_picture_is_all_of_it() -> None:
    pixels = np.asarray(Image.new("RGB", (9, 7), (10, 20, 30)))
    lr, hr = preview_crop(HRImage(name="small", pixels=pixels, is_gray=False), scale=4)
    assert (lr.shape, hr.shape) == ((1, 3, 1, 2), (1, 3, 4, 8))


def test_the_picture_is_bicubic_then_sr_then_hr() -> None:
    class Black(Network):
        def forward(self, lr: torch.Tensor) -> torch.Tensor:
            return torch.zeros(1, 3, 2 * lr.shape[-2], 2 * lr.shape[-1])

    picture = side_by_side(Black(scale=2, enlargement="sub_pixel", skip=None), *PREVIEW)
    torch.testing.assert_close(picture[..., :12], torch.full((3, 12, 12), 0.25))
    assert picture[..., 12:24].abs().max() == 0
    assert torch.equal(picture[..., 24:], PREVIEW[1][0])
