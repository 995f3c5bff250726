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
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core import registry
from core.errors import AllaPrimaError, NotFoundError, ParameterError
from core.params import SECONDS_LEARN, PaintParams, Share, mixed, of_two, own_params
from core.specs import MASKS
from webui.api_calls import (
    CompareCall,
    DataCall,
    JobCall,
    LearnCall,
    ListCall,
    NoParameters,
    PaintCall,
    RenameCall,
    RepaintCall,
    StyleCall,
    VisitorCall,
    controls,
)
from webui.bodies import Body, checked
from webui.follow import follow
from webui.people import is_visitor, owner_of
from webui.pictures import download_name, plain
from webui.uploads import path_of

if TYPE_CHECKING:
    from core.specs import MethodSpec
    from webui.site import Site
    from worker.jobs import JobView, OwnStyleView

log = logging.getLogger(__name__)

OWN_STYLE = "own:"
"""How a learned style is named where a gallery's name may stand: with its id behind."""


def describe(job: JobView, visitor: str) -> dict[str, Any]:
    """A job for a program: state, place, progress, timings, parameters; times in ISO 8601, UTC."""
    view = job.model_dump(
        mode="json", exclude={"owner", "context", "photo_key", "result_key", "album", "source", "delivered"}
    )
    masks = {kind: [mask is not None for mask in getattr(job, kind)] for kind in MASKS}
    return view | {"styles": list(job.styles), "visitor": visitor, **masks, "finished": job.finished}


def _described(own: OwnStyleView, visitor: str) -> dict[str, Any]:
    """A learned style for a program."""
    return {"id": own.id, "name": own.name, "style": f"{OWN_STYLE}{own.id}", "visitor": visitor}


def _check_bands(params: PaintParams, two: bool) -> None:
    """A method of one strength cannot give strokes and colours styles of their own; raises ``ParameterError``."""
    method = registry.method(params.method)
    if two and not method.has_bands:
        raise ParameterError(f"method: '{method.name}' does not tell strokes from colours; see /methods.")


def _check_pictures(asked: PaintCall | CompareCall) -> None:
    """A photo and one style are needed; raises ``ParameterError``."""
    if asked.photo is None:
        raise ParameterError("photo: a picture is expected.")
    _check_style(asked)


def _check_style(asked: PaintCall | CompareCall | LearnCall) -> None:
    """One style is needed; raises ``ParameterError``."""
    if bool(asked.style) == (asked.style_file is not None):
        raise ParameterError("Give either style, a gallery name, or style_file, a picture.")


def read_mix(text: str | None) -> list[Share]:
    """The further styles of a mix, "NAME=WEIGHT" or "NAME=STROKES/COLOURS", separated by commas."""
    return [Share.parse(part) for part in (text or "").split(",") if part.strip()]


def _gallery_names(asked: PaintCall, further: Sequence[Share]) -> list[str | None]:
    """The gallery's name of each style asked for, ``None`` for a picture of one's own."""
    given = [(asked.style, asked.style_file)]
    if asked.style_low or asked.style_low_file is not None:
        given.append((asked.style_low, asked.style_low_file))
    names = [None if file is not None or (name or "").startswith(OWN_STYLE) else name for name, file in given]
    return [*names, *(share.style for share in further)]


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


@dataclass(frozen=True)
class Caller:
    """Who calls an endpoint: the visitor's id, the owner string made of it, and the request itself."""

    visitor: str
    owner: str
    request: Any


async def _call(function: Any, *args: Any, **kwargs: Any) -> Any:
    return await asyncio.to_thread(function, *args, **kwargs)


