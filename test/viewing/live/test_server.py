# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The server of the live view: whom it answers, and what."""

import asyncio
from http.client import HTTPConnection
import json
import socket
import sys
import threading
import time

import pytest
from tetra_vpr_ros.viewing.frame.plotly_bundle import ViewingError
from tetra_vpr_ros.viewing.live import server as module
from tetra_vpr_ros.viewing.live.guard import is_loopback, named_here
from tetra_vpr_ros.viewing.live.server import LiveServer
from tetra_vpr_ros.viewing.live.state import LiveState
from watching import ask, awaited, ENOUGH, messages


@pytest.fixture
def state():
    return LiveState()


@pytest.fixture
def server(state):
    with LiveServer(state, '127.0.0.1', 0) as made:
        yield made


def test_the_page_brings_all_that_it_needs_and_may_not_be_framed(server):
    status, headers, body = ask(server.url)
    assert status == 200
    assert headers['content-type'].startswith('text/html')
    assert headers['content-security-policy'] == "frame-ancestors 'none'"
    assert headers['cross-origin-resource-policy'] == 'same-origin'
    assert headers['x-content-type-options'] == 'nosniff'
    assert b'plotly' in body
    assert b'default-src &#x27;none&#x27;' in body
    assert b' src="http' not in body


@pytest.mark.parametrize('host, status', [
    ('localhost', 200), ('localhost:1', 200), ('127.0.0.1:8765', 200), ('[::1]:8765', 200),
    ('evil.example', 421), ('evil.example:8765', 421), ('localhost.evil.example', 421),
    ('127.0.0.1.nip.io', 421), ('192.168.1.7', 421), ('', 421), ('[::1', 421),
    ('@localhost@x', 421)])
@pytest.mark.parametrize('path', ['/', '/picture.jpg', '/plan', '/events'])
def test_only_the_names_of_this_machine_are_answered(server, state, host, status, path):
    state.show(b'jpeg')
    if path == '/events' and status == 200:
        return  # an answer without an end; the other tests read it
    told, headers, body = ask(server.url, path, Host=host)
    assert told == status
    if status != 200:
        assert b'jpeg' not in body
        assert headers['x-content-type-options'] == 'nosniff'


def test_who_is_no_loopback_may_have_any_name():
    assert is_loopback('127.0.0.1')
    assert is_loopback('::1')
    assert not is_loopback('0.0.0.0')
    assert not is_loopback('robot.local')
    assert named_here('127.8.8.8')
    with LiveServer(LiveState(), '0.0.0.0', 0) as made:
        assert made.open_to_others
        port = made.url.rsplit(':', 1)[1]
        assert ask(f'http://127.0.0.1:{port}', Host='robot.local')[0] == 200


@pytest.mark.parametrize('method', ['POST', 'PUT', 'DELETE', 'PATCH'])
@pytest.mark.parametrize('path', ['/', '/plan', '/picture.jpg', '/events'])
def test_nothing_can_be_written(server, method, path):
    assert ask(server.url, path, method, **{'Content-Length': '0'})[0] == 405


def test_what_is_told_arrives_with_the_frames_since(server, state):
    stream = messages(server.url)
    first = next(stream)
    assert (first['state'], first['frames'], first['past']) == ('no images', 0, [])
    for number in range(1, 4):
        state.tell({'state': 'searching', 'detail': f'{number}', 'confidence': 0.5,
                    'latency_ms': 30.0}, frame=True)
    seen = []
    while len(seen) < 3:
        seen += next(stream)['past']
    assert seen == [[number, 'searching', 0.5, 30.0] for number in (1, 2, 3)]
    state.tell({'state': 'localized', 'confidence': 0.99}, frame=True)
    while (told := next(stream))['frames'] < 4:
        assert told['past'] == []
    assert told['past'] == [[4, 'localized', 0.99, 30.0]]
    assert told['detail'] == '3'  # what is not told again stays
    stream.close()


