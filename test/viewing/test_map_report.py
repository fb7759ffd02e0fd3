# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import itertools
import json
import re
import time

from browser import CHROMIUM, DESKTOP, opened, PHONE
import numpy as np
from planted import planted_map, TWINS
import pytest
from sample_data import MATCHES, walk_descriptors
from seeds import SEED
from tetra_vpr_ros.mapping import NewPlace, PlaceMap
from tetra_vpr_ros.nodes.vpr_map import main
from tetra_vpr_ros.viewing import map_report
from tetra_vpr_ros.viewing.map_report import MOST_BYTES

HOSTILE = ('<script>document.title="taken"</script>',
           '</script><img src=x onerror=\'document.title="taken"\'>', '\u2028"; alert(1) //<!--')

# Plotly's axes turn metres into pixels.
_WHERE = """async row => {
    const where = document.getElementById('plan');
    const given = vpr.data('map'), box = where.getBoundingClientRect();
    await Plotly.relayout(where, {'xaxis.range': [40, 50], 'yaxis.range': [-3, 3]});
    const {xaxis, yaxis} = where._fullLayout;
    const x = vpr.numbers(given.x, Float64Array), y = vpr.numbers(given.y, Float64Array);
    return [box.x + xaxis._offset + xaxis.d2p(x[row]),
            box.y + yaxis._offset + yaxis.d2p(y[row])];
}"""


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    """Return the page of a map with hostile names, in which look-alikes are planted."""
    folder = tmp_path_factory.mktemp('<img src=x onerror=alert(1)>')
    made = planted_map(folder / '<b>"made&.vpr', np.random.default_rng(SEED), names=HOSTILE)
    return map_report(made, folder / 'page', progress=False)


def carried(page, name='map'):
    """Return data of a page."""
    found = re.search(f'id="data-{name}">(.*?)</script>', page.read_text(), re.DOTALL)
    return json.loads(found[1])


def test_the_page_says_what_was_planted(page):
    text = page.read_text()
    for said in ('321', 'driven in one direction only', 'look alike: give odometry there',
                 'Prune these 20 places', 'place 121 to place 122', '8.0 m', 'dark',
                 'Calibrated on'):
        assert said in text, said
    assert len(re.findall(r'data-show="\[\d+,\d+\]">', text)) >= 5  # pairs
    assert len(carried(page)['pictures']) == 320
    assert [path.name for path in page.parent.iterdir()] == ['index.html']


def test_hostile_names_are_text(page):
    text = page.read_text()
    body = text[:text.index('<script type="application/json"')]
    assert '<script' not in body
    assert '<img src=x' not in body
    assert '&lt;script&gt;document.title=&quot;taken&quot;' in body
    assert 'What &lt;b&gt;&quot;made&amp;.vpr knows' in body


@pytest.mark.parametrize('size', [DESKTOP, PHONE], ids=['desktop', 'phone'])
@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_the_page_in_a_browser(page, size, scheme):
    with opened(page, size, scheme) as tab:
        tab.page.wait_for_selector('#plan .main-svg')
        assert tab.page.title() == 'What <b>"made&.vpr knows'
        assert tab.width() <= size[0]
        assert tab.page.locator('#sessions label').all_text_contents()[0].strip().endswith(
            'script>')
        dark = tab.page.evaluate('vpr.colour("--page")') != '#ffffff'
        assert dark == (scheme == 'dark')
        assert tab.complaints == tab.requests == []


def test_a_click_shows_what_a_place_could_be_mistaken_for(page):
    with opened(page) as tab:
        tab.page.wait_for_selector('#plan .main-svg')
        row = TWINS[0][5]
        at = tab.page.evaluate(_WHERE, row)
        nudge = itertools.cycle((0, 1))
        tab.until('#peek:not([hidden]) img',
                  lambda: tab.page.mouse.move(at[0] + next(nudge), at[1]))
        tab.until(f'#panel[data-place="{row + 1}"]', lambda: tab.page.mouse.click(*at))
        panel = tab.page.locator('#panel')
        assert 'would rather be taken for another place' in panel.text_content()
        assert f'place {TWINS[1][5] + 1}, 107 m away' in panel.text_content()
        assert panel.locator('img').count() >= 2
        assert tab.complaints == tab.requests == []


