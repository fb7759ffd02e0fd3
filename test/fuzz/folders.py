# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Folders of damaged images, and poses that no tool has written."""

from __future__ import annotations

from functools import lru_cache
import io
from pathlib import Path

from fuzz import bags
from fuzz.built_map import check_built
from fuzz.mutation import damaged, damaged_text, NUMBERS, pack, pick, unpack, WORDS
import numpy as np
from PIL import ExifTags, Image
from tetra_vpr_ros.mapping import BuildOptions, import_folder, MapError

_COUNT = 5
_KINDS = ('utm', 'tum', 'kitti', 'euroc', 'csv', 'colmap', 'exif')


@lru_cache(maxsize=1)
def _pictures() -> tuple[bytes, ...]:
    """Return photographs with GPS, heading and time."""
    pictures = []
    for i in range(_COUNT):
        exif = Image.Exif()
        exif[ExifTags.Base.DateTime] = f'2024:01:02 10:00:{i:02}'
        exif[ExifTags.IFD.GPSInfo] = {
            ExifTags.GPS.GPSLatitudeRef: 'N', ExifTags.GPS.GPSLatitude: (47.0, 30.0, i / 10),
            ExifTags.GPS.GPSLongitudeRef: 'E', ExifTags.GPS.GPSLongitude: (8.0, 15.0, 0.0),
            ExifTags.GPS.GPSAltitude: 400.0, ExifTags.GPS.GPSImgDirection: 90.0}
        pixels = np.random.default_rng(i).integers(0, 256, (12, 16, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, 'JPEG', exif=exif)
        pictures.append(buffer.getvalue())
    return tuple(pictures)


def _poses(kind: str) -> str:
    if kind == 'tum':
        return '\n'.join(f'{i} {i * 2} 0 0 0 0 0 1' for i in range(_COUNT))
    if kind == 'kitti':
        return '\n'.join(f'1 0 0 {i} 0 1 0 0 0 0 1 {i * 2}' for i in range(_COUNT))
    if kind == 'euroc':
        return '#timestamp,p\n' + '\n'.join(
            f'{1403636579763555584 + i * 10**8},{i * 2},0,0,1,0,0,0,0' for i in range(_COUNT))
    if kind == 'csv':
        return 'name,x,y,heading\n' + '\n'.join(f'{i}.jpg,{i * 2},0,90' for i in range(_COUNT))
    return '# images\n' + '\n'.join(f'{i} 1 0 0 0 {i * 2} 0 0 1 {i}.jpg\n1 2 3'
                                    for i in range(_COUNT))


def damage(rng: np.random.Generator) -> bytes:
    """Return an archive of images and poses of which some are damaged."""
    kind = pick(rng, _KINDS)
    files = {f'{i}.jpg': data for i, data in enumerate(_pictures())}
    where = rng.integers(4)
    if kind == 'utm':
        names = [f'@{500000 + i * 2}@5200000@32@T@47.1@8.2@p{i}@@90@@@400@{i}@@.jpg'
                 for i in range(_COUNT)]
        for _ in range(int(rng.integers(0, 4)) if where else 0):
            row = int(rng.integers(_COUNT))
            parts = names[row].split('@')
            parts[int(rng.integers(len(parts) - 1))] = pick(rng, [
                word[:60] for word in WORDS if not set(word) & set('/\0\udcff')] + [
                str(number)[:60] for number in NUMBERS])
            names[row] = '@'.join(parts)[:240]
        files = dict(zip(names, files.values()))
    if where <= 1 or kind == 'exif':
        name = pick(rng, list(files))
        files[name] = damaged(rng, files[name])
    text = b''
    if kind not in ('utm', 'exif'):
        text = _poses(kind).encode() if where == 0 else damaged_text(rng, _poses(kind))
    return pack({'kind': kind.encode(), 'poses.txt': text,
                 **{f'images/{name}': data for name, data in files.items()}})


def check(data: bytes, folder: Path) -> str:
    """Import a folder; where that succeeds, the map is sound."""
    unpack(data, folder)
    kind = (folder / 'kind').read_text()
    spec = kind if kind in ('utm', 'exif') else f"{kind}:{folder / 'poses.txt'}"
    output = folder / 'out.vpr'
    try:
        import_folder(folder / 'images', spec,
                      BuildOptions(output, model=bags.model(), keyframe_distance=0.0, threads=1),
                      progress=False)
    except MapError as told:
        error = str(told)
    else:
        return check_built(output)
    assert str(folder) in error
    return 'told'
