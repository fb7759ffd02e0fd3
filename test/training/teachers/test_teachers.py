# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import onnx
from onnx import helper, TensorProto
import pytest
from tetra_vpr_ros.training.network.vit import ViTConfig
from tetra_vpr_ros.training.teachers.open_teacher import open_teacher, TeacherConfig
from tetra_vpr_ros.training.teachers.teacher import align, TeacherError
import torch

IMAGE = torch.randint(0, 255, (2, 56, 56, 3), dtype=torch.uint8)


def test_resnet_gives_a_map_without_class_token(resnet_file):
    teacher = open_teacher(TeacherConfig('resnet50', str(resnet_file)))
    out = teacher(torch.randint(0, 255, (2, 64, 96, 3), dtype=torch.uint8))
    assert out.patches.shape == (2, 24, teacher.patch_channels)
    assert out.grid == (4, 6)
    assert out.class_token is None
    assert out.attention is None


def test_vit_gives_tokens_and_attention_softened_by_the_temperature(trunk_file):
    vit = ViTConfig(image_size=56, width=48, depth=2, heads=3)
    outs = {}
    for temperature in (1.0, 4.0):
        teacher = open_teacher(TeacherConfig('vit', str(trunk_file), vit=vit,
                                             attention_layers=2, temperature=temperature))
        outs[temperature] = teacher(IMAGE)
    out = outs[4.0]
    assert out.patches.shape == (2, 16, 48)
    assert out.class_token.shape == (2, 48)
    assert out.attention.shape == (2, 2, 17, 17)
    assert torch.allclose(out.attention.sum(-1), torch.ones(2, 2, 17), atol=1e-5)
    assert out.attention.amax() < outs[1.0].attention.amax()
    assert not any(p.requires_grad for p in teacher.parameters())


def test_several_teachers_stand_side_by_side(resnet_file, trunk_file, load, recipe):
    vit = {'image_size': 56, 'width': 48, 'depth': 2, 'heads': 3}
    recipe['distill']['teacher'] = {
        'kind': 'resnet50', 'path': str(resnet_file), 'image_size': 64,
        'beside': [{'kind': 'vit', 'path': str(trunk_file), 'vit': vit, 'weight': 0.5}]}
    teacher = open_teacher(load(recipe).distill.teacher)
    picture = torch.randint(0, 255, (2, 64, 64, 3), dtype=torch.uint8)
    out, alone = teacher(picture[:, :56, :56]), open_teacher(
        TeacherConfig('resnet50', str(resnet_file)))(picture[:, :56, :56])
    assert out.grid == alone.grid == (4, 4)
    assert out.patches.shape == (2, 16, teacher.patch_channels) == (2, 16, 1024 + 48)
    cosine = torch.nn.functional.cosine_similarity(
        out.patches[..., :1024], torch.nn.functional.layer_norm(alone.patches, (1024,)), dim=2)
    assert cosine.min() > 0.999
    variance = [out.patches[..., part].var(2).mean().item()
                for part in (slice(1024), slice(1024, None))]
    assert variance == pytest.approx([1.0, 0.25], rel=0.05)
    assert out.attention is None


def test_dinov2_from_a_directory(tmp_path):
    transformers = pytest.importorskip('transformers', reason='DINOv2 needs transformers')
    config = transformers.Dinov2Config(hidden_size=48, num_hidden_layers=2, image_size=56,
                                       num_attention_heads=3, patch_size=14)
    model = transformers.Dinov2Model(config).eval()
    model.save_pretrained(tmp_path / 'dino')
    teacher = open_teacher(TeacherConfig('dinov2', str(tmp_path / 'dino'), attention_layers=1,
                                         temperature=1.0))
    out = teacher(IMAGE)
    assert out.grid == (4, 4)
    assert out.attention.shape == (2, 1, 17, 17)
    mean = 255 * torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1)
    std = 255 * torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1)
    with torch.no_grad():
        wanted = model(pixel_values=(IMAGE.permute(0, 3, 1, 2) - mean) / std).last_hidden_state
    assert torch.allclose(out.patches, wanted[:, 1:], atol=1e-4)
    assert torch.allclose(out.class_token, wanted[:, 0], atol=1e-4)
    with pytest.raises(TeacherError, match='neither a directory nor'):
        open_teacher(TeacherConfig('dinov2', str(tmp_path / 'none')))


def test_onnx_and_torchscript_files(tmp_path):
    kernel = torch.randn(8, 3, 14, 14) * 0.01
    node = helper.make_node('Conv', ['x', 'k'], ['y'], strides=[14, 14])
    graph = helper.make_graph(
        [node], 'teacher',
        [helper.make_tensor_value_info('x', TensorProto.FLOAT, ['N', 3, 'H', 'W'])],
        [helper.make_tensor_value_info('y', TensorProto.FLOAT, ['N', 8, 'R', 'C'])],
        [onnx.numpy_helper.from_array(kernel.numpy(), 'k')])
    onnx.save(helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid('', 18)]),
              str(tmp_path / 'teacher.onnx'))
    from_onnx = open_teacher(TeacherConfig('onnx', str(tmp_path / 'teacher.onnx'), 56))(IMAGE)
    assert from_onnx.grid == (4, 4)
    assert from_onnx.patches.shape == (2, 16, 8)

    class Tokens(torch.nn.Module):

        def forward(self, x):
            patches = torch.nn.functional.avg_pool2d(x, 14).flatten(2).transpose(1, 2)
            return torch.cat([patches.mean(1, keepdim=True), patches], dim=1)

    path = tmp_path / 'teacher.pt'
    torch.jit.trace(Tokens(), torch.zeros(1, 3, 56, 56)).save(str(path))
    teacher = open_teacher(TeacherConfig('torchscript', str(path), 56))
    out = teacher(IMAGE)
    assert (teacher.patch_channels, teacher.class_channels, out.grid) == (3, 3, (4, 4))
    assert torch.allclose(out.class_token, out.patches.mean(1), atol=1e-5)
    torch.jit.trace(torch.nn.Flatten(), torch.zeros(1, 3, 56, 56)).save(str(path))
    with pytest.raises(TeacherError, match='yields shape'):
        open_teacher(TeacherConfig('torchscript', str(path), 56))


def test_what_cannot_be_opened_is_named(tmp_path):
    broken = tmp_path / 'broken.onnx'
    broken.write_bytes(b'no model')
    with pytest.raises(TeacherError, match=r'broken\.onnx cannot be opened'):
        open_teacher(TeacherConfig('onnx', str(broken)))
    with pytest.raises(TeacherError, match='no such teacher file'):
        open_teacher(TeacherConfig('resnet50', str(tmp_path / 'none.safetensors')))


def test_a_token_map_is_aligned_with_the_students_grid():
    rows = torch.arange(8.0).reshape(1, 8, 1, 1).expand(1, 8, 8, 2).reshape(1, 64, 2)
    aligned = align(rows, (8, 8), (4, 6))
    assert aligned.shape == (1, 24, 2)
    by_row = aligned.reshape(4, 6, 2)[:, 0, 0]
    assert torch.allclose(by_row, torch.tensor([0.5, 2.5, 4.5, 6.5]), atol=0.3)
    assert align(rows, (8, 8), (8, 8)) is rows
