# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a map file."""


class MapError(RuntimeError):
    """A map file that cannot be used; the text names the file and how to mend it."""


class ModelMismatchError(MapError):
    """A map that was built with another model."""
