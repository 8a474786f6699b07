"""A study's report: one HTML file that needs nothing else, and its figures and tables as files.

Needs no torch. Everything in it comes from the files of the study's folder; docs/report.md says what is on
the page.
"""

from pathlib import Path

from srlab.files import check_output, write_text
from srlab.show.report.contents import Contents, gather
from srlab.show.report.files import write_files
from srlab.show.report.page import render
from srlab.show.report.viewer import make_viewer

__all__ = ["Contents", "gather", "write_files", "write_report"]


def write_report(
    study_dir: Path, out: Path | None = None, *, base: str | None = None, figures: Path | None = None
) -> list[Path]:
    """Write the report of a study and return the files, the page first.

    Args:
        study_dir: a study's folder, finished or not; it is only read.
        out: the page's file, an .html or .htm; by default ``report.html`` in the study's folder.
        base: the variant that the others are compared with; by default the study's first.
        figures: a folder for every figure as PNG and SVG, and every table as CSV, Markdown and LaTeX.

    Raises:
        UserError: `study_dir` is not a study's folder, `base` is not one of its variants, or `out` is not an
            .html or .htm file.
    """
    if out is not None:
        check_output(out, ".html", ".htm", what="the report")
    contents = gather(study_dir, base=base)
    viewer = make_viewer(study_dir, contents.study, contents.verdicts)
    page = out or study_dir / "report.html"
    write_text(page, render(contents, viewer))
    return [page, *(write_files(contents, figures) if figures is not None else [])]
