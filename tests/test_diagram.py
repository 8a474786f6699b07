"""What diagrams and summaries promise: they show the network that is built, so that one can follow it."""

import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from srlab.errors import UserError
from srlab.networks import PRESETS, EDSROptions, diagram, meta_network, preset
from srlab.networks.diagram import Arrow, Box, picture_of, plot
from srlab.networks.summary import summary


def picture(name: str, *, scale: int) -> tuple[list[Box], list[Arrow]]:
    return picture_of(meta_network(preset(name, scale=scale), scale=scale), scale=scale)


def lines(boxes: Sequence[Box]) -> list[str]:
    """Each box as one line, with an x for every multiplication sign."""
    texts = [" | ".join(box.lines).replace("\N{MULTIPLICATION SIGN}", "x") for box in boxes]
    return [
        text if box.count == 1 else f"{box.count} x {text}" for box, text in zip(boxes, texts, strict=True)
    ]


def test_a_chain_is_drawn_in_the_order_it_runs() -> None:
    boxes, arrows = picture("srcnn/vanilla", scale=2)
    assert lines(boxes) == [
        "LR | 3 x H x W",
        "bicubic x2",
        "repeat the edge by 7",
        "conv 9x9, valid | 3 → 128 | ReLU",
        "conv 3x3, valid | 128 → 64 | ReLU",
        "conv 5x5, valid | 64 → 3",
        "SR | 3 x 2H x 2W",
    ]
    assert [(arrow.source, arrow.target) for arrow in arrows] == [(i, i + 1) for i in range(6)]
    assert not any(arrow.is_skip for arrow in arrows)


def test_what_is_repeated_is_drawn_once_with_its_number() -> None:
    boxes, _ = picture("edsr/paper", scale=4)
    assert "32 x residual block" in lines(boxes)
    assert "2 x conv 3x3 | 256 → 1024 | pixel shuffle x2" in lines(boxes)
    boxes, _ = picture("vdsr/paper", scale=2)
    assert "18 x conv 3x3 | 64 → 64 | ReLU" in lines(boxes)


def test_blocks_of_one_name_that_are_not_alike_are_told_apart() -> None:
    boxes, _ = picture("srresnet/transfer_dense", scale=4)
    blocks = [line for line in lines(boxes) if "block" in line]
    assert blocks == ["9 x residual block A", "residual block B", "7 x dense block"]


def test_a_residual_of_one_channel_that_is_added_to_three_colours_says_so() -> None:
    for name, labels in (
        ("vdsr/vanilla", {"", "1 channel, added to R, G and B"}),
        ("vdsr/vanilla_rgb", {""}),
        ("vdsr/paper", {"", "Y", "Cb, Cr"}),  # works on Y alone
    ):
        _, arrows = picture(name, scale=2)
        assert {arrow.label for arrow in arrows} == labels, name


def test_a_skip_is_an_arrow_past_the_boxes() -> None:
    boxes, arrows = picture("edsr/vanilla", scale=4)
    names = lines(boxes)
    (skip,) = (arrow for arrow in arrows if arrow.is_skip)
    assert names[skip.source] == "conv 3x3 | 3 → 64"
    assert names[skip.target] == "+"


def test_a_skip_that_is_enlarged_is_one_from_its_beginning() -> None:
    boxes, arrows = picture("vdsr/pixel_shuffle", scale=2)
    names = lines(boxes)
    skips = {(names[arrow.source], names[arrow.target]) for arrow in arrows if arrow.is_skip}
    assert skips == {("LR | 3 x H x W", "bilinear x2"), ("bilinear x2", "+")}


def test_all_blocks_lead_to_the_fusion_of_a_dense_network() -> None:
    boxes, arrows = picture("rdn/vanilla", scale=2)
    names = lines(boxes)
    (arrow,) = (arrow for arrow in arrows if names[arrow.target] == "concatenate")
    assert (names[arrow.source], arrow.label) == ("3 x dense block", "all 3")


def test_luma_and_colour_are_told_apart() -> None:
    _, arrows = picture("vdsr/paper", scale=2)
    assert {arrow.label for arrow in arrows} == {"", "Y", "Cb, Cr"}


def test_the_inside_of_a_block_can_be_drawn() -> None:
    boxes, _ = picture("srresnet/original", scale=4)
    (block,) = (box for box in boxes if box.kind == "block")
    assert block.module is not None
    inside, arrows = picture_of(block.module)
    assert lines(inside) == [
        "in",
        "conv 3x3 | 64 → 64",
        "batch norm",
        "PReLU, 64 slopes",
        "conv 3x3 | 64 → 64",
        "batch norm",
        "+",
        "out",
    ]
    assert [(arrow.source, arrow.target) for arrow in arrows if arrow.is_skip] == [(0, 6)]


@pytest.mark.parametrize("name", PRESETS)
def test_the_picture_of_every_preset_leads_from_lr_to_sr(name: str) -> None:
    known = PRESETS[name]
    boxes, arrows = picture(name, scale=known.scales[0])
    assert boxes[0].lines[0] == "LR"
    assert boxes[-1].lines[0] == "SR"
    reached = {0}
    for arrow in arrows:
        assert arrow.source in reached
        reached.add(arrow.target)
    assert reached == set(range(len(boxes)))
    assert all(line.strip() and not line.startswith("<") for box in boxes for line in box.lines)


