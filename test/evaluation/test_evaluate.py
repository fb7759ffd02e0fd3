# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import csv
from dataclasses import replace
import json

import cv2
import numpy as np
import pytest
from tetra_vpr_ros.evaluation.evaluate import evaluate_folders, main
from tetra_vpr_ros.mapping import PlaceMap
from tetra_vpr_ros.mapping.tools.reencode import reencode
from tetra_vpr_ros.simulation.bag import write_bag
from tetra_vpr_ros.simulation.camera import SECOND_LAP_CAMERA
from tetra_vpr_ros.vision import default_model_path, PlaceEncoder


@pytest.fixture(scope='module')
def folders(drive, tmp_path_factory):
    """Return two folders of the same 50 places, the second in other light."""
    made, rng = [], np.random.default_rng(0)
    for name, effects in (('day', None), ('dusk', SECOND_LAP_CAMERA)):
        folder = tmp_path_factory.mktemp(name)
        for i, (_, pose, image) in enumerate(drive[::4]):
            seen = image if effects is None else effects.apply(image, rng)
            cv2.imwrite(str(folder / f'@{pose.x:.2f}@{pose.y:.2f}@{i}.jpg'),
                        cv2.cvtColor(seen, cv2.COLOR_RGB2BGR))
        made.append(folder)
    return made


@pytest.fixture(scope='module')
def tiny(tmp_path_factory):
    """Return a model of a few pixels, for what has nothing to do with recognition."""
    pytest.importorskip('onnx', reason='makes a small model with onnx')
    from tiny_model import tiny_model
    return str(tiny_model(tmp_path_factory.mktemp('models') / 'tiny.onnx'))


