"""What a command prints and writes, as one text that is the same on every machine; how two such differ."""

import base64
import difflib
import hashlib
import io
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import pytest
from PIL import Image
from rich.console import Console

import srlab
from srlab.cli import main

GOLDEN = Path(__file__).parent / "golden"
OUT = Path("out")  # where the commands are told to write
PINNED = (Path(__file__).parents[1] / "constraints.txt").read_text(encoding="utf-8")
DRAWS_ALIKE = f"matplotlib=={matplotlib.__version__}\n" in PINNED
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
UNROUNDED = re.compile(r"\.\d{9}|e-")
COPIED = ("scores.csv", "curves.csv", "study.json")  # numbers that are stored already: long, and all the same
MOST_LINES = 40  # of a difference that is shown
MOST_COLUMNS = 150  # of a line that is shown whole


@dataclass(frozen=True)
class Case:
    """A command among the stored studies; ``expected`` has what it gives under the same name.

    `columns` are those of the terminal; without them there is none. `near` is by how much numbers may differ
    that rest on what a processor computes from weights. Where it `writes` into a study, it gets a copy.
    """

    name: str
    words: str
    columns: int | None = None
    near: float = 0.0
    writes: bool = False

    @property
    def path(self) -> Path:
        return GOLDEN / "expected" / f"{self.name}.txt"


def run(words: str, *, columns: int | None, patch: pytest.MonkeyPatch) -> int:
    """The command in this process; its exit code."""
    patch.setattr(sys, "argv", ["srlab", *words.split()])
    patch.setenv("SRLAB_DATA", "no-data")
    patch.setattr("srlab.show.data_files.has_parquet", lambda: False)  # the same with and without pyarrow
    patch.setenv("COLUMNS", str(columns or 100))
    patch.setenv("TTY_COMPATIBLE", "0" if columns is None else "1")
    for module in [found for name, found in sys.modules.items() if name.startswith("srlab")]:
        for console in [value for value in vars(module).values() if isinstance(value, Console)]:
            patch.setattr(console, "_width", None)  # not the COLUMNS of when it was imported
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def transcript(
    case: Case, studies: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]
) -> str:
    """The command, what it prints, and every file that it writes."""
    patch.chdir(studies)
    shutil.rmtree(OUT, ignore_errors=True)
    before = _contents(studies)
    capture.readouterr()
    code = run(case.words, columns=case.columns, patch=patch)
    said = capture.readouterr()
    parts = [f"$ srlab {case.words}\n", _plain(said.out)]
    errors = _plain(said.err)
    parts += [f"\n=== standard error\n{errors}"] if errors.strip() else []  # a bar leaves an empty line
    parts += [f"\n=== exit code {code}\n"] if code else []
    for path in sorted(path for path, data in _contents(studies).items() if before.get(path) != data):
        parts.append(f"\n=== {path}\n{as_text(studies / path)}")
    return "".join(parts)


def _contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _plain(text: str) -> str:
    """Without colors, spaces at the ends of lines, and where srlab is installed."""
    text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", text).replace(str(Path(srlab.__file__).parent), "SRLAB")
    return re.sub(r" +$", "", text, flags=re.MULTILINE)


def as_text(path: Path) -> str:
    """A file: pictures by their size alone, since their bytes depend on libraries."""
    if path.suffix in (".png", ".jpg"):
        return f"[{_size(path.read_bytes())}]\n"
    text = path.read_text(encoding="utf-8")
    if path.name in COPIED:
        head = "".join(text.splitlines(keepends=True)[:2])
        return f"{head}[{len(text.splitlines())} lines, {_digest(text.encode())}]\n"
    if path.suffix == ".html":
        return page(text)
    if path.suffix == ".svg":
        return "\n".join(diagram(text)) + "\n" if "Graphviz" in text or "graphviz" in text else plot(text)
    return text


def _size(data: bytes) -> str:
    with Image.open(io.BytesIO(data)) as image:
        return f"{image.format} of {image.width} x {image.height}"


def plot(svg: str) -> str:
    """A drawing by matplotlib: without its version, ids in their order, numbers to hundredths."""
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    return _numbered(re.sub(r"\d+\.\d{3,}", lambda found: f"{float(found[0]):.2f}", svg))


def _numbered(text: str) -> str:
    """With 1, 2, ... for the hashes in ids, which are of numbers in full."""
    hashes = dict.fromkeys(re.findall(r'\bid="[^"]*?([pmh]?[0-9a-f]{10})"', text))
    for place, found in enumerate(hashes, start=1):
        text = text.replace(found, f"id{place}")
    return text


