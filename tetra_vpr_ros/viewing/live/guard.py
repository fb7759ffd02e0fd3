# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Who is answered: pages of other names are not, and nobody may put the view into theirs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
import ipaddress
from urllib.parse import urlsplit

from aiohttp import web

_HEADERS = {
    # The page itself says what it may load, see `frame.shell`; this is what it cannot say.
    'Content-Security-Policy': "frame-ancestors 'none'",
    'Cross-Origin-Resource-Policy': 'same-origin',
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cache-Control': 'no-store',
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def is_loopback(host: str) -> bool:
    """Tell whether an address is reached from this machine alone."""
    if host == 'localhost':
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def named_here(header: str) -> bool:
    """
    Tell whether a Host header names this machine as only its own browsers can.

    A page from elsewhere may give its own name our address (DNS rebinding) and would then be
    allowed to read what we answer; its name is still in the header.
    """
    try:
        host = urlsplit(f'//{header}').hostname
    except ValueError:
        return False
    return host is not None and is_loopback(host)


def guards(host: str) -> list[Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]]:
    """Return what requests pass first, of a server that listens to an address."""
    @web.middleware
    async def refuse_other_names(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not named_here(request.headers.get('Host', '')):
            raise web.HTTPMisdirectedRequest(
                text='This view answers to the name of this machine alone: open it as '
                     'http://localhost or by its address.\n')
        return await handler(request)

    return [refuse_other_names] if is_loopback(host) else []


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Add to every answer what browsers must know of it."""
    response.headers.update(_HEADERS)
