"""Who may see the page's parts for researchers and operators: whoever knows the password of the settings. A signed
cookie remembers it for some hours; another password, or leaving, ends it at once."""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field

from core.errors import AllaPrimaError
from webui.addresses import UNKNOWN
from webui.bodies import Body

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from webui.addresses import Addresses
    from webui.pictures import Links
    from worker.settings import Settings

COOKIE = "alla-prima-operator"
HOURS = 12
FREE_MISTAKES = 5  # wrong passwords in a row after which an address has to wait
FIRST_DELAY, LONGEST_DELAY = 2.0, 900.0  # seconds; doubled with every further mistake
MISTAKES_KEPT = 86_400.0  # seconds after which an address' mistakes are forgotten
ADDRESSES_KEPT = 10_000
STATUS = {
    "no_password": 403,
    "password": 401,
    "wrong_password": 401,
    "too_often": 429,
    "origin": 403,
    "content_type": 415,
}
"""HTTP status by the code of an ``AccessError``."""


class Entering(Body):
    """The password, given to be let in."""

    password: Annotated[str, Field(max_length=400)] = ""


class AccessError(AllaPrimaError):
    """The visitor is not let in: ``code`` "no_password" (none is set), "password" (ask for it), "wrong_password",
    "too_often", "origin" (another site sent the request) or "content_type" (it is not JSON)."""

    code = "password"


@dataclass
class _Mistakes:
    number: int = 0
    last: float = 0.0

    @property
    def until(self) -> float:
        """Until when the address has to wait."""
        more = self.number - FREE_MISTAKES
        return self.last + min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(more, 20)) if more >= 0 else 0.0


