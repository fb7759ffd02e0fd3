# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
What a place costs: the file, the memory and the milliseconds of encoder and search.

All networks are timed in one run, in turns, so that a busy machine slows all of
them alike: compare ratios, not milliseconds of different runs.
"""

from __future__ import annotations

import argparse
from pathlib import Path
import sys

from tetra_vpr_ros.command_line import FAILED, run_command, usable_cores, whole
from tetra_vpr_ros.evaluation.cost.networks import AUTHORS_SIZE


def main() -> int:
    """Run from the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog='benchmark', description=__doc__)
    parser.add_argument('--model', type=Path, help='instead of the shipped one')
    parser.add_argument('--threads', type=whole(1), default=usable_cores())
    parser.add_argument('--iterations', type=whole(1), default=50)
    names = list(AUTHORS_SIZE)
    parser.add_argument('--baselines', nargs='*', default=names, choices=names, metavar='NAME',
                        help=f"of {', '.join(names)}; none after the option")
    parser.add_argument('--places', type=whole(1), nargs='*', default=[10_000, 100_000, 1_000_000])
    parser.add_argument('--json', type=Path, metavar='OUT')
    parser.add_argument('--markdown', type=Path, metavar='OUT', help='else printed')
    parser.add_argument('--update', type=Path, metavar='DOCUMENT.md',
                        help='put the tables in the place of those that the document has of this '
                        'processor, or behind the last of them')
    parser.add_argument('--scaling', type=Path, metavar='OUT.png',
                        help='measure instead how cost grows with tokens, bits and places, and '
                        'draw it; needs the training extra')
    parser.add_argument('--large-map', type=whole(1000), metavar='PLACES',
                        help='measure instead a map of very many places: writing, opening, '
                        'asking and memory')
    parser.add_argument('--tokens', action='store_true',
                        help='the places of the large map have patch tokens, 3 kB each, the '
                        'reading of which is measured, too')
    parser.add_argument('--cells', type=whole(1000), metavar='PLACES',
                        help='measure instead the search in cells, as maps of cities need it')
    parser.add_argument('--growth', type=Path, metavar='OUT.png',
                        help='measure instead what a frame costs in maps of a thousand places '
                        'to --most, and draw it')
    parser.add_argument('--most', type=whole(1000), default=10_000_000, metavar='PLACES',
                        help='of the largest map of --growth (default: ten millions, which take '
                        'an hour, 3 GB of memory and 6 GB of the disk)')
    parser.add_argument('--profile', action='store_true',
                        help='print instead what each operator of the encoder takes')
    parser.add_argument('--start', action='store_true',
                        help='measure instead the time from the start of a process to its first '
                        'match in a map of 10 000 places')
    parser.add_argument('--bits', type=whole(8), default=1024,
                        help="of a made-up map's descriptors (default: 1024)")
    options = parser.parse_args()
    if options.bits % 8:
        parser.error(f'--bits must be a multiple of 8, not {options.bits}')
    if options.update and not options.update.is_file():
        parser.error(f'--update: there is no document {options.update}')
    try:
        from tetra_vpr_ros.evaluation.cost.asked import measure
    except ModuleNotFoundError as error:  # a robot has no onnx
        print(f'benchmark needs further packages ({error.name} is missing): '
              "pip install 'tetra_vpr_ros[benchmark]'", file=sys.stderr)
        return FAILED
    return run_command(lambda: measure(options), (RuntimeError, ValueError), 'error',
                       'interrupted: nothing was written')


if __name__ == '__main__':
    sys.exit(main())