def test_a_table_for_several_methods_and_filters(folders, tmp_path, capsys):
    pytest.importorskip('skimage', reason='the baselines need scikit-image')
    status = main([
        '--database', str(folders[0]), '--queries', str(folders[1]), '--ground-truth', 'utm:1.0',
        '--model', 'models/tetra_vits8_2048.onnx', '--method', 'hog', '--filter', 'single',
        '--filter', 'bayes', '--json', str(tmp_path / 'out.json'), '--csv',
        str(tmp_path / 'out.csv'), '--report', str(tmp_path / 'report')])
    assert status == 0
    found = {(row['method'], row['filter']): row
             for row in json.loads((tmp_path / 'out.json').read_text())}
    assert set(found) == {('tetra_vits8_2048', f'{f}+tokens') for f in ('single', 'bayes')} | {
        (m, f) for m in ('tetra_vits8_2048', 'hog') for f in ('single', 'bayes')}
    ours = found['tetra_vits8_2048', 'bayes']
    assert set(ours) == {'method', 'filter', 'n', 'recall', 'ci95', 'ap',
                         'recall_at_100_precision', 'accepted', 'accepted_precision',
                         'latency_ms', 'bytes_per_place'}
    assert ours['n'] == 50
    assert ours['bytes_per_place'] == 256
    assert ours['recall']['1'] > 0.8
    assert ours['recall']['1'] <= ours['recall']['5'] <= ours['recall']['20'] <= 1
    low, high = ours['ci95']['1']
    assert low < 1.0
    assert low <= ours['recall']['1'] <= high
    assert ours['latency_ms']['p95'] >= ours['latency_ms']['p50'] > 0
    with (tmp_path / 'out.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert [row['filter'] for row in rows[:3]] == ['single', 'single+tokens', 'bayes']
    assert [int(row['bytes_per_place']) for row in rows[:3]] == [256, 256 + 3136, 256]
    plain, again = (found['tetra_vits8_2048', f] for f in ('single', 'single+tokens'))
    assert again['recall']['1'] >= plain['recall']['1']
    assert again['latency_ms']['p50'] > plain['latency_ms']['p50']
    assert again['accepted'] is not None
    assert float(rows[0]['recall_at_1']) == pytest.approx(
        found[rows[0]['method'], rows[0]['filter']]['recall']['1'], abs=1e-5)
    printed = capsys.readouterr().out
    assert '| tetra_vits8_2048 | bayes | 50 |' in printed
    page = (tmp_path / 'report' / 'index.html').read_text()
    assert page.count('data:image/png;base64,') >= 6
    assert '://' not in page  # nothing is fetched
    names = {path.name for path in (tmp_path / 'report').iterdir()}
    assert {'precision_recall.png', 'distances_0.png', 'similarity_0.png', 'best_0.png',
            'trajectory_0.png'} <= names


def test_foreign_pictures_are_counted_and_drawn(folders, tmp_path, capsys):
    strange = tmp_path / 'strange', tmp_path / 'odd'
    for number in range(4):
        folder = strange[number == 3]
        folder.mkdir(exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 255, (60, 80, 3), np.uint8)
        cv2.imwrite(str(folder / f'{number}.png'), noise)
    asked = ['--database', str(folders[0]), '--queries', str(folders[1]), '--ground-truth',
             'utm:1.0', *(word for folder in strange for word in ('--foreign', str(folder)))]
    assert main([*asked, '--report', str(tmp_path / 'report')]) == 0
    printed = capsys.readouterr().out
    model = default_model_path().stem
    for row in ('single', 'single+tokens'):
        assert f'{model}/{row}: 0 of 4 pictures of {strange[0]}, {strange[1]} accepted' in printed
    assert (tmp_path / 'report' / 'scores_1.png').stat().st_size > 5000
    with pytest.raises(SystemExit):
        main([*asked, '--method', 'hog'])


def test_words_of_orb_features(folders):
    pytest.importorskip('sklearn', reason='the baselines need scikit-learn')
    results, made, truth = evaluate_folders(*folders, 'frames:1', methods=['orb-bow'])
    assert truth.shape == (50, 50)
    assert 0.02 < results[0].recall[20] <= 1.0
    assert results[0].accepted is None
    assert not made[0][0].binary


def test_where_nothing_matches_what_was_accepted_is_told(folders, tiny, tmp_path):
    assert main(['--database', str(folders[0]), '--queries', str(folders[1]), '--model', tiny,
                 '--ground-truth', 'none', '--json', str(tmp_path / 'out.json')]) == 0
    row, = json.loads((tmp_path / 'out.json').read_text())
    assert row['n'] == 0
    assert row['recall']['1'] is None
    assert 0 <= row['accepted'] <= 1


def test_a_map_on_a_drive(map_file, drive, tmp_path, capsys):
    write_bag(tmp_path / 'half', drive[::2])
    assert main(['--map', str(map_file), '--bag', str(tmp_path / 'half'), '--radius', '1',
                 '--filter', 'single', '--filter', 'bayes', '--json', str(tmp_path / 'out.json'),
                 '--report', str(tmp_path / 'report')]) == 0
    single, bayes = json.loads((tmp_path / 'out.json').read_text())
    assert (single['filter'], bayes['filter']) == ('single+tokens', 'bayes+tokens')
    assert (single['bytes_per_place'], bayes['bytes_per_place']) == (256 + 3136,) * 2
    assert single['recall']['1'] > 0.95
    assert bayes['n'] == 100
    assert bayes['recall']['1'] > 0.95
    assert bayes['accepted'] > 0.8
    page = (tmp_path / 'report' / 'index.html').read_text()
    assert page.index('recall@1') < page.index('Time line') < page.index('Precision and recall')
    assert 'bayes+tokens' in page[page.index('<select'):page.index('</select>')]


@pytest.mark.parametrize('spoil, says', [
    ('missing', 'no such image folder'), ('empty', 'no jpg or png'), ('broken', 'broken.jpg'),
    ('truth', 'use one of'), ('cosine', 'no binary descriptors')])
def test_what_cannot_be_measured_is_told(folders, tiny, tmp_path, capsys, spoil, says):
    queries = tmp_path / 'queries'
    if spoil != 'missing':
        queries.mkdir()
    if spoil in ('broken', 'truth', 'cosine'):
        for path in list(folders[1].iterdir())[:20]:
            (queries / path.name).write_bytes(path.read_bytes())
    if spoil == 'broken':
        (queries / 'broken.jpg').write_bytes(b'no picture')
    arguments = ['--database', str(folders[0]), '--queries', str(queries), '--ground-truth',
                 'gps:1' if spoil == 'truth' else 'frames:1']
    if spoil == 'cosine':
        pytest.importorskip('sklearn', reason='the baselines need scikit-learn')
        arguments += ['--method', 'orb-bow', '--filter', 'bayes']
    else:
        arguments += ['--model', tiny]
    assert main(arguments) == 1
    assert says in capsys.readouterr().err


def test_folders_are_made_and_what_cannot_be_written_is_told_at_once(
        folders, tiny, tmp_path, capsys):
    arguments = ['--database', str(folders[0]), '--queries', str(folders[1]), '--ground-truth',
                 'frames:1', '--model', tiny, '--json']
    assert main([*arguments, str(tmp_path / 'new' / 'out.json')]) == 0
    assert json.loads((tmp_path / 'new' / 'out.json').read_text())[0]['n'] == 50
    capsys.readouterr()
    assert main([*arguments, str(tmp_path)]) == 1  # a folder
    told = capsys.readouterr()
    assert f'{tmp_path} is a folder: name a file' in told.err
    assert not told.out  # nothing was measured for it
    assert main([*arguments[:-1], '--foreign', str(tmp_path / 'none')]) == 1
    told = capsys.readouterr()
    assert 'no such image folder' in told.err and not told.out


def test_a_page_that_fails_costs_no_figures(folders, tiny, tmp_path, capsys, monkeypatch):
    def full(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('tetra_vpr_ros.evaluation.recognition.report.folders.folders_report', full)
    assert main(['--database', str(folders[0]), '--queries', str(folders[1]), '--ground-truth',
                 'frames:1', '--model', tiny, '--report', str(tmp_path / 'report')]) == 1
    told = capsys.readouterr()
    assert '| tiny' in told.out and 'No space left' in told.err


def test_a_map_without_places_answers_nothing(drive, tmp_path, capsys):
    PlaceMap.create(tmp_path / 'empty.vpr', PlaceEncoder().info).close()
    write_bag(tmp_path / 'short', drive[:5])
    assert main(['--map', str(tmp_path / 'empty.vpr'), '--bag', str(tmp_path / 'short')]) == 1
    assert 'empty.vpr holds no places' in capsys.readouterr().err


def test_two_models_of_one_name_are_refused(folders, tiny, tmp_path, capsys):
    (tmp_path / 'tiny.onnx').touch()
    with pytest.raises(SystemExit):
        main(['--database', str(folders[0]), '--queries', str(folders[1]), '--model', tiny,
              '--model', str(tmp_path / 'tiny.onnx')])
    assert 'two have the same name' in capsys.readouterr().err


def test_a_drive_in_another_frame_is_told(map_file, drive, tmp_path, capsys):
    write_bag(tmp_path / 'short', [
        (stamp, replace(pose, y=pose.y + 5000.0), image) for stamp, pose, image in drive[:5]])
    assert main(['--map', str(map_file), '--bag', str(tmp_path / 'short')]) == 0
    assert f'no frame lies within 5 m of a place of {map_file}: are its poses in the frame' \
        in capsys.readouterr().err
    for radius in ('nan', '-3'):
        with pytest.raises(SystemExit):
            main(['--map', str(map_file), '--bag', str(tmp_path / 'short'), '--radius', radius])
        assert 'it must lie between 0 and' in capsys.readouterr().err


def test_half_of_the_arguments_are_not_enough(capsys):
    with pytest.raises(SystemExit):
        main(['--database', 'x', '--bag', 'y'])
    assert '--database and --queries, or --map and --bag' in capsys.readouterr().err


def test_geometry_orders_the_best_places_again(folders):
    results, made, _ = evaluate_folders(*folders, 'utm:1.0', reranking='orb')
    plain, again = results  # on top of the plain ranking: nothing is looked at twice
    assert made[0][0].query_tokens is None
    assert (plain.filter_name, again.filter_name) == ('single', 'single+orb')
    assert again.recall[10] == plain.recall[10]  # the same ten, in another order
    assert again.recall[1] > 0.5
    assert again.latency_ms['p50'] > plain.latency_ms['p50']
    before, after = (answers.ranked for _, answers in made)
    assert not np.array_equal(before, after)
    assert np.array_equal(np.sort(before[:, :10]), np.sort(after[:, :10]))
    assert np.array_equal(before[:, 10:], after[:, 10:])


def test_what_is_not_asked_for_is_left_out(folders):
    results, made, _ = evaluate_folders(*folders, 'utm:1.0', reranking='none')
    assert [r.filter_name for r in results] == ['single']
    assert made[0][0].database_tokens is None
    assert results[0].bytes_per_place == 256


def test_a_map_without_tokens(drive, map_file, tmp_path, capsys):
    write_bag(tmp_path / 'short', drive[:20])
    bare = tmp_path / 'bare.vpr'
    reencode(map_file, bare, PlaceEncoder(), tokens=False, progress=False)
    asked = ['--bag', str(tmp_path / 'short'), '--filter', 'single']
    for file, rerank in ((bare, []), (map_file, ['--rerank', 'none'])):
        assert main(['--map', str(file), *asked, *rerank]) == 0
        assert '| single | 20 |' in capsys.readouterr().out
    assert main(['--map', str(bare), *asked, '--rerank', 'tokens']) == 1
    assert "bare.vpr has no patch tokens: encode it again with 'vpr_map reencode'" \
        in capsys.readouterr().err


@pytest.mark.parametrize('method, says', [
    (None, 'tiny.onnx has no patch tokens'), ('hog', 'methods without a model')])
def test_a_method_without_tokens(folders, tiny, capsys, method, says):
    asked = ['--database', str(folders[0]), '--queries', str(folders[1]), '--rerank', 'tokens',
             *(('--method', method) if method else ('--model', tiny))]
    assert main(asked) == 1
    assert says in capsys.readouterr().err


def test_one_drive_against_itself(folders, tmp_path, capsys):
    asked = ['--database', str(folders[0]), '--queries', str(folders[0]), '--ground-truth',
             'utm:5', '--exclude-recent', '4']
    assert main([*asked, '--json', str(tmp_path / 'out.json'), '--report',
                 str(tmp_path / 'report')]) == 0
    plain, again = json.loads((tmp_path / 'out.json').read_text())
    assert (plain['filter'], again['filter']) == ('single', 'single+tokens')
    assert 40 <= plain['n'] <= 45  # the first five have no frame more than four before them
    assert plain['accepted'] is None
    assert again['recall']['1'] > 0.3  # the right few of up to 45
    assert again['recall']['20'] == plain['recall']['20']
    assert (tmp_path / 'report' / 'trajectory_1.png').is_file()
    assert main([*asked[:-1], '49']) == 1
    assert 'has 50 images: none has one more than 49 before it' in capsys.readouterr().err
    asked[3] = str(folders[1])
    assert main(asked) == 1
    assert 'only one drive has earlier frames' in capsys.readouterr().err


FOLDERS, DRIVE = ['--database', 'x', '--queries', 'x'], ['--map', 'x.vpr', '--bag', 'x']


@pytest.mark.parametrize('asked, says', [
    ([*FOLDERS, '--exclude-recent', '7', '--filter', 'bayes'], 'use --filter single'),
    ([*FOLDERS, '--exclude-recent', '7', '--filter', 'single', '--filter', 'bayes'],
     'use --filter single'),
    ([*DRIVE, '--exclude-recent', '7'], 'the frames of one folder'),
    ([*FOLDERS, '--exclude-recent', '-1'], "it must be a whole number of at least 0, not '-1'"),
    ([*FOLDERS, '--rerank', 'sift'], "invalid choice: 'sift'"),
    ([*DRIVE, '--rerank', 'orb'], '--rerank orb looks at pictures'),
    ([*DRIVE, '--ground-truth', 'frames:2'], 'the poses are the truth'),
    ([*DRIVE, '--model', 'a.onnx', '--model', 'b.onnx'], 'the poses are the truth')])
def test_options_that_do_not_go_together(capsys, asked, says):
    with pytest.raises(SystemExit):
        main(asked)
    assert says in capsys.readouterr().err


def test_queries_that_stand_on_their_heads(folders, tmp_path, capsys):
    turned = tmp_path / 'turned'
    turned.mkdir()
    for path in sorted(folders[1].iterdir())[::5]:
        picture = cv2.imread(str(path))
        cv2.imwrite(str(turned / path.name), np.rot90(picture, 2))
    found = {}
    for mount in ('forward', 'down'):
        assert main(['--database', str(folders[0]), '--queries', str(turned), '--ground-truth',
                     'utm:1.0', '--camera-mount', mount, '--json',
                     str(tmp_path / f'{mount}.json')]) == 0
        rows = json.loads((tmp_path / f'{mount}.json').read_text())
        found[mount] = next(row for row in rows if row['filter'] == 'single+tokens')
    # Words do not ask which side is up and often find the place all the same, but nobody believes
    # tokens that agree so little.
    assert found['forward']['accepted'] < 0.3
    assert found['down']['accepted'] > 0.8
    assert found['down']['recall']['1'] > 0.8
    with pytest.raises(SystemExit):
        main(['--map', 'a.vpr', '--bag', 'b', '--camera-mount', 'down'])
    assert 'camera-mount' in capsys.readouterr().err
