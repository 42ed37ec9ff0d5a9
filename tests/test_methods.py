"""Methods that people know from PyTorch and NumPy: right values come from these two."""

import numpy as np
import pytest

import minires
from minires import Tensor, ops
from minires.errors import DTypeError
from minires.methods import Methods
from minires.tensor_base import TensorBase

A = np.random.default_rng(0).uniform(0.5, 2, (3, 4)).astype("f4")
B = np.random.default_rng(1).uniform(0.5, 2, (3, 4)).astype("f4")


@pytest.mark.parametrize(
    ("ours", "right"),
    [
        (lambda x: x.exp(), np.exp(A)),
        (lambda x: x.log(), np.log(A)),
        (lambda x: x.sqrt(), np.sqrt(A)),
        (lambda x: x.neg().abs(), A),
        (lambda x: x.add(B), A + B),
        (lambda x: x.sub(B), A - B),
        (lambda x: x.mul(B), A * B),
        (lambda x: x.div(B), A / B),
        (lambda x: x.pow(2), A**2),
        (lambda x: x.maximum(B), np.maximum(A, B)),
        (lambda x: x.clip(0.7, 1), A.clip(0.7, 1)),
        (lambda x: x.clamp(min=1), A.clip(1)),
        (lambda x: (x - 1).relu(), (A - 1).clip(0)),
        (lambda x: x.sigmoid(), 1 / (1 + np.exp(-A))),
        (lambda x: x.tanh(), np.tanh(A)),
        (lambda x: +x, A),
        (lambda x: x.softmax(1), np.exp(A) / np.exp(A).sum(1, keepdims=True)),
        (lambda x: x.log_softmax(dim=0), A - np.log(np.exp(A).sum(0))),
        (lambda x: x.logsumexp((0, 1)), np.log(np.exp(A).sum())),
        (lambda x: x.matmul(B.T), A @ B.T),
        (lambda x: x.sum(axis=1), A.sum(1)),
        (lambda x: x.sum(0, keepdims=True), A.sum(0, keepdims=True)),
        (lambda x: x.mean(axis=(0, 1)), A.mean()),
        (lambda x: x.var(1), A.var(1, ddof=1)),
        (lambda x: x.std(dim=0), A.std(0, ddof=1)),
        (lambda x: x.norm(), np.sqrt((A * A).sum())),
        (lambda x: x.norm(p=1, dim=1), A.sum(1)),
        (lambda x: x.amax(1), A.max(1)),
        (lambda x: x.amin((0, 1)), A.min()),
        (lambda x: np.max(x, 1, keepdims=True), A.max(1, keepdims=True)),
        (lambda x: x.max(), A.max()),
        (lambda x: x.min(axis=0)[0], A.min(0)),
        (lambda x: x.max(1).values, A.max(1)),
        (lambda x: x.max(1)[1], A.argmax(1)),
        (lambda x: x.min(0, True)[1], A.argmin(0)[None]),
        (lambda x: x.argmax(), A.argmax()),
        (lambda x: x.argmin(-1, keepdim=True), A.argmin(-1)[:, None]),
        (lambda x: x.view(2, -1), A.reshape(2, 6)),
        (lambda x: x.view((12,)), A.ravel()),
        (lambda x: x.T.contiguous(), A.T),
        (lambda x: x.unsqueeze(1), A[:, None]),
        (lambda x: x.unsqueeze(-1).squeeze(), A),
        (lambda x: x[:, None].squeeze(1), A),
        (lambda x: x.expand(2, 3, 4), np.broadcast_to(A, (2, 3, 4))),
        (lambda x: x[:1].expand(5, -1), np.broadcast_to(A[:1], (5, 4))),
        (lambda x: x.clone(), A),
        (lambda x: x.double(), A.astype(float)),
        (lambda x: x.to(np.float64).float(), A),
        (lambda x: x.to("float64").type_as(x), A),
        (lambda x: x.long(), A.astype(int)),
        (lambda x: x.cpu(), A),
        (lambda x: (x > 1).float(), (A > 1).astype("f4")),
        (lambda x: (x > 1) & ~(x > 1.5), (A > 1) & (A <= 1.5)),
        (lambda x: ((x > 1) | (x < 0.7)).any(), True),
        (lambda x: (x > 0).all(1), [True] * 3),
        (lambda x: (x.argmax(1) == A.argmax(1)).float().mean(), 1),
        (lambda x: (x > 1).sum(), (A > 1).sum()),
        (lambda x: (x > 1).mean(), (A > 1).mean()),
        (lambda x: x.eq(A).all(), True),
        (lambda x: Tensor([1, 2, 3]) + 1.5, [2.5, 3.5, 4.5]),
        (lambda x: x[0] * np.arange(4), A[0] * np.arange(4)),
        (lambda x: Tensor([1, 2]) / 2, [0.5, 1]),
        (lambda x: Tensor([1, 2]) + Tensor([3, 4]), [4, 6]),
        (lambda x: x * (x > 1), A * (A > 1)),
        (lambda x: ops.where(x > 1, x, 0), np.where(A > 1, A, 0)),
        (lambda x: np.sum(x), A.sum()),
        (lambda x: np.mean(x, axis=0), A.mean(0)),
        (lambda x: np.std(x), A.std()),
        (lambda x: np.var(x, 1), A.var(1)),
        (lambda x: np.max(x), A.max()),
        (lambda x: np.min(x, axis=1), A.min(1)),
        (lambda x: np.argmax(x, axis=1), A.argmax(1)),
        (lambda x: np.exp(x), np.exp(A)),
        (lambda x: np.add(B, x), A + B),
        (lambda x: B - x, B - A),
        (lambda x: B / x, B / A),
        (lambda x: np.greater(B, x), B > A),
        (lambda x: np.isnan(x), np.isnan(A)),
        (lambda x: x + np.float64(2), A + 2),
        (lambda x: x.fill_(2), A * 0 + 2),
        (lambda x: x.to("cpu", np.float64), A.astype(float)),
        (lambda x: x.to(dtype=np.float64, device="cpu"), A.astype(float)),
        (lambda x: x.to(Tensor(A.astype(float)), non_blocking=True), A.astype(float)),
        (lambda x: x.minimum(B), np.minimum(A, B)),
        (lambda x: Tensor(np.full(2, 200, np.uint8)).sum() - 500, -100),
        (lambda x: x.mean(dim=[]), A.mean()),
        (lambda x: x.zero_(), A * 0),
    ],
)
def test_a_habit_gives_what_torch_or_numpy_gives(ours, right):
    y = ours(Tensor(A.copy()))
    assert isinstance(y, Tensor)
    right = np.asarray(right)
    assert y.shape == right.shape
    assert y.dtype.kind == right.dtype.kind or right.dtype == object or y.dtype == np.float32
    np.testing.assert_allclose(y.data, right, rtol=3e-6)


