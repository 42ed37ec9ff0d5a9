"""models/vit.py: counts, sizes, first weights, dropout, and what is refused."""

import numpy as np
import pytest

from minires import Tensor, data, gradcheck, kernels, models, no_grad, ops, optim
from minires.errors import DTypeError, OptionError, ShapeError
from minires.models.vit import EncoderBlock
from minires.nn import Dropout, LayerNorm, count_parameters
from minires.summary import summary

# parameters, entries of the state and multiply-adds of an image, as torchvision 0.28 counts them
COUNTS = {
    "vit_b_16": (86_567_656, 152, 17.564),
    "vit_b_32": (88_224_232, 152, 4.409),
    "vit_l_16": (304_326_632, 296, 61.555),
}


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_state_and_multiply_adds_are_torchvisions(name):
    parameters, entries, gigamacs = COUNTS[name]
    with kernels.shapes_only():
        model = models.create(name)
    assert count_parameters(model) == parameters
    assert len(model.state_dict()) == entries
    assert not list(model.buffers())
    assert summary(model, (1, 3, 224, 224)).multiply_adds / 1e9 == pytest.approx(gigamacs, abs=5e-4)


def by_hand(D, L, patch, tokens, channels, classes):
    """Weights and biases: patches, class token, positions; of a block two norms, projections and MLP; norm and head."""
    block = 2 * 2 * D + (3 * D * D + 3 * D) + (D * D + D) + (4 * D * D + 4 * D) + (4 * D * D + D)
    return (channels * patch**2 * D + D) + D + tokens * D + L * block + 2 * D + (D * classes + classes)


def test_the_tiny_ones_have_about_the_parameters_of_a_resnet():
    cifar = count_parameters(models.vit_tiny_cifar())
    digits = count_parameters(models.vit_tiny_digits(in_channels=1))
    assert cifar == by_hand(64, 5, 4, 65, 3, 10) == 258_058
    assert digits == by_hand(64, 5, 2, 17, 1, 10) == 252_170
    assert abs(cifar / count_parameters(models.resnet20()) - 1) < 0.05
    assert abs(digits / count_parameters(models.resnet20(in_channels=1)) - 1) < 0.07


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: models.vit_tiny_cifar(), (2, 3, 32, 32)),
        (lambda: models.vit_tiny_cifar(image_size=16, num_classes=4, in_channels=1, num_heads=2), (1, 1, 16, 16)),
        (lambda: models.vit_tiny_digits(in_channels=1), (3, 1, 8, 8)),
        (lambda: models.VisionTransformer(5, 1, 6, image_size=10, mlp_dim=7, representation_size=9), (2, 3, 10, 10)),
    ],
)
def test_logits_have_the_classes_of_the_options(make, shape):
    model = make()
    classes = model.heads.head.out_features
    assert model.eval()(Tensor(np.zeros(shape, np.float32))).shape == (shape[0], classes)
    assert classes == {32: 10, 16: 4, 8: 10, 10: 1000}[shape[-1]]


def test_heads_have_64_features_and_those_of_the_tiny_ones_16():
    with kernels.shapes_only():
        for name, heads in (("vit_b_16", 12), ("vit_l_16", 16), ("vit_tiny_cifar", 4), ("vit_tiny_digits", 4)):
            attention = models.create(name).encoder.layers[0].self_attention
            assert attention.num_heads == heads
            assert attention.embed_dim / heads == (16 if "tiny" in name else 64)


def test_first_weights_are_those_of_torchvision():
    model = models.VisionTransformer(8, 2, 64, image_size=64, representation_size=32, rng=0)
    layer = model.encoder.layers[1]

    def spread(parameter):
        return float(parameter.data.std()), float(np.abs(parameter.data).max())

    assert not model.class_token.data.any()
    assert not model.heads.head.weight.data.any()
    assert spread(model.encoder.pos_embedding)[0] == pytest.approx(0.02, rel=0.05)
    assert spread(model.conv_proj.weight)[0] == pytest.approx((3 * 64) ** -0.5, rel=0.05)
    assert spread(model.heads.pre_logits.weight)[0] == pytest.approx(64**-0.5, rel=0.1)
    for linear in (layer.mlp[0], layer.mlp[3]):  # Glorot and Bengio's bound
        assert spread(linear.weight)[1] == pytest.approx((6 / (64 + 256)) ** 0.5, rel=0.01)
        assert 0 < spread(linear.bias)[0] < 3e-6
    assert spread(layer.self_attention.in_proj_weight)[1] == pytest.approx((6 / (64 + 192)) ** 0.5, rel=0.01)
    assert not layer.self_attention.in_proj_bias.data.any()
    assert {m.eps for m in model.modules() if isinstance(m, LayerNorm)} == {1e-6}
    biases = [m.bias for m in (model.conv_proj, model.heads.pre_logits, model.heads.head)]
    assert not any(bias.data.any() for bias in biases)