class Endpoints:
    """What the named endpoints do. Every public method is one: ``CALLS`` says what it takes and gives back."""

    def __init__(self, site: Site) -> None:
        self._site, self._client = site, site.client

    async def stylize(self, caller: Caller, asked: PaintCall) -> tuple[str, dict[str, Any]]:
        """Paint a photo and wait for it: returns the full-size PNG and a description of the job."""
        job = await self._submit(caller, asked)
        async for view in follow(self._client, job, caller.owner):
            job = view
        if job.state != "done":
            raise NotFoundError(job.error or "The job was cancelled.")
        return await self._file(job, caller), describe(job, caller.visitor)

    async def submit(self, caller: Caller, asked: PaintCall) -> dict[str, Any]:
        """Queue a photo and return at once; ask /job about it and fetch it with /result."""
        return describe(await self._submit(caller, asked), caller.visitor)

    async def compare(self, caller: Caller, asked: CompareCall) -> list[dict[str, Any]]:
        """Queue one photo in one style with several methods (names separated by commas; none: all that paint in one go),
        one job each."""
        _check_pictures(asked)
        names = [name.strip() for name in (asked.methods or "").split(",") if name.strip()]
        ref = await self._style(caller, asked.style, asked.style_file)
        key = await self._put(caller, asked.photo)
        names = names or self._client.compared(ref)
        origin = self._site.origin_of(caller.request, len(names))
        options = {"methods": names, "size": asked.size, "source": "api", "origin": origin}
        jobs = await _call(self._client.compare, caller.owner, key, ref, **options)
        return [describe(job, caller.visitor) for job in jobs]

    async def repaint(self, caller: Caller, asked: RepaintCall) -> dict[str, Any]:
        """Paint the same photo and style again with other settings; what is left empty stays as it was."""
        given = {
            "alpha": asked.alpha,
            "alpha_high": asked.alpha_high,
            "alpha_low": asked.alpha_low,
            "keep_colors": asked.keep_colors or None,
            "method": asked.method or None,
            "size": asked.size,
        }
        changes = {name: value for name, value in given.items() if value is not None}
        if asked.own:
            before = await _call(self._client.job, asked.job_id, caller.owner)
            name = asked.method or before.params.method
            changes |= read_own(asked.own, self._client.method_for(before.styles, name))
        changes["origin"] = self._site.origin_of(caller.request)
        job = await _call(self._client.repaint, asked.job_id, caller.owner, **changes)
        return describe(job, caller.visitor)

    async def job(self, caller: Caller, asked: JobCall) -> dict[str, Any]:
        """Where a job stands."""
        return describe(await _call(self._client.job, asked.job_id, caller.owner), caller.visitor)

    async def jobs(self, caller: Caller, asked: ListCall) -> list[dict[str, Any]]:
        """The caller's own jobs, newest first."""
        found = await _call(self._client.jobs, caller.owner, limit=min(max(asked.limit or 20, 1), 100))
        return [describe(job, caller.visitor) for job in found]

    async def result(self, caller: Caller, asked: JobCall) -> str:
        """The full-size PNG of a finished job."""
        return await self._file(await _call(self._client.job, asked.job_id, caller.owner), caller)

    async def enough(self, caller: Caller, asked: JobCall) -> dict[str, Any]:
        """That is enough: a job that shows its picture on the way ends with the picture so far, others are cancelled."""
        return describe(await _call(self._client.stop, asked.job_id, caller.owner), caller.visitor)

    async def cancel(self, caller: Caller, asked: JobCall) -> dict[str, Any]:
        """Cancel a waiting or running job."""
        return describe(await _call(self._client.cancel, asked.job_id, caller.owner), caller.visitor)

    async def delete_my_data(self, caller: Caller, asked: DataCall) -> dict[str, int]:
        """Delete everything sent under this id: rows, pictures, copies, caches; running jobs are cancelled."""
        return dict(await _call(self._site.forget, caller.owner))

    async def learn(self, caller: Caller, asked: LearnCall) -> dict[str, Any]:
        """Queue the learning of a style and return at once: a job, like a painting; /enough ends it with what is learned so
        far. When it is done, the style is among /own_styles."""
        _check_style(asked)
        ref = await self._style(caller, asked.style, asked.style_file)
        photo = None if asked.photo is None else await self._put(caller, asked.photo)
        job = await _call(
            self._client.learn_style,
            caller.owner,
            ref,
            photo=photo,
            name=asked.name or "",
            seconds=SECONDS_LEARN if asked.seconds is None else asked.seconds,
            source="api",
            origin=self._site.origin_of(caller.request),
        )
        return describe(job, caller.visitor)

    async def own_styles(self, caller: Caller, asked: VisitorCall) -> list[dict[str, Any]]:
        """The styles that the caller has learned, newest first: id, name, and what to write for ``style``."""
        return [_described(own, caller.visitor) for own in await _call(self._client.own_styles, caller.owner)]

    async def own_style(self, caller: Caller, asked: StyleCall) -> str:
        """The file of one of them."""
        own = await _call(self._client.own_style, asked.style_id, caller.owner)
        data = await _call(self._client.style_picture, own.ref, caller.owner)
        return await self._put_up(caller, data, ".style", f"{plain(own.name) or 'style'}.style")

    async def rename_style(self, caller: Caller, asked: RenameCall) -> dict[str, Any]:
        """Call one of them otherwise."""
        own = await _call(self._client.rename_style, asked.style_id, caller.owner, asked.name or "")
        return _described(own, caller.visitor)

    async def delete_style(self, caller: Caller, asked: StyleCall) -> list[dict[str, Any]]:
        """Delete one of them; those that are left."""
        await _call(self._client.delete_style, asked.style_id, caller.owner)
        return await self.own_styles(caller, VisitorCall(visitor=caller.visitor))

    async def styles(self, caller: Caller, asked: NoParameters) -> list[dict[str, str]]:
        """The gallery: name, title, summary."""
        return [
            {"name": style.name, "title": style.title, "summary": style.summary}
            for style in await _call(self._client.styles)
        ]

    async def methods(self, caller: Caller, asked: NoParameters) -> list[dict[str, Any]]:
        """The methods and the parameters each one takes."""
        return [
            {
                "name": method.name,
                "title": method.title,
                "summary": method.summary,
                "paper": method.paper,
                "params": list(method.params),
                "iterative": method.capabilities.iterative,
                **{kind: getattr(method.capabilities, kind) for kind in MASKS},
            }
            for method in await _call(self._client.methods)
        ]

    # what they share

    async def _submit(self, caller: Caller, asked: PaintCall) -> JobView:
        _check_pictures(asked)
        further = read_mix(asked.mix)
        two = bool(asked.style_low) or asked.style_low_file is not None
        if bool(asked.style_low) + (asked.style_low_file is not None) + bool(further) > 1:
            raise ParameterError("Give one of style_low, style_low_file and mix.")
        spec = registry.chosen(asked.method, _gallery_names(asked, further))
        params = PaintParams.parse(
            method=spec.name,
            keep_colors=asked.keep_colors or "off",
            size=asked.size,
            seed=asked.seed or 0,
            grid=bool(asked.grid),
            own=read_own(asked.own, spec),
            **spec.strengths(asked.alpha, asked.alpha_high, asked.alpha_low),
        )
        _check_bands(params, two or any(share.high != share.low for share in further))
        refs = [await self._style(caller, asked.style, asked.style_file)]
        if two:
            refs.append(await self._style(caller, asked.style_low, asked.style_low_file))
            params = mixed(params, of_two(*refs))
        elif further:
            refs += [f"gallery:{share.style}" for share in further]
            params = mixed(params, [Share(refs[0], 1.0, 1.0), *further])
        masks = await self._masks(caller, asked, spec, len(refs))
        key = await self._put(caller, asked.photo)
        origin = self._site.origin_of(caller.request)
        options = {**masks, "source": "api", "origin": origin}
        job: JobView = await _call(self._client.submit, caller.owner, key, refs, params, **options)
        return job

    async def _masks(
        self, caller: Caller, asked: PaintCall, spec: MethodSpec, styles: int
    ) -> dict[str, list[str | None]]:
        """Keys of the masks given by their kinds, of each one for each style, or none at all."""
        given: dict[str, list[Any]] = {}
        for kind, one in zip(MASKS, ("mask", "style_mask"), strict=True):
            files = [getattr(asked, one), getattr(asked, f"{one}_second")]
            if files[1] is not None and styles < 2:
                raise ParameterError(f"{one}_second: there is no second style.")
            given[kind] = [*files, *[None] * styles][:styles] if any(files) else []
        spec.check_masks(given["masks"], styles, given["style_masks"])
        return {
            kind: [None if file is None else await self._put(caller, file, mask=kind) for file in files]
            for kind, files in given.items()
        }

    async def _style(self, caller: Caller, name: str | None, file: Any) -> str:
        if file is not None:
            return f"blob:{await self._put(caller, file)}"
        if name is not None and name.startswith(OWN_STYLE):
            own = await _call(self._client.own_style, name.removeprefix(OWN_STYLE), caller.owner)
            return str(own.ref)
        return f"gallery:{name}"

    async def _put(self, caller: Caller, file: Any, *, mask: str = "") -> str:
        """Store a picture, or a mask of this kind; its key."""

        def put() -> str:
            self._site.bringing(caller.request)
            path = path_of(file) or ""
            self._site.copies.note(caller.owner, path)
            data = self._site.shelf.read(path)
            if mask:
                return str(self._client.put_mask(data, caller.owner, of_style=mask == "style_masks"))
            return str(self._client.put_picture(data, caller.owner))

        key: str = await _call(put)
        return key

    async def _file(self, job: JobView, caller: Caller) -> str:
        data = await _call(self._client.result, job.id, caller.owner)
        return await self._put_up(caller, data, ".png", download_name(job))

    async def _put_up(self, caller: Caller, data: bytes, ending: str, name: str) -> str:
        """A file that the caller may fetch; its path."""
        path: str = await _call(self._site.shelf.put, data, ending, name=name)
        await _call(self._site.copies.note, caller.owner, path)
        return path


