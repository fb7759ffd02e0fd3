# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""kill -9 at any moment loses nothing that was committed."""

import shutil
import signal

from counted_faults import moments, run, steps
import pytest
from street import write_street
from test_build import contents
from tetra_vpr_ros.mapping import PlaceMap
from tetra_vpr_ros.mapping.calibration import MapCalibration
from tetra_vpr_ros.mapping.tools.verify import problems
from tetra_vpr_ros.nodes import build_map, calibrate_map, vpr_map
from tetra_vpr_ros.vision import PlaceEncoder

pytestmark = pytest.mark.processes
KILLS = 20


def kills(main, arguments, folder, prepare, check):
    """
    Kill a command at counted steps of its work.

    ``prepare`` makes what it begins with; ``check`` looks at what is left, may continue it,
    and returns how far it came.
    """
    prepare()
    assert run(main, arguments, folder)[0] == 0
    done = steps(folder)
    chosen = moments(done, KILLS)
    assert len(chosen) >= KILLS
    seen = []
    for at in chosen:
        prepare()
        code, output = run(main, arguments, folder, at)
        assert code == -signal.SIGKILL, f'step {at} of {len(done)}: {output}'
        assert steps(folder)[:at] == done[:at], 'a command does the same each time'
        seen.append(check())
    assert seen == sorted(seen), 'a later kill leaves more'
    return seen


def sound(path):
    """Check a map; the number of its places tells how far it came."""
    if not path.exists():
        return 0
    assert [p for p in problems(path) if 'not complete' not in p and 'not calib' not in p] == []
    with PlaceMap.open_file(path) as opened:
        return len(opened)


def removed(path):
    for file in path.parent.glob(f'{path.name}*'):
        file.unlink()


@pytest.fixture(scope='module')
def halves(street, tmp_path_factory):
    """Return two bags: the halves of the street."""
    folder = tmp_path_factory.mktemp('halves')
    for name, frames in (('first', street[:40]), ('second', street[40:80])):
        write_street(folder / name, frames)
    return [folder / 'first', folder / 'second']


@pytest.fixture
def build(tiny):
    def build(*options):
        return ['--threads', '1', '--workers', '1', '--model', tiny, *options]
    return build


@pytest.fixture
def log(tmp_path):
    """Return a folder for what the commands say."""
    (tmp_path / 'log').mkdir()
    return tmp_path / 'log'


def finished(path, arguments, log, wanted):
    """Resume what a kill has left: the map is then the one that was wanted, and alone."""
    code, output = run(build_map.main, [*arguments, '--resume'], log)
    assert code == 0, output
    assert contents(path) == contents(wanted)
    assert [file.name for file in path.parent.glob(f'{path.name}*')] == [path.name]


def test_killed_builds_resume_to_the_same_map(halves, tmp_path, build, log):
    wanted, path = tmp_path / 'wanted.vpr', tmp_path / 'm.vpr'
    assert run(build_map.main, build('--bag', halves[0], '--map', wanted), log)[0] == 0
    arguments = build('--bag', halves[0], '--map', path)

    def check():
        came = sound(path)
        finished(path, arguments, log, wanted)
        return came

    seen = kills(build_map.main, arguments, log, lambda: removed(path), check)
    assert len(set(seen)) >= 3, 'at different moments'
    assert seen[0] == 0
    assert seen[-1] == sound(wanted), 'also between the last place and the calibration'


def test_a_resumed_build_may_be_killed_again_and_again(halves, tmp_path, build, log):
    wanted, path = tmp_path / 'wanted.vpr', tmp_path / 'm.vpr'
    assert run(build_map.main, build('--bag', halves[0], '--map', wanted), log)[0] == 0
    arguments = build('--bag', halves[0], '--resume', '--map', path)
    code, seen, at = None, [], 30
    while code != 0:
        code, output = run(build_map.main, arguments, log, at)
        assert code in (0, -signal.SIGKILL), output
        seen.append(sound(path))
        at += 9  # what is stored is passed over, but checked again
    assert len(seen) > 3
    assert seen == sorted(seen)
    assert contents(path) == contents(wanted)


def test_killed_appending_keeps_the_map_and_resumes(halves, tmp_path, build, log):
    first, path, wanted = (tmp_path / name for name in ('first.vpr', 'm.vpr', 'wanted.vpr'))
    assert run(build_map.main, build('--bag', halves[0], '--map', first), log)[0] == 0
    shutil.copy(first, wanted)
    more = build('--bag', halves[1], '--append', '--map')
    assert run(build_map.main, [*more, wanted], log)[0] == 0

    def begin():
        removed(path)
        shutil.copy(first, path)

    def check():
        came = sound(path)
        finished(path, build('--bag', *halves, '--map', path), log, wanted)
        return came

    seen = kills(build_map.main, [*more, path], log, begin, check)
    assert sound(first) <= min(seen)
    assert len(set(seen)) >= 3, 'at different moments'
    assert seen[-1] == sound(wanted)


