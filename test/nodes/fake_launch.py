# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for launch and launch_ros, which are not on PyPI: as far as our files use them."""

import sys
from types import ModuleType

from sample_data import ROOT


class Action:
    """What an action or a substitution was made with."""

    def __init__(self, *args, **kwargs):
        self.args, self.kwargs = args, kwargs
        self.__dict__.update({'args_' if key == 'args' else key: value
                              for key, value in kwargs.items()})


def kind(name):
    return type(name, (Action,), {})


class LaunchConfiguration(Action):

    def perform(self, context):
        return context[self.args[0]]


class Context(dict):

    @property
    def launch_configurations(self):
        return self


class NotInstalledError(Exception):
    pass


def get_package_prefix(name):
    if name not in installed:
        raise NotInstalledError(name)
    return f'/opt/{name}'


installed = set()
_MODULES = {
    'launch': ('LaunchDescription',),
    'launch.actions': ('DeclareLaunchArgument', 'GroupAction', 'IncludeLaunchDescription',
                       'LogInfo', 'OpaqueFunction', 'Shutdown'),
    'launch.launch_description_sources': ('PythonLaunchDescriptionSource',),
    'launch.substitutions': ('PathJoinSubstitution',),
    'launch_ros': (),
    'launch_ros.actions': ('Node', 'SetParameter'),
    'launch_ros.parameter_descriptions': ('ParameterValue',),
    'launch_ros.substitutions': ('FindPackageShare',)}


def install(monkeypatch):
    """Let launch files import them instead of the real ones."""
    for name, classes in _MODULES.items():
        module = ModuleType(name)
        module.__dict__.update({made: kind(made) for made in classes})
        monkeypatch.setitem(sys.modules, name, module)
    sys.modules['launch.substitutions'].LaunchConfiguration = LaunchConfiguration
    packages = ModuleType('ament_index_python.packages')
    packages.get_package_prefix = get_package_prefix
    packages.get_package_share_directory = lambda _: str(ROOT)
    packages.PackageNotFoundError = NotInstalledError
    monkeypatch.setitem(sys.modules, 'ament_index_python.packages', packages)


def performed(description, undeclared=None, **arguments):
    """Return the actions that come of a launch description, with arguments given."""
    actions = description.args[0]
    context = Context(undeclared or {})
    for action in actions:
        if type(action).__name__ == 'DeclareLaunchArgument':
            name = action.args[0]
            context[name] = arguments.pop(name, action.default_value)
            assert context[name] in getattr(action, 'choices', [context[name]])
    assert not arguments, 'not declared'
    made = []
    for action in actions:
        made += (action.function(context, *getattr(action, 'args_', ()))
                 if type(action).__name__ == 'OpaqueFunction' else [action])
    return made, context
