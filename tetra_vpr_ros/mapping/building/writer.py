# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From the frames of a traverse to the places of a map, in transactions."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import islice

import cv2
import numpy as np
from tetra_vpr_ros.command_line import usable_cores
from tetra_vpr_ros.mapping.building.keyframes import KeyframeSelector
from tetra_vpr_ros.mapping.building.options import BuildOptions
from tetra_vpr_ros.mapping.building.report import BuildReport
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.map.places import NewPlace
from tetra_vpr_ros.mapping.pose import Pose
from tetra_vpr_ros.mapping.sources.traverse import Frame, Traverse
from tetra_vpr_ros.vision.decoding import Image, ImageError, is_blank
from tetra_vpr_ros.vision.encoder import PlaceEncoder
from tetra_vpr_ros.vision.local_features import extract_features
from tqdm import tqdm

_BATCH = 8
_THUMBNAIL_SIDE = 240
_MOST_WAITING = 512_000_000  # bytes of pictures that are not encoded yet, unless it is one alone

_BLANK = ('places whose pictures show hardly anything: was the lens covered? Or has the camera 16 '
          'bits and uses few of them: let its driver stretch them, or publish 8')

Picked = tuple[int, Pose, Image]


def never() -> bool:
    """Let a build run to its end."""
    return False


def add_traverse(place_map: PlaceMap, traverse: Traverse, encoder: PlaceEncoder,
                 options: BuildOptions, report: BuildReport, progress: bool = True,
                 position: int | None = None, stopped: Callable[[], bool] = never) -> None:
    """
    Map a traverse, or what an interrupted build has left of it.

    :param place_map: open for writing.
    :param traverse: to be mapped.
    :param encoder: of the map's model.
    :param options: of the build.
    :param report: is added to.
    :param progress: show a bar.
    :param position: line of the bar.
    :param stopped: asked before each frame; True stops as Ctrl-C does.
    :raises KeyboardInterrupt: after what was read is stored.
    :raises MapError: the map cannot be written, or the traverse is another than the one
        that an interrupted build began with.
    """
    found = BuildReport()
    try:
        _add_frames(place_map, traverse, encoder, options, found, progress, position, stopped)
    finally:
        report.add(found)


def _add_frames(place_map: PlaceMap, traverse: Traverse, encoder: PlaceEncoder,
                options: BuildOptions, report: BuildReport, progress: bool,
                position: int | None, stopped: Callable[[], bool]) -> None:
    begun = [s.number for s in place_map.sessions() if s.source == traverse.source]
    session = begun[0] if begun else place_map.begin_session(traverse.source)
    selector = KeyframeSelector(options.keyframe_distance, options.keyframe_angle)
    stored = deque(place_map.stamps(session))
    bar = tqdm(traverse.frames(), total=traverse.length, unit='frame', position=position,
               desc=f'mapping {traverse.name}', disable=not progress)
    places = PlaceWriter(place_map, session, encoder, options)
    try:
        for picked in _keyframes(_until(bar, stopped), stored, selector, report):
            places.add(picked)
    finally:  # whatever stopped it, what was read is kept
        try:
            places.close()
        finally:
            report.places += places.written
            bar.close()
            report.damaged += traverse.problems
    if stored:
        raise MapError(f'{place_map.path} has places of {traverse.source} that are not in it '
                       'any more: build the map again')
    if place_map.stamps(session):
        place_map.finish_session(session)
        return
    place_map.drop_session(session)
    report.empty.append(f'{traverse.source}: nothing was mapped of {report.frames} frames: ' + (
        ', '.join(map(str, report.skipped.values())) or 'there are no images'))


def _until(frames: Iterator[Frame], stopped: Callable[[], bool]) -> Iterator[Frame]:
    for frame in frames:
        if stopped():
            raise KeyboardInterrupt
        yield frame


