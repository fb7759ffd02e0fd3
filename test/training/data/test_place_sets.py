# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest
from tetra_vpr_ros.training.data.held_out import HeldOut
from tetra_vpr_ros.training.data.place_sampler import PlaceSampler
from tetra_vpr_ros.training.data.place_sets import open_place_set, PlaceSetConfig, PlaceSetError
from tetra_vpr_ros.training.data.pool import find_images, find_pool, read_rgb, times_shown
from tetra_vpr_ros.training.stages.distill_config import DistillConfig

GSV_HEADER = 'place_id,year,month,northdeg,city_id,lat,lon,panoid\n'


def write(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((8, 8, 3), 90, np.uint8))
    return folder


def names(part, indices):
    return {part.images[i].path.name for i in indices}


def test_pool_lists_decodes_and_splits(pictures, tmp_path):
    images = find_images(pictures)
    assert len(images) == 33
    assert images[0].name == 'lap/walk_frame_00.png'
    assert read_rgb(images[-1].path) is None
    assert read_rgb(images[0].path).shape == (120, 160, 3)
    assert len(find_pool({str(pictures): 4})) == 9
    held = HeldOut(share=0.05)
    assert 0.03 < np.mean([held(f'a/{i}') for i in range(2000)]) < 0.08
    assert HeldOut(('frame_0',))('lap/walk_frame_01.png')
    with pytest.raises(FileNotFoundError, match='none'):
        find_images(tmp_path / 'none')
    with pytest.raises(FileNotFoundError, match='no jpg or png'):
        find_images(tmp_path)


def test_pictures_of_a_folder_are_repeated(tmp_path):
    few, many = write(tmp_path / 'few', 'a.png', 'b/c.png'), write(tmp_path / 'many', 'a.png')
    folders = {str(few): 1, str(many): 1}
    images = find_pool(folders)
    assert times_shown(images, folders, {}).tolist() == [1, 1, 1]
    assert times_shown(images, folders, {str(few): 3}).tolist() == [3, 3, 1]
    stage = DistillConfig(images=folders, repeat={str(few): 2})
    assert [image.name for image in stage.pictures(HeldOut(('b/',)))] == [
        'few/a.png', 'few/a.png', 'many/a.png']
    for repeat in ({str(tmp_path): 2}, {str(many): 0}):
        with pytest.raises(ValueError, match=f'name one of the folders {few}, {many} and a num'):
            times_shown(images, folders, repeat)


def test_gsv_cities(tmp_path):
    (tmp_path / 'Dataframes').mkdir()
    (tmp_path / 'Dataframes' / 'Bangkok.csv').write_text(
        GSV_HEADER + '1,2019,5,30,Bangkok,13.7,100.5,abc\n1,2021,11,200,Bangkok,13.7,100.5,def\n'
        '2,2019,5,30,Bangkok,13.8,100.5,ghi\n')
    part = open_place_set(PlaceSetConfig('gsv', str(tmp_path)))
    assert part.images[0].path == (
        tmp_path / 'Images/Bangkok/Bangkok_0000001_2019_05_030_13.7_100.5_abc.JPG')
    assert part.same_place(0).tolist() == [0, 1]
    assert part.same_place(2).tolist() == [2]
    (tmp_path / 'Dataframes' / 'Bangkok.csv').write_text(GSV_HEADER + 'x,1,1,1,Bangkok,1,1,a\n')
    with pytest.raises(PlaceSetError, match=r'Bangkok\.csv, line 2'):
        open_place_set(PlaceSetConfig('gsv', str(tmp_path)))
    with pytest.raises(PlaceSetError, match='Dataframes'):
        open_place_set(PlaceSetConfig('gsv', str(tmp_path / 'none')))


