# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Messages of bags: rosbag2 folders, .mcap, .db3 and ROS 1 .bag, without ROS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
import sqlite3
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, TypeVar

from rosbags.highlevel import AnyReader
from rosbags.interfaces import Connection
from rosbags.typesys import get_typestore, Stores
from tetra_vpr_ros.mapping.sources.rescue.sound_files import (
    MissingMcapError, sound_files, storage_files)
from tetra_vpr_ros.mapping.sources.rescue.sqlite_log import (
    copy_with_logs, files_with_logs, log_of)

Item = TypeVar('Item')
Reader = TypeVar('Reader', bound='BagReader')
_SUFFIXES = ('.mcap', '.db3', '.bag')
_FOREIGN = ('protobuf', 'ros1msg', 'jsonschema', 'flatbuffer')  # what else MCAP may hold
_Raw = tuple[Connection, int, bytes]


class BagError(RuntimeError):
    """A bag that cannot be used; the text names it and how to mend it."""


class BagReader:
    """
    One bag, opened for reading.

    :param path: rosbag2 folder or file, or ROS 1 bag.
    :param progress: show a progress bar while it is read.
    :raises BagError: the bag is missing, damaged or of an unknown format.
    :ivar problems: what could not be read so far, for a person.
    :ivar notes: what else a person should know.
    """

    def __init__(self, path: Path | str, progress: bool = False) -> None:
        """Open the bag."""
        self.path = Path(path)
        self._progress = progress
        if not self.path.exists():
            raise BagError(f'no such bag: {self.path}')
        if self.path.is_dir() and not (self.path / 'metadata.yaml').is_file():
            raise BagError(f'{self.path} has no metadata.yaml, so it is no rosbag2 folder: '
                           "name one, or a .mcap, .db3 or .bag file, or run 'ros2 bag reindex'")
        if self.path.is_file() and self.path.suffix not in _SUFFIXES:
            raise BagError(f'{self.path} is no bag: name a rosbag2 folder, or a file that ends '
                           f"in {', '.join(_SUFFIXES)}")
        self.problems: list[str] = []
        self.notes: list[str] = []
        self._malformed: set[str] = set()
        self._copies: list[str] = []
        self._rescued = False
        self._stack = ExitStack()
        self._opened = self._with_logs()
        try:
            self._reader = self._open([self._opened])
        except Exception as error:  # the readers raise their own, sqlite3's and struct's errors
            try:
                self._reader = self._open(self._recovered(error))
            except BagError:
                self._stack.close()
                raise
            except Exception as second:  # the copy is whole, yet what it holds is not
                self._stack.close()
                told = self._told(second)
                if told.strip("'") in _FOREIGN:
                    raise BagError(f'{self.path} holds messages of {told}, not of ROS 2: convert '
                                   'it, or name the bag that it was made of') from second
                raise BagError(f'{self.path} cannot be read: {told}; copy it again') from second

    def _with_logs(self) -> Path:
        """Return a copy of a bag whose recorder left messages in logs of SQLite, or the bag."""
        files = files_with_logs(self.path)
        if not files:
            return self.path
        told = f'{log_of(files[0])} holds the last messages of a recorder that was killed'
        try:
            copy = copy_with_logs(self.path, files, self._temporary_folder())
        except (OSError, sqlite3.Error) as error:
            self.problems.append(f'{told}; they are not read ({error}): bring them into the bag '
                                 f"with sqlite3 {files[0]} 'PRAGMA wal_checkpoint'")
            return self.path
        self.notes.append(f'{told}: they are read, too')
        return copy

    def _temporary_folder(self) -> Path:
        """Return a folder that is there while the bag is open."""
        folder = self._stack.enter_context(TemporaryDirectory(prefix='tetra_vpr_recovered_'))
        self._copies.append(folder)
        return Path(folder)

    def _told(self, error: Exception | str) -> str:
        """Return what an error says, of the bag where it is of a copy."""
        text = str(error)
        for folder in self._copies:
            text = text.replace(folder, str(self.path if self.path.is_dir() else self.path.parent))
        return text

    def _open(self, paths: Sequence[Path]) -> AnyReader:
        reader = self._stack.enter_context(AnyReader(
            paths, default_typestore=get_typestore(Stores.ROS2_JAZZY)))
        for connection in reader.connections:  # YAML and SQLite hold any type for a text
            for text in (connection.topic, connection.msgtype):
                if not isinstance(text, str):
                    raise ValueError(f'a topic or its type is called {text!r:.80}')
        return reader

    def _recovered(self, error: Exception, among_messages: bool = False) -> list[Path]:
        """Return whole files with what can be read of a bag that cannot, and tell of the rest."""
        try:
            files, told = sound_files(self._opened, self._problem, self._temporary_folder(),
                                      self._progress, among_messages)
        except MissingMcapError as missing:
            raise BagError(f'{self.path} is cut off ({error}): {missing}') from missing
        except OSError as full:
            raise BagError(f'{self.path} is cut off ({error}), and what it holds cannot be copied '
                           f'({full}): make room, or set TMPDIR to a folder with more') from full
        if not files:
            raise BagError(f'{self.path} cannot be read: {self._told(error)}; copy it again, or '
                           "try 'ros2 bag reindex'") from error
        self.problems += [self._told(text) for text in told] or [
            f'{self.path} is damaged ({self._told(error)}): what can be read of it is used']
        self._rescued = True
        return files

    def _problem(self, file: Path) -> str:
        """Return why a file of the bag cannot be opened; empty when it can."""
        try:
            with AnyReader([file]):
                return ''
        except Exception as error:  # as above
            return self._told(error)

    def __enter__(self: Reader) -> Reader:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Close the bag."""
        self._stack.close()

    def topics(self) -> dict[str, str]:
        """Return all topics with their types."""
        return {c.topic: c.msgtype for c in self._reader.connections}

    @property
    def end(self) -> int:
        """Return when the last message was recorded, nanoseconds."""
        return self._reader.end_time

    def message_count(self, topic: str) -> int:
        """Return the number of messages of a topic, as far as the bag tells it."""
        counts: list[Any] = [c.msgcount for c in self._connections(topic)]
        return sum(count for count in counts if isinstance(count, int))  # metadata may hold any

    def _connections(self, topic: str) -> list[Connection]:
        return [c for c in self._reader.connections if c.topic == topic]

    def _messages(self, topics: Sequence[str], take: Callable[[Connection, int, Any], Item],
                  every: int = 0, start: int | None = None) -> Iterator[Item]:
        """
        Yield what is taken of the messages, given their connection and when they came.

        :param topics: of the messages.
        :param take: of one message.
        :param every: nanoseconds; of messages that come faster only some are looked at, and
            the last.
        :param start: nanoseconds; those that were recorded before do not matter.
        """
        for connection, received, data in _thinned(self._raw(topics, start), every):
            try:
                item = take(connection, received,
                            self._reader.deserialize(data, connection.msgtype))
            except Exception as error:  # of one message: the next may be sound
                if connection.topic not in self._malformed:
                    self._malformed.add(connection.topic)
                    self.problems.append(f'{self.path}: malformed messages on '
                                         f'{connection.topic}, the first: {error}')
                continue
            yield item

    def _raw(self, topics: Sequence[str], start: int | None) -> Iterator[_Raw]:
        reader = self._reader
        connections = [c for name in topics for c in self._connections(name)]
        messages = reader.messages(connections, start) if connections else iter(())
        seen: int | None = None
        while True:
            try:
                message = next(messages)
            except StopIteration:
                break
            except Exception as error:
                if reader is self._reader:  # nobody else has met the damage
                    if self._rescued or not storage_files(self._opened):
                        raise BagError(f'{self.path} is damaged at {topics[0]}: '
                                       f'{self._told(error)}') from error
                    self._reader = self._open(self._recovered(error, among_messages=True))
                yield from self._raw(topics, start if seen is None else seen + 1)
                return
            seen = message[1]
            yield message
        files = [] if seen is not None or start else self._files_beside_metadata()
        if files and any(c.msgcount for c in connections):
            # Whoever changed the QoS in metadata.yaml to play it sees no message by it.
            self._reader = self._open(files)
            yield from self._raw(topics, start)

    def _files_beside_metadata(self) -> list[Path]:
        """Return the files of a folder that was opened by its metadata."""
        if self._reader.paths != [self._opened] or not self._opened.is_dir():
            return []
        return storage_files(self._opened)


def _thinned(messages: Iterator[_Raw], every: int) -> Iterator[_Raw]:
    due, passed = None, None
    for message in messages:
        passed = message
        if due is None or message[1] >= due:
            due, passed = message[1] + every, None
            yield message
    if passed is not None:
        yield passed
