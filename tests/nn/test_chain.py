"""Layers in a row: how a chain hands its inputs on, and what it refuses."""

import numpy as np
import pytest
from conv_norm import X

from minires import Tensor, nn, ops
from minires.errors import DTypeError, MiniresError, ShapeError


def test_a_chain_of_nothing_is_its_input_and_of_functions_their_composition():
    x = Tensor(X)
    assert nn.chain(x) is x
    assert nn.Sequential()(x) is x
    np.testing.assert_array_equal(nn.chain(x, lambda x: x + 1, lambda x: x * 2).data, (X + 1) * 2)


def test_a_sequential_hands_a_tuple_on_as_it_is():
    class First(nn.Module):
        def forward(self, pair):
            return pair[0]

    x = Tensor(X)
    assert nn.Sequential(First())((x, "anything")) is x


def test_a_tuple_is_several_inputs_and_a_list_is_one():
    x = Tensor(X)
    assert nn.chain((x, x), ops.add).shape == x.shape
    assert nn.chain([x, x], ops.cat).shape == (2 * x.shape[0], *x.shape[1:])


def test_a_sum_that_broadcasts_is_not_taken_for_a_residual_add():
    x = np.ones((2, 3, 1, 1)), np.ones((1, 3, 2, 2))
    assert nn.chain(tuple(map(Tensor, x)), ops.add, ops.relu).shape == (2, 3, 2, 2)


@pytest.mark.parametrize(
    "make",
    [
        lambda x: nn.chain(x, nn.BatchNorm2d(8), ops.relu),
        lambda x: nn.chain(x, nn.Conv2d(8, 4, 1, bias=False).eval(), nn.BatchNorm2d(4).eval()),
    ],
)
@pytest.mark.parametrize("x", [X[0], X[0, 0], [1.0], None])
def test_what_layers_refuse_alone_they_refuse_together(make, x):
    with pytest.raises(MiniresError, match=r"BatchNorm2d|batch_norm|conv2d"):
        make(Tensor(x) if isinstance(x, np.ndarray) else x)


def test_a_convolution_of_three_axes_is_refused_under_its_own_name():
    conv = nn.Conv2d(8, 4, 3, bias=False).eval()
    with pytest.raises(MiniresError, match=r"^conv2d: "):
        nn.chain(Tensor(X[0]), conv, nn.BatchNorm2d(4).eval())


def test_a_norm_of_images_refuses_three_axes_before_a_relu_too():
    """The op that computes both takes (N,C,L)."""
    with pytest.raises(MiniresError, match="BatchNorm2d"):
        nn.chain(Tensor(X.reshape(*X.shape[:2], -1)), nn.BatchNorm2d(X.shape[1]), ops.relu)


def test_a_chain_says_which_step_is_no_function_and_that_an_input_is_missing():
    with pytest.raises(DTypeError, match="chain: step 2 must be a module or a function, got NoneType"):
        nn.chain(Tensor(X), ops.relu, None)
    with pytest.raises(ShapeError, match="chain: x is an empty tuple"):
        nn.chain((), ops.relu)


def test_a_norm_of_another_length_than_the_convolution_before_it_is_refused_in_its_own_words():
    conv = nn.Conv2d(8, 4, 1, bias=False).eval()
    with pytest.raises(ShapeError, match=r"^batch_norm: weight has shape \(5,\), x has 4 channels"):
        nn.chain(Tensor(X), conv, nn.BatchNorm2d(5).eval())


def test_a_pointwise_convolution_of_groups_is_not_merged_in_training():
    """conv_norm refuses groups in training; everything else here would make it pay."""
    x = Tensor(np.random.default_rng(0).standard_normal((16, 4, 16, 16)).astype(np.float32))
    conv = nn.Conv2d(4, 16, 1, groups=2, bias=False, rng=0)
    norm = nn.BatchNorm2d(16)
    np.testing.assert_array_equal(nn.chain(x, conv, norm).data, norm(conv(x)).data)
