# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import re

import pytest
from sample_data import ROOT
from tetra_vpr_ros.nodes.localizer.parameters import check, ParameterError, PARAMETERS
from tetra_vpr_ros.nodes.localizer.parameters.files import unheard
import yaml


def test_the_parameters_file_mirrors_the_node():
    text = (ROOT / 'config' / 'localize.yaml').read_text()
    set_by_launch = {'autostart', 'bond'}
    stored = yaml.safe_load(text)['/**']['ros__parameters']
    assert not set_by_launch & set(stored)  # a copy of the file would override the launch files
    complete = re.sub(r'^    # (\w+): (\S+)$', r'    \1: \2', text, flags=re.MULTILINE)
    stored = yaml.safe_load(complete)['/**']['ros__parameters']
    assert stored == {spec.name: spec.default for spec in PARAMETERS}
    assert list(stored) == [spec.name for spec in PARAMETERS]


def test_the_reference_lists_every_parameter_with_its_default():
    page = (ROOT / 'docs' / 'reference.md').read_text()
    for spec in PARAMETERS:
        row = re.search(rf'^\| `{spec.name}` \| `?([^|`]*)`? \|', page, re.MULTILINE)
        assert row, spec.name
        default = str(spec.default).lower() if isinstance(spec.default, bool) else spec.default
        assert row.group(1).strip() in (str(default), f'{default!r}', '""'), spec.name


def test_strings_are_checked():
    check('image_transport', 'compressed')
    check('use_sim_time', True)  # not ours
    with pytest.raises(ParameterError, match='raw, compressed'):
        check('image_transport', 'h264')
    with pytest.raises(ParameterError, match='all, extended, basic, disabled'):
        check('graph_optimization', 'much')
    with pytest.raises(ParameterError, match="one of bayes, single, not 'seqslam': .* 'bayes'"):
        check('filter', 'seqslam')
    for topics in ([], ['']):
        with pytest.raises(ParameterError, match='at least one topic'):
            check('image_topics', topics)
    with pytest.raises(ParameterError, match='names a topic twice: /cam, /cam'):
        check('image_topics', ['/cam', '/cam'])
    for yaws in ([], [float('nan')]):
        with pytest.raises(ParameterError, match='camera_yaws needs a heading'):
            check('camera_yaws', yaws)


@pytest.mark.parametrize('section, heard', [
    ('/**', True), ('**', True), ('/robot1/vpr_localize', True), ('robot1/vpr_localize', True),
    ('/*/vpr_localize', True), ('/**/vpr_localize', True), ('/robot1/**', True),
    ('/vpr_localize', False), ('vpr_localise', False), ('/robot2/vpr_localize', False),
    ('/*', False)])
def test_a_file_that_speaks_to_others_is_found(tmp_path, section, heard):
    file = tmp_path / 'vpr.yaml'
    file.write_text(f'"{section}":\n  ros__parameters:\n    map: a\n')
    command = ['localize', '--ros-args', '--params-file', str(file)]
    found = unheard(command, '/robot1/vpr_localize')
    assert (found == []) == heard
    nested = tmp_path / 'nested.yaml'
    nested.write_text('robot1:\n  vpr_localize:\n    ros__parameters: {map: a}\n'
                      'other: {ros__parameters: {b: 1}}\n')
    assert unheard(['--params-file', str(nested)], '/robot1/vpr_localize') == []
    assert unheard(['--params-file', str(nested)], '/x') == [
        f'{nested} says nothing to this node, /x: it speaks to /robot1/vpr_localize, /other']


def test_a_node_that_is_misspelt_beside_others_is_found(tmp_path):
    file = tmp_path / 'robot.yaml'
    file.write_text(''.join(f'"{name}": {{ros__parameters: {{a: 1}}}}\n' for name in (
        '/**', 'amcl', 'vpr_localizer', '/robot2/vpr_localize', '/robot2/map_server')))
    assert unheard(['--params-file', str(file)], '/robot1/vpr_localize') == [
        f'{file}: what it says to /vpr_localizer is not for this node, /robot1/vpr_localize: is '
        'it misspelt?']


@pytest.mark.parametrize('rule, heard', [
    ('map:=a.vpr', True), ('vpr_localize:map:=a.vpr', True), ('/**:map:=a.vpr', True),
    ('vpr_localizer:map:=a.vpr', False), ('/robot1/amcl:map:=x:=y', False), ('map:=a:b', True)])
def test_a_parameter_of_another_node_is_found(rule, heard):
    assert (unheard(['localize', '--ros-args', '-p', rule], '/vpr_localize') == []) == heard


def test_files_are_read_as_launch_writes_them(tmp_path):
    """Lists become tuples there, which rcl reads; what it could read is never an error."""
    written = tmp_path / 'launch_params'
    written.write_text(yaml.dump({'/**': {'ros__parameters': {'image_topics': ('/cam',)}}}))
    assert '!!python/tuple' in written.read_text()
    assert unheard(['--params-file', str(written)], '/vpr_localize') == []
    odd = tmp_path / 'odd.yaml'
    odd.write_bytes(b'\xff\xfe: [')
    assert unheard(['--params-file', str(odd)], '/vpr_localize') == []
    assert unheard(['--params-file', str(tmp_path / 'gone')], '/vpr_localize') == []