class Gate:
    """Lets operators in; one for the whole page. ``links``: signs the cookie, with the key that every page of this
    service shares. ``clock``: seconds, for the delays.

    Mistakes count for the address they come from and for no other: nobody locks anybody else out.
    """

    def __init__(
        self,
        settings: Settings,
        links: Links,
        addresses: Addresses | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        secret = settings.operator_password
        self._password = secret.get_secret_value() if secret is not None else ""
        self._public = settings.web_public_url or ""
        self._links, self._addresses, self._clock = links, addresses, clock
        self._mistakes: OrderedDict[str, _Mistakes] = OrderedDict()
        self._left: dict[str, int] = {}
        self._lock = threading.Lock()

    def _signed(self, head: str) -> str:
        digest = hashlib.sha256(self._password.encode()).hexdigest()
        return f"{head}.{self._links.sign(f'operator:{head}:{digest}')}"

    def _require_password(self) -> None:
        if not self._password:
            raise AccessError(
                "No password is set for this part of the page: set ALLAPRIMA_OPERATOR_PASSWORD and start the page "
                "again.",
                code="no_password",
            )

    # coming in

    def enter(self, password: str, address: str = UNKNOWN) -> str:
        """The cookie's value for a visitor at ``address`` who gives the right password; raises ``AccessError``."""
        self._require_password()
        # Hashes are of one length, so that comparing takes the same time for every password.
        given, right = (
            hashlib.sha256(text.encode("utf-8", "replace")).digest() for text in (password, self._password)
        )
        with self._lock:
            now = self._clock()
            self._forget_old(now)
            mistakes = self._mistakes.get(address)
            if mistakes is not None and mistakes.until > now:
                raise AccessError(
                    f"Too many wrong passwords; please try again in {_span(mistakes.until - now)}.",
                    code="too_often",
                )
            if not hmac.compare_digest(given, right):
                mistakes = self._mistakes.setdefault(address, _Mistakes())
                mistakes.number, mistakes.last = mistakes.number + 1, now
                self._mistakes.move_to_end(address)
                raise AccessError("This is not the password.", code="wrong_password")
            self._mistakes.pop(address, None)
        return self._signed(f"{int(time.time()) + HOURS * 3600}.{secrets.token_hex(8)}")

    def _forget_old(self, now: float) -> None:
        while self._mistakes:
            address, oldest = next(iter(self._mistakes.items()))
            if len(self._mistakes) <= ADDRESSES_KEPT and now - oldest.last < MISTAKES_KEPT:
                return
            del self._mistakes[address]

    def enter_request(self, request: Request, password: object) -> str:
        """``enter`` for a request that carries ``password``; anything but a text is a wrong one."""
        self.check_sender(request)
        address = self._addresses.of(request) if self._addresses is not None else UNKNOWN
        return self.enter(password if isinstance(password, str) else "", address)

    # being in

    def check(self, ticket: str) -> None:
        """Raises ``AccessError`` unless ``ticket`` is a cookie's value made by ``enter`` and still good."""
        self._require_password()
        until = ticket.partition(".")[0]
        good = until.isascii() and until.isdigit() and len(until) < 12
        if not good or not hmac.compare_digest(
            self._signed(ticket.rpartition(".")[0]).encode("utf-8", "replace"),
            ticket.encode("utf-8", "replace"),
        ):
            raise AccessError("Please give the password first.")
        with self._lock:
            left = ticket in self._left
        if left or int(until) < time.time():
            raise AccessError("Please give the password again.")

    def check_request(self, request: Request, *, json: bool = True) -> None:
        """The same for a request's cookie; a request that changes something must come from this page, too.
        ``json=False``: its body is a file."""
        self.check_sender(request, json=json)
        self.check(request.cookies.get(COOKIE, ""))

    def check_sender(self, request: Request, *, json: bool = True) -> None:
        """Raises ``AccessError`` for a POST that another site's page may have sent: one from another origin, or of a
        kind that forms can send (all but JSON where ``json`` says so)."""
        if request.method in ("GET", "HEAD"):
            return
        origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
        foreign = not self._own(origin, request) if origin is not None else site not in (None, "same-origin")
        if foreign:
            raise AccessError(
                "This call comes from another site; please open the page itself.", code="origin"
            )
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        forms = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
        if kind in forms or (json and kind != "application/json"):
            expected = "application/json" if json else "application/octet-stream"
            raise AccessError(f"Content-Type: {expected} is expected.", code="content_type")

    def _own(self, origin: str, request: Request) -> bool:
        given = urlsplit(origin)
        public = urlsplit(self._public)
        if self._public and (given.scheme, given.netloc) == (public.scheme, public.netloc):
            return True
        return bool(given.netloc) and given.netloc.lower() == request.headers.get("host", "").lower()

    def remember(self, request: Request, response: Response, ticket: str) -> None:
        """Give the cookie to the browser: for this site only, out of scripts' reach, over TLS where there is TLS."""
        response.set_cookie(COOKIE, ticket, max_age=HOURS * 3600, **self._cookie(request))

    # going out

    def leave(self, request: Request, response: Response) -> None:
        """End what the request's cookie allows, in this browser and wherever a copy of it may be."""
        self.check_sender(request)
        ticket, now = request.cookies.get(COOKIE, ""), time.time()
        try:
            self.check(ticket)
        except AccessError:
            pass  # it opens nothing as it is
        else:
            with self._lock:
                self._left = {old: until for old, until in self._left.items() if until > now}
                self._left[ticket] = int(ticket.partition(".")[0])
        response.delete_cookie(COOKIE, **self._cookie(request))

    def _cookie(self, request: Request) -> dict[str, Any]:
        # The scheme is https as well where a trusted proxy says that it speaks TLS with the browser.
        secure = request.url.scheme == "https" or self._public.lower().startswith("https:")
        return {"httponly": True, "samesite": "strict", "secure": secure, "path": "/"}


def _span(seconds: float) -> str:
    whole = max(1, math.ceil(seconds))
    if whole < 90:
        return f"{whole} second{'' if whole == 1 else 's'}"
    return f"{math.ceil(whole / 60)} minutes"
