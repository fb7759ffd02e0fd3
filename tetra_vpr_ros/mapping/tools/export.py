# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Places of a map in the formats of other tools."""

from __future__ import annotations

import csv
from dataclasses import fields
import json
import math
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.map.map_file import is_database
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.map.places import PlaceTable
from tetra_vpr_ros.vision.image_files import ViewName

FORMATS = ('utm', 'csv', 'tum', 'geojson', 'png', 'npz')
"""What `export` writes."""

_NS = 1_000_000_000  # in a second


def export(place_map: PlaceMap, form: str, output: Path) -> int:
    """
    Write the places of a map.

    * ``utm``: a folder of thumbnails with ``@utm_east@utm_north@…`` names;
    * ``csv``: id, traverse, stamp, pose, latitude, longitude, altitude;
    * ``tum``: ``stamp x y z qx qy qz qw``, seconds;
    * ``geojson``: a point for each place, of a geo-tagged map;
    * ``png``: a plot of the route;
    * ``npz``: numpy arrays: ids, sessions, stamps, positions, quaternions, geodetic,
      descriptors and, where every place has them, tokens.

    :param place_map: an open map.
    :param form: one of `FORMATS`.
    :param output: file, or folder for ``utm``.
    :returns: places written.
    :raises MapError: the map does not hold what the format needs, the file is a map, or the
        folder holds pictures of another export.
    """
    table = place_map.places()
    if output.is_file() and is_database(output):
        raise MapError(f'{output} is a map and would be lost: name another file')
    if form == 'utm':
        return _thumbnails(place_map, table, output)
    if form == 'csv':
        with output.open('w', newline='') as file:
            writer = csv.writer(file)
            writer.writerow(['id', 'session', 'stamp_ns', 'x', 'y', 'z', 'qx', 'qy', 'qz', 'qw',
                             'latitude', 'longitude', 'altitude'])
            for row in range(len(table)):
                writer.writerow([table.ids[row], table.sessions[row], table.stamps[row],
                                 *table.positions[row], *table.quaternions[row],
                                 *('' if np.isnan(v) else v for v in table.geodetic[row])])
    elif form == 'tum':
        output.write_text(''.join(
            f'{stamp // _NS}.{stamp % _NS:09d} ' + ' '.join(
                str(v) for v in (*position, *quaternion)) + '\n'
            for stamp, position, quaternion in zip(
                table.stamps.tolist(), table.positions.tolist(), table.quaternions.tolist())))
    elif form == 'geojson':
        if not len(table) or np.isnan(table.geodetic[:, :2]).any():
            raise MapError(f'{place_map.path} is not geo-tagged: GeoJSON needs latitude and '
                           'longitude of every place')
        output.write_text(json.dumps({'type': 'FeatureCollection', 'features': [
            {'type': 'Feature', 'properties': {'id': int(table.ids[row]),
                                               'session': int(table.sessions[row])},
             'geometry': {'type': 'Point', 'coordinates': [
                 float(table.geodetic[row, 1]), float(table.geodetic[row, 0])]}}
            for row in range(len(table))]}))
    elif form == 'png':
        _plot(place_map, table, output)
    elif form == 'npz':
        _arrays(place_map, table, output)
    else:
        raise MapError(f"format must be one of {', '.join(FORMATS)}, not {form!r}")
    return len(table)


def _thumbnails(place_map: PlaceMap, table: PlaceTable, folder: Path) -> int:
    """Name thumbnails as VPR-methods-evaluation reads them."""
    names = [_view_name(table, row) for row in range(len(table))]
    known = set(names)
    others = [file.name for file in folder.glob('@*') if file.name not in known]
    if others:
        raise MapError(f'{folder} holds {len(others)} pictures of another export, the first is '
                       f'{min(others)}: remove them or name another folder')
    written = 0
    for place, name in zip(table.ids, names):
        jpeg = place_map.thumbnail(int(place))
        if jpeg is None:
            continue
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(jpeg)
        written += 1
    if not written:
        raise MapError(f'{place_map.path} has no thumbnails to export')
    return written


def _view_name(table: PlaceTable, row: int) -> str:
    x, y, z = table.positions[row]
    yaw = Rotation.from_quat(table.quaternions[row]).as_euler('xyz')[2]
    latitude, longitude, _ = (None if np.isnan(v) else v for v in table.geodetic[row])
    return str(ViewName(x, y, latitude, longitude, panorama=str(table.ids[row]),
                        heading=(90.0 - math.degrees(yaw)) % 360.0, height=z,
                        stamp=str(table.stamps[row])))


def _arrays(place_map: PlaceMap, table: PlaceTable, output: Path) -> None:
    arrays = {field.name: getattr(table, field.name) for field in fields(table)}
    tokens = [place_map.tokens(int(place)) for place in table.ids]
    present = [found for found in tokens if found is not None]
    if present and len(present) == len(tokens):
        arrays['tokens'] = np.stack(present)
    with output.open('wb') as file:  # else numpy adds an ending to the name
        np.savez_compressed(file, **arrays)


def _plot(place_map: PlaceMap, table: PlaceTable, output: Path) -> None:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MapError('a plot needs matplotlib: pip install matplotlib') from error
    figure = Figure(figsize=(8, 8))
    FigureCanvasAgg(figure)  # no display is needed
    axes = figure.subplots()
    for session in place_map.sessions():
        at = table.positions[table.sessions == session.number]
        axes.plot(at[:, 0], at[:, 1], '.-', markersize=3, label=session.name)
    axes.set(xlabel=f'x [m] in {place_map.frame_id}', ylabel='y [m]', aspect='equal',
             title=f'{place_map.path.name}: {len(table)} places')
    axes.legend(fontsize=7)
    axes.grid(alpha=0.3)
    figure.savefig(output, dpi=110, format='png')  # else an ending is added to the name
