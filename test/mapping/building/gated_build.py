# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
``build_map`` whose workers stop at a gate once they have stored their first places.

A worker imports this file again, and so gets the gate, too: the folder that the variable
GATE of the environment names. It opens when there is a file ``open`` in it.
"""

import os
from pathlib import Path
import sys
import time

from tetra_vpr_ros.mapping.building import writer

GATE = Path(os.environ['GATE'])
store = writer.PlaceWriter.store


def store_and_wait(*args):
    store(*args)
    (GATE / f'stored.{os.getpid()}').touch()
    while not (GATE / 'open').exists():
        time.sleep(0.01)


writer.PlaceWriter.store = store_and_wait

if __name__ == '__main__':
    from tetra_vpr_ros.nodes.build_map import main
    sys.exit(main(sys.argv[1:]))
