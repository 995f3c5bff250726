"""Who sits in front of the page: a browser id that only the server issues, and the owner string made of it.

An id is 32 URL-safe characters: 96 random bits and a signature over them. The database never sees it, only its hash
(``owner_of``), so whoever reads the database cannot act as anybody."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import secrets
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from core.errors import AllaPrimaError

if TYPE_CHECKING:
    from webui.pictures import Links
    from worker.client import Client
    from worker.survey.service import Surveys

_VISITOR = re.compile(r"[A-Za-z0-9_-]{32}")
_RANDOM_CHARACTERS = 16
_RANDOM_BYTES = 12
REMEMBERED = 4096  # ids of older versions whose ratings need not be looked for again


class StrangerError(AllaPrimaError):
    """A call that needs a rater came without one."""

    code = "consent"


def is_visitor(value: object) -> bool:
    """Whether ``value`` has the form of a browser id; says nothing about who made it."""
    return isinstance(value, str) and _VISITOR.fullmatch(value) is not None


def owner_of(visitor: str) -> str:
    """The owner string under which the worker's tables know this browser: "web:" and 32 hexadecimal digits of its
    SHA-256. Raises ``ValueError`` for an id that is not well formed."""
    if not is_visitor(visitor):
        raise ValueError("not a visitor id")
    return "web:" + hashlib.sha256(b"visitor:" + visitor.encode()).hexdigest()[:32]


class Visitors:
    """Issues browser ids and tells them from invented ones.

    Ids of older versions are not signed. One of them counts as long as the database keeps something of its browser:
    nobody can make that up, since nothing is kept any more under an id that was not issued here.
    """

    def __init__(self, links: Links, client: Client, surveys: Surveys) -> None:
        self._links, self._client, self._surveys = links, client, surveys
        self._carried: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def new(self) -> str:
        """A fresh browser id."""
        random = base64.urlsafe_b64encode(secrets.token_bytes(_RANDOM_BYTES)).decode()
        return random + self._signature(random)

    def _signature(self, random: str) -> str:
        digest = bytes.fromhex(self._links.sign(f"visitor:{random}"))[:_RANDOM_BYTES]
        return base64.urlsafe_b64encode(digest).decode()

    def issued(self, value: object) -> bool:
        """Whether ``value`` is an id that ``new`` has made, on any page with the same key."""
        if not isinstance(value, str) or not is_visitor(value):
            return False
        random, signature = value[:_RANDOM_CHARACTERS], value[_RANDOM_CHARACTERS:]
        return hmac.compare_digest(self._signature(random).encode(), signature.encode())

    def knows(self, value: object) -> bool:
        """Whether ``value`` is the id of somebody: one that was issued here, or an older one that the database
        knows. May ask the database."""
        return self.issued(value) or (isinstance(value, str) and is_visitor(value) and self._older(value))

    def known(self, value: object) -> str:
        """``value`` when it is somebody's id, else a new one: an invented or damaged id owns nothing."""
        return value if isinstance(value, str) and self.knows(value) else self.new()

    async def recognises(self, value: object) -> bool:
        """``knows``, away from the event loop where the database is asked."""
        if self.issued(value):
            return True
        return is_visitor(value) and await asyncio.to_thread(self.knows, value)

    async def admit(self, value: object) -> str:
        """``known``, away from the event loop where the database is asked."""
        return value if isinstance(value, str) and await self.recognises(value) else self.new()

    def _older(self, visitor: str) -> bool:
        """Whether an id without a signature is known from an older version; carries its ratings over once."""
        owner = owner_of(visitor)
        with self._lock:
            carried = visitor in self._carried
        known = self._client.is_known(owner)
        if carried:
            return known or self._surveys.takes_part(owner)
        # Ratings are kept under a keyed hash of the owner, which was the id itself before.
        known = self._surveys.carry_over(f"web:{visitor}", owner) or known
        if known:
            with self._lock:
                self._carried[visitor] = None
                while len(self._carried) > REMEMBERED:
                    self._carried.popitem(last=False)
        return known
