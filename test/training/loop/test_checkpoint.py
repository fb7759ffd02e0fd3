# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import os

import pytest
from tetra_vpr_ros.training.loop.checkpoint import newest_checkpoint


@pytest.mark.parametrize('files, distilled, last', [
    (['distill.pt'], 'distill.pt', 'distill.pt'),
    (['distill.pt', 'distill_best.pt'], 'distill_best.pt', 'distill_best.pt'),
    (['distill.pt', 'tokens.pt'], 'tokens.pt', 'tokens.pt'),
    (['distill.pt', 'tokens.pt', 'finetune.pt'], 'tokens.pt', 'finetune.pt'),
    # Fitted after stage 2, they are no start of it.
    (['distill.pt', 'finetune.pt', 'tokens.pt'], 'distill.pt', 'tokens.pt'),
    (['tokens.pt', 'distill.pt'], 'distill.pt', 'distill.pt'),
    (['distill.pt', 'tokens.pt', 'words.pt'], 'words.pt', 'words.pt'),
    (['distill.pt', 'words.pt', 'tokens.pt'], 'tokens.pt', 'tokens.pt'),
    ([], None, None)])
def test_fitted_heads_belong_to_the_last_stage_before_them(tmp_path, files, distilled, last):
    for age, name in enumerate(files):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (age, age))

    def named(path):
        return path and path.name

    assert named(newest_checkpoint(tmp_path, 'distill')) == distilled
    assert named(newest_checkpoint(tmp_path, 'finetune', 'distill')) == last
