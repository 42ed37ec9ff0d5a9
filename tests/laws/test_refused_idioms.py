"""What PyTorch refuses is refused, and what is missing says what to use."""

import pytest
from idioms import ours, run, theirs

REFUSED = """
T(A, requires_grad=True).numpy()
(2 * T(A, requires_grad=True)).numpy()
np.asarray(T(A, requires_grad=True))
T(A).var(1, 0)
T(A).max((0, 1))
T(A)[False, T([0, 1])]
next(iter(DataLoader([(1, 2), (1,)], 2)))
next(iter(DataLoader([None, None], 2)))
DataLoader(T(3.0), 2)
round(T(2.5))
divmod(T(A), 2)
""".strip().splitlines()


@pytest.mark.parametrize("idiom", REFUSED)
def test_what_pytorch_refuses_is_refused(idiom):
    for names in (theirs(), ours()):
        with pytest.raises((TypeError, ValueError, RuntimeError, IndexError)):
            list(run(idiom, names))


# Names that are not here, and must say what does the same.
MISSING = """
T(A).ceil
T(A).log1p
T(A).allclose
T(A).equal
T(A).where
T(A).masked_fill_
T(A).take_along_dim
torch.clamp
torch.allclose
torch.zeros_like
nn.Unflatten
nn.Hardtanh
nn.RMSNorm
optim.lr_scheduler.StepLR
nn.BatchNorm2d(4).reset_running_stats
nn.BatchNorm2d(4).register_full_backward_pre_hook
T(A).gather
T(A).split
T(A).masked_fill
T(A).topk
T(A).repeat
T(A).half
T(A).square
T(A).relu_
T(A).type
T(A).byte
T(A).swapaxes
T(A).ravel
T(A).new_zeros
T(A).nonzero
T(A).unique
T(A).cumprod
T(A).floor_divide
T(A).remainder
torch.hstack
torch.vstack
torch.concat
torch.cat
torch.where
torch.from_numpy
torch.arange
torch.float32
torch.save
torch.load
nn.LSTM
nn.Embedding
nn.ConvTranspose2d
nn.Transformer
nn.DataParallel
F.interpolate
F.huber_loss
F.binary_cross_entropy
F.kl_div
F.softplus
F.elu
F.mish
F.normalize
F.cosine_similarity
F.logsigmoid
F.dropout2d
F.adaptive_max_pool2d
F.max_pool1d
nn.Linear(4, 2).register_backward_hook
nn.Linear(4, 2).reset_parameters
nn.init.orthogonal_
nn.init.eye_
nn.init.dirac_
nn.init.kaiming_normal
optim.lr_scheduler
optim.RMSprop
optim.LBFGS
""".strip().splitlines()


@pytest.mark.parametrize("name", MISSING)
def test_what_is_missing_says_what_to_use(name):
    run(name, theirs())
    with pytest.raises(AttributeError, match=r"has no '\w+': \w"):
        run(name, ours())