def test_utm_names_positions_and_headings(tmp_path):
    write(tmp_path, '@100.0@50.0@@@@@a@0@10.0@@@@@@.jpg', '@101.0@50.0@@@@@a@1@350.0@@@@@@.jpg',
          '@101.0@50.0@@@@@a@2@180.0@@@@@@.jpg', '@104.0@50.0@@@@@b@0@10.0@@@@@@.jpg')
    part = open_place_set(PlaceSetConfig('utm', str(tmp_path), radius=2))
    first = next(i for i in range(4) if part.images[i].path.name.startswith('@100'))
    assert names(part, part.same_place(first)) == {
        '@100.0@50.0@@@@@a@0@10.0@@@@@@.jpg', '@101.0@50.0@@@@@a@1@350.0@@@@@@.jpg'}
    assert len(part.perhaps_same(first)) == 4  # nearer than three radii, whatever the heading
    write(tmp_path, 'plain.jpg')
    with pytest.raises(PlaceSetError, match=r'plain\.jpg'):
        open_place_set(PlaceSetConfig('utm', str(tmp_path)))


def test_poses_frames_labels_and_images(tmp_path):
    write(tmp_path / 'poses', 'a.png', 'b.png', 'c.png')
    table = tmp_path / 'poses' / 'poses.csv'
    table.write_text('name,x,y,yaw\na.png,0,0,0\nb.png,1,0,0.1\nc.png,9,0,0\n')
    part = open_place_set(PlaceSetConfig('poses', str(tmp_path / 'poses')))
    assert part.same_place(0).tolist() == [0, 1]
    table.write_text('name,x,y\na.png,zero,0\n')
    with pytest.raises(PlaceSetError, match=r'poses\.csv, line 2'):
        open_place_set(PlaceSetConfig('poses', str(tmp_path / 'poses')))
    for nowhere in ('nan', 'inf'):
        table.write_text(f'name,x,y\na.png,0,0\nb.png,{nowhere},0\n')
        with pytest.raises(PlaceSetError, match=r'poses\.csv, line 3: b.png is at no finite'):
            open_place_set(PlaceSetConfig('poses', str(tmp_path / 'poses')))
    # As spreadsheets and SLAM write it: with a byte-order mark, names without their suffix.
    table.write_text('name,x,y\na,0,0\nb.png,1,0\n', encoding='utf-8-sig')
    part = open_place_set(PlaceSetConfig('poses', str(tmp_path / 'poses')))
    assert [image.path.name for image in part.images] == ['a.png', 'b.png']
    write(tmp_path / 'frames', 'one_3.png', 'one_4.png', 'one_9.png', 'two_4.png')
    part = open_place_set(PlaceSetConfig('frames', str(tmp_path / 'frames'), radius=2))
    assert names(part, part.same_place(0)) == {'one_3.png', 'one_4.png'}
    write(tmp_path / 'labels', 'hall__1.png', 'Hall__2.png', 'door__1.png')
    part = open_place_set(PlaceSetConfig('labels', str(tmp_path / 'labels')))
    hall = next(i for i in range(3) if part.images[i].path.name == 'hall__1.png')
    assert names(part, part.same_place(hall)) == {'hall__1.png', 'Hall__2.png'}
    (tmp_path / 'labels' / 'cameras.csv').write_text('file,camera\nhall__1.png,7\ndoor__1.png,7\n')
    part = open_place_set(PlaceSetConfig('labels', str(tmp_path / 'labels'), file='cameras.csv'))
    assert names(part, part.same_place(0)) == {'hall__1.png', 'door__1.png'}
    with pytest.raises(PlaceSetError, match='none.csv is no table'):
        open_place_set(PlaceSetConfig('labels', str(tmp_path / 'labels'), file='none.csv'))
    part = open_place_set(PlaceSetConfig('images', str(tmp_path / 'labels'), every=2))
    assert len(part) == 2
    assert part.same_place(1).tolist() == [1]
    with pytest.raises(PlaceSetError, match='none'):
        open_place_set(PlaceSetConfig('images', str(tmp_path / 'none')))
    with pytest.raises(PlaceSetError, match="no image of kind 'frames'"):
        open_place_set(PlaceSetConfig('frames', str(tmp_path / 'labels'),
                                      pattern='(?P<sequence>)(?P<frame>x)'))