def test_the_seed_decides_every_bit_of_the_weights():
    def bits(seed):
        return {k: v.tobytes() for k, v in models.vit_tiny_digits(rng=seed).state_dict().items()}

    assert bits(3) == bits(3)
    assert bits(3)["conv_proj.weight"] != bits(4)["conv_proj.weight"]


def test_positions_are_all_that_tells_patches_apart():
    """With equal positions a network gives the same logits for an image whose patches are permuted."""
    rng = np.random.default_rng(0)
    model = models.vit_tiny_digits(in_channels=1, rng=0).double().eval()
    model.heads.head.weight.data[...] = rng.standard_normal((10, 64))
    image = rng.standard_normal((1, 1, 8, 8))
    permuted = np.concatenate([image[:, :, 4:], image[:, :, :4]], axis=2)
    with no_grad():
        apart = model(Tensor(image)).data - model(Tensor(permuted)).data
        model.encoder.pos_embedding.data[...] = 0
        alike = model(Tensor(image)).data - model(Tensor(permuted)).data
    assert np.abs(apart).max() > 1e-3
    assert np.abs(alike).max() < 1e-12


def test_dropout_is_where_torchvision_has_it_and_only_in_training():
    model = models.vit_tiny_digits(dropout=0.1, attention_dropout=0.2, in_channels=1, rng=0)
    dropouts = {name: m.p for name, m in model.named_modules() if isinstance(m, Dropout)}
    assert list(dropouts)[:4] == [
        "encoder.dropout",
        "encoder.layers.encoder_layer_0.dropout",
        "encoder.layers.encoder_layer_0.mlp.2",
        "encoder.layers.encoder_layer_0.mlp.4",
    ]
    assert len(dropouts) == 16
    assert set(dropouts.values()) == {0.1}
    assert {block.self_attention.dropout for block in model.encoder.layers} == {0.2}
    model.heads.head.weight.data[...] = np.random.default_rng(0).standard_normal((10, 64))
    x = Tensor(np.random.default_rng(0).standard_normal((2, 1, 8, 8)).astype(np.float32))
    with no_grad():
        assert not (model(x) == model(x)).all()
        model.eval()
        assert (model(x) == model(x)).all()


def test_the_gradient_of_a_block_is_what_is_measured():
    tokens = np.random.default_rng(0).standard_normal((2, 3, 4))
    assert gradcheck.check_module(EncoderBlock(2, 4, 5, rng=0), tokens).passed


def test_the_gradient_of_a_whole_network_is_what_is_measured():
    model = models.VisionTransformer(2, 1, 4, image_size=4, in_channels=1, num_classes=3, num_heads=2, rng=0)
    model.heads.head.weight.data[...] = np.random.default_rng(1).standard_normal((3, 4))  # 0 would stop the gradient
    images = np.random.default_rng(0).standard_normal((2, 1, 4, 4))
    assert gradcheck.check_module(model, images).passed


def test_a_tiny_one_learns_a_batch_of_digits_by_heart():
    train, _ = data.load("digits")
    [(images, labels)] = data.ArrayLoader(train.limit(64), 64)
    model = models.vit_tiny_digits(in_channels=1, rng=0)
    optimizer = optim.AdamW(model.parameters(), 3e-3)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = ops.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(np.log(10), abs=1e-6)  # the head begins as zeros
    assert losses[-1] < 0.3


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: models.vit_tiny_cifar(image_size=30), ShapeError, "patch_size=4 must divide image_size=30"),
        (lambda: models.vit_tiny_cifar(num_heads=3), ShapeError, "num_heads=3 must divide embed_dim=64"),
        (lambda: models.vit_tiny_cifar(dropout=1.5), OptionError, "dropout must be a number .* at most 1, got 1.5"),
        (lambda: models.vit_tiny_cifar(image_size=32.0), DTypeError, r"image_size must be an integer, got 32\.0"),
        (lambda: models.VisionTransformer(4, 0, 8), ShapeError, "num_layers must be at least 1, got 0"),
        (
            lambda: models.vit_tiny_cifar()(np.zeros((1, 3, 28, 28), np.float32)),
            ShapeError,
            r"images must have 32×32 pixels, because .*, got 28×28; image_size=28 makes a network for them",
        ),
        (
            lambda: models.vit_tiny_cifar()(np.zeros((3, 32, 32), np.float32)),
            ShapeError,
            r"add a batch axis: x\[None\]",
        ),
        (lambda: models.vit_tiny_cifar(patch_size=8), TypeError, "vit_tiny_cifar: there is no option 'patch_size'"),
    ],
)
def test_what_does_not_fit_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
