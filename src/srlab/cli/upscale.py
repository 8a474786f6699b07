"""``srlab upscale``: pictures enlarged by a trained network, one, several or a folder of them."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape

from srlab.cli import app
from srlab.cli.options import AnyDevice, AnyEngine, MaxPixels, Trust
from srlab.cli.output import messages, print_json, printable, say
from srlab.errors import UserError

if TYPE_CHECKING:
    from srlab.use.upscaler import Upscaler

_TELL_SECONDS = 10  # a picture that takes longer is announced with the time it will take

Format = Literal["png", "jpg", "webp", "tiff", "bmp", "avif", "heic"]


@app.command()
def upscale(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE... [OUT]",
            help="Pictures, or one folder of pictures; then the file or the folder to write to. Without OUT "
            "a picture's enlargement goes beside it, as photo-x2.png.",
            show_default=False,
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            help="A name of `srlab models`, a run's folder, a weights file, a study's folder (its winner by "
            "validation), or bicubic.",
            show_default="the best one that comes with srlab for the scale",
        ),
    ] = None,
    scale: Annotated[
        int | None,
        typer.Option(
            help="Scale factor: 2, 3, 4 or 8. x8 is a chain: x2 three times, or x2 and then x4.",
            show_default="the network's own; without --model 2",
        ),
    ] = None,
    self_ensemble: Annotated[
        bool,
        typer.Option(
            "--self-ensemble",
            help="Average over the eight flips and quarter turns of the picture: a little better, and eight "
            "times as long.",
        ),
    ] = False,
    format_: Annotated[
        Format | None,
        typer.Option(
            "--format", help="Format to write.", show_default="the suffix of OUT or IMAGE; PNG without OUT"
        ),
    ] = None,
    suffix: Annotated[
        str | None,
        typer.Option(
            help="Text to add to the picture's name.",
            show_default="-x2 (the scale) without OUT, else nothing",
        ),
    ] = None,
    quality: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100,
            help="Quality of JPEG, WebP, AVIF and HEIC: 1 to 100.",
            show_default="JPEG 95, AVIF and HEIC 90, WebP lossless",
        ),
    ] = None,
    keep_metadata: Annotated[
        bool,
        typer.Option(
            "--keep-metadata/--no-keep-metadata",
            help="Keep EXIF and XMP. The pixels are turned upright, so the EXIF orientation is dropped. "
            "The ICC profile is always kept.",
        ),
    ] = True,
    flatten: Annotated[
        str | None,
        typer.Option(
            metavar="COLOR",
            help="Put a picture with alpha on this colour (white, #204060). JPEG and BMP need it.",
            show_default="alpha is kept",
        ),
    ] = None,
    tile: Annotated[
        int | None,
        typer.Option(
            min=16,
            help="Side of a tile in pixels of the picture, 16 or more. Tiles leave no seams. Smaller tiles "
            "take less memory and more time.",
            show_default="small enough for an 8000x8000 picture to take about 1.5 GB at most",
        ),
    ] = None,
    _max_pixels: MaxPixels = None,
    _trust: Trust = None,
    device: AnyDevice = "auto",
    precision: Annotated[
        Literal["fp32", "bf16", "auto"],
        typer.Option(
            help="bf16 is faster on some devices and a little coarser. auto takes it where it is faster and "
            "a test picture hardly changes."
        ),
    ] = "fp32",
    engine: AnyEngine = "torch",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")] = False,
    skip_existing: Annotated[
        bool,
        typer.Option("--skip-existing", help="Skip pictures whose output file exists."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object to standard output.")] = False,
) -> None:
    """Enlarge pictures of any size in bounded memory.

    Alpha, gray, 16 bits, the ICC profile, EXIF and XMP are kept. PNG and TIFF are written row by row. It
    reads PNG, JPEG, WebP, TIFF, BMP, GIF (its first picture), AVIF, and HEIC with the package pillow-heif.
    """
    if overwrite and skip_existing:
        raise UserError(
            "--overwrite replaces existing files, --skip-existing keeps them; give only one of the two"
        )
    if suffix is not None and ("/" in suffix or "\\" in suffix):
        raise UserError(f"--suffix is added to a name, so it must not contain / or \\; got {suffix!r}")
    request = _request(  # before torch is loaded: a wrong path is told at once
        paths, overwrite=overwrite, format_=format_, suffix=suffix
    )
    if suffix is not None and request.out_is_file:
        raise UserError(
            "--suffix changes names that srlab makes, and here OUT is the name; leave --suffix out"
        )
    from srlab.cli.parsing import parse_engine
    from srlab.use.upscaler import load, parse_color

    if flatten is not None:
        parse_color(flatten)
    upscaler = load(
        model,
        scale=scale,
        device=parse_engine(engine, device, precision=precision),
        tile=tile,
        precision=precision,
        self_ensemble=self_ensemble,
        engine=engine,
    )
    say(f"x{upscaler.scale} with {upscaler.source}")
    if upscaler.remark:
        say(upscaler.remark)
    jobs = _targets(request, upscaler.scale, format_=format_, suffix=suffix)
    _check_targets(jobs, request, overwrite=overwrite, skip_existing=skip_existing, quality=quality)
    there = [target for _, target in jobs if skip_existing and target.exists()]
    jobs = [(source, target) for source, target in jobs if target not in there]
    for name in request.skipped:
        say(f"skipped {name}: it is not a file with the suffix of a picture")
    if there:
        say(f"{len(there)} of {len(jobs) + len(there)} exist already and are kept")
    options = _Options(
        overwrite=overwrite,
        quality=quality,
        keep_metadata=keep_metadata,
        flatten=flatten,
    )
    failures = _run(jobs, upscaler, options, one=len(request.sources) == 1 and not request.is_folder)
    if json:
        print_json(
            {
                "model": upscaler.source,
                "variant": upscaler.variant,
                "scale": upscaler.scale,
                "written": [str(target) for source, target in jobs if source not in failures],
                "existing": [str(target) for target in there],
                "failed": {str(source): message for source, message in failures.items()},
                "skipped": list(request.skipped),
            }
        )
    if failures:
        finished = any(target.exists() for source, target in jobs if source in failures)
        raise UserError(
            f"{len(failures)} of {len(jobs)} {'picture' if len(jobs) == 1 else 'pictures'} "
            f"{'was' if len(failures) == 1 else 'were'} not enlarged; the reasons are above"
            + ("; --skip-existing skips those that exist already" if finished else "")
        )


@dataclass(frozen=True, kw_only=True)
class _Request:
    """The pictures to read, and where to write: beside each where `out` is None."""

    sources: tuple[Path, ...]
    out: Path | None
    out_is_file: bool
    is_folder: bool = False  # the pictures are those of one folder
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Options:
    """How each picture is written."""

    overwrite: bool
    quality: int | None
    keep_metadata: bool
    flatten: str | None


def _request(words: list[str], *, overwrite: bool, format_: Format | None, suffix: str | None) -> _Request:
    """What the words of the command line ask for; nothing is decoded."""
    from srlab.pixels.images import ENLARGED_SUFFIXES, list_images

    paths = [Path(word) for word in words]
    first = paths[0]
    if first.is_dir():
        if len(paths) == 1:
            raise UserError(f"{first} is a folder; name the folder to write to after it")
        if len(paths) > 2:
            raise UserError(f"{first} is a folder; give one folder of pictures and one to write to")
        folder = paths[1]
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{first} is a folder and {folder} is a file; give a folder to write to")
        if _place(folder) == _place(first) and not suffix:
            raise UserError(f"{folder} is the folder of the pictures itself; give another, or a --suffix")
        sources = list_images(first, suffixes=ENLARGED_SUFFIXES)
        chosen = {source.name for source in sources}
        others = tuple(path.name for path in sorted(first.iterdir()) if path.name not in chosen)
        return _Request(sources=tuple(sources), out=folder, out_is_file=False, is_folder=True, skipped=others)
    out = _out(words, overwrite=overwrite)
    sources = paths if out is None else paths[:-1]
    for source in sources:
        if source.is_dir():
            raise UserError(f"{source} is a folder; give one folder alone, or pictures")
        if not source.exists() and not source.is_symlink():
            raise UserError(f"there is no picture or folder {source}")
    named_folder = words[-1].endswith(("/", os.sep))
    is_folder = out is not None and (out.is_dir() or len(sources) > 1 or named_folder)
    if out is not None and is_folder and out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; several pictures need a folder to be written to")
    is_new = out is not None and is_folder and not out.is_dir() and not named_folder
    if is_new and out is not None and out.suffix.lower() in ENLARGED_SUFFIXES:
        raise UserError(f"there is no picture {out}; for a folder of that name to write to, write {out}/")
    if out is not None and not is_folder:
        _check_out_file(out, sources[0], format_=format_)
    return _Request(sources=tuple(sources), out=out, out_is_file=out is not None and not is_folder)


def _out(words: list[str], *, overwrite: bool) -> Path | None:
    """The last word, if it is where to write and no picture to enlarge."""
    from srlab.files import is_stream

    if len(words) == 1:
        return None
    last = Path(words[-1])
    if is_stream(last):
        return last
    if last.is_dir() or words[-1].endswith(("/", os.sep)) or not last.exists():
        return last
    if len(words) > 2:
        return None  # the last of several pictures
    if _place(Path(words[0])) == _place(last):
        raise UserError(f"{last} is the picture itself; give its enlargement another name")
    may_be_replaced = _may_be_replaced(Path(words[0]), last)
    if not overwrite or not may_be_replaced:
        raise UserError(
            f"{last} exists; give another name"
            + (", or --overwrite" if may_be_replaced else "")
            + f". To enlarge {words[0]} and {last}, name a folder after them"
            + ("" if may_be_replaced else f". {last} is no enlargement of {words[0]}, so it is not replaced")
        )
    return last


def _may_be_replaced(source: Path, last: Path) -> bool:
    """False for a picture that is no enlargement of `source`: it may be meant as a second one to enlarge."""
    from srlab.pixels.images import read_header

    try:
        large, small = (read_header(path).layout for path in (last, source))
    except UserError:
        return True  # no picture, or one beyond the limit
    return any(
        (large.height, large.width) == (scale * small.height, scale * small.width)
        for scale in (2, 3, 4, 8, 16)
    )


def _check_out_file(out: Path, source: Path, *, format_: Format | None) -> None:
    from srlab.pixels.picture_files import FORMATS, format_of

    if format_of(out) != FORMATS[f".{format_}" if format_ is not None else out.suffix.lower()]:
        raise UserError(
            f"--format {format_} does not fit the suffix of {out}; leave --format out, or change the suffix"
        )
    if _place(out) == _place(source):
        raise UserError(f"{out} is the picture itself; give its enlargement another name")


def _place(path: Path) -> str:
    """Where the file is, links followed; a link that leads back to itself is no error here."""
    return os.path.realpath(path)


def _targets(
    request: _Request, scale: int, *, format_: Format | None, suffix: str | None
) -> list[tuple[Path, Path]]:
    """Each picture with the file to write."""
    from srlab.pixels.picture_files import FORMATS

    if request.out_is_file:
        return [(source, request.out) for source in request.sources if request.out is not None]
    added = (f"-x{scale}" if request.out is None else "") if suffix is None else suffix
    jobs = []
    for source in request.sources:
        kept = source.suffix if request.out is not None and source.suffix.lower() in FORMATS else ".png"
        name = f"{source.stem}{added}{kept if format_ is None else f'.{format_}'}"
        folder = source.parent if request.out is None else request.out
        jobs.append((source, folder / name))
    return jobs


def _check_targets(
    jobs: list[tuple[Path, Path]],
    request: _Request,
    *,
    overwrite: bool,
    skip_existing: bool,
    quality: int | None,
) -> None:
    """Refuse before the first picture what cannot be: one name twice, a picture over itself."""
    from srlab.files import is_stream
    from srlab.pixels.picture_files import FORMATS, LOSSY, check_installed

    sources = {_place(source) for source in request.sources}
    by_target: dict[str, Path] = {}
    for source, target in jobs:
        other = by_target.setdefault(_place(target), source)
        if other is not source:
            raise UserError(
                f"{other} and {source} would both be written to {target}; write them to folders of their own"
            )
        if _place(target) in sources:
            raise UserError(
                f"{target} is one of the pictures itself; name a folder to write to, or another --suffix"
            )
        check_installed(target)
        is_free = not target.exists() or is_stream(target)
        if not request.is_folder and not is_free and not overwrite and not skip_existing:
            raise UserError(f"{target} exists; give another name, --overwrite or --skip-existing")
    if quality is not None and not any(FORMATS.get(target.suffix.lower()) in LOSSY for _, target in jobs):
        raise UserError(
            "--quality applies to JPEG, WebP, AVIF and HEIC, and no such file is written; leave it out"
        )


def _run(
    jobs: list[tuple[Path, Path]], upscaler: "Upscaler", options: _Options, *, one: bool
) -> dict[Path, str]:
    """Enlarge each picture; what went wrong with which. One bad picture does not stop the others."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    failures: dict[Path, str] = {}
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("tiles, left:"),
        TimeRemainingColumn(),
        console=messages,
        transient=True,
        disable=not messages.is_terminal,
    )
    with progress:
        for number, (source, target) in enumerate(jobs, start=1):
            place = "" if len(jobs) == 1 else f"{number} of {len(jobs)}: "
            task = progress.add_task(escape(printable(place + source.name)), total=None)

            def show(done: int, total: int, task: object = task) -> None:
                progress.update(task, completed=done, total=total)  # type: ignore[arg-type]

            try:
                _enlarge(source, target, upscaler, options, show)
            except (UserError, OSError, MemoryError) as error:
                if one:
                    raise
                message = str(error) or f"{source}: there is not enough memory for its pixels"
                failures[source] = message
                say(f"failed: {message}")
            except Exception as error:  # a fault of srlab's own, which the next picture may not meet
                if one:
                    raise
                failures[source] = (
                    f"{source}: {type(error).__name__}: {error}; this is a fault of srlab's own, please "
                    f"report it (srlab upscale of this picture alone shows where)"
                )
                say(f"failed: {failures[source]}")
            else:
                say(f"{source} -> {target}")
            progress.remove_task(task)
    return failures


