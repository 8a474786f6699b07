"""Which address gives what."""

import asyncio
import html
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import cast

from starlette.applications import Starlette
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import Route
from starlette.types import ASGIApp

from srlab.errors import FULL, UserError
from srlab.pixels.damage import begins_as_picture
from srlab.pixels.images import read_header
from srlab.serve.desk import Desk, Made, QueueFullError, Result
from srlab.serve.guard import Door, Guard
from srlab.serve.helper import Helper, HelperError
from srlab.serve.limits import Limits
from srlab.serve.pages import Pages
from srlab.serve.studies import Choice, Study, included_choices, labels, stamp_of
from srlab.words import plural

_SAFE = re.compile(r"[^A-Za-z0-9.-]+")
_SHOWN = 80  # letters of a file's name
_ANY_SIZE = 1 << 62  # a header is read whatever it says; its size is judged after
_FIELDS, _FIELD_BYTES = 100, 1000
_REPORT_SECONDS = 300.0
_TITLES = {
    400: "That did not work",
    403: "Not allowed",
    404: "Nothing here",
    405: "Not allowed",
    408: "Too slow",
    413: "Too large",
    415: "Not a picture",
    500: "A fault",
    503: "Busy",
    507: "No room",
}


class Server:
    """What the pages share. `folder` is for results; nothing else is written."""

    def __init__(
        self,
        studies: Sequence[Path],
        *,
        folder: Path,
        limits: Limits,
        device: str = "auto",
        tell: Callable[[str], None],
    ) -> None:
        self.limits = limits
        self.folder = folder
        self.studies = [Study(path, number=number) for number, path in enumerate(studies, start=1)]
        self.pages = Pages(limits, self.studies)
        self.desk = Desk(folder, Helper("enlarge", device=device), limits, tell=tell)
        self.reporter = Helper("report")
        self._included = included_choices()
        self._reports: dict[int, tuple[str | None, Path]] = {}
        self._report_lock = asyncio.Lock()

    def app(self, door: Door) -> ASGIApp:
        """The application behind its door, through which its faults go too."""
        inside = Starlette(
            routes=[
                Route("/", self._start),
                Route("/upscale", self._upscale, methods=["POST"]),
                Route("/result/{id}", self._result),
                Route("/result/{id}/state", self._state),
                Route("/result/{id}/all.zip", self._archive),
                Route("/result/{id}/{place}.png", self._picture),
                Route("/study/{number}", self._study),
                Route("/study/{number}/state", self._study_state),
                Route("/study/{number}/report", self._report),
                Route("/static/{name}", self._static),
            ],
            exception_handlers={
                HTTPException: self._refused,
                ClientDisconnect: self._gone,
                Exception: self._fault,
            },
            lifespan=self._working,
        )
        return Guard(inside, door=door, limits=self.limits)

    @asynccontextmanager
    async def _working(self, _app: Starlette) -> AsyncIterator[None]:
        work = asyncio.create_task(self.desk.work())
        try:
            yield
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work
            await self.desk.helper.stop()
            await self.reporter.stop()

    # Pictures

    async def _choices(self) -> list[Choice]:
        views = [await study.look() for study in self.studies]
        of_studies = [choice for view in views for choice in view.choices]
        scales = {choice.scale for choice in of_studies if choice.is_first}
        return of_studies + [
            replace(choice, is_first=False) if choice.scale in scales else choice for choice in self._included
        ]

    async def _start(self, _request: Request) -> Response:
        return HTMLResponse(self.pages.start(await self._choices()))

    async def _upscale(self, request: Request) -> Response:
        try:
            result = self.desk.open()
        except QueueFullError:
            raise HTTPException(
                503,
                f"The queue is full ({plural(self.limits.queue, 'picture')}). Try again in a minute.",
                {"Retry-After": "60", "Connection": "close"},
            ) from None
        except OSError as error:
            self._refuse_if_full(error)
            raise
        is_whole = False
        try:
            form = await _form(request)
            try:
                await self._take(form, result)
            finally:
                await form.close()
            is_whole = True
        except OSError as error:
            self._refuse_if_full(error)
            raise
        finally:
            if not is_whole:
                self.desk.drop(result)
        self.desk.submit(result)
        return RedirectResponse(f"/result/{result.id}", status_code=303)

    def _refuse_if_full(self, error: OSError) -> None:
        """Raise what a visitor is told when the disk is full; any other error is a fault."""
        if error.errno in FULL:
            self.desk.tell(f"a picture was refused, for want of room in {self.folder.parent}")
            text = "The server's disk is full. Try again later."
            raise HTTPException(507, text, {"Connection": "close"}) from error

    async def _take(self, form: FormData, result: Result) -> None:
        """The picture and what was chosen; an `HTTPException` for what cannot be enlarged."""
        upload = form.get("picture")
        if not isinstance(upload, UploadFile) or not upload.filename:
            raise HTTPException(400, "Choose a picture first.")
        result.name = "".join(sign if sign.isprintable() else "?" for sign in upload.filename[-_SHOWN:])
        chosen = await self._chosen(form)
        result.scale = chosen[0].scale
        await asyncio.to_thread(_save, upload, result.picture)
        result.size = await asyncio.to_thread(_size_of, result, self.limits)
        stem = _plain_stem(result.name)
        bicubic = Choice(key="", name="bicubic", group="", scale=result.scale, model="bicubic")
        all_of_them = [bicubic, *chosen]
        for place, (choice, label) in enumerate(zip(all_of_them, labels(all_of_them), strict=True)):
            result.made.append(
                Made(
                    label=label,
                    model=choice.model,
                    scale=choice.scale,
                    file=f"{stem}-{_SAFE.sub('-', label).strip('-')}-x{choice.scale}.png",
                    path=result.folder / f"{place}.png",
                )
            )

    async def _chosen(self, form: FormData) -> list[Choice]:
        known = {choice.key: choice for choice in await self._choices()}
        keys = list(dict.fromkeys(str(key) for key in form.getlist("network")))
        if not set(keys) <= set(known):
            raise HTTPException(400, "A network that you chose is not here any more. Load the page again.")
        scale = str(form.get("scale", ""))
        chosen = [known[key] for key in keys if not scale or str(known[key].scale) == scale]
        if not chosen:
            raise HTTPException(400, "Choose at least one network of that scale.")
        if len({choice.scale for choice in chosen}) > 1:
            raise HTTPException(400, "Choose networks of one scale.")
        if len(chosen) > self.limits.max_networks:
            raise HTTPException(400, f"Choose at most {self.limits.max_networks} networks.")
        return chosen

    def _found(self, request: Request) -> Result:
        result = self.desk.find(request.path_params["id"])
        if result is None:
            raise HTTPException(404, "This picture is not here any more. Results are kept for a while.")
        return result

    async def _result(self, request: Request) -> Response:
        result = self._found(request)
        status = 200 if result.state != "failed" else 400 if result.is_at_fault else 500
        if status != 200 and _wants_text(request):
            return PlainTextResponse(result.message + "\n", status_code=status)
        return HTMLResponse(self.pages.result(result, self.desk), status_code=status)

    async def _state(self, request: Request) -> Response:
        result = self._found(request)
        ahead = self.desk.ahead(result)
        return JSONResponse({"state": result.state, "ahead": ahead, "doing": result.doing})

    async def _picture(self, request: Request) -> Response:
        result, place = self._found(request), _number(request, "place")
        if result.state != "done" or place >= len(result.made) or not result.made[place].is_there:
            raise HTTPException(404, "There is no such picture.")
        one = result.made[place]
        return _file(one.path, one.file, "image/png", is_download="download" in request.query_params)

    async def _archive(self, request: Request) -> Response:
        result = self._found(request)
        if result.state != "done":
            raise HTTPException(404, "There is no archive yet.")
        name = f"{_plain_stem(result.name)}-x{result.scale}.zip"
        return _file(result.archive, name, "application/zip", is_download=True)

    # Studies

    def _watched(self, request: Request) -> Study:
        number = _number(request, "number")
        if not 1 <= number <= len(self.studies):
            raise HTTPException(404, "There is no such study here.")
        return self.studies[number - 1]

    async def _study(self, request: Request) -> Response:
        study = self._watched(request)
        return HTMLResponse(self.pages.study(study, await study.look()))

    async def _study_state(self, request: Request) -> Response:
        return JSONResponse({"state": (await self._watched(request).look()).digest})

    async def _report(self, request: Request) -> Response:
        study = self._watched(request)
        async with self._report_lock:
            stamp = await asyncio.to_thread(stamp_of, study.path, with_logs=True)
            before, path = self._reports.get(study.number, (None, Path()))  # "" has a missing folder
            if stamp != before:
                path = await self._write_report(study)
                self._reports[study.number] = (stamp, path)
            text = await asyncio.to_thread(path.read_text, encoding="utf-8")
        return HTMLResponse(
            text, headers={"Content-Security-Policy": f"{_policy(text)}; frame-ancestors 'none'"}
        )

    async def _write_report(self, study: Study) -> Path:
        folder = self.folder / f"report-{study.number}"
        task = {"study": str(study.path), "out": str(folder / "report.html")}
        problem = ""
        try:
            async for answer in self.reporter.ask(task, seconds=_REPORT_SECONDS):
                problem = answer.get("failed") or answer.get("fault") or problem
        except HelperError as error:
            problem = f"the process that writes it was ended: {error}"
        if problem:
            problem = problem.replace(str(study.path), study.path.name).replace(f"{self.folder}{os.sep}", "")
            raise HTTPException(503, f"The report of {study.path.name} cannot be written now: {problem}")
        return folder / "report.html"

    # The rest

    async def _static(self, request: Request) -> Response:
        found = self.pages.static.get(request.path_params["name"])
        if found is None:
            raise HTTPException(404, "There is no such file.")
        kind, text = found  # its address changes with what is in it
        return Response(text, media_type=kind, headers={"Cache-Control": "private, max-age=86400"})

    def _say(
        self, request: Request, status: int, text: str, headers: dict[str, str] | None = None
    ) -> Response:
        if _wants_text(request):
            return PlainTextResponse(text + "\n", status_code=status, headers=headers)
        page = self.pages.message(_TITLES.get(status, "That did not work"), text)
        return HTMLResponse(page, status_code=status, headers=headers)

    async def _refused(self, request: Request, error: Exception) -> Response:
        refused = cast(HTTPException, error)
        text = {404: "There is no such page.", 405: "That cannot be done with this page."}
        is_own = refused.detail not in ("Not Found", "Method Not Allowed")
        said = refused.detail if is_own else text.get(refused.status_code, refused.detail)
        return self._say(request, refused.status_code, said, dict(refused.headers or {}))

    async def _gone(self, _request: Request, _error: Exception) -> Response:
        return Response(status_code=400)  # nobody reads it

    async def _fault(self, request: Request, _error: Exception) -> Response:
        return self._say(request, 500, "This is a fault of srlab's own. The terminal of srlab serve has it.")