def test_variants_that_differ_in_structure_look_different() -> None:
    drawn = {name: repr(picture(name, scale=known.scales[0])) for name, known in PRESETS.items()}
    assert drawn["edsr/vanilla"] != drawn["edsr/baseline"]
    assert drawn["srcnn/vanilla"] != drawn["srcnn/leaky_relu"]
    assert drawn["srcnn/residual"] != drawn["srcnn/residual_bicubic"]
    assert drawn["vdsr/vanilla"] != drawn["vdsr/vanilla_rgb"]


@pytest.mark.parametrize("suffix", [".svg", ".png", ".SVG"])
def test_a_diagram_is_written_whole(tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "deep" / f"edsr{suffix}"
    plot(EDSROptions(num_blocks=3), path, scale=2, title="a <title> & more")
    data = path.read_bytes()
    if suffix == ".png":
        assert data.startswith(b"\x89PNG")
    else:
        text = data.decode()
        assert "residual block" in text
        assert "inside each" in text
        assert "a &lt;title&gt; &amp; more" in text
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert capfd.readouterr() == ("", "")


def drawn_lines(path: Path) -> Iterator[tuple[ElementTree.Element, float, float]]:
    """Every line of text that is not an arrow's, with the left and the right end of what holds it."""
    for group in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}g"):
        if group.get("class") == "edge":
            continue
        shape = next(part for part in group if part.tag.endswith(("}path", "}polygon", "}ellipse")))
        if shape.tag.endswith("ellipse"):
            xs = [float(shape.get("cx", 0)) + side * float(shape.get("rx", 0)) for side in (-1, 1)]
        else:
            xs = [float(x) for x in re.findall(r"([-\d.]+),", shape.get("d", shape.get("points", "")))]
        for text in group:
            if text.tag.endswith("}text") and (text.text or "").strip():
                yield text, min(xs), max(xs)


@pytest.mark.parametrize(
    ("name", "scale"), [("srresnet/transfer_dense", 4), ("srcnn/pixel_shuffle_residual_leaky_relu", 2)]
)
def test_text_is_in_the_middle_of_its_box_in_whatever_font(tmp_path: Path, name: str, scale: int) -> None:
    plot(preset(name, scale=scale), tmp_path / "a.svg", scale=scale, title=name)
    found = list(drawn_lines(tmp_path / "a.svg"))
    assert name in {text.text for text, _, _ in found}
    for text, left, right in found:
        assert text.get("text-anchor") == "middle"
        assert float(text.get("x", 0)) == pytest.approx((left + right) / 2, abs=0.5)


@pytest.mark.parametrize(
    ("name", "scale"), [("srresnet/transfer_dense", 4), ("srcnn/pixel_shuffle_residual_leaky_relu", 2)]
)
def test_text_of_a_wide_font_stays_in_boxes_measured_by_a_narrow_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, scale: int
) -> None:
    for look in (diagram.GRAPH, diagram.BOX):  # where it is not installed, this is the test of another font
        monkeypatch.setitem(look, "fontname", "Liberation Sans Narrow")
    plot(preset(name, scale=scale), tmp_path / "a.svg", scale=scale, title=name)
    for text, left, right in drawn_lines(tmp_path / "a.svg"):
        font = FontProperties(family="DejaVu Sans", weight=text.get("font-weight", "normal"))
        width = (
            TextPath((0, 0), text.text or "", float(text.get("font-size", 0)), prop=font).get_extents().width
        )
        assert width < right - left - 4, text.text


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"an \.svg or a \.png file, not 'a.pdf'"):
        plot(EDSROptions(), tmp_path / "a.pdf", scale=2, title="")


def test_missing_graphviz_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    with pytest.raises(UserError, match="needs the package pygraphviz"):
        plot(EDSROptions(), tmp_path / "a.svg", scale=2, title="")
    assert not any(tmp_path.iterdir())


def test_a_diagram_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.svg").mkdir()
    with pytest.raises(OSError, match=r"a\.svg"):
        plot(EDSROptions(num_blocks=1), tmp_path / "a.svg", scale=2, title="")
    assert [path.name for path in tmp_path.iterdir()] == ["a.svg"]


def test_a_summary_names_options_layers_and_totals() -> None:
    text = summary(preset("edsr/batch_norm", scale=4), scale=4)
    assert text.startswith("EDSR x4, rgb\n  num_blocks = 16\n")
    assert "batch_norm = eps=0.001,momentum=0.01" in text
    assert "0 to 15 ResidualBlock, 16 alike" in text
    assert "3 x 96 x 96" in text
    assert "Parameters: 1,521,667" in text
    assert "Running statistics: 4,096" in text
    assert "Multiply-adds: 114.2 G" in text
    assert "73 x 73" in text


def test_a_summary_does_not_depend_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = summary(preset("srcnn/paper_915", scale=3), scale=3)
    monkeypatch.setenv("COLUMNS", "20")
    assert summary(preset("srcnn/paper_915", scale=3), scale=3) == wide


def test_even_the_largest_network_is_summarized_without_computing_it() -> None:
    assert "Parameters: 43,089,923" in summary(preset("edsr/paper", scale=4), scale=4)
