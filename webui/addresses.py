"""From which network address a request comes, for limits: never what a header claims, unless a trusted proxy has set it.

Uvicorn's ``ProxyHeadersMiddleware`` replaces the peer's address by the forwarded one where the setting
``trusted_proxies`` names the peer; everything here reads only what is left after that."""

from __future__ import annotations

import ipaddress
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from webui.pictures import Links
    from worker.settings import Settings

log = logging.getLogger(__name__)

UNKNOWN = "unknown"
_V6_PREFIX = 64  # what one household or server is given at least


def network_of(host: str | None) -> str:
    """What counts as one address: an IPv4 address, the /64 network of an IPv6 address, or "unknown" for all others
    (they count together)."""
    try:
        address = ipaddress.ip_address((host or "").partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return str(ipaddress.ip_network((address, _V6_PREFIX), strict=False))
        address = address.ipv4_mapped
    return str(address)


class Addresses:
    """Tells callers apart by where they come from."""

    def __init__(self, settings: Settings, links: Links) -> None:
        self._links = links
        self._quiet = bool(settings.trusted_proxies)

    def of(self, request: Any) -> str:
        """The network a request (Starlette's or Gradio's) comes from."""
        # Gradio hands out its own class around Starlette's; without a connection (in tests) there is neither.
        client = getattr(request, "client", None)
        if not self._quiet and request is not None and request.headers.get("x-forwarded-for"):
            self._quiet = True
            log.warning(
                "a proxy seems to stand before the page, so that all visitors share one address and its limits; "
                "name the proxy's address in ALLAPRIMA_TRUSTED_PROXIES"
            )
        return network_of(getattr(client, "host", None))

    def origin(self, request: Any) -> str:
        """What stands for that network in the database: a keyed hash of 32 hex digits, of no use without the key."""
        return self._links.sign(f"address:{self.of(request)}")[:32]
