# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest
from tetra_vpr_ros.training.data.held_out import RegionConfig, ValidationConfig
from tetra_vpr_ros.training.data.place_sampler import PlaceSampler
from tetra_vpr_ros.training.data.place_sets import open_place_set, PlaceSetConfig, PlaceSetError


@pytest.fixture
def folder(tmp_path):
    """Six pictures: a-b-c linked, d-e linked, f beside d in position but not in the list."""
    for name in 'abcdef':
        cv2.imwrite(str(tmp_path / f'{name}.jpg'), np.full((8, 8, 3), 90, np.uint8))
    (tmp_path / 'pairs.csv').write_text('a,b,dist_m\na,b,1\nc.jpg,b,1\nd,e,2\n')
    (tmp_path / 'positions.csv').write_text(
        'name,x_m,y_m\na,0,0\nb,1,0\nc,2,0\nd,50,0\ne,52,0\nf,51,0\n')
    return tmp_path


def pairs(folder, **keys):
    return open_place_set(PlaceSetConfig('pairs', str(folder), radius=1, **keys))


def names(part, indices):
    return ''.join(part.images[i].path.stem for i in indices)


def test_a_place_is_what_the_list_links_directly(folder):
    part = pairs(folder)
    assert [names(part, part.same_place(i)) for i in range(6)] == [
        'ab', 'abc', 'bc', 'de', 'de', 'f']


def test_another_place_is_neither_linked_nor_near(folder):
    part = pairs(folder)
    assert names(part, part.perhaps_same(0)) == 'abc'
    assert names(part, part.perhaps_same(5)) == 'def'
    (folder / 'positions.csv').unlink()
    assert names(pairs(folder), pairs(folder).perhaps_same(5)) == 'f'


def test_a_part_keeps_the_pairs_that_lie_in_it(folder):
    part = pairs(folder).subset(np.array([False, True, True, True, False, True]))
    assert [names(part, part.same_place(i)) for i in range(4)] == ['bc', 'bc', 'd', 'f']
    assert len(pairs(folder, every=2)) == 3  # a, c, e
    assert names(pairs(folder, every=2), pairs(folder, every=2).same_place(0)) == 'a'


def test_batches_of_pairs(folder):
    part = pairs(folder)
    batch = PlaceSampler([part], 2, 2).draw(np.random.default_rng(3))
    groups = [{image.path.stem for image in place} for place in batch]
    assert len(groups) == 2
    assert all(group <= set('abc') or group <= set('de') or group == {'f'} for group in groups)
    assert not (groups[0] & groups[1])


def test_a_region_is_held_out(folder):
    region = RegionConfig(str(folder), x=(40.0, 60.0))
    held = ValidationConfig(regions=[region]).held_out()
    assert [held(f'{folder.name}/{name}.jpg') for name in 'abcdef'] == [False] * 3 + [True] * 3
    assert not held('elsewhere/d.jpg')
    with pytest.raises(ValueError, match='no picture of .* lies in x'):
        RegionConfig(str(folder), x=(900.0, 901.0)).names()
    with pytest.raises(ValueError, match=r'nowhere/positions\.csv'):
        RegionConfig(str(folder / 'nowhere')).names()


@pytest.mark.parametrize('text, reason', [
    ('a,b\na,x\n', r"pairs\.csv, line 2: .* 'x'"), ('a,c\na,b\n', r"pairs\.csv, line 2: .*'b'"),
    ('a,b\n', 'lists no pair')])
def test_tables_that_cannot_be_used(folder, text, reason):
    (folder / 'pairs.csv').write_text(text)
    with pytest.raises(PlaceSetError, match=reason):
        pairs(folder)


def test_positions_that_cannot_be_used(folder):
    (folder / 'positions.csv').write_text('name,x_m,y_m\na,0,0\nb,far,0\n')
    with pytest.raises(PlaceSetError, match=r'positions\.csv, line 3'):
        pairs(folder)
    (folder / 'positions.csv').write_text('name,x,y\n')
    with pytest.raises(PlaceSetError, match='must have the columns'):
        pairs(folder)
    with pytest.raises(PlaceSetError, match='no such table of pairs'):
        pairs(folder, file='none.csv')


def test_sites_are_far_apart(folder):
    (folder / 'positions.csv').write_text(
        'name,site,east_m,north_m\n' + ''.join(f'{n},{s},0,0\n' for n, s in zip('adf', 'xxy')))
    part = pairs(folder)
    assert set(names(part, part.perhaps_same(0))) == set('abcd')
