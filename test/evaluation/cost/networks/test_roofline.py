# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import pytest
from tetra_vpr_ros.evaluation.cost.networks import roofline
from tetra_vpr_ros.vision import default_model_path


def test_products_of_the_shipped_model():
    products = roofline.ternary_products(default_model_path())
    assert products.pop((1, 2048, 2048)) == 1  # the descriptor, once of a picture
    assert sum(products.values()) == 32  # four a block
    assert all(m == 197 for m, _, _ in products)
    assert roofline.operations(products) == pytest.approx(2e-9 * 197 * 14_155_776)
    assert roofline.product_gops(products, 1, iterations=2) > 0
