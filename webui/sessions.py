"""Browser sessions: a signed, random cookie that says which uploads are a visitor's own.

It is no login and has nothing to do with the id that jobs belong to: whoever loses it brings a picture again."""

from __future__ import annotations

import hmac
import secrets
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from webui.pictures import Links

COOKIE = "alla-prima-session"
DAYS = 30
TAG_LETTERS = 24
SCOPE_KEY = "allaprima.session"
"""Where the guard leaves the session's tag in a request's scope."""


class Sessions:
    """Issues and reads the cookie. ``links``: signs it, with the key that every page of this service shares."""

    def __init__(self, links: Links) -> None:
        self._links = links

    def issue(self) -> str:
        """A new session's cookie value."""
        name = secrets.token_hex(16)
        return f"{name}.{self._signature(name)}"

    def _signature(self, name: str) -> str:
        return self._links.sign(f"session:{name}")[:40]

    def tag(self, value: str) -> str:
        """What marks the uploads of the session with this cookie value, ``TAG_LETTERS`` hex digits; "" for a value not
        issued here. The value cannot be told from the tag."""
        name, _, signature = value.partition(".")
        if not (value.isascii() and len(value) < 100):
            return ""
        if not hmac.compare_digest(self._signature(name), signature):
            return ""
        return self._links.sign(f"uploads:{name}")[:TAG_LETTERS]


def cookie_of(header: str) -> str:
    """The session's value in a ``Cookie`` header; "" without one."""
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found is not None else ""


def set_cookie(value: str, *, secure: bool) -> str:
    """The ``Set-Cookie`` header: out of scripts' reach, and not sent along by other sites' forms and pictures."""
    line = f"{COOKIE}={value}; Path=/; Max-Age={DAYS * 24 * 3600}; HttpOnly; SameSite=Lax"
    return f"{line}; Secure" if secure else line


def current_tag() -> str:
    """The tag of the session whose event Gradio is handling; "" outside of one."""
    from gradio.context import LocalContext

    request = LocalContext.request.get(None)
    inner = getattr(request, "request", None)
    return str(inner.scope.get(SCOPE_KEY, "")) if inner is not None else ""
