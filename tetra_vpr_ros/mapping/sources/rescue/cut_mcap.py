# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""MCAP files whose recording ended in mid-message, as when the robot lost its power."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from mcap.records import Channel, Message, Schema
from mcap.stream_reader import StreamReader
from mcap.writer import Writer
from tqdm import tqdm


def recover_mcap(path: Path, output: Path, progress: bool = False) -> int:
    """
    Copy what can be read of an MCAP file from its beginning; like ``mcap recover``.

    :param path: of the damaged file.
    :param output: of the copy, which is whole.
    :param progress: show a bar.
    :returns: how many messages were recovered; 0 where the file is no MCAP file at all.
    """
    count = 0
    schemas: dict[int, int] = {0: 0}
    channels: dict[int, int] = {}
    with path.open('rb') as file, output.open('wb') as copy, tqdm(
            total=path.stat().st_size, unit='B', unit_scale=True, leave=False,
            desc=f'recovering {path.name}', disable=not progress) as bar:
        writer = Writer(copy)
        writer.start('ros2', 'tetra_vpr_ros')
        # Bytes that mean nothing raise errors of any kind: there the file ends.
        with suppress(Exception):
            for record in StreamReader(file, record_size_limit=path.stat().st_size).records:
                if isinstance(record, Schema):
                    schemas[record.id] = writer.register_schema(
                        record.name, record.encoding, record.data)
                elif isinstance(record, Channel):
                    channels[record.id] = writer.register_channel(
                        record.topic, record.message_encoding, schemas[record.schema_id],
                        record.metadata)
                elif isinstance(record, Message):
                    writer.add_message(channels[record.channel_id], record.log_time,
                                       record.data, record.publish_time, record.sequence)
                    count += 1
                bar.update(file.tell() - bar.n)
        writer.finish()  # type: ignore[no-untyped-call]
    return count
