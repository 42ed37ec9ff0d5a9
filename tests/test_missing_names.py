"""A name of PyTorch's that is missing says what to use instead."""

import numpy as np
import pytest

import minires
from minires import Tensor, data, ops

A = np.random.default_rng(0).uniform(0.5, 2, (3, 4)).astype("f4")


# Names that are missing say what to use


@pytest.mark.parametrize(
    ("ask", "advice"),
    [
        (lambda: Tensor([1.0]).gather, "Tensor has no 'gather': index with arrays"),
        (lambda: minires.cat, "use minires.ops.cat"),
        (lambda: minires.from_numpy, "use Tensor"),
        (lambda: Tensor([1.0]).astype, r"use \.to"),
        (lambda: minires.cellar, "no 'cellar'$"),
    ],
)
def test_a_name_of_torchs_that_is_missing_says_what_does_the_same(ask, advice):
    with pytest.raises(AttributeError, match=advice):
        ask()


def test_an_op_that_is_no_method_is_named_and_an_op_of_ones_own_is_not():
    for name in ("where", "take_along_dim", "gelu"):
        with pytest.raises(AttributeError, match=f"use minires.ops.{name}"):
            getattr(Tensor(A), name)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("StepLR", "optim.multistep"),
        ("MultiStepLR", "optim.multistep"),
        ("CosineAnnealingLR", "optim.cosine"),
        ("OneCycleLR", "optim.one_cycle"),
        ("ReduceLROnPlateau", "optimizer.lr"),
    ],
)
def test_a_schedule_of_torchs_is_looked_up_in_optim_too(name, advice):
    with pytest.raises(AttributeError, match=f"has no '{name}': .*{advice}"):
        getattr(minires.optim, name)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("reset_running_stats", "running_mean"),
        ("register_full_backward_pre_hook", "register_full_backward_hook"),
        ("num_feature", "did you mean 'num_features'"),
        ("load_weights", None),
    ],
)
def test_a_near_name_is_offered_only_where_it_is_very_near(name, advice):
    with pytest.raises(AttributeError) as caught:
        getattr(minires.nn.BatchNorm2d(2), name)
    assert advice in str(caught.value) if advice else ":" not in str(caught.value)


def test_the_advice_on_largest_and_on_zeros_like_does_what_torch_does():
    x = Tensor(np.array([2.0, 9.0, 4.0]))
    assert ops.take_along_dim(x, np.argsort(-x.data)[..., :2], dim=-1).tolist() == [9, 4]
    rows = Tensor(np.array([[2.0, 9.0, 4.0], [5.0, 1.0, 3.0]]))
    assert ops.take_along_dim(rows, np.argsort(-rows.data)[..., :2], dim=-1).tolist() == [[9, 4], [5, 3]]
    assert minires.zeros(x.shape, dtype=x.dtype).dtype == np.float64
    for name, advice in (
        ("topk", r"ops\.take_along_dim\(x, np\.argsort\(-x\.data\)\[\.\.\., :k\], dim=-1\)"),
        ("new_zeros", r"minires\.zeros\(shape, dtype=x\.dtype\)"),
    ):
        with pytest.raises(AttributeError, match=advice):
            getattr(x, name)


@pytest.mark.parametrize(
    ("place", "name", "advice"),
    [
        (data, "random_split", r"data\.Subset\(dataset, order\[:n\]\)"),
        (data, "ConcatDataset", r"any object with len\(dataset\) and dataset\[i\] is a data set"),
        (data, "Compose", r"use data\.compose"),
        (data.transforms, "Compose", r"use data\.compose"),
        (data.transforms, "ToTensor", r"use data\.to_floats"),
        (data, "CIFAR10", r'use data\.load\("cifar10"\)'),
        (data, "Dataloader", "did you mean 'DataLoader'"),
        (data, "cellar", "no 'cellar'$"),
    ],
)
def test_a_name_of_torchs_data_and_of_torchvision_says_what_does_the_same(place, name, advice):
    with pytest.raises(AttributeError, match=advice):
        getattr(place, name)


def test_the_advice_on_splitting_and_joining_data_sets_works():
    whole, test = data.load("digits")
    order = np.random.default_rng(0).permutation(len(whole))
    parts = data.Subset(whole, order[:100]), data.Subset(whole, order[100:])
    assert sum(map(len, parts)) == len(whole)
    pairs = data.TensorDataset(A, np.arange(3))
    assert len(data.TensorDataset(*pairs[np.array([2, 0])])) == 2

    class Joined:
        def __len__(self):
            return len(whole) + len(test)

        def __getitem__(self, i):
            return whole[i] if i < len(whole) else test[i - len(whole)]

    loader = data.DataLoader(Joined(), 64)
    assert sum(len(labels) for _, labels in loader) == len(Joined())


def test_no_advice_is_about_a_name_that_exists():
    from minires import nn, optim
    from minires.torch_names import ADVICE, OF_DATA

    assert not set(OF_DATA) & {*dir(data), *dir(data.transforms)}

    elsewhere = {"float", "double", "long", "device", "utils", "clamp"}  # torch itself has these names, too
    for place in (Tensor, minires, nn, nn.functional, optim, ops):
        assert not [
            name
            for name in set(ADVICE) - elsewhere
            if name in dir(place) and (place is not minires or name not in minires._PACKAGES)
        ], place
