"""What a visitor may send to the page's handlers: every value is checked against the component it is for, before
Gradio looks at it.

A file in particular is only named, never described: what goes on to Gradio is a path that has been found to be one of
the visitor's own uploads, and nothing else of what was sent along."""

from __future__ import annotations

import re
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from core.errors import NotFoundError, ParameterError
from core.params import PARAMS
from webui.bodies import Body, Whole, checked
from webui.upload_routes import safe_name

if TYPE_CHECKING:
    from webui.uploads import Shelf

OWN = "own-"
"""What the element ids of controls for parameters of methods' own begin with."""
TEXT_LETTERS = 4000
CHOSEN = 100
EVENT_FIELDS = 20
NO_CALL = "There is no such call."
NOT_YOURS = "upload the picture first; this is none of your own uploads"

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

SessionHash = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class Join(Body):
    """``/queue/join``: one event of the page, or one call of a program."""

    data: list[Any]
    fn_index: Whole
    session_hash: SessionHash
    trigger_id: Whole | None = None
    event_data: Any = None


class Call(Body):
    """``/call/…``: one call of a program by the endpoint's name."""

    data: list[Any]
    session_hash: SessionHash | None = None


class Cancel(Body):
    """``/cancel``: the event is not wanted any more."""

    session_hash: SessionHash
    fn_index: Whole
    event_id: SessionHash


class Payloads:
    """Knows the handlers of ``blocks`` and checks what is sent to them. ``shelf``: where uploads lie."""

    def __init__(self, blocks: Any, shelf: Shelf) -> None:
        self._blocks = blocks
        self._shelf = shelf

    @property
    def queue(self) -> Any:
        """Gradio's queue of the page's events."""
        return self._blocks._queue

    def join(self, content: Any, tag: str) -> dict[str, Any]:
        """A body of ``/queue/join`` from the session with this tag, as it may go on; raises ``ParameterError`` or
        ``NotFoundError``."""
        join = checked(content, Join)
        function = self._blocks.fns.get(join.fn_index)
        if function is None:
            raise NotFoundError(NO_CALL)
        return {
            "data": self._values(function, join.data, tag),
            "fn_index": join.fn_index,
            "session_hash": join.session_hash,
            "trigger_id": join.trigger_id,
            "event_data": _event_data(join.event_data),
        }

    def call(self, name: str, content: Any, tag: str) -> dict[str, Any]:
        """The same for ``/call/<name>``."""
        call = checked(content, Call)
        function = next((one for one in self._blocks.fns.values() if one.api_name == name), None)
        if function is None or getattr(function, "api_visibility", "public") != "public":
            raise NotFoundError(NO_CALL)
        session = call.session_hash or f"call-{secrets.token_urlsafe(16)}"
        return {"data": self._values(function, call.data, tag), "session_hash": session}

    @staticmethod
    def cancel(content: Any, tag: str) -> dict[str, Any]:
        """The same for ``/cancel``."""
        return checked(content, Cancel).model_dump()

    def follows(self, session_hash: str) -> bool:
        """Whether there is anything to be told to a page session."""
        known = self._blocks._queue.pending_messages_per_session
        return _NAME.fullmatch(session_hash) is not None and session_hash in known

    def session_of(self, event_id: str) -> str | None:
        """The page session of an event that is waiting, running, or finished and not yet told; else ``None``."""
        queue = self._blocks._queue
        event = queue.event_ids_to_events.get(event_id)
        if event is not None:
            return str(event.session_hash)
        known = queue.pending_event_ids_session.items()
        return next((str(session) for session, events in known if event_id in events), None)

    def forget(self, session_hash: str) -> None:
        """Let the state of a page session go that nobody comes back to."""
        holder = self._blocks.state_holder
        holder.session_data.pop(session_hash, None)
        holder.time_last_used.pop(session_hash, None)

    def _values(self, function: Any, data: list[Any], tag: str) -> list[Any]:
        if len(data) != len(function.inputs):
            raise ParameterError(f"data: {len(function.inputs)} values are expected.")
        return [self._value(block, value, tag) for block, value in zip(function.inputs, data, strict=True)]

    def _value(self, block: Any, value: Any, tag: str) -> Any:
        kind, label = block.get_block_name(), _label(block)
        if kind == "state":
            return None  # kept here; what the page says of it is never looked at
        if kind in ("image", "file"):
            return self._file(label, value, tag)
        if kind in ("textbox", "html", "browserstate"):
            return _text(label, value)
        if kind in ("number", "slider"):
            return _number(block, label, value, needed=kind == "slider")
        if kind == "checkbox":
            if value is not None and not isinstance(value, bool):
                raise ParameterError(f"{label}: true or false is expected.")
            return bool(value)
        if kind in ("radio", "dropdown"):
            return _choice(block, label, value)
        if kind == "checkboxgroup":
            if not isinstance(value, list) or len(value) > CHOSEN:
                raise ParameterError(f"{label}: a list is expected.")
            return [_choice(block, label, one) for one in value]
        raise ParameterError(f"{label}: this value cannot be used.")

    def _file(self, label: str, value: Any, tag: str) -> Any:
        if value is None:
            return None
        path = value.get("path") if isinstance(value, dict) else None
        if not self._shelf.owns(path, tag):
            raise ParameterError(f"{label}: {NOT_YOURS}.", code="not_yours")
        name = value.get("orig_name")
        return {
            "path": path,
            "orig_name": safe_name(name) if isinstance(name, str) else None,
            "meta": {"_type": "gradio.FileData"},
        }


def _label(block: Any) -> str:
    first = str(getattr(block, "label", None) or "").split(" ")[0]
    return first if first.isidentifier() else "value"


def _text(label: str, value: Any) -> str | None:
    if value is not None and not (isinstance(value, str) and len(value) <= TEXT_LETTERS):
        raise ParameterError(f"{label}: a short text is expected.")
    return value


def _number(block: Any, label: str, value: Any, *, needed: bool) -> float | None:
    if value is None and not needed:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ParameterError(f"{label}: a number is expected.")
    low, high = getattr(block, "minimum", None), getattr(block, "maximum", None)
    if (low is not None and value < low) or (high is not None and value > high):
        raise ParameterError(f"{label}: a number from {low:g} to {high:g} is expected.")
    return value


def _choice(block: Any, label: str, value: Any) -> Any:
    known = [choice for _, choice in block.choices]
    for choice in known:
        # JSON does not tell 1.0 from 1.
        alike = type(choice) is type(value) or {type(choice), type(value)} == {int, float}
        if alike and choice == value:
            return choice
    own = PARAMS.get(str(block.elem_id).removeprefix(OWN))
    if own is not None and str(block.elem_id).startswith(OWN):
        # A painting submitted by a program, shown here again, may have another value than those offered.
        with suppress(ValueError):
            return own.checked(value)
    raise ParameterError(f"{label}: one of the page's own choices is expected.")


def _event_data(given: Any) -> dict[str, Any]:
    """What an event says of itself: a few plain values; everything else is left out, names of files included."""
    if not isinstance(given, dict):
        return {}
    plain = {
        name: value
        for name, value in given.items()
        if name != "path" and (value is None or isinstance(value, str | int | float))
    }
    return dict(list(plain.items())[:EVENT_FIELDS])
