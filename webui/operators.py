"""Who may see the page's parts for researchers and operators: whoever knows the password of the settings. A signed
cookie remembers it for some hours; another password ends it at once."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from core.errors import AllaPrimaError
from webui.bodies import Body

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from webui.pictures import Links
    from worker.settings import Settings

COOKIE = "alla-prima-operator"
HOURS = 12
WRONG_PER_MINUTE = 20  # all visitors together: a password of some length cannot be guessed at this pace


class Entering(Body):
    """The password, given to be let in."""

    password: Annotated[str, Field(max_length=400)] = ""


class AccessError(AllaPrimaError):
    """The visitor is not let in: ``code`` "no_password" (none is set), "password" (ask for it), "wrong_password" or
    "too_often"."""

    code = "password"


class Gate:
    """Lets operators in. ``links``: signs the cookie, with the key that every page of this service shares."""

    def __init__(self, settings: Settings, links: Links) -> None:
        secret = settings.operator_password
        self._password = secret.get_secret_value() if secret is not None else ""
        self._links = links
        self._wrong: list[float] = []

    def _ticket(self, until: int) -> str:
        digest = hashlib.sha256(self._password.encode()).hexdigest()
        return f"{until}.{self._links.sign(f'operator:{until}:{digest}')}"

    def _require_password(self) -> None:
        if not self._password:
            raise AccessError(
                "No password is set for this part of the page: set ALLAPRIMA_OPERATOR_PASSWORD and start the page "
                "again.",
                code="no_password",
            )

    def enter(self, password: str) -> str:
        """The cookie's value for a visitor who gives the right password; raises ``AccessError``."""
        self._require_password()
        now = time.monotonic()
        self._wrong = [at for at in self._wrong if now - at < 60]
        if len(self._wrong) >= WRONG_PER_MINUTE:
            raise AccessError("Too many wrong passwords; please try again in a minute.", code="too_often")
        if not hmac.compare_digest(password.encode("utf-8", "replace"), self._password.encode()):
            self._wrong.append(now)
            raise AccessError("This is not the password.", code="wrong_password")
        return self._ticket(int(time.time()) + HOURS * 3600)

    def check(self, ticket: str) -> None:
        """Raises ``AccessError`` unless ``ticket`` is a cookie's value made by ``enter`` and still good."""
        self._require_password()
        until = ticket.partition(".")[0]
        good = until.isascii() and until.isdigit() and len(until) < 12
        if not good or not hmac.compare_digest(
            self._ticket(int(until)).encode(), ticket.encode("utf-8", "replace")
        ):
            raise AccessError("Please give the password first.")
        if int(until) < time.time():
            raise AccessError("Please give the password again.")

    def check_request(self, request: Request) -> None:
        """The same for a request's cookie."""
        self.check(request.cookies.get(COOKIE, ""))

    def remember(self, request: Request, response: Response, ticket: str) -> None:
        """Give the cookie to the browser: for this site only, out of scripts' reach."""
        response.set_cookie(
            COOKIE,
            ticket,
            max_age=HOURS * 3600,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
            path="/",
        )