def test_who_opens_the_page_late_sees_the_past_but_not_all_of_a_long_one(server, state):
    for _ in range(700):
        state.tell({'state': 'searching'}, frame=True)
    told = awaited(server.url, lambda _: True)
    assert told['frames'] == 700
    assert [past[0] for past in told['past']] == list(range(101, 701))


def test_hostile_words_stay_words(server, state):
    hostile = '</script><script>alert(1)</script>\n\ndata: {"state": 7}\u2028'
    state.tell({'detail': hostile, 'source': hostile})
    state.lay_out({'places': 1, 'frame': hostile, 'traverses': []})
    assert awaited(server.url, lambda _: True)['detail'] == hostile
    status, headers, body = ask(server.url, '/plan')
    assert (status, headers['content-type'].partition(';')[0]) == (200, 'application/json')
    assert b'<' not in body
    assert json.loads(body)['frame'] == hostile


def test_pictures_come_when_there_are_any(server, state):
    assert ask(server.url, '/picture.jpg')[0] == 404
    state.show(b'\xff\xd8one')
    status, headers, body = ask(server.url, '/picture.jpg?n=1')
    assert (status, headers['content-type'], body) == (200, 'image/jpeg', b'\xff\xd8one')


def test_too_many_readers_are_told_so_and_a_closed_one_makes_room(server, state, monkeypatch):
    monkeypatch.setattr(module, '_READERS', 2)
    streams = [messages(server.url), messages(server.url)]
    for stream in streams:
        next(stream)
    assert ask(server.url, '/events')[0] == 503
    streams[0].close()
    deadline = time.monotonic() + ENOUGH
    while (status := opened_events(server.url)) == 503:
        # A server learns that a page was closed when it has something to tell it.
        state.tell({'state': 'searching'})
        assert time.monotonic() < deadline
    assert status == 200
    streams[1].close()


def opened_events(url):
    """Return the status of the stream of events, and read no further."""
    connection = HTTPConnection(url.split('/')[2], timeout=ENOUGH)
    connection.request('GET', '/events')
    status = connection.getresponse().status
    connection.close()
    return status


def test_the_server_ends_while_pages_are_open():
    state = LiveState()
    with LiveServer(state, '127.0.0.1', 0) as made:
        stream = messages(made.url)
        next(stream)
    for _ in stream:  # what was on the way, and then the end
        pass
    state.tell({'state': 'searching'}, frame=True)  # nobody listens any more
    again = LiveServer(state, '127.0.0.1', int(made.url.rstrip('/').rsplit(':', 1)[1]))
    with again:
        assert ask(again.url)[0] == 200


def test_the_server_ends_where_a_page_misses_that_it_is_to_end(monkeypatch):
    wait_for, missed, waits = asyncio.wait_for, [], threading.Event()

    async def missing(awaitable, seconds):  # as Python 3.10 and 3.11 do where news come with it
        waits.set()
        try:
            return await wait_for(awaitable, seconds)
        except asyncio.CancelledError:
            if missed:
                raise
            missed.append(seconds)

    monkeypatch.setattr(asyncio, 'wait_for', missing)
    monkeypatch.setattr(module, '_SHORTEST', 0.0)
    monkeypatch.setattr(module, '_LONGEST', 10 * ENOUGH)
    with LiveServer(LiveState(), '127.0.0.1', 0) as made:
        stream = messages(made.url)
        next(stream)
        assert waits.wait(ENOUGH)
    for _ in stream:
        pass
    assert missed


def test_a_port_that_is_taken_and_an_address_of_others_are_told():
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ViewingError, match=f'port {port}: Address already in use.*--port'):
            LiveServer(LiveState(), '127.0.0.1', port)
    for host in ('203.0.113.9', 'no.such.host.invalid', 'robot..local'):
        with pytest.raises(ViewingError, match=f'cannot listen to {host}'):
            LiveServer(LiveState(), host, 0)


def test_without_plotly_it_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'plotly.offline', None)
    with pytest.raises(ViewingError, match='python3-plotly'):
        LiveServer(LiveState(), '127.0.0.1', 0)
