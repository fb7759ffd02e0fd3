# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The localizer as a process; one may serve many tests."""

import os
import signal
import subprocess
import sys

from sample_data import ROOT

ENOUGH = 120.0  # seconds that anything may take on a busy machine; what is awaited comes earlier

# Frames that tests count must not get lost: reliable, and none makes room for a newer one.
TOPICS = ('/cam', '/cam/compressed', '/cam/image_raw', '/cam/camera_info', '/camera/image_raw',
          '/camera/image_raw/compressed', '/front', '/rear', '/odom')
LOSSLESS = {f'qos_overrides.{topic}.subscription.{policy}': value for topic in TOPICS
            for policy, value in (('reliability', 'reliable'), ('depth', 1000))}


class Localizer:
    """
    The node as a process; its log is kept.

    :param log: file to write.
    :param name: of the node.
    :param namespace: of the node.
    :param environment: beside that of this process.
    :param parameters: of the node.
    """

    def __init__(self, log, name='vpr_localize', namespace='/', environment=None, **parameters):
        command = [sys.executable, '-m', 'tetra_vpr_ros.nodes.localize', '--ros-args',
                   '-r', f'__node:={name}', '-r', f'__ns:={namespace}']
        for parameter, value in parameters.items():
            command += ['-p', f'{parameter}:={value}']
        self.name = name
        self._log_file, self._log_begin = log, 0
        with log.open('w') as stream:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=stream,
                                            stderr=subprocess.STDOUT,
                                            env={**os.environ, **(environment or {})})

    @property
    def log(self):
        """Return what was logged since `begin_log`."""
        with self._log_file.open('rb') as file:
            file.seek(self._log_begin)
            return file.read().decode()

    def begin_log(self):
        self._log_begin = self._log_file.stat().st_size

    @property
    def alive(self):
        return self.process.poll() is None

    def stop(self, how=signal.SIGINT):
        if self.alive:
            self.process.send_signal(how)
            try:
                self.process.wait(ENOUGH)
            finally:
                self.process.kill()  # no-op for a process that has ended


class SharedLocalizer:
    """
    A process that tests borrow one after another: parameters, configure, activate, cleanup.

    :param log: file to write.
    :param name: of the node; another than that of the localizers that tests start.
    :param environment: of the process.
    """

    def __init__(self, log, name, environment=None):
        self._log, self._name, self._environment = log, name, environment
        self._process = None

    def lend(self, probe, **parameters):
        """Return the localizer, unconfigured, with these parameters and defaults else."""
        from tetra_vpr_ros.nodes.localizer.parameters import PARAMETERS
        if self._process is None:
            self._process = Localizer(self._log, self._name, environment=self._environment,
                                      **LOSSLESS)
        self._process.begin_log()
        probe.talk_to(self._name)
        values = {spec.name: spec.default for spec in PARAMETERS if spec.when != 'start'}
        for name, value in {**values, **parameters}.items():
            values[name] = str(value) if isinstance(values[name], str) else value
        for result in probe.set_parameters(values):
            assert result.successful, result.reason
        return self._process

    def take_back(self, probe):
        """Bring the localizer back to where the next test begins, or do without it."""
        if self._process is None:
            return
        probe.talk_to(self._name)
        if self._process.alive:
            state = probe.state()
            if state == 'active':
                probe.change('deactivate')
            if state != 'unconfigured':
                probe.change('cleanup')
            if probe.state() == 'unconfigured':
                return
        self.stop()

    def stop(self):
        if self._process is not None:
            self._process.stop()
            self._process = None
