"""A report's figures and tables as files, for papers and for other programs."""

from pathlib import Path

from srlab.folder import store
from srlab.show.draw.canvas import add_legend, plain_style, save_figure
from srlab.show.draw.colors import FOR_PAPERS
from srlab.show.grid.files import as_csv, as_latex, as_markdown
from srlab.show.report.contents import Contents

_DPI = 200


def write_files(contents: Contents, folder: Path) -> list[Path]:
    """Every figure as PNG and SVG and every table as CSV, Markdown and LaTeX into `folder`; the files."""
    written = []
    for drawing in contents.drawings:
        with plain_style():
            figure = drawing.draw(FOR_PAPERS, "wide")
            if drawing.variants:
                add_legend(
                    figure,
                    drawing.variants,
                    FOR_PAPERS,
                    has_lines=drawing.group not in ("pareto", "plane"),
                    has_markers=drawing.name != "curves",
                )
        for suffix in ("png", "svg"):
            path = folder / f"{drawing.name}.{suffix}"
            save_figure(figure, path, dpi=_DPI)
            written.append(path)
    for grid in contents.grids():
        for suffix, text in (("csv", as_csv(grid)), ("md", as_markdown(grid)), ("tex", as_latex(grid))):
            path = folder / f"{grid.name}.{suffix}"
            store.write_text(path, text)
            written.append(path)
    return written