def test_what_is_a_number_becomes_one():
    assert int(Tensor(3)) == 3
    assert float(Tensor(2.5)) == 2.5
    assert [10, 20][Tensor(1)] == 20
    assert Tensor([[1, 2]]).tolist() == [[1, 2]]
    for no_index in (Tensor(1.0), Tensor([1])):
        with pytest.raises(TypeError, match="0-d tensor of integers"):
            [10, 20][no_index]


def test_steps_have_values_and_no_gradient():
    x = Tensor(A, requires_grad=True)
    for step in (lambda: x // 2, lambda: x % 2, lambda: 2 // x, lambda: 2 % x):
        with pytest.raises(DTypeError, match=r"would lose the gradient of a Tensor.*t\.detach\(\)"):
            step()
        with minires.no_grad():
            assert step().dtype == np.float32
    with pytest.raises(DTypeError, match=r"divmod: write x // y and x % y"):
        divmod(x, 2)
    with pytest.raises(DTypeError, match=r"round: of a Tensor use np\.round"):
        round(x)


def test_every_method_says_what_it_does():
    parts = Methods.__mro__[: Methods.__mro__.index(TensorBase)]
    public = [m for part in parts for name, m in vars(part).items() if not name.startswith("_") and callable(m)]
    assert len(public) >= 50
    assert not [m.__qualname__ for m in public if not (m.__doc__ or m.__name__.startswith("__"))]
