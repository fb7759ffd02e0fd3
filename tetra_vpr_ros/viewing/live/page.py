# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The page of the live view; what it shows comes later, and enters it as text."""

from __future__ import annotations

from importlib.resources import files

from tetra_vpr_ros.viewing.frame.plotly_bundle import plotly_script
from tetra_vpr_ros.viewing.frame.shell import page


def _own(name: str) -> str:
    return (files('tetra_vpr_ros.viewing.live') / name).read_text(encoding='utf-8')


def live_page() -> str:
    """
    Return the page, some 5 MB: plotly is in it.

    :raises ViewingError: plotly is not installed.
    """
    body = f'<style>{_own("live.css")}</style>{_own("live.html")}'
    return page('Live view - tetra_vpr_ros', body, [plotly_script(), _own('live.js')],
                served=True)
