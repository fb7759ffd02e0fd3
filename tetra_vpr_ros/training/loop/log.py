# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a run writes down of its losses."""

from __future__ import annotations

import csv
import logging
from pathlib import Path

_LOG = logging.getLogger(__name__)


class Log:
    """
    A CSV file, and TensorBoard's where it is installed.

    :param folder: of the run.
    :param stage: names the files.
    :param start: rows of this step and later are dropped: they will come again.
    """

    def __init__(self, folder: Path, stage: str, start: int) -> None:
        """Open the files."""
        self.path = folder / f'{stage}.csv'
        rows: list[list[str]] = []
        if self.path.exists():
            with self.path.open(newline='') as file:
                rows = list(csv.reader(file))
        self._header = rows[0] if rows and start else []
        # A line that was cut off by a full disk is none.
        kept = [row for row in rows[1:] if start and row and row[0].isdecimal()
                and int(row[0]) < start]
        self._file = self.path.open('w', newline='')
        self._csv = csv.writer(self._file)
        if self._header:
            self._csv.writerows([self._header, *kept])
        self._board = None
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            _LOG.warning('no TensorBoard log: pip install tensorboard')
        else:
            self._board = SummaryWriter(str(folder / 'tensorboard' / stage), purge_step=start)

    def write(self, step: int, values: dict[str, float]) -> None:
        """Write one row."""
        if not self._header:
            self._header = ['step', *values]
            self._csv.writerow(self._header)
        self._csv.writerow([step, *(f'{value:.6g}' for value in values.values())])
        self._file.flush()
        self.board(step, values)

    def board(self, step: int, values: dict[str, float]) -> None:
        """Write to TensorBoard only."""
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        if self._board is not None:
            self._board.close()
