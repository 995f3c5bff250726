"""The page's named endpoints for programs (``gradio_client``): the same jobs as the page's, by the same rules.

A caller is known by its ``visitor`` id: 32 URL-safe characters that only the server issues. Leave it empty in the first
call and use the one that comes back (``info["visitor"]``) to reach the same jobs again; an id that was not issued here
is replaced by a new one.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import math
from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, Any

from core import registry
from core.errors import AllaPrimaError, NotFoundError, ParameterError
from core.params import DEFAULT_METHOD, KEEP_COLORS, PaintParams, Share, mixed, of_two, own_params
from webui.bodies import WHOLE_MAX
from webui.follow import follow
from webui.people import is_visitor, owner_of
from webui.pictures import download_name
from webui.uploads import path_of

if TYPE_CHECKING:
    from core.registry import MethodSpec
    from webui.site import Site
    from worker.jobs import JobView

log = logging.getLogger(__name__)


def _whole(value: float | None, name: str) -> int | None:
    if value is None:
        return None
    if not math.isfinite(value) or value != int(value) or abs(value) > WHOLE_MAX:
        raise ParameterError(f"{name}: a whole number is expected.")
    return int(value)


def describe(job: JobView, visitor: str) -> dict[str, Any]:
    """A job for a program: state, place, progress, timings, parameters; times in ISO 8601, UTC."""
    view = job.model_dump(
        mode="json", exclude={"owner", "context", "photo_key", "result_key", "album", "source", "delivered"}
    )
    return view | {"styles": list(job.styles), "finished": job.finished, "visitor": visitor}


def _check_bands(params: PaintParams, two: bool) -> None:
    """A method of one strength cannot give strokes and colours styles of their own; raises ``ParameterError``."""
    method = registry.method(params.method)
    if two and not method.has_bands:
        raise ParameterError(f"method: '{method.name}' does not tell strokes from colours; see /methods.")


def read_mix(text: str | None) -> list[Share]:
    """The further styles of a mix, "NAME=WEIGHT" or "NAME=STROKES/COLOURS", separated by commas."""
    return [Share.parse(part) for part in (text or "").split(",") if part.strip()]


def read_own(text: str | None, spec: MethodSpec) -> dict[str, Any]:
    """Parameters of a method's own out of a JSON object; raises ``ParameterError`` for anything else and for what the
    method does not take."""
    if not text:
        return {}
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise ParameterError('own: a JSON object is expected, such as {"seconds": 60}.')
    known = {param.name for param in own_params()} & set(spec.params)
    for name in values:
        if name not in known:
            raise ParameterError(f"own: '{spec.name}' does not take '{name[:40]}'; see /methods.")
    return values


def add_endpoints(site: Site) -> None:
    """Attach every endpoint to the ``gr.Blocks`` being built."""
    import gradio as gr

    from webui.components import file_field

    client = site.client
    current: ContextVar[Any] = ContextVar("request of an endpoint")

    async def _visitor(given: str | None) -> str:
        """The caller's id, a new one when none is given or it is not ours; raises ``ParameterError`` on a malformed
        one."""
        if given and not is_visitor(given):
            raise ParameterError(
                "visitor: 32 letters, digits, '-' or '_' are expected; leave it empty to get one."
            )
        return await site.visitors.admit(given)

    def spoken(function: Any) -> Any:
        """Expected failures reach the caller as their one sentence, others as a general one."""

        @wraps(function)
        async def guarded(request: Any, *args: Any) -> Any:
            current.set(request)
            try:
                return await function(*args)
            except AllaPrimaError as error:
                raise gr.Error(str(error), print_exception=False) from None
            except Exception:
                log.exception("an endpoint failed")
                raise gr.Error("Something went wrong on the server.", print_exception=False) from None

        # Gradio looks at the signature to see that the request is wanted.
        own = inspect.signature(function)
        first = inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=gr.Request)
        signed: Any = guarded
        signed.__signature__ = own.replace(parameters=[first, *own.parameters.values()])
        signed.__annotations__ = {"request": gr.Request, **function.__annotations__}
        return guarded

    async def call(function: Any, *args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(function, *args, **kwargs)

    def put(file: Any, owner: str) -> str:
        site.bringing(current.get())
        path = path_of(file) or ""
        site.copies.note(owner, path)
        return str(client.put_picture(site.shelf.read(path), owner))

    async def send(
        photo: Any,
        style: str | None,
        style_file: Any,
        alpha: float | None,
        keep_colors: str | None,
        method: str | None,
        size: float | None,
        seed: float | None,
        owner: str,
        alpha_high: float | None,
        alpha_low: float | None,
        style_low: str | None,
        style_low_file: Any,
        mix: str | None,
        grid: bool | None,
        own: str | None,
    ) -> JobView:
        if photo is None:
            raise ParameterError("photo: a picture is expected.")
        if bool(style) == (style_file is not None):
            raise ParameterError("Give either style, a gallery name, or style_file, a picture.")
        further = read_mix(mix)
        two = bool(style_low) or style_low_file is not None
        if bool(style_low) + (style_low_file is not None) + bool(further) > 1:
            raise ParameterError("Give one of style_low, style_low_file and mix.")
        spec = registry.method(method or DEFAULT_METHOD)
        params = PaintParams.parse(
            method=spec.name,
            keep_colors=keep_colors or "off",
            size=_whole(size, "size"),
            seed=_whole(seed, "seed") or 0,
            grid=bool(grid),
            own=read_own(own, spec),
            **spec.strengths(alpha, alpha_high, alpha_low),
        )
        _check_bands(params, two or any(share.high != share.low for share in further))
        refs = [f"gallery:{style}" if style_file is None else f"blob:{await call(put, style_file, owner)}"]
        if two:
            low = f"gallery:{style_low}" if style_low_file is None else None
            refs.append(low or f"blob:{await call(put, style_low_file, owner)}")
            params = mixed(params, of_two(*refs))
        elif further:
            refs += [f"gallery:{share.style}" for share in further]
            params = mixed(params, [Share(refs[0], 1.0, 1.0), *further])
        key = await call(put, photo, owner)
        origin = site.ordering(current.get())
        job: JobView = await call(client.submit, owner, key, refs, params, source="api", origin=origin)
        return job

    async def finished_file(job: JobView, owner: str) -> str:
        data = await call(client.result, job.id, owner)
        path: str = await call(site.shelf.put, data, ".png", name=download_name(job))
        await call(site.copies.note, owner, path)
        return path

    @spoken
    async def stylize(
        photo: Any,
        style: str | None,
        style_file: Any,
        alpha: float | None,
        keep_colors: str | None,
        method: str | None,
        size: float | None,
        seed: float | None,
        visitor: str | None,
        alpha_high: float | None,
        alpha_low: float | None,
        style_low: str | None,
        style_low_file: Any,
        mix: str | None,
        grid: bool | None,
        own: str | None,
    ) -> tuple[str, dict[str, Any]]:
        """Paint a photo and wait for it: returns the full-size PNG and a description of the job."""
        visitor = await _visitor(visitor)
        owner = owner_of(visitor)
        more = (alpha_high, alpha_low, style_low, style_low_file, mix, grid, own)
        job = await send(photo, style, style_file, alpha, keep_colors, method, size, seed, owner, *more)
        async for view in follow(client, job, owner):
            job = view
        if job.state != "done":
            raise NotFoundError(job.error or "The job was cancelled.")
        return await finished_file(job, owner), describe(job, visitor)

    @spoken
    async def submit(
        photo: Any,
        style: str | None,
        style_file: Any,
        alpha: float | None,
        keep_colors: str | None,
        method: str | None,
        size: float | None,
        seed: float | None,
        visitor: str | None,
        alpha_high: float | None,
        alpha_low: float | None,
        style_low: str | None,
        style_low_file: Any,
        mix: str | None,
        grid: bool | None,
        own: str | None,
    ) -> dict[str, Any]:
        """Queue a photo and return at once; ask /job about it and fetch it with /result."""
        visitor = await _visitor(visitor)
        owner = owner_of(visitor)
        more = (alpha_high, alpha_low, style_low, style_low_file, mix, grid, own)
        job = await send(photo, style, style_file, alpha, keep_colors, method, size, seed, owner, *more)
        return describe(job, visitor)

    @spoken
    async def compare(
        photo: Any,
        style: str | None,
        style_file: Any,
        methods: str | None,
        size: float | None,
        visitor: str | None,
    ) -> list[dict[str, Any]]:
        """Queue one photo in one style with several methods (names separated by commas; none: all that paint in one go),
        one job each."""
        visitor = await _visitor(visitor)
        owner = owner_of(visitor)
        if photo is None:
            raise ParameterError("photo: a picture is expected.")
        if bool(style) == (style_file is not None):
            raise ParameterError("Give either style, a gallery name, or style_file, a picture.")
        names = [name.strip() for name in (methods or "").split(",") if name.strip()] or None
        ref = f"gallery:{style}" if style_file is None else f"blob:{await call(put, style_file, owner)}"
        key = await call(put, photo, owner)
        count = len(registry.quick_methods() if names is None else names)
        origin = site.ordering(current.get(), count)
        options = {"methods": names, "size": _whole(size, "size"), "source": "api", "origin": origin}
        return [describe(job, visitor) for job in await call(client.compare, owner, key, ref, **options)]

    @spoken
    async def repaint(
        job_id: str,
        visitor: str,
        alpha: float | None,
        keep_colors: str | None,
        method: str | None,
        size: float | None,
        alpha_high: float | None,
        alpha_low: float | None,
        own: str | None,
    ) -> dict[str, Any]:
        """Paint the same photo and style again with other settings; what is left empty stays as it was."""
        visitor = await _visitor(visitor)
        given = {
            "alpha": alpha,
            "alpha_high": alpha_high,
            "alpha_low": alpha_low,
            "keep_colors": keep_colors or None,
            "method": method or None,
            "size": _whole(size, "size"),
        }
        changes = {name: value for name, value in given.items() if value is not None}
        if own:
            before = await call(client.job, job_id, owner_of(visitor))
            changes |= read_own(own, registry.method(method or before.params.method))
        changes["origin"] = site.ordering(current.get())
        return describe(await call(client.repaint, job_id, owner_of(visitor), **changes), visitor)

    @spoken
    async def job(job_id: str, visitor: str) -> dict[str, Any]:
        """Where a job stands."""
        visitor = await _visitor(visitor)
        return describe(await call(client.job, job_id, owner_of(visitor)), visitor)

    @spoken
    async def jobs(visitor: str, limit: float | None) -> list[dict[str, Any]]:
        """The caller's own jobs, newest first."""
        visitor = await _visitor(visitor)
        count = min(max(_whole(limit, "limit") or 20, 1), 100)
        return [describe(view, visitor) for view in await call(client.jobs, owner_of(visitor), limit=count)]

    @spoken
    async def result(job_id: str, visitor: str) -> str:
        """The full-size PNG of a finished job."""
        owner = owner_of(await _visitor(visitor))
        return await finished_file(await call(client.job, job_id, owner), owner)

    @spoken
    async def enough(job_id: str, visitor: str) -> dict[str, Any]:
        """That is enough: a job that shows its picture on the way ends with the picture so far, others are cancelled."""
        visitor = await _visitor(visitor)
        return describe(await call(client.stop, job_id, owner_of(visitor)), visitor)

    @spoken
    async def cancel(job_id: str, visitor: str) -> dict[str, Any]:
        """Cancel a waiting or running job."""
        visitor = await _visitor(visitor)
        return describe(await call(client.cancel, job_id, owner_of(visitor)), visitor)

    @spoken
    async def delete_my_data(visitor: str) -> dict[str, int]:
        """Delete everything sent under this id: rows, pictures, copies, caches; running jobs are cancelled."""
        if not visitor:
            raise ParameterError("visitor: say whose data is to be deleted.")
        return dict(await call(site.forget, owner_of(await _visitor(visitor))))

    @spoken
    async def styles() -> list[dict[str, str]]:
        """The gallery: name, title, summary."""
        return [
            {"name": style.name, "title": style.title, "summary": style.summary}
            for style in await call(client.styles)
        ]

    @spoken
    async def methods() -> list[dict[str, Any]]:
        """The methods and the parameters each one takes."""
        return [
            {
                "name": method.name,
                "title": method.title,
                "summary": method.summary,
                "paper": method.paper,
                "params": list(method.params),
                "iterative": method.capabilities.iterative,
            }
            for method in await call(client.methods)
        ]

    with gr.Column(visible=False):
        photo_in = file_field(label="photo")
        style_in = gr.Textbox(label="style (a gallery name)")
        style_file_in = file_field(label="style_file (a picture, instead of style)")
        alpha_in = gr.Number(label="alpha (strength, 0 to 1.5)", value=None)
        keep_in = gr.Textbox(label=f"keep_colors ({', '.join(KEEP_COLORS)})")
        method_in = gr.Textbox(label="method")
        size_in = gr.Number(label="size (longest side in pixels)", value=None)
        seed_in = gr.Number(label="seed", value=None)
        visitor_in = gr.Textbox(label="visitor (your id; empty: a new one)")
        high_in = gr.Number(label="alpha_high (strokes, 0 to 1.5)", value=None)
        low_in = gr.Number(label="alpha_low (colours and shapes, 0 to 1.5)", value=None)
        style_low_in = gr.Textbox(label="style_low (a gallery name: another style for colours and shapes)")
        style_low_file_in = file_field(label="style_low_file (a picture, instead of style_low)")
        mix_in = gr.Textbox(label="mix (more gallery styles: NAME=WEIGHT or NAME=STROKES/COLOURS, …)")
        grid_in = gr.Checkbox(label="grid (a sheet of small paintings over both strengths)")
        own_in = gr.Textbox(
            "", label='own (parameters of the method\'s own as JSON, such as {"seconds": 60})'
        )
        methods_in = gr.Textbox(label="methods (names separated by commas; empty: all that paint in one go)")
        job_in = gr.Textbox(label="job_id")
        limit_in = gr.Number(label="limit", value=20)
        file_out = gr.File(label="painting")
        json_out = gr.JSON(label="info")
        trigger = gr.Button("call")

        order = [
            photo_in,
            style_in,
            style_file_in,
            alpha_in,
            keep_in,
            method_in,
            size_in,
            seed_in,
            visitor_in,
            high_in,
            low_in,
            style_low_in,
            style_low_file_in,
            mix_in,
            grid_in,
            own_in,
        ]
        endpoints: list[tuple[Any, list[Any], list[Any]]] = [
            (stylize, order, [file_out, json_out]),
            (submit, order, [json_out]),
            (compare, [photo_in, style_in, style_file_in, methods_in, size_in, visitor_in], [json_out]),
            (
                repaint,
                [job_in, visitor_in, alpha_in, keep_in, method_in, size_in, high_in, low_in, own_in],
                [json_out],
            ),
            (job, [job_in, visitor_in], [json_out]),
            (jobs, [visitor_in, limit_in], [json_out]),
            (result, [job_in, visitor_in], [file_out]),
            (enough, [job_in, visitor_in], [json_out]),
            (cancel, [job_in, visitor_in], [json_out]),
            (delete_my_data, [visitor_in], [json_out]),
            (styles, [], [json_out]),
            (methods, [], [json_out]),
        ]
        for function, inputs, outputs in endpoints:
            trigger.click(function, inputs, outputs, api_name=function.__name__, concurrency_limit=None)
