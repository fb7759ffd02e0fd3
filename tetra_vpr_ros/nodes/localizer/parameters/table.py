# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The parameters of the node: names, types, ranges and what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tetra_vpr_ros.localization.mapped_places import RADIUS
from tetra_vpr_ros.localization.observation import FILTERS
from tetra_vpr_ros.localization.second_look import SECOND_LOOK
from tetra_vpr_ros.localization.verification import METHODS
from tetra_vpr_ros.mapping.calibration import DEFAULT_FALSE_MATCH_RATE
from tetra_vpr_ros.mapping.camera import MOUNTS
from tetra_vpr_ros.vision.encoder import OPTIMIZATIONS

INITIAL_POSES = ('off', 'on_relocalize', 'first_fix')


@dataclass(frozen=True)
class Spec:
    """
    One parameter.

    :ivar name: of the parameter.
    :ivar default: gives the type, too.
    :ivar description: one sentence, with the unit.
    :ivar low: smallest value, for numbers.
    :ivar high: largest value, for numbers.
    :ivar choices: allowed values, for strings.
    :ivar when: ``configure`` when a change takes effect at the next configure,
        ``activate`` at the next activate, ``now`` at once.
    """

    name: str
    default: Any
    description: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    when: str = 'configure'


PARAMETERS: tuple[Spec, ...] = (
    Spec('map', '', 'Path of the map file (.vpr), made with build_map.'),
    Spec('model', '', 'Path of the model file (.onnx), or the name of one that comes with the '
         'package. It must be the one that the map was built with; empty for that one, where it '
         'comes with the package.'),
    Spec('image_topics', ['image'], 'Camera topics.', when='activate'),
    Spec('image_transport', 'raw', "How the camera topics are received: 'raw' subscribes "
         "sensor_msgs/Image on <topic>, 'compressed' sensor_msgs/CompressedImage on "
         '<topic>/compressed. A topic that ends so is compressed in either case.',
         choices=('raw', 'compressed'), when='activate'),
    Spec('autostart', False, 'Configure and activate at start, without a lifecycle manager.',
         when='start'),
    Spec('autostart_failure', 'exit', "What follows an autostart that fails: 'exit' ends the "
         "process with a status that is not zero, 'wait' leaves the node to be configured later.",
         choices=('exit', 'wait'), when='start'),
    Spec('bond', False, 'Form a bond with the lifecycle manager of Nav2 while active; needs '
         'bondpy.', when='activate'),
    Spec('frame_id', '', "Frame of the published poses; empty for the map's own."),
    Spec('filter', 'bayes', "How frames are put together: 'bayes' keeps a belief over all places, "
         "'single' judges each frame by itself.", choices=FILTERS),
    Spec('false_match_rate', DEFAULT_FALSE_MATCH_RATE, 'Share of wrong matches that is allowed. '
         'A belief must reach one minus its square root; for single it is the share of the pairs '
         'of different places of the map that may look as alike as an accepted match.',
         0.0, 1.0, when='now'),
    Spec('agreement_radius', RADIUS, 'Places (spacings of the map) about the best one whose '
         'belief counts as agreeing with it; bayes.', 0.5, 100.0),
    Spec('max_speed', 2.0, 'Fastest the robot moves, m/s: bounds the random walk of bayes and '
         'the plausible jump where there is no odometry.', 0.05, 100.0),
    Spec('odometry_noise', 0.1, 'Standard deviation of odometry as a share of the way.',
         0.0, 1.0),
    Spec('leave_rate', 0.002, 'Probability that the robot leaves the map while it passes one '
         'place; bayes.', 0.0, 0.5),
    Spec('enter_rate', 0.001, 'Probability that a robot off the map comes back onto it, anywhere, '
         'while one place passes; bayes. Larger recovers faster from being carried away.',
         0.0, 0.5),
    Spec('odom_topic', 'odom', 'Odometry; empty to do without. Its absence is no fault.',
         when='activate'),
    Spec('camera_yaws', [0.0], 'Heading of each camera of image_topics against the camera of the '
         'mapping run, degrees, counter-clockwise; one value holds for all.'),
    Spec('base_frame', '', 'Where set, the headings come from tf2 instead: of the frame of each '
         "camera's images in this frame.", when='activate'),
    Spec('mapping_camera_yaw', 0.0, 'Heading of the mapping camera in base_frame, degrees.',
         -360.0, 360.0),
    Spec('fusion_window', 0.05, 'Seconds within which frames of several cameras count as taken '
         'at the same time; each waits so long for those of the cameras that are not silent.',
         0.0, 1.0, when='activate'),
    Spec('second_look', SECOND_LOOK, 'Candidates that are compared with the frame once more, by '
         'the patch tokens of the map, and ordered by that; 0 to do without.', 0, 200),
    Spec('camera_mount', 'forward', "How the cameras look: 'forward', or 'down', where a picture "
         'has no upright: it is tried in four quarter turns, and the best tells the heading.',
         choices=MOUNTS),
    Spec('horizontal_fov', 0.0, 'Horizontal field of view of the cameras, degrees, of a lens '
         'without distortion (a fisheye needs camera_info); 0 takes what camera_info tells, else '
         'that of the mapping camera. With it a second look measures the heading, and pictures '
         'are fitted to the view of the map.', 0.0, 179.0, when='activate'),
    Spec('verification', 'none', "Geometric verification of the best candidates: 'orb' by "
         "epipolar geometry, 'homography' by a plane; needs a map built with --features. It costs "
         'recall when the light changes.', choices=METHODS),
    Spec('fewest_inliers', 0, "Matches that a verified place needs; 0 for the method's own.",
         0, 1000),
    Spec('initial_pose', 'off', "When an accepted pose goes to 'initialpose' for Nav2: 'off', "
         "'on_relocalize' once for each call of ~/relocalize, 'first_fix' once after activation, "
         'as soon as somebody listens.', choices=INITIAL_POSES, when='now'),
    Spec('global_pose_frame', '', "Where set, accepted poses also go to 'vpr/global_pose', with "
         "this frame of the robot in the header, as RTAB-Map's global_pose has it."),
    Spec('publish_tf', 'none', "'map_to_odom' broadcasts the transform from the map to the "
         'odometry frame, from the first match on until the node is deactivated; needs tf2_ros '
         'and odometry.', choices=('none', 'map_to_odom'), when='activate'),
    Spec('transform_tolerance', 1.0, 'Seconds by which that transform is dated ahead, so that '
         'it holds until the next.', 0.1, 60.0, when='now'),
    Spec('relocalize_timeout', 10.0, 'Seconds until ~/relocalize gives up.', 0.1, 600.0,
         when='now'),
    Spec('threads', 2, 'Threads of one inference; 0 lets onnxruntime choose.', 0, 64),
    Spec('spinning', True, 'Let the threads of an inference spin while they wait for each other, '
         'which is faster but where other programs fill the cores; they stop with it.'),
    Spec('graph_optimization', 'all', 'How far onnxruntime rewrites the model when it opens it; '
         'less than all only to look for a fault.', choices=OPTIMIZATIONS),
    Spec('candidates', 10, 'How many candidates are searched and published.', 1, 200, when='now'),
    Spec('covariance_margin', 0.02, 'Candidates at most this share of all bits further away than '
         'the best count into the covariance; single.', 0.0, 1.0),
    Spec('future_tolerance', 1.0, 'Seconds that an image stamp may lie ahead of the clock before '
         'the frame is refused.', 0.0, 3600.0, when='now'),
    Spec('no_image_timeout', 2.0, "Seconds without an image until the status says 'no images' and "
         'the log why.',
         0.1, 3600.0, when='now'),
    Spec('max_marker_places', 20000, 'Places shown in the marker topic at most, evenly thinned.',
         0, 1000000, when='activate'),
)
