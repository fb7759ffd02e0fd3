# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Plotly's own script, from the installed package: no page asks the network for it."""

from __future__ import annotations


class ViewingError(RuntimeError):
    """A page cannot be made; the text says what to do."""


def plotly_script() -> str:
    """
    Return plotly.js, some 5 MB.

    :raises ViewingError: plotly is not installed.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise ViewingError(
            "pages are drawn by plotly, which is not installed: 'sudo apt install "
            "python3-plotly', or pip install 'tetra_vpr_ros[viewing]'") from error
    return str(get_plotlyjs())
