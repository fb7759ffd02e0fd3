# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
A camera in the free Freedoom levels that come with ViZDoom.

Nothing is downloaded and no display is needed. Doom's axes already follow
REP-103 (x east, y north, angle counter-clockwise); 32 map units are one metre.
"""

from __future__ import annotations

import math
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.simulation.level import level_name, Pose2D, Sector, WorldError
import vizdoom

UNITS_PER_METRE = 32.0
_DEPTH_STEP, _DEPTH_START = 0.2236, 0.438  # metres; fitted to walls of three levels, +-0.08 m
_ZOOM_TICS = 30  # until the engine has turned from one lens to another, some degrees a tic
_SCENERY = ('Decoration', 'Vegetation', 'Light', 'Obstacle', 'Furniture')

FOCAL = (0.5, 0.8)
"""Focal lengths of the first lens, in widths and heights of the picture: Doom's pixels are 1.2
times as high as wide."""


class DoomWorld:
    """
    One level, rendered from any pose.

    :param level: one of `LEVELS`.
    :param seed: of the game engine.
    :param segmentation: render what `segment` needs, too.
    :param depth: render what `depth` needs, too.
    :raises WorldError: the level does not exist or the engine does not start.
    """

    def __init__(self, level: str = 'map01', seed: int = 1, segmentation: bool = False,
                 depth: bool = False) -> None:
        """Start the engine."""
        level = level_name(level)
        wad = 'freedoom2.wad' if level.startswith('map') else 'freedoom1.wad'
        game = vizdoom.DoomGame()
        game.set_doom_game_path(str(Path(vizdoom.__file__).parent / wad))
        game.set_doom_map(level)
        game.set_screen_resolution(vizdoom.ScreenResolution.RES_640X480)
        game.set_screen_format(vizdoom.ScreenFormat.RGB24)
        for switch in ('window_visible', 'render_hud', 'render_weapon', 'render_crosshair',
                       'render_decals', 'render_particles', 'render_messages',
                       'render_screen_flashes', 'render_effects_sprites', 'sound_enabled'):
            getattr(game, f'set_{switch}')(False)
        game.set_sectors_info_enabled(True)
        game.set_labels_buffer_enabled(segmentation)
        game.set_depth_buffer_enabled(segmentation or depth)
        # warp is a cheat; monsters would walk into the picture
        game.add_game_args('-nomonsters +viz_nocheat 0')
        game.set_available_buttons([vizdoom.Button.TURN_LEFT_RIGHT_DELTA])
        game.set_available_game_variables([
            vizdoom.GameVariable.POSITION_X, vizdoom.GameVariable.POSITION_Y,
            vizdoom.GameVariable.ANGLE, vizdoom.GameVariable.CAMERA_POSITION_Z])
        game.set_episode_timeout(0)
        game.set_seed(seed)
        # The engine drops its settings file into the working directory otherwise.
        game.set_doom_config_path('/dev/null')
        try:
            game.init()
        except vizdoom.ViZDoomErrorException as error:
            raise WorldError(f'level {level!r} does not start: {error}') from error
        self._game = game
        for _ in range(20):  # the player takes no commands in the first tics
            game.make_action([0.0], 1)
        for command in ('god', 'notarget', 'noclip'):
            game.send_game_command(command)
        game.make_action([0.0], 1)
        self.level = level
        self.start = self.pose()

    def pose(self) -> Pose2D:
        """Return where the camera stands."""
        x, y, angle, _ = self._variables()
        return Pose2D(float(x) / UNITS_PER_METRE, float(y) / UNITS_PER_METRE,
                      math.radians(float(angle)))

    def sectors(self) -> list[Sector]:
        """Return the level's floor plan."""
        rooms = []
        for sector in self._state().sectors:
            lines = np.array([[line.x1, line.y1, line.x2, line.y2] for line in sector.lines],
                             np.float64).reshape(-1, 4) / UNITS_PER_METRE
            rooms.append(Sector(
                sector.floor_height / UNITS_PER_METRE, sector.ceiling_height / UNITS_PER_METRE,
                lines, np.array([line.is_blocking for line in sector.lines], bool)))
        return rooms

    def look(self, pose: Pose2D) -> tuple[NDArray[np.uint8], Pose2D]:
        """
        Render from a pose.

        :returns: RGB uint8 ``[480, 640, 3]`` and the pose that the engine really
            took (it stands on whole map units, 1/32 m).
        """
        units = (round(pose.x * UNITS_PER_METRE), round(pose.y * UNITS_PER_METRE))
        turn = math.degrees(self.pose().yaw - pose.yaw)  # positive turns right
        self._game.send_game_command(f'warp {units[0]} {units[1]}')
        self._game.make_action([(turn + 180.0) % 360.0 - 180.0], 1)
        # The engine draws before it has settled on the new floor: one tic more.
        self._game.make_action([0.0], 1)
        return np.array(self._state().screen_buffer), self.pose()

    def set_field_of_view(self, degrees: float) -> None:
        """
        Change the lens; the engine begins with one of 90 degrees.

        :param degrees: horizontal field of view.
        """
        self._game.send_game_command(f'fov {degrees:g}')
        for _ in range(_ZOOM_TICS):
            self._game.make_action([0.0], 1)

    def segment(self) -> NDArray[np.uint8]:
        """
        Return what each pixel of the last look shows, without error: the engine knows.

        :returns: indices of `CLASSES`, uint8 ``[480, 640]``.
        :raises WorldError: the world was opened without segmentation.
        """
        state = self._state()
        if state.labels_buffer is None or state.depth_buffer is None:
            raise WorldError('open the world with segmentation=True')
        plane = state.labels_buffer == 1  # floors and ceilings; walls and the sky are 0
        below = np.arange(len(plane))[:, None] >= len(plane) // 2  # the camera looks level
        classes = np.where(plane, np.where(below, 2, 3), 1).astype(np.uint8)
        classes[(state.labels_buffer == 0) & (state.depth_buffer == 255)] = 0
        for item in state.labels or ():
            classes[state.labels_buffer == item.value] = (
                4 if item.object_category in _SCENERY else 5)
        return classes

    def depth(self) -> NDArray[np.float32]:
        """
        Return how far off what each pixel of the last look shows is.

        :returns: metres along the optical axis, in steps of 0.22, float32 ``[480, 640]``;
            infinite for the sky and beyond 57 m.
        :raises WorldError: the world was opened without depth.
        """
        steps = self._state().depth_buffer
        if steps is None:
            raise WorldError('open the world with depth=True')
        metres = steps.astype(np.float32) * np.float32(_DEPTH_STEP) + np.float32(_DEPTH_START)
        metres[steps == 255] = np.inf
        return metres

    def height(self) -> float:
        """Return the height of the camera above the level's zero, in metres."""
        return float(self._variables()[3]) / UNITS_PER_METRE

    def _variables(self) -> NDArray[np.float64]:
        variables = self._state().game_variables
        if variables is None:
            raise WorldError(f'level {self.level!r} has no player')
        return variables

    def _state(self) -> vizdoom.GameState:
        state = self._game.get_state()
        if state is None:
            raise WorldError(f'the engine ended level {self.level!r}')
        return state

    def close(self) -> None:
        """Stop the engine."""
        self._game.close()

    def __enter__(self) -> DoomWorld:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Stop the engine."""
        self.close()
