# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A localizer by name."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tetra_vpr_ros.localization.bayes import BayesLocalizer
from tetra_vpr_ros.localization.belief.belief import MotionModel
from tetra_vpr_ros.localization.mapped_places import RADIUS
from tetra_vpr_ros.localization.observation import Localizer, unknown_filter
from tetra_vpr_ros.localization.second_look import SECOND_LOOK, SecondLook
from tetra_vpr_ros.localization.single_frame import SingleFrameLocalizer
from tetra_vpr_ros.localization.upright import DownwardLocalizer
from tetra_vpr_ros.localization.verification import VerifyingLocalizer
from tetra_vpr_ros.mapping.calibration import DEFAULT_FALSE_MATCH_RATE
from tetra_vpr_ros.mapping.camera import MOUNTS
from tetra_vpr_ros.mapping.map.place_map import PlaceMap


@dataclass(frozen=True)
class LocalizerOptions:
    """
    How to localise.

    :ivar name: one of `observation.FILTERS`.
    :ivar false_match_rate: share of wrong matches that is allowed, 0..1.
    :ivar candidates: how many places an estimate lists.
    :ivar camera_yaws: of each camera against that of the mapping run, radians.
    :ivar motion: how the robot moves.
    :ivar radius: of agreement in spacings, of ``bayes``.
    :ivar margin: of rivals in the covariance, share of all bits, of ``single``.
    :ivar verification: one of `verification.METHODS`.
    :ivar fewest_inliers: of a verified match; 0 for the method's own.
    :ivar second_look: candidates that are compared by their patch tokens, where the map has
        them; 0 for none.
    :ivar camera_mount: one of `MOUNTS`; with ``down`` a localizer is shown four turns of each
        frame, see `View`.
    """

    name: str = 'bayes'
    false_match_rate: float = DEFAULT_FALSE_MATCH_RATE
    candidates: int = 10
    camera_yaws: tuple[float, ...] = (0.0,)
    motion: MotionModel = field(default_factory=MotionModel)
    radius: float = RADIUS
    margin: float = 0.02
    verification: str = 'none'
    fewest_inliers: int = 0
    second_look: int = SECOND_LOOK
    camera_mount: str = 'forward'


def make_localizer(place_map: PlaceMap, options: LocalizerOptions) -> Localizer:
    """
    Make a localizer for a map.

    :param place_map: open; it must stay open where matches are verified or looked at again.
    :param options: what to make.
    :raises MapError: the map is damaged, was calibrated by another version, or lacks
        the features to verify with.
    :raises ValueError: there is no such filter, verification or camera mount.
    """
    if options.camera_mount not in MOUNTS:
        raise ValueError(f"camera_mount must be one of {', '.join(MOUNTS)}, not "
                         f'{options.camera_mount!r}')
    if options.camera_mount == 'down':
        # However it is turned, such a camera sees the places below it.
        same = replace(options, camera_mount='forward',
                       camera_yaws=(0.0,) * len(options.camera_yaws))
        return DownwardLocalizer(make_localizer(place_map, same), options.camera_yaws)
    rate, count, yaws = options.false_match_rate, options.candidates, options.camera_yaws
    look = SecondLook.of(place_map, options.second_look)
    localizer: Localizer
    if options.name == 'bayes':
        localizer = BayesLocalizer(place_map, rate, count, yaws, options.motion, options.radius,
                                   look)
    elif options.name == 'single':
        localizer = SingleFrameLocalizer(place_map, rate, count, options.margin, yaws, look)
    else:
        raise ValueError(unknown_filter(options.name))
    if options.verification == 'none':
        return localizer
    return VerifyingLocalizer(localizer, place_map, options.verification,
                              options.fewest_inliers, camera_yaws=yaws)
