# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import sys

from bag_factory import BagFactory
import numpy as np
import pytest
from tetra_vpr_ros.mapping import BagError, BagSource
import yaml

S = 1_000_000_000
T = 1_700_000_000 * S


@pytest.mark.parametrize('storage, name', [
    ('mcap', 'run'), ('sqlite3', 'run'), ('ros1', 'run.bag')])
def test_folders_of_both_storages_and_ros1(tmp_path, picture, storage, name):
    path = tmp_path / name
    with BagFactory(path, storage) as bag:
        for i in range(3):
            bag.odometry(T + i * S, float(i))
            bag.jpeg(T + i * S, picture)
    with BagSource(path) as source:
        assert source.find_image_topic() == '/camera/compressed'
        assert source.find_pose_topic() == '/odom'
        assert source.message_count('/camera/compressed') == 3
        messages = list(source.images('/camera/compressed'))
        assert [m.stamp_ns for m in messages] == [T, T + S, T + 2 * S]
        assert np.abs(messages[0].decode().astype(int) - picture).mean() < 8
        track = source.pose_track('/odom')
        assert track.origin is None
        assert np.allclose(track.at(T + S // 2, S).position, [0.5, 0, 0])


@pytest.mark.parametrize('storage, suffix', [('mcap', '.mcap'), ('sqlite3', '.db3')])
def test_a_single_file_without_its_folder(tmp_path, picture, storage, suffix):
    with BagFactory(tmp_path / 'run', storage) as bag:
        bag.odometry(T, 0.0)
        bag.image(T, picture)
    file = next((tmp_path / 'run').glob(f'*{suffix}'))
    file = file.rename(tmp_path / f'alone{suffix}')
    with BagSource(file) as source:
        assert np.array_equal(next(source.images(source.find_image_topic())).decode(), picture)


@pytest.mark.parametrize('write, topic', [
    ('odometry', '/odom'), ('pose_stamped', '/pose'), ('pose_with_covariance', '/amcl_pose')])
def test_every_pose_type(tmp_path, write, topic):
    with BagFactory(tmp_path / 'run') as bag:
        for i in range(3):
            getattr(bag, write)(T + i * S, 2.0 * i)
    with BagSource(tmp_path / 'run') as source:
        track = source.pose_track(source.find_pose_topic())
        assert np.allclose(track.positions[:, 0], [0, 2, 4])


def test_gps_poses_leave_out_messages_without_a_fix(tmp_path):
    with BagFactory(tmp_path / 'run') as bag:
        bag.fix(T, 0.0, 0.0, status=-1)
        bag.fix(T + S, 47.0, 8.0, 400.0)
        bag.fix(T + 2 * S, 47.0001, 8.0, 400.0)
    with BagSource(tmp_path / 'run') as source:
        track = source.pose_track('/fix')
    assert track.origin == (47.0, 8.0, 400.0)
    assert np.allclose(track.positions, [[0, 0, 0], [0, 11.12, 0]], atol=0.01)


def test_transform_chain_from_a_bag(tmp_path):
    with BagFactory(tmp_path / 'run') as bag:
        bag.transform(T, 'base_link', 'camera', 0.1, '/tf_static')
        for i in range(3):
            bag.transform(T + i * S, 'map', 'base_link', float(i))
    with BagSource(tmp_path / 'run') as source:
        track = source.transform_track('map', 'camera', S)
        assert np.allclose(track.positions[:, 0], [0.1, 1.1, 2.1])
        with pytest.raises(BagError, match=r"run.*'wheel'.*base_link, camera, map"):
            source.transform_track('map', 'wheel', S)
        with pytest.raises(BagError, match='--tf-frames .*base_link'):
            source.find_pose_topic()


def test_zero_header_stamps_fall_back_to_the_time_of_recording(tmp_path, picture):
    with BagFactory(tmp_path / 'run') as bag:
        bag.jpeg(T + 5, picture, header_stamp=0)
    with BagSource(tmp_path / 'run') as source:
        assert next(source.images('/camera/compressed')).stamp_ns == T + 5


def test_topics_are_listed_when_there_is_not_exactly_one(tmp_path, picture):
    with BagFactory(tmp_path / 'run') as bag:
        bag.odometry(T, 0.0)
        bag.pose_stamped(T, 0.0)
        bag.jpeg(T, picture, '/left/compressed')
        bag.image(T, picture, '/right')
        bag.jpeg(T, picture, '/depth/compressedDepth')
    with BagSource(tmp_path / 'run') as source:
        with pytest.raises(BagError, match=r'2 image topics.*--image-topic: /left/compressed '
                           r'\(sensor_msgs/msg/CompressedImage\), /right'):
            source.find_image_topic()
        assert source.find_image_topic('/right') == '/right'
        with pytest.raises(BagError, match="no image topic '/odom'.*it has: /left"):
            source.find_image_topic('/odom')
        with pytest.raises(BagError, match='2 pose topics.*--pose-topic'):
            source.find_pose_topic()


def test_video_is_refused_by_name(tmp_path):
    with BagFactory(tmp_path / 'run') as bag:
        bag.odometry(T, 0.0)
        bag.unknown(T, '/camera/image_raw/ffmpeg', 'ffmpeg_image_transport_msgs/msg/FFMPEGPacket')
    with BagSource(tmp_path / 'run') as source:
        assert source.message_count('/camera/image_raw/ffmpeg') == 1
        with pytest.raises(BagError, match=r'no image topic .*video is not read: /camera/image_raw'
                           r'/ffmpeg \(ffmpeg.*republish'):
            source.find_image_topic()


def test_metadata_that_counts_in_words_does_not_matter(tmp_path, picture):
    with BagFactory(tmp_path / 'run', 'sqlite3') as bag:
        bag.odometry(T, 0.0)
        bag.jpeg(T, picture)
    metadata = tmp_path / 'run' / 'metadata.yaml'
    head, number, tail = metadata.read_text().rpartition('message_count: 1')
    assert number
    metadata.write_text(f'{head}message_count: one{tail}')
    with BagSource(tmp_path / 'run') as source:
        assert sorted(map(source.message_count, source.topics())) == [0, 1]
        assert len(source.pose_track(source.find_pose_topic())) == 1


def test_bags_that_cannot_be_used_are_named(tmp_path):
    with pytest.raises(BagError, match='no such bag: .*nowhere'):
        BagSource(tmp_path / 'nowhere')
    with pytest.raises(BagError, match=r'no metadata\.yaml'):
        BagSource(tmp_path)
    for name in ('a.bag', 'a.mcap', 'a.db3'):
        (tmp_path / name).write_bytes(b'nonsense' * 100)
        with pytest.raises(BagError, match=f'{name} cannot be read'):
            BagSource(tmp_path / name)


def test_a_malformed_message_is_passed_over_and_told(tmp_path, street):
    with BagFactory(tmp_path / 'run') as bag:
        for i, frame in enumerate(street[:5]):
            bag.jpeg(T + i * S, frame[2])
            if i == 2:
                bag.writer.write(bag.connections['/camera/compressed'], T + i * S + 1,
                                 b'\0\1\0\0cut off')
    with BagSource(tmp_path / 'run') as source:
        seen = [frame.stamp_ns for frame in source.images('/camera/compressed')]
    assert seen == [T + i * S for i in range(5)]
    assert len(source.problems) == 1
    assert 'malformed messages on /camera/compressed' in source.problems[0]


def recorded(path, storage, rng, first=0, count=150):
    """Record odometry and pictures once a second; return the file."""
    with BagFactory(path, storage) as bag:
        for i in range(first, first + count):
            bag.odometry(T + i * S, float(i))
            bag.jpeg(T + i * S, rng.integers(0, 256, (120, 160, 3), dtype=np.uint8))
    return next(file for file in path.iterdir() if file.suffix in ('.mcap', '.db3'))


def seconds_and_track(source):
    """Return the seconds of the pictures, and the positions at all but the last of them."""
    track = source.pose_track('/odom')
    seen = [frame.stamp_ns for frame in source.images('/camera/compressed')]
    return ([(stamp - T) // S for stamp in seen],
            [track.at(stamp, 20 * S).position[0] for stamp in seen[:-1]])


@pytest.mark.parametrize('alone', [True, False])
@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_a_recording_that_was_cut_off_yields_what_it_holds(tmp_path, rng, alone, storage):
    path = tmp_path / 'run'
    file = recorded(path, storage, rng)
    data = file.read_bytes()
    file.write_bytes(data[:len(data) * 7 // 10])
    with BagSource(file if alone else path) as source:
        seen, positions = seconds_and_track(source)
    assert 30 < len(seen) < 120
    assert seen == list(range(len(seen)))
    assert positions == seen[:-1]
    assert f'{file} is cut off or damaged' in source.problems[0]
    assert 'messages were recovered' in source.problems[0]
    file.write_bytes(data[:200])
    with pytest.raises(BagError, match='cannot be read'):
        BagSource(path)


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_of_a_split_recording_the_parts_that_are_there_are_read(tmp_path, rng, storage):
    path = tmp_path / 'run'
    parts = [recorded(path, storage, rng)]
    for i, begin in enumerate((150, 300)):
        other = recorded(tmp_path / f'part{i}', storage, rng, begin)
        parts.append(other.rename(path / f'run_{i + 1}{other.suffix}'))
    metadata = path / 'metadata.yaml'
    listed = yaml.safe_load(metadata.read_text())
    listed['rosbag2_bagfile_information']['relative_file_paths'] = [p.name for p in parts]
    metadata.write_text(yaml.safe_dump(listed))
    data = parts[1].read_bytes()
    parts[1].write_bytes(data[:len(data) * 7 // 10])
    with BagSource(path) as source:
        seen, _ = seconds_and_track(source)
    assert 330 < len(seen) < 420
    assert set(seen) > {*range(150), *range(300, 450)}
    assert len(source.problems) == 1
    assert f'{parts[1]} is cut off or damaged' in source.problems[0]
    parts[1].unlink()
    with BagSource(path) as source:
        assert seconds_and_track(source)[0] == [*range(150), *range(300, 450)]
    assert len(source.problems) == 1
    assert parts[1].name in source.problems[0]
    parts[2].write_bytes(b'')
    with BagSource(path) as source:
        assert seconds_and_track(source)[0] == list(range(150))


@pytest.mark.parametrize('seen_at_once', [True, False])
def test_pages_that_were_lost_cost_what_was_on_them(tmp_path, rng, seen_at_once):
    path = tmp_path / 'run'
    file = recorded(path, 'sqlite3', rng)
    # A leaf of the tree of messages is missed when the bag is opened, what is too long for the
    # leaf, on a page that begins with the number of the next, when the message is read.
    first_byte = b'\x0d' if seen_at_once else b'\0'
    data = bytearray(file.read_bytes())
    page = next(begin for begin in range(len(data) // 2 // 4096 * 4096, len(data), 4096)
                if data[begin:begin + 1] == first_byte)
    data[page:page + 4096] = b'\xff' * 4096
    file.write_bytes(data)
    with BagSource(path) as source:
        seen, positions = seconds_and_track(source)
    assert 140 < len(seen) < 150
    assert sorted(set(seen)) == seen
    assert positions == pytest.approx(seen[:-1])
    assert len(source.problems) == 1
    assert ('messages were recovered' if seen_at_once else 'what can be read of it is used') in \
        source.problems[0]


def test_without_mcap_it_says_what_to_install(tmp_path, picture, monkeypatch):
    with BagFactory(tmp_path / 'run') as bag:
        bag.jpeg(T, picture)
    file = next((tmp_path / 'run').glob('*.mcap'))
    file.write_bytes(file.read_bytes()[:-20])
    monkeypatch.setitem(sys.modules, 'tetra_vpr_ros.mapping.sources.rescue.cut_mcap', None)
    with pytest.raises(BagError, match='pip install mcap'):
        BagSource(file)


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3', 'ros1'])
def test_types_that_nobody_knows_do_not_matter(tmp_path, picture, storage):
    path = tmp_path / ('run.bag' if storage == 'ros1' else 'run')
    with BagFactory(path, storage) as bag:
        bag.unknown(T, '/laser_scanner_9000', 'acme_msgs/msg/Sweep')
        bag.odometry(T, 0.0)
        bag.jpeg(T, picture)
    with BagSource(path) as source:
        assert source.topics()['/laser_scanner_9000'] == 'acme_msgs/msg/Sweep'
        assert len(list(source.images(source.find_image_topic()))) == 1
        assert len(source.pose_track(source.find_pose_topic())) == 1


def test_a_clock_that_was_set_back_does_not_mix_two_drives(tmp_path, picture):
    with BagFactory(tmp_path / 'run') as bag:
        for part, x in ((0, 0.0), (1, 1000.0)):  # a simulation that was reset
            for i in range(20):
                bag.odometry(T + i * S, x + i, received=T + (part * 30 + i) * S)
                bag.jpeg(T + i * S + S // 2, picture, received=T + (part * 30 + i) * S + S // 2)
    with BagSource(tmp_path / 'run') as source:
        track = source.pose_track('/odom')
        poses = [track.at(source.clock.convert(f.stamp_ns, f.received_ns), 2 * S)
                 for f in source.images('/camera/compressed')]
    assert source.clock.jumps == 1
    x = [None if pose is None else pose.position[0] for pose in poses]
    assert x[:19] == [i + 0.5 for i in range(19)]
    assert x[19] is None  # nothing is guessed across the jump
    assert x[20:39] == [1000.5 + i for i in range(19)]


def test_a_topic_without_poses_is_an_error(tmp_path, picture):
    with BagFactory(tmp_path / 'run') as bag:
        bag.jpeg(T, picture)
        bag.odometry(T, float('nan'))
        bag.fix(T, 0.0, 0.0, status=-1)
    with BagSource(tmp_path / 'run') as source:
        with pytest.raises(BagError, match='topic /odom: 1 of 1 poses'):
            source.pose_track('/odom')
        with pytest.raises(BagError, match='topic /fix: there is no GPS fix'):
            source.pose_track('/fix')


def test_what_is_there_is_listed_where_nothing_can_be_used(tmp_path, street):
    stamp, x, _ = street[0]
    with BagFactory(tmp_path / 'run') as bag:
        bag.path(stamp, [(stamp, x)], '/particlecloud', 'geometry_msgs/msg/PoseArray')
    with BagSource(tmp_path / 'run') as source:
        with pytest.raises(BagError, match=r'no image topic \(sensor_msgs/msg/Image, .*it has: '
                                           r'/particlecloud \(geometry_msgs/msg/PoseArray\)'):
            source.find_image_topic()
        with pytest.raises(BagError, match=r"no pose topic '/poses'; it has: none, but /particle"):
            source.find_pose_topic('/poses')
    (tmp_path / 'bag.zip').write_bytes(b'PK')
    with pytest.raises(BagError, match=r'bag\.zip is no bag: .* ends in \.mcap, \.db3, \.bag'):
        BagSource(tmp_path / 'bag.zip')