def _keyframes(frames: Iterator[Frame], stored: deque[int], selector: KeyframeSelector,
               report: BuildReport) -> Iterator[Picked]:
    """Yield what becomes a place; only that is decoded, and what is stored is passed over."""
    for frame in frames:
        wanted = frame.pose is not None and selector.wants(frame.pose)
        if stored:  # the stamps alone would not do: they may come twice
            if frame.pose is not None and wanted and frame.stamp_ns == stored[0]:
                selector.accept(frame.pose)
                stored.popleft()
            continue
        report.frames += 1
        if frame.pose is None:
            report.without_pose += 1
            report.skip(f'without a pose: {frame.missing or "it is not known"}', _where(frame))
        elif not wanted:
            report.not_keyframes += 1
        else:
            try:
                image = frame.decode()
            except ImageError as error:
                report.undecodable += 1
                report.skip(f'that cannot be decoded: {error}', _where(frame))
                continue
            selector.accept(frame.pose)
            if is_blank(image):
                report.blank.add(_BLANK, _where(frame))
            yield frame.stamp_ns, frame.pose, image


def _where(frame: Frame) -> str:
    return frame.where or f'stamp {frame.stamp_ns} ns'


class PlaceWriter:
    """
    Encodes pictures while the next are read and decoded, and stores them in their order.

    Each thread encodes a picture of its own: threads that share one wait for each other after
    each layer, and what a batch computes does not fit into a core's cache.

    A resumed build passes over what is stored and goes on behind it: nothing may be stored
    behind a place that was not.

    :param place_map: open for writing.
    :param session: of the places.
    :param encoder: of the map's model, with one thread for a picture.
    :param options: of the build.
    :ivar written: places that were stored.
    """

    def __init__(self, place_map: PlaceMap, session: int, encoder: PlaceEncoder,
                 options: BuildOptions) -> None:
        """Begin without a place."""
        self._place_map, self._session = place_map, session
        self._encoder, self._options = encoder, options
        threads = options.threads or usable_cores()
        self._ahead = 2 * threads  # so many more are decoded than are stored in a batch
        self._pool = ThreadPoolExecutor(threads, 'encoder')
        self._made: deque[tuple[Future[NewPlace], int]] = deque()  # and bytes of its picture
        self._storing = False
        self.written = 0

    def add(self, picked: Picked) -> None:
        """Take what becomes a place."""
        # Ctrl-C may come anywhere here: what was not begun is then read again by --resume.
        size = picked[2].nbytes
        self._wait_for_memory(size)
        self._made.append((self._pool.submit(self._make, picked), size))
        if len(self._made) == _BATCH + self._ahead:
            self._store_batch()

    def close(self) -> None:
        """Store what was added, unless storing was interrupted before."""
        try:
            while self._made and not self._storing:
                self._store_batch()
        finally:
            self._pool.shutdown(cancel_futures=True)

    def _wait_for_memory(self, wanted: int) -> None:
        """Wait until the pictures that are not encoded yet leave room for another."""
        for made, _ in self._made:
            waiting = sum(size for other, size in self._made if not other.done())
            if waiting + wanted <= _MOST_WAITING:
                return
            wait([made])

    def _make(self, picked: Picked) -> NewPlace:
        (stamp, pose, image), options = picked, self._options
        (descriptor, tokens), = self._encoder.encode_with_tokens([image], options.tokens)
        return NewPlace(stamp, pose, descriptor,
                        thumbnail_of(image) if options.thumbnails else None,
                        extract_features(image) if options.features else None, tokens)

    def _store_batch(self) -> None:
        batch = [made.result() for made, _ in islice(self._made, _BATCH)]
        self._storing = True
        self.store(batch)
        for _ in batch:
            self._made.popleft()
        self._storing = False
        self.written += len(batch)

    def store(self, batch: Sequence[NewPlace]) -> None:
        """Store a batch, all of it or nothing."""
        self._place_map.add_places(self._session, batch)


def thumbnail_of(image: Image) -> bytes:
    """Return a JPEG whose short side is at most 240 pixels."""
    scale = min(1.0, _THUMBNAIL_SIDE / min(image.shape[:2]))
    if scale < 1:
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale,
                                      interpolation=cv2.INTER_AREA), np.uint8)
    _, data = cv2.imencode('.jpg', cv2.cvtColor(image, cv2.COLOR_RGB2BGR),
                           [cv2.IMWRITE_JPEG_QUALITY, 85])
    return data.tobytes()
