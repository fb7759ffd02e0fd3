# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The live view in a real browser."""

from contextlib import closing, ExitStack
import time

from browser import DESKTOP, opened, PHONE
import cv2
import numpy as np
import pytest
from tetra_vpr_ros.viewing.live import server as server_module
from tetra_vpr_ros.viewing.live.drive import Drive, DriveOptions
from tetra_vpr_ros.viewing.live.plan import plan
from tetra_vpr_ros.viewing.live.server import LiveServer
from tetra_vpr_ros.viewing.live.state import LiveState
from watching import ENOUGH

HOSTILE = '<img src=x onerror="document.title=1"><script>document.title = "taken"</script>'


def becomes(tab, expression, argument=None):
    """Wait until something is so; playwright's own wait would compile it in the page."""
    deadline = time.monotonic() + ENOUGH
    while not tab.page.evaluate(expression, argument):
        assert time.monotonic() < deadline, expression
        tab.page.wait_for_timeout(50)


def drawn(tab, name, count):
    """Wait until the plan has this many marks of the trace with this name."""
    becomes(tab, '([name, count]) => (document.getElementById("plan").calcdata || []).some('
            'marks => marks[0].trace.name === name && marks[0].trace.x.length === count)',
            [name, count])


def said(tab, state):
    """Wait until the page says this state."""
    becomes(tab, 'text => document.getElementById("state").textContent === text', state)


@pytest.mark.parametrize('size, scheme', [(DESKTOP, 'light'), (PHONE, 'dark')])
def test_the_page_shows_a_drive(wall_bag, wall_map, wall, size, scheme):
    state = LiveState()
    with (LiveServer(state, '127.0.0.1', 0) as server, opened(server.url, size, scheme) as tab,
          closing(Drive(DriveOptions(wall_bag, wall_map, rate=0))) as drive):
        drive.follow(state)
        said(tab, 'Localized')
        becomes(tab, f'document.getElementById("frames").textContent.startsWith("{len(wall)} of")')
        drawn(tab, 'accepted pose', 1)
        drawn(tab, 'belief', len(state.snapshot()['belief']))
        becomes(tab, 'document.getElementById("picture").naturalHeight === 264')
        assert tab.page.inner_text('#detail').startswith('at place ')
        becomes(tab, 'document.getElementById("source").textContent.includes('
                '"the drive has ended")')
        assert tab.page.inner_text('#latency').split()[1] == 'ms'
        becomes(tab, 'count => document.getElementById("past").data.reduce('
                '(sum, trace) => sum + trace.x.length, 0) === count', len(wall))
        assert tab.width() <= size[0]
        assert tab.complaints == []
        assert {url.startswith(server.url) for url in tab.requests} == {True}


def test_doubt_is_seen_in_words_mark_and_best_guess():
    state = LiveState()
    state.lay_out(plan(np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]])))
    state.tell({'state': 'searching', 'detail': 'ambiguous: places 3 and 9', 'confidence': 0.4,
                'candidates': [(1.0, 0.0), (2.0, 0.0)],
                'belief': [(1.0, 0.0, 0.4), (2.0, 0.0, 0.35)]}, frame=True)
    with LiveServer(state, '127.0.0.1', 0) as server, opened(server.url) as tab:
        drawn(tab, 'best guess', 1)
        drawn(tab, 'accepted pose', 0)
        drawn(tab, 'belief', 2)
        assert tab.page.inner_text('#state') == 'Searching'
        assert tab.page.inner_text('#detail') == 'ambiguous: places 3 and 9'
        mark = tab.page.evaluate(
            'getComputedStyle(document.getElementById("state"), "::before").content')
        assert '~' in mark
        state.tell({'belief': [(0.0, 0.0, 0.3), (1.0, 0.0, 0.3), (2.0, 0.0, 0.3)]})
        drawn(tab, 'belief', 3)  # what comes after its frame's status is drawn, too
        state.tell({'state': 'unknown place', 'detail': 'off the map', 'belief': []}, frame=True)
        said(tab, 'Unknown place')
        drawn(tab, 'belief', 0)
        drawn(tab, 'best guess', 1)
        state.tell({'state': 'no images'})
        drawn(tab, 'best guess', 0)  # of a picture that was long ago
        assert tab.complaints == []


