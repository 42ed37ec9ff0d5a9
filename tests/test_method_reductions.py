"""Methods that reduce: their dim, keepdim and correction, and what they refuse."""

import numpy as np
import pytest

from minires import Tensor, ops
from minires.errors import DTypeError, OptionError, ShapeError

A = np.random.default_rng(0).uniform(0.5, 2, (3, 4)).astype("f4")


def test_unbiased_and_correction_are_one_setting():
    x = Tensor(A)
    assert x.var(unbiased=False).item() == x.var(correction=0).item() < x.var(unbiased=True).item() == x.var().item()
    with pytest.raises(OptionError, match="std: unbiased=False and correction=0 are one setting"):
        x.std(correction=0, unbiased=False)
    with pytest.raises(DTypeError, match="var: unbiased must be True or False, got 0"):
        x.var(1, 0)


def test_two_names_of_the_correction_are_refused_even_where_one_is_its_default():
    x = Tensor([1.0, 2.0, 4.0])
    for settings in ({"unbiased": False, "correction": 1}, {"correction": 0, "ddof": 0}, {"unbiased": True, "ddof": 1}):
        with pytest.raises(OptionError, match="are one setting"):
            x.var(**settings)
    assert x.var(ddof=0).item() == x.var(correction=0).item()


@pytest.mark.parametrize(
    "call", [lambda x: x.mean(0, 1), lambda x: ops.sum(x, 0, 1), lambda x: x.std(False), lambda x: x.sum(True)]
)
def test_several_dims_are_one_tuple_and_no_boolean_is_a_dim(call):
    with pytest.raises(DTypeError, match=r"keepdim must be True or False|dim must be an integer"):
        call(Tensor(A))


def test_dim_0_is_an_axis_and_not_no_axis():
    x = np.random.default_rng(0).standard_normal((2, 3, 4))
    t = Tensor(x)
    np.testing.assert_allclose(t.norm(dim=0).data, np.sqrt((x * x).sum(axis=0)))
    for name in ("sum", "mean", "amax", "amin", "argmax", "argmin", "all", "any"):
        numpys = {"amax": "max", "amin": "min"}.get(name, name)
        np.testing.assert_allclose(getattr(t, name)(0).data, getattr(x, numpys)(axis=0))
    np.testing.assert_allclose(t.var(0).data, x.var(axis=0, ddof=1))
    np.testing.assert_allclose(t.std(0).data, x.std(axis=0, ddof=1))
    np.testing.assert_allclose(t.max(0).values.data, x.max(axis=0))


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "any", "all"])
def test_an_empty_axis_is_refused_because_numpy_and_torch_mean_opposites_by_it(name):
    with pytest.raises(OptionError, match=rf"{name}: axis=\(\) names no axis"):
        getattr(np, name)(Tensor([1.0, 2.0]), axis=())


def test_all_and_any_without_a_dim_keep_each_element_as_in_torch():
    t = Tensor([[True, False], [True, True]])
    assert t.all(dim=()).tolist() == t.any(dim=[]).tolist() == [[True, False], [True, True]]


def test_logsumexp_keeps_its_axes_if_asked_to():
    t = Tensor(np.zeros((2, 3)))
    assert t.logsumexp(1, True).shape == (2, 1)
    assert t.logsumexp((0, 1), keepdim=True).shape == (1, 1)
    assert t.logsumexp(1).shape == (2,)


def test_max_along_an_axis_is_unpacked_as_in_torch_and_never_into_rows():
    logits = Tensor([[1.0, 5, 2], [7, 3, 4]], requires_grad=True)
    values, indices = logits.max(1)
    assert (values.tolist(), indices.tolist(), indices.dtype) == ([5, 7], [1, 0], np.int64)
    values.sum().backward()
    assert logits.grad.tolist() == [[0, 1, 0], [1, 0, 0]]
    with pytest.raises(OptionError, match="one setting"):
        logits.max(dim=1, axis=0)


def test_max_of_an_array_is_elementwise_and_keepdim_without_dim_gives_values_alone():
    x = np.array([[1.0, 5.0], [3.0, 2.0]])
    other = np.array([2.0, 2.0])
    np.testing.assert_array_equal(Tensor(x).max(other).data, np.maximum(x, other))
    np.testing.assert_array_equal(Tensor(x).min(other).data, np.minimum(x, other))
    np.testing.assert_array_equal(Tensor(x).max(keepdim=True).data, [[5.0]])
    np.testing.assert_array_equal(Tensor(x).min(keepdim=True).data, [[1.0]])


def test_max_speaks_of_itself():
    with pytest.raises(DTypeError, match=r"^max: dim must be an integer"):
        Tensor(np.ones((2, 3))).max((0, 1))
    with pytest.raises(ShapeError, match=r"^min: nothing to choose from"):
        Tensor(np.ones(0)).min()


@pytest.mark.parametrize(
    "call", [lambda x: x.sum(dtype=int), lambda x: x.mean(out=np.zeros(2)), lambda x: np.sum(x, dtype="f8")]
)
def test_what_numpys_reductions_take_besides_is_refused_and_not_ignored(call):
    with pytest.raises(OptionError, match=r"takes no (dtype|out)="):
        call(Tensor(A))


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("sum", {"where": A > 1}),
        ("sum", {"initial": 9.0}),
        ("mean", {"where": A > 1}),
        ("var", {"where": A > 1}),
        ("var", {"mean": 0.0}),
        ("std", {"where": A > 1}),
        ("max", {"initial": 9.0}),
        ("min", {"initial": 9.0}),
        ("all", {"where": A > 1}),
        ("any", {"where": A > 1}),
    ],
    ids=lambda value: "-".join(value),
)
def test_numpys_settings_that_a_tensor_has_not_are_refused_by_name(name, setting):
    with pytest.raises(OptionError, match=rf"{name}: a Tensor takes no {next(iter(setting))}=, got"):
        getattr(np, name)(Tensor(A), axis=0, **setting)


@pytest.mark.parametrize("name", ["sum", "mean", "var", "std", "max", "min", "argmax", "argmin", "all", "any"])
def test_a_misspelt_setting_of_a_reduction_is_pythons_own_error(name):
    with pytest.raises(TypeError, match=rf"{name}\(\) got an unexpected keyword argument 'keep_dim'"):
        getattr(Tensor(A), name)(0, keep_dim=True)