def test_a_place_in_two_sets_is_drawn_once(tmp_path):
    write(tmp_path / 'day', 'gate__1.png', 'pier__1.png')
    write(tmp_path / 'night', 'gate__2.png', 'pier__2.png')
    sets = [open_place_set(PlaceSetConfig('labels', str(tmp_path / name)))
            for name in ('day', 'night')]
    for seed in range(10):
        batch = PlaceSampler(sets, 4, 2).draw(np.random.default_rng(seed))
        assert {place[0].path.name[:4] for place in batch} == {'gate', 'pier'}
        assert len(batch) == 2


def test_a_batch_holds_places_that_are_apart(pictures):
    frames = PlaceSetConfig('frames', str(pictures), r'(?P<sequence>.*)_frame_(?P<frame>\d+)',
                            radius=1)
    part = open_place_set(frames).subset(np.arange(33) < 24)
    sampler = PlaceSampler([part], places=4, views=3)
    for seed in range(20):
        batch = sampler.draw(np.random.default_rng(seed))
        assert 2 <= len(batch) <= 4
        numbers = [[int(image.path.stem[-2:]) for image in place] for place in batch]
        for place in numbers:
            assert len(place) == 3
            assert all(abs(n - place[0]) <= 1 for n in place)
        anchors = sorted(place[0] for place in numbers)
        assert all(b - a > 2 for a, b in zip(anchors, anchors[1:]))
    assert sampler.draw(np.random.default_rng(1)) == sampler.draw(np.random.default_rng(1))
    with pytest.raises(PlaceSetError, match='fewer than two'):
        PlaceSampler([part.subset(np.arange(24) < 1)], 4, 2).draw(np.random.default_rng(0))
    with pytest.raises(PlaceSetError, match='no image is left'):
        PlaceSampler([part.subset(np.zeros(24, bool))], 4, 2)


def test_a_hard_batch_holds_places_that_look_alike(pictures):
    part = open_place_set(PlaceSetConfig('images', str(pictures)))
    part = part.subset(np.arange(len(part)) < 32)
    blocks = np.arange(32) // 8  # eight pictures each that look like one another
    alike = np.array([np.setdiff1d(np.flatnonzero(blocks == blocks[i]), [i])
                      for i in range(32)])
    for share, least, most in ((0.0, 0, 5), (0.5, 15, 45), (1.0, 60, 60)):
        sampler = PlaceSampler([part], places=4, views=2, alike=[alike], alike_share=share)
        batches = [sampler.draw(np.random.default_rng(seed)) for seed in range(60)]
        hard = sum(len({blocks[part.images.index(place[0])] for place in batch}) == 1
                   for batch in batches)
        assert least <= hard <= most


def test_a_hard_batch_is_filled_at_random_where_too_few_look_alike(pictures):
    part = open_place_set(PlaceSetConfig('images', str(pictures)))
    nothing = np.full((len(part), 3), -1)
    sampler = PlaceSampler([part], places=4, views=2, alike=[nothing], alike_share=1.0)
    assert len(sampler.draw(np.random.default_rng(0))) == 4


def test_pictures_are_found_through_links_and_once(tmp_path):
    write(tmp_path / 'far' / 'lap', '1.png', '2.png')
    write(tmp_path / 'photos', 'own.png')
    (tmp_path / 'photos' / 'lap').symlink_to(tmp_path / 'far' / 'lap')
    (tmp_path / 'far' / 'lap' / 'back').symlink_to(tmp_path / 'photos')  # in a circle
    assert [image.name for image in find_images(tmp_path / 'photos')] == [
        'photos/lap/1.png', 'photos/lap/2.png', 'photos/own.png']