def _enlarge(
    source: Path, target: Path, upscaler: "Upscaler", options: _Options, show: Callable[[int, int], None]
) -> None:
    """One picture: what it will cost is said before, how long it takes after its first tile."""
    from srlab.files import is_stream
    from srlab.pixels.picture_files import FORMATS, LOSSY, check_writable
    from srlab.words import duration, num_bytes, plural

    if target.exists() and not is_stream(target) and not options.overwrite:
        raise UserError(f"{target} exists; give another name, or --overwrite")
    quality = options.quality if FORMATS.get(target.suffix.lower()) in LOSSY else None
    cost = upscaler.cost(source, target, flatten=options.flatten)
    check_writable(target, cost.output, quality=quality)
    upscaler.check_cost(source, target, cost)
    output = cost.output
    if cost.tiles > 1 and upscaler.may_show_seams:
        say(
            f"{source.name}: this network looks farther than the margin around a tile, or minds where a tile "
            "begins, so seams may show; a larger --tile makes fewer"
        )
    largest = int(1.01 * output.num_bytes)  # what zlib makes of noise
    say(
        f"{source.name}: {output.width // upscaler.scale}x{output.height // upscaler.scale} -> "
        f"{output.width}x{output.height} pixels in {plural(cost.tiles, 'tile')}; "
        f"takes about {num_bytes(cost.memory)} of memory, the file at most {num_bytes(largest)}"
    )
    times = [time.monotonic()]

    def after_tile(done: int, total: int) -> None:
        show(done, total)
        times.append(time.monotonic())
        if done == min(2, total - 1):  # the first tile of a process takes longer
            left = (times[-1] - times[-2]) * (total - done)
            if left > _TELL_SECONDS:
                say(f"{source.name}: about {duration(left)} left, estimated from one tile")

    _, notes = upscaler.upscale_file(
        source,
        target,
        overwrite=options.overwrite,
        quality=quality,
        keep_metadata=options.keep_metadata,
        flatten=options.flatten,
        progress=after_tile,
    )
    for note in notes:
        say(f"note: {note}")
