# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The service that forgets the belief and answers when the robot is localized again."""

from __future__ import annotations

from collections.abc import Callable, Generator
import threading
import time

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from std_srvs.srv import Trigger
from tetra_vpr_ros.localization import Estimate

_NAP = 0.002


class _Answer:
    """
    What a request waits for.

    rclpy asks a waiting coroutine whenever its executor wakes: the nap, which lasts
    only while a request waits, leaves the processor to others.
    """

    def __init__(self, seconds: float, number: int) -> None:
        self.number = number
        self._deadline = time.monotonic() + seconds
        self._told = threading.Event()
        self.success = False
        self.message = 'no usable image has come'

    def tell(self, success: bool, message: str) -> None:
        """Answer."""
        self.success, self.message = success, message
        self._told.set()

    def __await__(self) -> Generator[None, None, None]:
        """Wait until it is told or too late."""
        while not self._told.wait(_NAP) and time.monotonic() < self._deadline:
            yield


class RelocalizeService:
    """
    ``~/relocalize``.

    :param node: it belongs to.
    :param begin: forgets the belief; returns how often it has been forgotten by now, and
        why that cannot be done or an empty text.
    :param timeout: seconds, asked at each request.
    """

    def __init__(self, node: Node, begin: Callable[[], tuple[int, str]],
                 timeout: Callable[[], float]) -> None:
        """Offer the service."""
        self._begin, self._timeout = begin, timeout
        self._lock = threading.Lock()
        self._waiting: list[_Answer] = []
        # A group of its own: a waiting request holds up no image.
        node.create_service(Trigger, '~/relocalize', self._serve,
                            callback_group=ReentrantCallbackGroup())

    async def _serve(self, request: Trigger.Request, response: Trigger.Response
                     ) -> Trigger.Response:
        seconds = self._timeout()
        with self._lock:  # nobody tells anything between the two steps
            number, refusal = self._begin()
            answer = _Answer(seconds, number)
            self._waiting.append(answer)
        if refusal:
            answer.tell(False, refusal)
        await answer
        with self._lock:
            if answer in self._waiting:
                self._waiting.remove(answer)
        response.success = answer.success
        response.message = refusal or (
            answer.message if answer.success else
            f'not localized within {seconds:g} s: {answer.message}')
        return response

    def tell(self, estimate: Estimate, number: int) -> bool:
        """
        Answer with an accepted estimate, or keep why it is not accepted.

        :param estimate: from the belief.
        :param number: how often that belief had been forgotten; requests that came
            later are not answered.
        :returns: whether a request was answered that the robot is localized.
        """
        answered = False
        with self._lock:
            for answer in self._waiting:
                if answer.number > number or answer.success:
                    continue
                answer.message = estimate.rejection
                if estimate.accepted:
                    answered = True
                    answer.tell(True, f'localized at place {estimate.place_id}, confidence '
                                f'{estimate.confidence:.4f}')
        return answered

    def give_up(self, reason: str) -> None:
        """Answer waiting requests that nothing will come."""
        with self._lock:
            for answer in self._waiting:
                answer.tell(False, reason)
            self._waiting.clear()
