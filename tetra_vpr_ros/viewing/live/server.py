# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The server of the live view: a page, and what is new, to whoever opens it; nothing is taken."""

from __future__ import annotations

import asyncio
from contextlib import closing, suppress
import socket
import threading
from types import TracebackType

from aiohttp import web
from tetra_vpr_ros.viewing.frame.plotly_bundle import ViewingError
from tetra_vpr_ros.viewing.frame.shell import as_json
from tetra_vpr_ros.viewing.live.guard import add_headers, guards, is_loopback
from tetra_vpr_ros.viewing.live.page import live_page
from tetra_vpr_ros.viewing.live.state import LiveState

_SHORTEST = 0.1     # seconds between two messages to a page: what comes faster is put together
_LONGEST = 1.0      # seconds after which a page is told that there is nothing new
_READERS = 16       # pages that are told at a time


def application(state: LiveState, host: str = '127.0.0.1') -> web.Application:
    """
    Return the routes of the live view; all of them only read.

    :param state: what they show.
    :param host: address that is listened to.
    :raises ViewingError: plotly is not installed.
    """
    text, readers = live_page(), set[asyncio.Event]()

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text=text, content_type='text/html')

    async def plan(_request: web.Request) -> web.Response:
        return web.Response(text=as_json(state.plan()), content_type='application/json')

    async def picture(_request: web.Request) -> web.Response:
        jpeg = state.picture()
        if not jpeg:
            raise web.HTTPNotFound(text='no picture yet\n')
        return web.Response(body=jpeg, content_type='image/jpeg')

    async def no_icon(_request: web.Request) -> web.Response:
        return web.Response(status=204)  # browsers ask for one, and would complain

    async def events(request: web.Request) -> web.StreamResponse:
        if len(readers) >= _READERS:
            raise web.HTTPServiceUnavailable(
                text=f'{_READERS} pages are told already: close one\n')
        return await _tell(request, state, readers)

    made = web.Application(middlewares=guards(host))  # type: ignore[arg-type]
    made.add_routes([web.get('/', page), web.get('/plan', plan),
                     web.get('/picture.jpg', picture), web.get('/events', events),
                     web.get('/favicon.ico', no_icon)])
    made.on_response_prepare.append(add_headers)
    return made


async def _tell(request: web.Request, state: LiveState, readers: set[asyncio.Event]
                ) -> web.StreamResponse:
    """Send what is new, as server-sent events, until the page is closed."""
    response = web.StreamResponse(headers={'Content-Type': 'text/event-stream'})
    news, loop, known = asyncio.Event(), asyncio.get_running_loop(), 0

    def changed() -> None:
        with suppress(RuntimeError):  # the server has just ended
            loop.call_soon_threadsafe(news.set)

    readers.add(news)
    end = state.listen(changed)
    try:
        await response.prepare(request)
        while True:
            news.clear()
            snapshot = state.snapshot(known)
            if snapshot['past']:
                known = snapshot['past'][-1][0]
            await response.write(f'data: {as_json(snapshot)}\n\n'.encode())
            await asyncio.sleep(_SHORTEST)
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(news.wait(), _LONGEST)
    except ConnectionError:  # the page is closed
        return response
    finally:
        end()
        readers.discard(news)


class LiveServer:
    """
    The live view in a thread of its own, as long as the context lasts.

    :param state: what it shows.
    :param host: address to listen to.
    :param port: 0 for any that is free.
    :raises ViewingError: that address or port cannot be had, or plotly is not installed.
    :ivar url: of the page.
    """

    def __init__(self, state: LiveState, host: str, port: int) -> None:
        """Take the port; nobody is answered yet."""
        self._application = application(state, host)
        self._socket = _listening(host, port)
        shown = f'[{host}]' if ':' in host else host
        self.url = f'http://{shown}:{self._socket.getsockname()[1]}/'
        self.open_to_others = not is_loopback(host)
        self._loop, self._ending = asyncio.new_event_loop(), asyncio.Event()
        self._thread = threading.Thread(target=self._run, name='live view', daemon=True)

    def __enter__(self) -> LiveServer:
        """Answer from now on."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """End; pages that are open say that they hear nothing any more."""
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        with closing(self._loop), closing(self._socket):
            self._loop.run_until_complete(self._answer())

    async def _answer(self) -> None:
        runner = web.AppRunner(self._application, access_log=None)
        await runner.setup()
        await web.SockSite(runner, self._socket).start()
        await self._ending.wait()
        while open_pages := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in open_pages:  # they would be waited for
                task.cancel()
            # Before Python 3.12 wait_for may lose a cancellation: then it is told again.
            await asyncio.wait(open_pages, timeout=0.1)
        await runner.cleanup()


def _listening(host: str, port: int) -> socket.socket:
    """
    Return a socket that listens.

    :raises ViewingError: the address cannot be had.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        made = socket.socket(family, socket.SOCK_STREAM)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((host, port))
            made.listen(64)
        except BaseException:
            made.close()
            raise
    except (OSError, UnicodeError) as error:  # the latter of a name that none can have
        why = getattr(error, 'strerror', None) or error
        raise ViewingError(f'cannot listen to {host} port {port}: {why}; '
                           'name a free one with --port (0 takes any), an address of this '
                           'machine with --host') from error
    return made
