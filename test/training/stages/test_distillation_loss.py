# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
from safetensors.torch import load_file
from tetra_vpr_ros.training.network.place_network import PlaceNetwork
from tetra_vpr_ros.training.network.vit import load_timm_trunk
from tetra_vpr_ros.training.stages.distillation_loss import DistillationLoss, DistillHeads
from tetra_vpr_ros.training.stages.teacher_source import DistillBatch
from tetra_vpr_ros.training.teachers.open_teacher import open_teacher
import torch
from training_data import PAPER


def test_attention_that_equals_the_teachers_costs_nothing(recipe, load, vit_teacher, trunk_file):
    stage = load(recipe, distill__teacher=vit_teacher, distill__losses=PAPER,
                 distill__q_schedule='sigmoid').distill
    teacher = open_teacher(stage.teacher)
    images = torch.randint(0, 255, (3, 56, 56, 3), dtype=torch.uint8)
    out = teacher(images)
    batch = DistillBatch(['a', 'b', 'c'], images, out.patches, out.class_token, out.attention)
    terms = {}
    for start in ('same', 'random'):
        network = PlaceNetwork(load(recipe).network)
        if start == 'same':
            load_timm_trunk(network.backbone, load_file(str(trunk_file)))
        loss = DistillationLoss(stage, network, DistillHeads(48, 48, 48), out.grid, None)
        terms[start] = loss(batch, 0.0)['attention'].item()
    assert abs(terms['same']) < 0.1 * terms['random']
