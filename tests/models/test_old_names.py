"""Weights of torchvision's first files, and of other image sizes, under the names of today."""

import numpy as np
import pytest

from minires import models, storage
from minires.errors import CheckpointError


def test_a_densenet_reads_the_first_names(tmp_path):
    model = models.densenet_bc100(rng=0)
    first = {
        name.replace("norm1.", "norm.1.").replace("norm2.", "norm.2.").replace("conv1.", "conv.1."): array
        for name, array in model.state_dict().items()
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in first
    assert first.keys() != model.state_dict().keys()
    storage.save(tmp_path / "w", first)
    other = models.densenet_bc100(rng=1)
    other.load(tmp_path / "w")
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[name], array)


def test_a_vision_transformer_reads_the_first_names_and_positions_of_another_size(tmp_path):
    torch = pytest.importorskip("torch")
    model = models.vit_tiny_cifar(rng=0)
    first = {
        name.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): array
        for name, array in model.state_dict().items()
    }
    storage.save(tmp_path / "w", first)
    for size in (32, 48, 20, 4):
        other = models.vit_tiny_cifar(image_size=size, rng=1)
        other.load(tmp_path / "w")
        n = size // 4
        before = model.encoder.pos_embedding.data
        grid = torch.from_numpy(before[:, 1:].reshape(1, 8, 8, 64)).permute(0, 3, 1, 2)
        grid = torch.nn.functional.interpolate(grid, (n, n), mode="bicubic", align_corners=True)
        after = other.encoder.pos_embedding.data
        np.testing.assert_array_equal(after[:, 0], before[:, 0])
        np.testing.assert_allclose(after[:, 1:], grid.permute(0, 2, 3, 1).reshape(1, n * n, 64), atol=1e-6)
        np.testing.assert_array_equal(other.conv_proj.weight.data, model.conv_proj.weight.data)


def test_positions_that_are_no_square_are_refused(tmp_path):
    state = models.vit_tiny_digits(rng=0).state_dict()
    state["encoder.pos_embedding"] = state["encoder.pos_embedding"][:, :-1]
    storage.save(tmp_path / "w", state)
    with pytest.raises(CheckpointError, match=r"encoder\.pos_embedding \(file \(1, 16, 64\), model \(1, 17, 64\)\)"):
        models.vit_tiny_digits(rng=0).load(tmp_path / "w")