def test_killed_merging_leaves_nothing_or_the_whole(street_map, tmp_path, log):
    path = tmp_path / 'both.vpr'
    whole = street_map.read_bytes()
    seen = kills(vpr_map.main, ['merge', street_map, street_map, '--out', path], log,
                 lambda: removed(path), lambda: sound(path))
    assert set(seen) == {0, 2 * sound(street_map)}
    assert street_map.read_bytes() == whole


def test_killed_pruning_leaves_the_map_as_it_was_or_pruned(street_map, tmp_path, log):
    path = tmp_path / 'own.vpr'
    before = contents(street_map)

    def begin():
        removed(path)
        shutil.copy(street_map, path)

    def check():
        if sound(path) == sound(street_map):
            assert contents(path) == before
        return -sound(path)

    seen = kills(vpr_map.main, ['prune', path, '--spacing', '1.0'], log, begin, check)
    assert -sound(street_map) in seen
    assert len(set(seen)) == 2


def test_who_has_the_old_map_open_does_not_spoil_the_pruned_one(street_map, tmp_path, log):
    path = tmp_path / 'own.vpr'
    shutil.copy(street_map, path)
    with PlaceMap.open_file(path, writable=True) as writer, PlaceMap.open_file(path) as robot:
        writer.set_meta(note='in the log')  # a build has just ended, a robot goes on
        before = len(robot)
        writer.close()
        assert run(vpr_map.main, ['prune', path, '--spacing', '1.0'], log)[0] == 0
        assert len(robot) == before
        pruned = sound(path)
    assert 0 < sound(path) == pruned < before


def test_killed_calibrating_leaves_the_old_calibration_or_the_new(street_map, tmp_path, log):
    path = tmp_path / 'own.vpr'
    begun = shutil.copy(street_map, tmp_path / 'begun.vpr')
    with PlaceMap.open_file(begun, writable=True) as opened:
        opened.set_meta(calibration=None)

    def begin():
        removed(path)
        shutil.copy(begun, path)

    def check():
        assert contents(path)[1] == contents(begun)[1]
        calibrated = sound(path) and problems(path) == []
        assert contents(path) == contents(street_map if calibrated else begun)
        return calibrated

    seen = kills(calibrate_map.main, ['--map', path], log, begin, check)
    assert set(seen) == {False, True}


@pytest.mark.parametrize('owner, method, at', [
    (PlaceMap, 'add_places', 1), (PlaceMap, 'add_places', 4), (PlaceMap, 'begin_session', 1),
    (PlaceEncoder, 'encode_batch', 2), (PlaceEncoder, 'encode_batch', 9)])
def test_terminate_is_like_ctrl_c(street_bag, street_map, tmp_path, build, log, owner, method, at):
    path = tmp_path / 'm.vpr'
    arguments = build('--bag', street_bag, '--map', path)
    code, output = run(build_map.main, arguments, log, at, (owner, method))
    assert code == 130
    assert '--resume' in output
    assert [file.name for file in tmp_path.glob('m.vpr*')] == ['m.vpr']  # a plain single file
    assert sound(path) < sound(street_map)
    finished(path, arguments, log, street_map)


def test_terminated_while_calibrating_the_places_are_there_and_resume_calibrates(
        street_bag, street_map, tmp_path, build, log):
    path = tmp_path / 'm.vpr'
    arguments = build('--bag', street_bag, '--map', path)
    code, output = run(build_map.main, arguments, log, 1, (MapCalibration, '__init__'))
    assert code == 130
    assert 'all places are stored, but the map is not calibrated yet' in output
    assert '--resume' in output
    assert sound(path) == sound(street_map)
    finished(path, arguments, log, street_map)


def test_what_a_killed_build_left_beside_a_map_is_not_played_into_another(halves, tmp_path, build,
                                                                          log):
    path, wanted = tmp_path / 'm.vpr', tmp_path / 'wanted.vpr'
    assert run(build_map.main, build('--bag', halves[1], '--map', wanted), log)[0] == 0

    def killed():
        removed(path)
        code, output = run(build_map.main, build('--bag', halves[0], '--map', path), log, 64)
        assert code == -signal.SIGKILL, output
        assert path.with_name('m.vpr-wal').stat().st_size, 'its places are in the log'

    killed()
    path.unlink()  # but not the log: nobody knows of it
    assert run(build_map.main, build('--bag', halves[1], '--map', path), log)[0] == 0
    assert contents(path) == contents(wanted)
    killed()
    assert run(vpr_map.main, ['prune', path, '--spacing', '1.0'], log)[0] == 0
    assert sound(path) > 0
    log_left = path.with_name('m.vpr-wal')
    assert not log_left.exists() or not log_left.stat().st_size