async def _form(request: Request) -> FormData:
    """The form that came; an `HTTPException` in plain words if it is none."""
    try:
        return await request.form(max_files=1, max_fields=_FIELDS, max_part_size=_FIELD_BYTES)
    except HTTPException as error:
        if error.status_code != 400:
            raise
        raise HTTPException(
            400,
            f"This form cannot be read. It takes one picture, and at most {_FIELDS} other fields of "
            f"{_FIELD_BYTES:,} bytes each.",
            {"Connection": "close"},
        ) from error


def _number(request: Request, name: str) -> int:
    """A number of the address; no page has one of more than nine digits."""
    text = str(request.path_params[name])
    if not re.fullmatch("[0-9]{1,9}", text):
        raise HTTPException(404, "There is no such page.")
    return int(text)


def _save(upload: UploadFile, path: Path) -> None:
    upload.file.seek(0)
    with path.open("xb") as file:
        shutil.copyfileobj(upload.file, file)


def _size_of(result: Result, limits: Limits) -> tuple[int, int]:
    """Width and height, of the file's header alone; an `HTTPException` if it is no picture, or too large."""
    with result.picture.open("rb") as file:
        is_known = begins_as_picture(file.read(16))
    try:
        layout = read_header(result.picture, max_pixels=_ANY_SIZE).layout
    except UserError as error:
        message = str(error).replace(str(result.picture), result.name)
        raise HTTPException(400 if is_known else 415, f"{message}.") from error
    if layout.width * layout.height > limits.max_pixels:
        raise HTTPException(
            413,
            f"{result.name} has {layout.width}x{layout.height} pixels, and this page takes at most "
            f"{limits.max_pixels:,} pixels. Cut or shrink it, or use srlab upscale.",
        )
    return layout.width, layout.height


def _plain_stem(name: str) -> str:
    """A file's name without its suffix, of plain letters: for names of downloads, never for a path."""
    return _SAFE.sub("-", Path(name).stem).strip("-.")[:40] or "picture"


def _file(path: Path, name: str, kind: str, *, is_download: bool) -> Response:
    if not path.is_file():  # put away in this moment
        raise HTTPException(404, "This picture is not here any more.")
    return FileResponse(
        path,
        media_type=kind,
        filename=name,
        content_disposition_type="attachment" if is_download else "inline",
        headers={"Cache-Control": "private, max-age=600"},
    )


def _policy(page: str) -> str:
    """The Content-Security-Policy that a report has in itself, which allows its own script alone."""
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert found is not None
    return html.unescape(found[1])


def _wants_text(request: Request) -> bool:
    """Whether it is a program that asks, and no browser."""
    return "text/html" not in request.headers.get("accept", "")
