# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import json
import shutil

import cv2
import numpy as np
import pytest
from tetra_vpr_ros.training.data.place_sets import open_place_set, PlaceSetConfig, PlaceSetError
from tetra_vpr_ros.training.data.pool import read_rgb
from tetra_vpr_ros.training.data.scene_points import ScenePoints
from tetra_vpr_ros.training.data.views import cut_view, random_cut

GRID = 28, 28
WHOLE = np.eye(3)


@pytest.fixture(scope='module')
def part(rendered):
    return open_place_set(PlaceSetConfig('utm', str(rendered / 'views'), radius=2.5,
                                         depth=str(rendered / 'depth')))


def colours(view):
    """Return the mean colour of each patch, float ``[rows*columns, 3]``."""
    return cv2.resize(view, GRID[::-1], interpolation=cv2.INTER_AREA).reshape(-1, 3).astype(float)


def test_a_point_looks_the_same_in_both_pictures(part, rng):
    points = ScenePoints([part])
    differences = []
    for index, image in enumerate(part.images):
        for other in part.same_place(index)[:3]:
            names = image.name, part.images[other].name
            cuts = random_cut(rng), random_cut(rng)
            seen = [colours(cut_view(read_rgb(found.path), 196, cut)) for found, cut in zip(
                (image, part.images[other]), cuts)]
            cells = points.shared(names, cuts, GRID)
            known = np.flatnonzero(cells >= 0)
            if index == other or len(known) < 100:
                continue
            differences.append([np.abs(seen[0][known] - seen[1][which]).mean() for which in (
                cells[known], known, (cells[known] + GRID[1]) % len(cells))])
            back = points.shared(names[::-1], cuts[::-1], GRID)[cells[known]]
            apart = np.abs(np.subtract(np.divmod(back, GRID[1]), np.divmod(known, GRID[1]))).max(0)
            assert np.mean(apart[back >= 0] <= 2) > 0.8
    assert len(differences) > 40
    right, same_cell, cell_above = np.mean(differences, 0)
    assert right < 0.6 * same_cell
    assert right < 0.85 * cell_above


def test_two_cuts_of_one_picture_need_no_depth(rng):
    picture = cv2.GaussianBlur(rng.integers(0, 255, (256, 341, 3), dtype=np.uint8), (0, 0), 9)
    picture = cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX)
    cuts = random_cut(rng), random_cut(rng)
    cells = ScenePoints().shared(('a', 'a'), cuts, GRID)
    known = np.flatnonzero(cells >= 0)
    assert len(known) > 300
    seen = [colours(cut_view(picture, 196, cut)) for cut in cuts]
    assert np.abs(seen[0][known] - seen[1][cells[known]]).mean() < 0.5 * np.abs(
        seen[0][known] - seen[1][known]).mean()
    assert np.array_equal(ScenePoints().shared(('a', 'a'), (WHOLE, WHOLE), GRID),
                          np.arange(28 * 28))
    assert ScenePoints().shared(('a', 'b'), cuts, GRID) is None


def test_what_stands_in_front_hides_the_point(part, rendered, tmp_path):
    near = tmp_path / 'depth'
    shutil.copytree(rendered / 'depth', near)
    index = next(i for i in range(len(part)) if len(part.same_place(i)) > 1)
    other = next(j for j in part.same_place(index) if j != index)
    names = part.images[index].name, part.images[other].name
    hidden = near / f'{part.images[other].path.stem}.png'
    cv2.imwrite(str(hidden), np.full((256, 341), 20, np.uint16))
    before = ScenePoints([part]).shared(names, (WHOLE, WHOLE), GRID)
    after = ScenePoints([open_place_set(PlaceSetConfig(
        'utm', str(rendered / 'views'), depth=str(near)))]).shared(names, (WHOLE, WHOLE), GRID)
    assert (before >= 0).sum() > 100
    assert (after < 0).all()


def test_what_cannot_be_used_is_named(part, rendered, tmp_path):
    config = PlaceSetConfig('utm', str(rendered / 'views'), depth=str(tmp_path))
    with pytest.raises(PlaceSetError, match=r'camera\.json must give the focal lengths'):
        ScenePoints([open_place_set(config)])
    (tmp_path / 'camera.json').write_text(json.dumps({'focal': [0.5, -1]}))
    with pytest.raises(PlaceSetError, match='focal must be two positive numbers'):
        ScenePoints([open_place_set(config)])
    (tmp_path / 'camera.json').write_text(json.dumps({'focal': [0.5, 0.8]}))
    with pytest.raises(PlaceSetError, match='have no depth map, the first is'):
        ScenePoints([open_place_set(config)])
    for image in part.images:
        cv2.imwrite(str(tmp_path / f'{image.path.stem}.png'), np.full((8, 8), 3, np.uint8))
    names = part.images[0].name, part.images[1].name
    with pytest.raises(PlaceSetError, match='is not a depth map'):  # eight bits are no centimetres
        ScenePoints([open_place_set(config)]).shared(names, (WHOLE, WHOLE), GRID)
    unnamed = tmp_path / 'views'
    unnamed.mkdir()
    shutil.copy(part.images[0].path, unnamed / '@1@2@.jpg')
    with pytest.raises(PlaceSetError, match='gives no east, north, heading and height'):
        ScenePoints([open_place_set(PlaceSetConfig('utm', str(unnamed), depth=str(tmp_path)))])
    (unnamed / '@1@2@.jpg').rename(unnamed / '@1@2@@@@@p@0@90@5@0@1@@@.jpg')
    with pytest.raises(PlaceSetError, match='need a level camera'):
        ScenePoints([open_place_set(PlaceSetConfig('utm', str(unnamed), depth=str(tmp_path)))])