PAINTING, INFO = "painting", "info"
CALLS: dict[str, tuple[type[Body], tuple[str, ...]]] = {
    "stylize": (PaintCall, (PAINTING, INFO)),
    "submit": (PaintCall, (INFO,)),
    "compare": (CompareCall, (INFO,)),
    "repaint": (RepaintCall, (INFO,)),
    "job": (JobCall, (INFO,)),
    "jobs": (ListCall, (INFO,)),
    "result": (JobCall, (PAINTING,)),
    "enough": (JobCall, (INFO,)),
    "cancel": (JobCall, (INFO,)),
    "delete_my_data": (DataCall, (INFO,)),
    "learn": (LearnCall, (INFO,)),
    "own_styles": (VisitorCall, (INFO,)),
    "own_style": (StyleCall, (PAINTING,)),
    "rename_style": (RenameCall, (INFO,)),
    "delete_style": (StyleCall, (INFO,)),
    "styles": (NoParameters, (INFO,)),
    "methods": (NoParameters, (INFO,)),
}
"""The endpoints by name: the model of what each one takes, and what it gives back."""


def _handler(site: Site, name: str) -> Any:
    """The function that Gradio calls for an endpoint. Expected failures reach the caller as their one sentence, others as
    a general one."""
    import gradio as gr

    function, (model, _) = getattr(Endpoints(site), name), CALLS[name]

    async def handle(request: Any, *values: Any) -> Any:
        try:
            asked = checked(dict(zip(model.model_fields, values, strict=True)), model)
            caller = await _caller(site, request, asked)
            return await function(caller, asked)
        except AllaPrimaError as error:
            raise gr.Error(str(error), print_exception=False) from None
        except Exception:
            log.exception("an endpoint failed")
            raise gr.Error("Something went wrong on the server.", print_exception=False) from None

    # Gradio reads the parameters' names, and that the request is wanted, from the signature.
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    request = inspect.Parameter("request", kind, annotation=gr.Request)
    # With a default of None each may be left out, so that programs go on working when one is added.
    named = [inspect.Parameter(field, kind, default=None) for field in model.model_fields]
    signed: Any = handle
    signed.__signature__ = inspect.Signature([request, *named])
    signed.__annotations__ = {"request": gr.Request}
    signed.__name__, signed.__doc__ = name, function.__doc__
    return handle


async def _caller(site: Site, request: Any, asked: Body) -> Caller:
    """Who calls, with a new id when none is given or it is not ours; nobody where the call does not ask. Raises
    ``ParameterError`` on a malformed id."""
    if "visitor" not in type(asked).model_fields:
        return Caller("", "", request)
    given: str | None = dict(asked)["visitor"]
    if given and not is_visitor(given):
        raise ParameterError(
            "visitor: 32 letters, digits, '-' or '_' are expected; leave it empty to get one."
        )
    visitor = await site.visitors.admit(given)
    return Caller(visitor, owner_of(visitor), request)


def add_endpoints(site: Site) -> None:
    """Attach every endpoint to the ``gr.Blocks`` being built."""
    import gradio as gr

    with gr.Column(visible=False):
        taken = controls(*(model for model, _ in CALLS.values()))
        given = {PAINTING: gr.File(label=PAINTING), INFO: gr.JSON(label=INFO)}
        trigger = gr.Button("call")
        for name, (model, outputs) in CALLS.items():
            trigger.click(
                _handler(site, name),
                taken[model],
                [given[output] for output in outputs],
                api_name=name,
                concurrency_limit=None,
            )