def test_a_page_that_was_refused_is_told_when_there_is_room(monkeypatch):
    monkeypatch.setattr(server_module, '_READERS', 0)
    state = LiveState()
    state.tell({'state': 'searching', 'detail': ''}, frame=True)
    with LiveServer(state, '127.0.0.1', 0) as server, opened(server.url) as tab:
        said(tab, 'Connection lost')
        monkeypatch.setattr(server_module, '_READERS', 16)
        said(tab, 'Searching')


def test_a_plan_and_a_picture_that_were_lost_on_the_way_are_asked_for_again():
    state = LiveState()
    state.lay_out(plan(np.array([[0.0, 0.0], [1.0, 0.0]])))
    state.show(cv2.imencode('.jpg', np.zeros((264, 300, 3), np.uint8))[1].tobytes())
    state.tell({'state': 'searching', 'detail': ''}, frame=True)
    with LiveServer(state, '127.0.0.1', 0) as server, opened(server.url) as tab:
        lost = []

        def lose_first(route):
            what = route.request.url.split('/')[-1].split('?')[0]
            if what in lost:
                route.continue_()
            else:
                lost.append(what)
                route.abort()

        tab.page.route('**/plan', lose_first)
        tab.page.route('**/picture.jpg*', lose_first)
        tab.page.reload()
        drawn(tab, 'mapped way', 2)
        becomes(tab, 'document.getElementById("picture").naturalHeight === 264')
        assert sorted(lost) == ['picture.jpg', 'plan']


def test_hostile_names_do_nothing(server_of_hostile):
    with opened(server_of_hostile.url) as tab:
        becomes(tab, 'document.getElementById("source").textContent')
        drawn(tab, 'mapped way', 2)
        assert tab.page.inner_text('#detail') == HOSTILE
        assert tab.page.inner_text('#source').startswith(HOSTILE)  # how long ago may follow
        assert tab.page.inner_text('#state') == HOSTILE
        assert tab.page.title() == 'Live view - tetra_vpr_ros'
        assert tab.page.evaluate('document.querySelectorAll("img").length') == 1
        assert tab.complaints == []


@pytest.fixture
def server_of_hostile():
    state = LiveState()
    made = plan(np.array([[0.0, 0.0], [1.0, 0.0]]), frame=HOSTILE)
    made['traverses'][0]['name'] = HOSTILE
    state.lay_out(made)
    state.tell({'state': HOSTILE, 'detail': HOSTILE, 'source': HOSTILE}, frame=True)
    with LiveServer(state, '127.0.0.1', 0) as server:
        yield server


def test_a_page_whose_server_ends_says_so_and_comes_back():
    state = LiveState()
    first = ExitStack()
    server = first.enter_context(LiveServer(state, '127.0.0.1', 0))
    port = int(server.url.rstrip('/').rsplit(':', 1)[1])
    with first, opened(server.url) as tab:
        said(tab, 'No images')
        first.close()
        said(tab, 'Connection lost')
        state.tell({'state': 'searching'}, frame=True)
        with LiveServer(state, '127.0.0.1', port):
            said(tab, 'Searching')


def test_a_picture_that_cannot_be_drawn_hides_nothing_else():
    state = LiveState()
    state.show(b'no jpeg')
    state.tell({'state': 'searching'}, frame=True)
    with LiveServer(state, '127.0.0.1', 0) as server, opened(server.url) as tab:
        said(tab, 'Searching')
        assert tab.page.is_visible('#nothing')
        blue = cv2.imencode('.jpg', np.full((264, 640, 3), 200, np.uint8))[1].tobytes()
        state.show(blue)
        becomes(tab, 'document.getElementById("picture").naturalWidth === 640')
        becomes(tab, 'document.getElementById("nothing").hidden')
