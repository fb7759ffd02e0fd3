# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import math

from browser import DESKTOP, opened, PHONE
import cv2
import numpy as np
from planted import planted_map, pose
import pytest
from seeds import SEED
from tetra_vpr_ros.localization import Candidate, Estimate
from tetra_vpr_ros.mapping import PlaceMap
from tetra_vpr_ros.viewing.drive_page import ACCEPTED, DOUBTED, drive_page, DriveShown, WRONG
from tetra_vpr_ros.viewing.frame.pictures import Keepsakes
from tetra_vpr_ros.viewing.frame.shell import write_page

FRAMES, MISTAKES, DOUBTS = 60, (20, 21, 44), range(30, 36)
HOSTILE = '<img src=x onerror=alert(1)>'


def estimate(i):
    """Return what was said of frame i, which was taken at place i + 1."""
    at = i if i not in MISTAKES else i + 100
    found = [Candidate(row + 1, 90, pose(float(row)), score=0.8) for row in (at, at + 1, at + 50)]
    doubt = f'{HOSTILE} ambiguous' if i in DOUBTS else ''
    return Estimate(at + 1, pose(float(at)), np.eye(6), 90, 0.5 if doubt else 0.98 + 1e-4 * i,
                    doubt, tuple(found))


@pytest.fixture(scope='module')
def shown():
    right = np.array([i not in MISTAKES for i in range(FRAMES)])
    return DriveShown('bayes', [estimate(i) for i in range(FRAMES)], right, 0.968)


@pytest.fixture(scope='module')
def page(shown, tmp_path_factory):
    folder = tmp_path_factory.mktemp('drive')
    made = planted_map(folder / 'made.vpr', np.random.default_rng(SEED))
    pictures = Keepsakes()
    for i in range(FRAMES):
        pictures.see(i, np.full((30, 40, 3), 4 * i, np.uint8))
    other = DriveShown(f'single {HOSTILE}', [Estimate(
        -1, None, np.eye(6), 0, 0.0, 'the map is empty', ())] * FRAMES, ~shown.right, None)
    where = np.stack([np.arange(FRAMES) + 0.2, np.zeros(FRAMES), np.zeros(FRAMES)], 1)
    with PlaceMap.open_file(made) as place_map:
        text = drive_page(HOSTILE, place_map, where, 10**18 + np.arange(FRAMES) * 10**8,
                          [shown, other], pictures, 5.0, '<p>before</p>', '<p>after</p>', {})
    return write_page(folder / 'page', text)


def test_states(shown):
    states = shown.states()
    assert [int((states == s).sum()) for s in (ACCEPTED, DOUBTED, WRONG)] == [51, 6, 3]
    assert set(np.flatnonzero(states == WRONG)) == set(MISTAKES)


@pytest.mark.parametrize('size', [DESKTOP, PHONE], ids=['desktop', 'phone'])
@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_the_page_in_a_browser(page, size, scheme):
    with opened(page, size, scheme) as tab:
        tab.page.wait_for_selector('#belief .main-svg')
        assert tab.page.title() == HOSTILE
        assert tab.width() <= size[0]
        panel = tab.page.locator('#panel')
        assert panel.get_attribute('data-moment') == str(MISTAKES[-1])  # the surest
        said = panel.text_content()
        assert '4.4 s: accepted, but wrong' in said
        assert 'match: place 145, 107 m from the truth, score 0.80, 90 bits' in said
        assert 'runner-up: place 195' in said
        assert panel.locator('img').count() == 3
        assert tab.page.locator('#mistakes .card').count() == len(MISTAKES)
        assert tab.complaints == tab.requests == []


def test_moments_can_be_gone_through(page):
    with opened(page) as tab:
        tab.page.wait_for_selector('#belief .main-svg')
        panel = tab.page.locator('#panel')
        tab.page.locator('#next').click()
        assert panel.get_attribute('data-moment') == str(MISTAKES[0])
        tab.page.locator('#before').click()
        assert panel.get_attribute('data-moment') == str(MISTAKES[-1])
        tab.page.locator('#moment').fill('31')
        assert 'doubted, though right' in panel.text_content()
        assert f'Reason of doubt: {HOSTILE} ambiguous' in panel.text_content()
        tab.page.locator('#localizer').select_option('1')
        assert 'the map is empty' in panel.text_content()
        assert tab.page.locator('#next').is_disabled()
        assert tab.complaints == tab.requests == []


@pytest.mark.parametrize('size', [DESKTOP, PHONE], ids=['click', 'tap'])
def test_a_moment_of_the_time_line_is_chosen(page, size):
    with opened(page, size) as tab:
        tab.page.wait_for_selector('#belief .main-svg')
        at = tab.page.evaluate("""() => {
            const where = document.getElementById('belief');
            where.scrollIntoView({block: 'center'});
            const {xaxis, yaxis} = where._fullLayout, box = where.getBoundingClientRect();
            return [box.x + xaxis._offset + xaxis.d2p(3.0),
                    box.y + yaxis._offset + yaxis.d2p(0.5)];
        }""")
        # A finger meets one of those that lie beside each other.
        meant = range(29, 32) if size == PHONE else (30,)
        press = tab.page.touchscreen.tap if size == PHONE else tab.page.mouse.click
        tab.until(', '.join(f'#panel[data-moment="{i}"]' for i in meant), lambda: press(*at))


def test_pictures_of_a_long_drive_are_thinned_evenly():
    kept = Keepsakes(most=10)
    for i in range(100):
        kept.see(i, np.full((4, 300, 3), i, np.uint8))
    there = [i for i in range(100) if kept.picture(i)]
    assert there == list(range(0, 100, 16))
    image = cv2.imdecode(np.frombuffer(kept.picture(96), np.uint8), cv2.IMREAD_COLOR)
    assert image.shape[1] == 208
    assert math.isclose(image.mean(), 96, abs_tol=2)
