# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Image bytes to binary place descriptors."""

from tetra_vpr_ros.vision.decoding import (
    decode_compressed, decode_message, decode_raw, ImageError)
from tetra_vpr_ros.vision.encoder import Descriptor, Encodings, PlaceEncoder
from tetra_vpr_ros.vision.model_file import (
    default_model_path, find_model, ModelError, ModelInfo, shipped_model_with, shipped_models)

__all__ = ['Descriptor', 'Encodings', 'ImageError', 'ModelError', 'ModelInfo', 'PlaceEncoder',
           'decode_compressed', 'decode_message', 'decode_raw', 'default_model_path',
           'find_model', 'shipped_model_with', 'shipped_models']
