"""Execute notebooks from the first cell to the last and keep what they show: ``execute.py 01_srcnn.ipynb``.

Without names all of them are executed, and without ``--into`` they are stored where they are. Each runs in an
empty folder of its own; ``--set STEPS=1`` replaces a parameter. They share a kernel, which is emptied before
each: starting one takes longer than many a cell.
"""

import argparse
import hashlib
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook
from traitlets.config import Config

HERE = Path(__file__).parent

BEGIN = """
import os
os.chdir({folder!r})
get_ipython().run_line_magic("reset", "-f")
"""


def code_hash(notebook: NotebookNode) -> str:
    """SHA-256 of the code cells: with it stored, a test sees whether the outputs are of this code."""
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256("\n\n".join(code).encode()).hexdigest()


def with_parameters(notebook: NotebookNode, settings: list[str]) -> NotebookNode:
    """The notebook with `settings` as a cell of their own, after the one tagged ``parameters``."""
    if settings:
        (place,) = (
            i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", ())
        )
        cell = new_code_cell("\n".join(settings), metadata={"tags": ["injected-parameters"]})
        notebook.cells.insert(place + 1, cell)
    return notebook


def execute(notebook: NotebookNode, client: NotebookClient) -> str:
    """Execute in an empty folder, with the outputs in the notebook; the first error, if there is one."""
    with TemporaryDirectory() as folder:
        client.nb = notebook
        notebook.cells.insert(0, new_code_cell(BEGIN.format(folder=folder)))
        try:
            client.execute(cleanup_kc=False)
        except CellExecutionError as error:
            return str(error)
        finally:
            del notebook.cells[0]
    return ""


def tidy(notebook: NotebookNode) -> None:
    """Count cells from 1, and keep of a picture that PIL shows as PNG and as JPEG the PNG alone."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.execution_count]
    for count, cell in enumerate(cells, start=1):
        cell.execution_count = count
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count
            if "image/png" in output.get("data", {}):
                output.data.pop("image/jpeg", None)


def make_client(folder: str) -> NotebookClient:
    """A client whose kernel listens on sockets in `folder`, where there are such, and on no port."""
    sockets = {"transport": "ipc", "ip": str(Path(folder) / "kernel")} if os.name == "posix" else {}
    config = Config({"KernelManager": sockets})
    return NotebookClient(new_notebook(), timeout=None, record_timing=False, config=config)


def main() -> int:
    """Execute the notebooks named on the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument(
        "names", nargs="*", metavar="NOTEBOOK", help="such as 01_srcnn.ipynb; all without any"
    )
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--into", type=Path, default=HERE, metavar="FOLDER", help="where they are stored")
    arguments = parser.parse_args()
    names = arguments.names or sorted(path.name for path in HERE.glob("*.ipynb"))
    failed = 0
    with TemporaryDirectory() as folder, (client := make_client(folder)).setup_kernel():
        for name in names:
            notebook = with_parameters(nbformat.read(HERE / name, as_version=4), arguments.settings)
            begun = time.monotonic()
            error = execute(notebook, client)
            seconds = round(time.monotonic() - begun)
            print(f"{name}: {seconds} s", flush=True)
            if error:
                failed += 1
                print(error, file=sys.stderr, flush=True)
                if arguments.into == HERE:
                    continue  # what is stored stays
            tidy(notebook)
            notebook.metadata["srlab"] = {"code_sha256": code_hash(notebook), "seconds": seconds}
            nbformat.write(notebook, arguments.into / name)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