def test_buttons_and_traverses(page):
    with opened(page) as tab:
        tab.page.wait_for_selector('#plan .main-svg')
        shown = 'document.getElementById("plan").data[2].x.length'
        assert tab.page.evaluate(shown) == 320
        tab.page.locator('#sessions input').nth(1).uncheck()
        assert tab.page.evaluate(shown) == 220
        before = tab.page.evaluate('document.getElementById("plan").layout.xaxis.range')
        tab.page.locator('#advice button').first.click()
        assert tab.page.evaluate('document.getElementById("plan").layout.xaxis.range') != before
        assert tab.page.evaluate('document.getElementById("plan").data[1].x.length') > 90
        tab.page.locator('.card button').first.click()
        assert tab.page.locator('#panel').get_attribute('data-place') in {
            str(row + 1) for row in TWINS[0]}
        assert tab.complaints == []


def test_the_command(rng, tmp_path, capsys, monkeypatch):
    made = planted_map(tmp_path / 'made.vpr', rng, tokens=False, thumbnails=False)
    assert main(['report', str(made), '--out', str(tmp_path / 'page')]) == 0
    page = tmp_path / 'page' / 'index.html'
    assert str(page) in capsys.readouterr().out
    assert carried(page)['pictures'] == {}
    assert 'no picture' in page.read_text()
    assert 'vpr_map reencode' in page.read_text()
    assert main(['report', str(tmp_path / 'none.vpr'), '--out', str(tmp_path / 'other')]) == 1
    assert 'none.vpr' in capsys.readouterr().err
    assert not (tmp_path / 'other').exists()
    monkeypatch.setitem(__import__('sys').modules, 'plotly.offline', None)
    assert main(['report', str(made), '--out', str(tmp_path / 'other')]) == 1
    assert 'python3-plotly' in capsys.readouterr().err


@pytest.mark.large
def test_a_large_map_keeps_within_its_budget(rng, tmp_path):
    """A hundred thousand places, with tokens of a few: 15 MB, and WebGL draws them."""
    from planted import GRID, picture, pose, TOKEN_BITS
    from tetra_vpr_ros.vision import ModelInfo
    count, size = 100_000, GRID[0] * GRID[1]
    model = ModelInfo(tmp_path, 'a' * 64, 'model-a', '1', 2048, 8, 8, 'none', GRID, TOKEN_BITS,
                      MATCHES)
    look = np.concatenate([walk_descriptors(rng, 10_000, 2048, 0.05)] * 10)
    look ^= np.packbits(rng.random((count, 2048)) < 0.02, axis=1)
    jpeg = [picture(rng) for _ in range(100)]
    with PlaceMap.create(tmp_path / 'large.vpr', model) as new:
        new.set_meta(build={'keyframe_distance': 0.5, 'keyframe_angle': 15.0})
        for number in range(10):
            session = new.begin_session(f'drive {number}')
            new.add_places(session, [
                NewPlace(i, pose(i * 0.5, 20.0 * number), look[10_000 * number + i],
                         jpeg[i % 100], tokens=np.resize(look[i], (size, TOKEN_BITS // 8)))
                for i in range(10_000)])
            new.finish_session(session)
    began = time.monotonic()
    page = map_report(tmp_path / 'large.vpr', tmp_path / 'page', progress=False)
    print(f'{time.monotonic() - began:.0f} s, {page.stat().st_size / 1e6:.1f} MB')
    assert page.stat().st_size < MOST_BYTES + 500_000 < 15_000_000
    assert len(carried(page)['pictures']) > 200
    if CHROMIUM is None:
        pytest.skip('chromium is not installed: the page was not opened')
    with opened(page) as tab:
        tab.page.wait_for_selector('#plan .gl-canvas')
        assert tab.page.locator('#panel figure').count() >= 2
        # Of a machine without a graphics card WebGL says that it is slow.
        assert [text for text in tab.complaints if 'GPU stall' not in text] == tab.requests == []