def diagram(svg: str) -> Iterator[str]:
    """A drawing by Graphviz: its boxes and arrows with their words and colors, wherever they lie."""
    space = "{http://www.w3.org/2000/svg}"
    for group in ElementTree.fromstring(svg).iter(f"{space}g"):
        words = [found.text or "" for found in group.findall(f"./{space}text")]
        colors = [f"{found.get('fill')}/{found.get('stroke')}" for found in group.findall("./*[@fill]")]
        name = group.findtext(f"{space}title")
        yield f"{group.get('class')} {name}: {' | '.join(words)} ({' '.join(colors)})"


def page(html: str) -> str:
    """A report: without its date and version, a tag on each line, and what is packed in it in words."""
    html = re.sub(r"srlab [\d.]+\S*?(?=\")|(?<=<p>)srlab \S+ made this page on [\d-]+", "srlab", html)
    html = re.sub(r"(<style>|<script>)(.*?)(?=</)", _hashed, html, flags=re.DOTALL)
    html = re.sub(r"(?<=[\" (])-0(?=[\" )])", "0", html)  # the sign of a zero depends on the processor
    html = re.sub(r"data:([\w/+-]+)(?:;charset=utf-8)?;base64,([\w+/=]+)", _unpacked, html)
    return re.sub("><", ">\n<", _numbered(html))


def _hashed(found: re.Match[str]) -> str:
    return f"{found[1]}[{len(found[2].splitlines())} lines, {_digest(found[2].encode())}]"


def _unpacked(found: re.Match[str]) -> str:
    """A table as it is. What is stored without loss has the same pixels everywhere, and so a hash of them."""
    kind, data = found[1], base64.b64decode(found[2])
    if kind.startswith("text/"):
        return f"[{kind}\n{data.decode()}]"
    if kind == "image/svg+xml":
        return f"[{kind} {_digest(data)}]"
    if kind != "image/webp":
        return f"[{_size(data)}]"
    with Image.open(io.BytesIO(data)) as image:
        return f"[{_size(data)}, {_digest(image.convert('RGB').tobytes())}]"


def _digest(data: bytes) -> str:
    return f"SHA-256 {hashlib.sha256(data).hexdigest()[:16]}"


def difference(expected: str, found: str, *, near: float = 0.0) -> str:
    """The first lines that differ; empty where none does.

    Unrounded numbers may differ in their last digits, as they do between processors and versions of SciPy;
    all others not at all. With `near`, every number may differ by as much.
    """
    if not DRAWS_ALIKE:
        expected, found = _without_places(expected), _without_places(found)
    wanted, got = expected.splitlines(), found.splitlines()
    if len(wanted) == len(got):
        got = [_settled(*lines, near=near) for lines in zip(wanted, got, strict=True)]
    if wanted == got:
        return ""
    before, after = ([piece for line in of for piece in _pieces(line)] for of in (wanted, got))
    lines = list(difflib.unified_diff(before, after, "expected", "found", lineterm="", n=1))
    if len(lines) > MOST_LINES:
        lines[MOST_LINES:] = [f"... and {len(lines) - MOST_LINES} more lines"]
    return "\n".join(lines)


def _pieces(line: str) -> list[str]:
    """A long line in parts: a word in it that differs stands in a short one."""
    return [line] if len(line) <= MOST_COLUMNS else re.split(r"(?<=[.,;:] )|(?<=,)(?=\S)", line)


def _without_places(text: str) -> str:
    """With the words of plots alone: another matplotlib puts them a third of a pixel further down."""
    return re.sub(
        r"<svg.*?</svg>",
        lambda plot: "\n".join(re.findall(r"<text[^>]*>([^<]*)", plot[0])),
        text,
        flags=re.DOTALL,
    )


def _settled(wanted: str, got: str, *, near: float) -> str:
    """`got` with the wanted number in the place of each that is as good as equal to it."""
    if wanted == got:
        return got
    numbers = iter(NUMBER.findall(wanted))

    def settle(found: re.Match[str]) -> str:
        expected, own = next(numbers, ""), found[0]
        if not expected or not (near or UNROUNDED.search(own) or UNROUNDED.search(expected)):
            return own
        gap, size = abs(float(own) - float(expected)), max(abs(float(own)), abs(float(expected)))
        return expected if gap <= max(near, 1e-8 * size, 1e-8) else own

    return NUMBER.sub(settle, got)
