"""A study's report: one HTML file that needs nothing else, and its figures and tables as files.

Needs no torch. Everything in it comes from the files of the study's folder; docs/report.md says what is on
the page.
"""

from pathlib import Path

from srlab.files import check_output, is_stream, write_text
from srlab.folder.records import StudyFolder
from srlab.show.data_files import check_data, write_data
from srlab.show.report.contents import Contents, gather, gather_scores
from srlab.show.report.files import write_files
from srlab.show.report.page import render
from srlab.show.report.viewer import Viewer, make_viewer
from srlab.verdicts import Verdicts
from srlab.verdicts.values import Weigh

__all__ = ["Contents", "gather", "gather_scores", "write_files", "write_report", "write_scores_report"]


MOST_CHARACTERS = 5_900_000  # of a page, whose first picture is there in any case


def write_report(
    study_dir: Path,
    out: Path | None = None,
    *,
    base: str | None = None,
    figures: Path | None = None,
    equal_within: float = 0.1,
    weigh: Weigh = "images",
) -> list[Path]:
    """Write the report of a study, its data beside it, and return the files, the page first.

    Args:
        study_dir: a study's folder, finished or not; it is only read.
        out: the page's file, an .html or .htm; by default ``report.html`` in the study's folder.
        base: the variant that the others are compared with; by default the study's first.
        equal_within: in dB: variants that are shown to differ by less are equal.
        weigh: "images" counts each test image once, "sets" each test set.
        figures: a folder for every figure as PNG and SVG, and every table as CSV, Markdown and LaTeX.

    Raises:
        UserError: `study_dir` is not a study's folder, `base` is not one of its variants, `out` is not an
            .html or .htm file, or a file is in the way of the data (`srlab.show.data_files`).
    """
    if out is not None:
        check_output(out, ".html", ".htm", what="the report")
    page = out or study_dir / "report.html"
    has_data = not is_stream(page)
    if has_data:
        check_data(study_dir, page.parent)
    opened = StudyFolder(study_dir)
    contents = gather(opened, base=base, equal_within=equal_within, weigh=weigh)
    viewer = make_viewer(opened, contents.verdicts)
    text = render(contents, viewer)
    if len(text) > MOST_CHARACTERS:  # many variants and images: then with fewer pictures
        room = max(0, MOST_CHARACTERS - (len(text) - viewer.bytes))
        viewer = make_viewer(opened, contents.verdicts, most_bytes=room)
        text = render(contents, viewer)
    write_text(page, text)
    written = [page]
    if has_data:
        written += write_data(opened, page.parent, costs=contents.verdicts.costs)
    return [*written, *(write_files(contents, figures) if figures is not None else [])]


def write_scores_report(verdicts: Verdicts, out: Path, *, command: str) -> None:
    """Write the report of verdicts on a file of scores: no pictures, curves or costs, which it does not have.

    Args:
        verdicts: those of `srlab.verdicts.judge_scores`.
        out: the page's file, an .html or .htm.
        command: what makes the page again; it stands on it.

    Raises:
        UserError: `out` is not an .html or .htm file.
    """
    check_output(out, ".html", ".htm", what="the report")
    write_text(out, render(gather_scores(verdicts, command=command), Viewer(scenes=(), remarks=())))
