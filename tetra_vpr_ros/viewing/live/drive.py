# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A recorded drive, localized as the robot would, for the live view; no ROS is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
import time

from tetra_vpr_ros.localization import LocalizerOptions
from tetra_vpr_ros.localization.picture_localizer import PictureLocalizer
from tetra_vpr_ros.mapping import BagError, BagSource, MapError, PlaceMap
from tetra_vpr_ros.mapping.map.place_map import model_of_map
from tetra_vpr_ros.mapping.sources.bag_traverse import HEADER
from tetra_vpr_ros.mapping.sources.recording.image_message import ImageMessage
from tetra_vpr_ros.viewing.live.moment import moment_of
from tetra_vpr_ros.viewing.live.plan import plan_of_map
from tetra_vpr_ros.viewing.live.state import LiveState
from tetra_vpr_ros.vision import ImageError, PlaceEncoder
from tetra_vpr_ros.vision.side_by_side import side_by_side
from tqdm import tqdm

_LONGEST = 2.0  # seconds of a pause in a recording that are waited for


class Pace:
    """
    Holds frames back until they are due.

    :param rate: how many times as fast as recorded; 0 holds nothing back.
    :param clock: seconds; replaced in tests.
    :param sleep: waits for seconds; replaced in tests.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic,
                 sleep: Callable[[float], None] = time.sleep) -> None:
        """Begin with the next frame."""
        self._rate, self._clock, self._sleep = rate, clock, sleep
        self._last: int | None = None
        self._due = 0.0

    def wait(self, stamp_ns: int) -> None:
        """Wait until a frame with this stamp is due; a late one delays those after it."""
        now = self._clock()
        if self._last is not None and self._rate > 0:
            apart = min(max((stamp_ns - self._last) * 1e-9, 0.0), _LONGEST)
            self._due = max(self._due + apart / self._rate, now)
            if self._due > now:
                self._sleep(self._due - now)
        else:
            self._due = now
        self._last = stamp_ns


@dataclass(frozen=True)
class DriveOptions:
    """
    What is driven, where, and how fast.

    :ivar bag: with images; poses are not needed.
    :ivar map_file: the map.
    :ivar model: of the map; None for the shipped one that it was made with.
    :ivar filter_name: of the localizer.
    :ivar image_topic: None finds it by type.
    :ivar image_time: whose times the images have, see `bag_traverse.Topics`.
    :ivar rate: see `Pace`.
    """

    bag: Path
    map_file: Path
    model: Path | None = None
    filter_name: str = 'bayes'
    image_topic: str | None = None
    image_time: str = HEADER
    rate: float = 1.0


class Drive:
    """
    A bag and a map, opened; `follow` goes through it.

    :param options: what to open.
    :raises BagError: the bag cannot be used.
    :raises MapError: the map cannot be used.
    :raises ModelError: the model cannot be used.
    """

    def __init__(self, options: DriveOptions) -> None:
        """Open both."""
        self._options = options
        self._encoder = PlaceEncoder(model_of_map(options.map_file, options.model), threads=0)
        self._map = PlaceMap.open_file(options.map_file)
        try:
            if not len(self._map):
                raise MapError(f'{options.map_file} holds no place: build it again')
            self._asked = PictureLocalizer(self._map, self._encoder,
                                           LocalizerOptions(options.filter_name))
            self.plan = plan_of_map(self._map)
            with BagSource(options.bag) as bag:
                self._topic = bag.find_image_topic(options.image_topic)
                self.length = bag.message_count(self._topic)
        except BaseException:
            self._map.close()
            raise

    def close(self) -> None:
        """Let go of the map."""
        self._map.close()

    def follow(self, state: LiveState, pace: Pace | None = None) -> int:
        """
        Localize frame after frame and tell the live view.

        :param state: of the view.
        :param pace: None is that of the options.
        :returns: how many frames were localized; those before a damage of the bag, which is told.
        """
        pace = pace or Pace(self._options.rate)
        done = left_out = undrawn = 0
        name = f'{self._options.bag.name}, {self._topic}'
        state.lay_out(self.plan)
        state.tell({'source': f'recorded: {name}', 'detail': 'waiting for the first frame'})
        problems: list[str] = []
        with BagSource(self._options.bag) as bag:
            bar = tqdm(self._messages(bag, problems), total=self.length,
                       desc=self._options.bag.name, unit='frame')
            for number, message in enumerate(bar, 1):
                pace.wait(message.taken_ns(self._options.image_time == HEADER))
                progress = (number, max(number, self.length))
                try:
                    undrawn += not self._localize(message, state, progress)
                    done += 1
                except ImageError as error:
                    left_out += 1
                    state.tell({'detail': f'frame left out: {error}', 'progress': progress})
            problems += bag.problems
        if left_out:
            problems.append(f'{left_out} frames cannot be decoded')
        if undrawn:
            problems.append(f'{undrawn} pictures of places cannot be shown')
        told = f"; {'; '.join(problems)}" if problems else ''
        state.tell({'source': f'recorded: {name}: the drive has ended{told}'})
        return done

    def _messages(self, bag: BagSource, problems: list[str]) -> Iterator[ImageMessage]:
        """Yield images up to the end, or to a damage, which is told: what came before counts."""
        try:
            yield from bag.images(self._topic)
        except BagError as error:
            problems.append(str(error))

    def _localize(self, message: ImageMessage, state: LiveState, progress: tuple[int, int]
                  ) -> bool:
        """Tell where a frame was taken; return whether its place could be shown."""
        began = time.perf_counter()
        picture = message.decode()
        localizer = self._asked.localizer
        estimate = self._asked.locate(
            picture, message.taken_ns(self._options.image_time == HEADER))
        latency = 1e3 * (time.perf_counter() - began)
        moment = moment_of(estimate, localizer.believed(), localizer.table)
        moment['latency_ms'], moment['progress'] = round(latency, 1), progress
        state.tell(moment, frame=True)
        try:
            state.show(side_by_side(
                picture, self._map.thumbnail(estimate.place_id),
                f'place {estimate.place_id}  {estimate.distance}/{self._map.bits}'))
        except ImageError as error:  # the frame was localized all the same
            state.tell({'detail': f'place {estimate.place_id} cannot be shown: {error}'})
            return False
        return True
