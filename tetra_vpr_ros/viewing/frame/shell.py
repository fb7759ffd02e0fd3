# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
The shell of every page: its style, its policy, and the only ways for text and data into it.

Names and paths come from maps and bags, and may be written by anybody. Text is escaped, data
lies in blocks that are never run, scripts put it into the page as text, and the page's own
policy runs no script but those that were written here: their hashes are in it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
import hashlib
import html
from importlib.resources import files
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_UNSAFE_IN_DATA = {ord(sign): f'\\u{ord(sign):04x}' for sign in '<>&\u2028\u2029'}


def escape(text: object) -> str:
    """Return a text that means itself in HTML, inside of quotes, too."""
    return html.escape(str(text), quote=True)


def as_json(value: object) -> str:
    """
    Return JSON that ends no script element, whatever strings are in it.

    :raises ValueError: a number is not finite; JavaScript could not read it.
    """
    text = json.dumps(value, allow_nan=False, separators=(',', ':'))
    return text.translate(_UNSAFE_IN_DATA)


def packed(values: NDArray[Any], kind: str) -> str:
    """
    Return numbers as little-endian base64, for ``vpr.numbers``.

    :param values: any array; NaN is allowed.
    :param kind: numpy's name of the type, such as ``f4``.
    """
    return base64.b64encode(values.astype(np.dtype(kind).newbyteorder('<')).tobytes()).decode()


def own_file(name: str) -> str:
    """Return the text of a style or script of this folder."""
    return (files('tetra_vpr_ros.viewing.frame') / name).read_text(encoding='utf-8')


def page(title: str, body: str, scripts: Sequence[str] = (),
         data: Mapping[str, object] | None = None, *, compiles: bool = False,
         served: bool = False) -> str:
    """
    Return a whole page that loads nothing from outside.

    :param title: text.
    :param body: HTML, of which all foreign text went through `escape`.
    :param scripts: JavaScript, after ``page.js``; run in this order, none may end its element.
    :param data: what scripts read with ``vpr.data(name)``; any JSON.
    :param compiles: scripts compile others, as plotly's WebGL traces do.
    :param served: by a server of ours, which scripts may ask for more.
    :raises ValueError: a script contains the end of its element, or data are not JSON.
    """
    sources = [script.replace('\r\n', '\n') for script in (own_file('page.js'), *scripts)]
    if any('</script' in source.lower() for source in sources):
        raise ValueError('a script contains the end of a script element')
    blocks = ''.join(f'<script type="application/json" id="data-{escape(name)}">'
                     f'{as_json(value)}</script>' for name, value in (data or {}).items())
    own = " 'self'" if served else ''
    policy = '; '.join((
        "default-src 'none'",
        'script-src ' + ' '.join(map(_hash, sources)) + (" 'unsafe-eval'" if compiles else ''),
        "style-src 'unsafe-inline'", f'img-src data: blob:{own}',
        *(["connect-src 'self'"] if served else []),
        "base-uri 'none'", "form-action 'none'"))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f'<title>{escape(title)}</title><style>{own_file("page.css")}</style></head>\n'
        f'<body>{body}{blocks}'
        + ''.join(f'<script>{source}</script>' for source in sources) + '</body></html>\n')


def _hash(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def write_page(folder: Path, text: str, name: str = 'index.html') -> Path:
    """
    Write a page, whole or not at all.

    :param folder: to write into; it is made.
    :param text: of the page.
    :param name: of the file.
    :returns: its path.
    :raises OSError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / name
    temporary = target.with_name(f'.{name}.tmp')
    try:
        # Names of files that are no text are told all the same.
        temporary.write_text(text, encoding='utf-8', errors='backslashreplace')
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return target
