# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import json
import re

from browser import opened
import pytest
from tetra_vpr_ros.viewing.frame import shell
from tetra_vpr_ros.viewing.frame.parts import bar, cell, header, Html, section, table, tiles
from tetra_vpr_ros.viewing.frame.plotly_bundle import plotly_script, ViewingError

HOSTILE = ['<script>document.title="taken"</script>', '</script><script>document.title="taken"'
           '</script>', '"><img src=x onerror=document.title="taken">', '<!--<script>',
           "'\u2028; document.title='taken'", '&lt;b&gt;']


def test_what_is_escaped_means_itself():
    assert shell.escape('<a href="x">\'&') == '&lt;a href=&quot;x&quot;&gt;&#x27;&amp;'
    assert cell('<b>') == '&lt;b&gt;'
    assert cell(Html('<b>')) == '<b>'
    for text in HOSTILE:
        packed = shell.as_json({'name': text})
        assert not re.search('[<>&\u2028\u2029]', packed)
        assert json.loads(packed) == {'name': text}
    with pytest.raises(ValueError, match='not JSON compliant'):
        shell.as_json(float('nan'))


@pytest.mark.parametrize('part', [
    lambda text: header(text, text), lambda text: section(text, text, lead=text, name=text),
    lambda text: tiles([(text, text, text)]), lambda text: table([text], [[text]], text)])
def test_no_part_lets_a_tag_through(part):
    for text in HOSTILE:
        made = part(text)
        assert '<script' not in made
        assert '<img' not in made
        assert '<!--' not in made


def test_a_bar_tells_its_interval():
    assert '>40.0 … 61.0</small>' in bar(0.5, 0.4, 0.61)
    assert 'left:40.0%;width:21.0%' in bar(0.5, 0.4, 0.61)
    assert '<small' not in bar(0.5)
    assert bar(None) == bar(float('nan')) == '-'


def test_a_script_that_ends_its_element_is_refused():
    with pytest.raises(ValueError, match='end of a script element'):
        shell.page('title', '', ['"</SCRIPT>"'])


def test_a_page_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    assert shell.write_page(tmp_path / 'new', 'old').read_text() == 'old'

    def fails(*_):
        raise OSError('no space left on device')

    monkeypatch.setattr(shell.os, 'replace', fails)
    with pytest.raises(OSError, match='no space'):
        shell.write_page(tmp_path / 'new', 'new')
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['index.html']
    assert (tmp_path / 'new' / 'index.html').read_text() == 'old'


def test_hostile_text_does_nothing_in_a_browser(tmp_path):
    show = 'for (const text of vpr.data("names")) document.body.append(vpr.element("p", ' \
           '{textContent: text}));'
    body = ''.join(header(text, text) for text in HOSTILE)
    path = shell.write_page(tmp_path, shell.page('ours', body, [show], {'names': HOSTILE}))
    with opened(path) as tab:
        assert tab.page.title() == 'ours'
        assert [p.text_content() for p in tab.page.query_selector_all('p:not(.from)')] == HOSTILE
        assert tab.complaints == tab.requests == []


def test_a_script_that_is_not_ours_is_not_run(tmp_path):
    """Should a tag ever get through, the page's policy stops it."""
    stray = '<script>document.title = "taken"</script><img src=x onerror="document.title=1">' \
            '<img src="https://example.invalid/x.png">'
    path = shell.write_page(tmp_path, shell.page('ours', stray))
    with opened(path) as tab:
        assert tab.page.title() == 'ours'
        assert len(tab.complaints) >= 3
        assert all('Content Security Policy' in text for text in tab.complaints)


def test_without_plotly_it_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'plotly.offline', None)
    with pytest.raises(ViewingError, match='python3-plotly'):
        plotly_script()
