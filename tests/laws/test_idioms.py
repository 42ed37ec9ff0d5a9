"""Lines that people who know PyTorch write, run in both: the same text gives the same values.

T(array) makes a tensor of each library.
"""

import numpy as np
import pytest
from idioms import numbers, ours, run, theirs

# Each line is a habit. `;` parts statements, the last is what is compared.
IDIOMS = [
    line
    for line in """
T([1.0, 2.0]).sum().item()
torch.zeros(2, 3)
torch.ones((2, 3))
torch.tensor([[1, 2], [3, 4]])
torch.tensor(3.5)
T(np.float64(3))
T(np.float32(3))
T([np.float64(0.1)])
T([0.2, np.float64(0.1)])
T([[np.float32(1), 0.5]])
T([np.int64(1), 0.5])
T([np.zeros(2), np.zeros(2)])
T((np.zeros(2, "f4"), np.zeros(2)))
T([T(1.0).double(), T(2.0)])
T([T(1.0), T(2.0)])
T([np.zeros(2, "i4"), np.ones(2, "i4")])
torch.manual_seed(0); x = torch.randn(2, 3); x.shape
x = T(2.0, requires_grad=True); y = x * x * x; y.backward(); x.grad
x = T(2.0, requires_grad=True); y = x**2 + 3 * x + 1; y.backward(); x.grad
x = T(A, requires_grad=True); (x * x).sum().backward(); x.grad
x = T(A); x.requires_grad_(); x.mean().backward(); x.grad
x = T(A, requires_grad=True); y = x.detach(); y.requires_grad
x = T(A, requires_grad=True); y = (x * 2).sum(); y.backward(gradient=torch.ones(())); x.grad
x = T(A, requires_grad=True); (x * 2).backward(torch.ones(3, 4)); x.grad
x = T(A, requires_grad=True); y = x.sum(); y.backward(retain_graph=True); y.backward(); x.grad
T(A).size()
T(A).size(0)
T(A).size(-1)
T(A).shape[1]
T(A).dim()
T(A).ndim
T(A).numel()
T(A).tolist()
int(T(3))
float(T(2.5))
len(T(A))
T(A).view(-1)
T(A).view(4, -1)
T(A).view(4, 3)
T(A).reshape(2, 6)
T(A).reshape((2, 6))
T(A).flatten()
T(MAP).flatten(1)
T(MAP).permute(0, 2, 3, 1)
T(MAP).permute(0, 2, 3, 1).contiguous().view(2, -1)
T(A).transpose(0, 1)
T(A).T
T(A).t().T if hasattr(T(A), 't') else T(A)
T(A).unsqueeze(0)
T(A).unsqueeze(-1)
T(A).unsqueeze(1).squeeze(1)
T(A).unsqueeze(1).squeeze()
T(A)[0].expand(3, 4)
T(A)[:, :1].expand(-1, 4)
T(A)[1]
T(A)[:, 1]
T(A)[..., -1]
T(A)[:, None]
T(A)[[0, 2]]
T(A)[T(A) > 1]
T(A)[T([0, 1]), T([1, 2])]
T(A)[1:, ::2]
T(MAP)[0, :, (1, 2)]
T(MAP)[0, :, range(2)]
T(MAP)[(0, 1), :, T([1, 2])]
T(MAP)[:, (0, 1), ..., (1, 0), :]
T(MAP)[True, T([0, 1])].shape
x = T(MAP); x[0, :, (1, 2)] = T(A[:2, :1]); x
x = T(A); x[0] = 1.0; x
x = T(A); x[x > 1] = 0; x
x = T(A); x[:, 1] += 1; x
x = T(A); x += 1; x
x = T(A); x.zero_(); x
x = T(A); x.fill_(3); x
x = T(A); x.copy_(T(A) * 2); x
T(A).clone()
T(A).float()
T(A).double()
T(A).long()
T(A).to("cpu")
T(A).cpu()
T(A).numpy()
x = T(A, requires_grad=True); torch.no_grad()(x.numpy)()
T(A).detach().cpu().numpy()
np.asarray(T(A))
T(A) + 1
1 - T(A)
2 / T(A)
T(A) ** 2
2 ** T(A)
T(A) @ T(A).T
T(A) * T(A)[0]
-T(A)
abs(T(A) - 1)
T(A).exp()
T(A).log()
T(A).sqrt()
T(A).abs()
T(A).pow(3)
T(A).clamp(0.7, 1.2)
T(A).clamp(min=1.0)
T(A).clip(max=1.0)
T(A).relu()
T(A).sigmoid()
T(A).tanh()
T(A).softmax(1)
T(A).softmax(dim=-1)
T(A).log_softmax(dim=1)
T(A).logsumexp(1)
T(A).logsumexp((0, 1))
T(A).matmul(T(A).T)
T(A).sum()
T(A).sum(1)
T(A).sum(dim=0, keepdim=True)
T(A).sum((0, 1))
T(A).sum(axis=1)
T(A).mean(dim=(0, 1))
T(MAP).mean((2, 3))
T(A).mean(1, keepdim=True)
T(A).var(1)
T(A).var(1, correction=0)
T(A).std(0)
T(A).var(unbiased=False)
T(A).var(1, unbiased=True)
T(A).var(1, False)
T(A).std(0, unbiased=False, keepdim=True)
T(A).std()
T(A).norm()
T(A).norm(dim=1)
T(A).norm(p=1)
T(A).max()
T(A).min()
T(A).max(1)[0]
T(A).max(1)[1]
T(A).max(dim=1).values
T(A).max(axis=1)[1]
T(A).max(axis=1, keepdims=True).values
T(A).min(axis=0).indices
T(A).min(1, keepdims=True)[0]
values, indices = T(A).max(1); indices
_, predicted = T(A).max(1); predicted
T(A).min(0)[0]
T(A).amax(1)
T(A).amin((0, 1))
T(A).argmax()
T(A).argmax(1)
T(A).argmax(dim=1, keepdim=True)
T(A).argmin(0)
(T(A).argmax(1) == T(LABELS)).float().mean()
(T(A).argmax(1) == T(LABELS)).sum().item()
T(A).argmax(1).eq(T(LABELS)).sum()
T(A) > 1
(T(A) > 1).any()
(T(A) > 0).all()
(T(A) > 1) & (T(A) < 2)
~(T(A) > 1)
T([1, 2, 3]) + 1.5
T([1, 2]) / 2
T(A)[0] * T([1, 2, 3, 4])
T(A) * (T(A) > 1)
T([1, 2]) + T([3, 4])
T([5, -7]) // 2
T([5, -7]) % 3
7 // T([2, 3])
T(A) // 0.5
T(A) % T(0.3)
5 % T(A)
import copy; x = T(A, requires_grad=True); x.sum().backward(); copy.deepcopy(x).grad
import copy; m = nn.Linear(4, 2); m(T(A)).sum().backward(); copy.deepcopy(m).weight.grad is None
T([1, 2, 3]).sum()
[row.sum().item() for row in T(A)]
f"{T(2.5):.2f}"
sum(T(A)).shape
bool(T(1.0) > 0)
F.relu(T(A) - 1)
F.softmax(T(A), dim=1)
F.log_softmax(T(A), dim=1)
F.cross_entropy(T(A), T(LABELS))
F.cross_entropy(T(A), T(LABELS), label_smoothing=0.1)
F.cross_entropy(T(A), T(LABELS), reduction="sum")
F.cross_entropy(T(A), F.softmax(T(A), dim=1))
F.mse_loss(T(A), T(A) * 2)
F.l1_loss(T(A), T(A) * 2)
F.smooth_l1_loss(T(A), T(A) * 3)
F.binary_cross_entropy_with_logits(T(A), T(A) / 4)
F.max_pool2d(T(MAP), 2)
F.max_pool2d(T(MAP), 3, stride=2, padding=1)
F.max_pool2d(T(MAP), 2, ceil_mode=True)
F.avg_pool2d(T(MAP), 2)
F.avg_pool2d(T(MAP), 3, 2, 1, count_include_pad=False)
F.adaptive_avg_pool2d(T(MAP), 1)
F.adaptive_avg_pool2d(T(MAP), (1, 1))
F.adaptive_avg_pool2d(T(MAP), (None, 2))
F.pad(T(A), (1, 1))
F.pad(T(A), (1, 1), "constant", 0)
F.pad(T(A), (1, 1), value=3.0)
F.conv2d(T(MAP), torch.ones(3, 4, 3, 3), padding="same")
F.linear(T(A), torch.ones(2, 4))
F.gelu(T(A))
F.silu(T(A))
F.leaky_relu(T(A) - 1, 0.2)
F.layer_norm(T(A), (4,))
F.dropout(T(A), 0.5, training=False)
nn.ReLU()(T(A) - 1)
nn.ReLU(inplace=True)(T(A) - 1)
nn.ReLU6()(T(A) * 5)
nn.Softmax(dim=1)(T(A))
nn.Identity()(T(A))
nn.Flatten()(T(MAP))
nn.CrossEntropyLoss()(T(A), T(LABELS))
nn.CrossEntropyLoss(label_smoothing=0.1)(T(A), T(LABELS))
nn.MSELoss()(T(A), T(A) * 2)
nn.L1Loss()(T(A), T(A) * 2)
nn.BCEWithLogitsLoss()(T(A), T(A) / 4)
nn.BatchNorm2d(4)(T(MAP))
nn.BatchNorm2d(4, affine=False)(T(MAP))
nn.BatchNorm2d(4).eval()(T(MAP))
nn.BatchNorm1d(4)(T(A))
nn.GroupNorm(2, 4)(T(MAP))
nn.LayerNorm(5)(T(MAP))
nn.MaxPool2d(3, 2, 1)(T(MAP))
nn.MaxPool2d(kernel_size=2, ceil_mode=True)(T(MAP))
nn.AvgPool2d(2)(T(MAP))
nn.AdaptiveAvgPool2d((1, 1))(T(MAP))
nn.AdaptiveAvgPool2d(1)(T(MAP)).flatten(1)
nn.Linear(4, 2).weight.shape
nn.Linear(4, 2).in_features
nn.Linear(4, 2, bias=False).bias is None
nn.Conv2d(4, 8, 3, padding=1)(T(MAP)).shape
nn.Conv2d(4, 8, 3, padding="same")(T(MAP)).shape
nn.Conv2d(4, 8, kernel_size=3, stride=2, bias=False)(T(MAP)).shape
nn.Conv2d(4, 8, 3).out_channels
nn.Conv2d(4, 8, 3).kernel_size
nn.Conv2d(4, 8, 3, stride=2).stride
nn.Conv2d(4, 4, 3, groups=4)(T(MAP)).shape
nn.Dropout(0.5).eval()(T(A))
len(nn.Sequential(nn.Linear(4, 3), nn.ReLU()))
nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))(T(A)).shape
m = nn.Sequential(nn.Linear(4, 3)); m.append(nn.ReLU()); len(m)
m = nn.Sequential(nn.Linear(4, 3), nn.ReLU()); m[1] = nn.Identity(); m(T(A)).shape
m = nn.Sequential(nn.Linear(4, 3), nn.ReLU()); [type(layer).__name__ for layer in m] == ["Linear", "ReLU"]
m = nn.Sequential(nn.Linear(4, 3), nn.ReLU()); len(list(m.children()))
m = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)]); len(list(m.parameters()))
m = nn.Linear(4, 2); sum(p.numel() for p in m.parameters())
m = nn.Linear(4, 2); sum(p.numel() for p in m.parameters() if p.requires_grad)
m = nn.Linear(4, 2); list(m.state_dict()) == ["weight", "bias"]
m = nn.BatchNorm2d(4); [name for name, _ in m.named_buffers()] == ["running_mean", "running_var", "num_batches_tracked"]
m = nn.BatchNorm2d(4); len(list(m.buffers()))
m = nn.Linear(4, 2); m.eval(); m.training
m = nn.Linear(4, 2); m.train(); m.training
m = nn.Linear(4, 2); m.requires_grad_(False); any(p.requires_grad for p in m.parameters())
m = nn.Linear(4, 2); nn.init.zeros_(m.weight); m.weight
m = nn.Linear(4, 2); nn.init.ones_(m.bias); m.bias
nn.init.calculate_gain("leaky_relu")
nn.init.calculate_gain("leaky_relu", 0.2)
nn.init.calculate_gain("relu")
m = nn.ModuleList([nn.ReLU()]) + [nn.Tanh()]; len(m)
m = nn.ModuleDict({"a": nn.Linear(4, 2), "b": nn.ReLU()}); m.pop("b"); m.update({"c": nn.Tanh()}); [list(m.keys()), len(m.values()), len(m.items())] == [["a", "c"], 2, 2]
m = nn.Linear(4, 2); hasattr(m, "fc")
m = nn.Linear(4, 2); nn.init.constant_(m.bias, 3.0); m.bias
m = nn.Linear(4, 2); nn.init.xavier_uniform_(m.weight); m.weight.shape
m = nn.Linear(4, 2); nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu"); m.weight.shape
m = nn.Linear(4, 2); nn.init.normal_(m.weight, 0, 0.01); m.weight.shape
m = nn.Linear(4, 2); seen = []; h = m.register_forward_hook(lambda module, inputs, output: seen.append(output.shape)); m(T(A)); h.remove(); m(T(A)); len(seen)
m = nn.Linear(4, 2); seen = []; h = m.register_forward_pre_hook(lambda module, inputs: seen.append(1)); m(T(A)); len(seen)
m = nn.Linear(4, 2); x = T(A, requires_grad=True); seen = []; h = m.register_full_backward_hook(lambda module, gi, go: seen.append(gi[0].shape)); m(x).sum().backward(); [tuple(s) for s in seen] == [(3, 4)]
m = nn.Linear(4, 2); n = nn.Linear(4, 2); n.load_state_dict(m.state_dict()); bool((n(T(A)) == m(T(A))).all())
m = nn.Linear(4, 2); len(m.load_state_dict({"weight": m.state_dict()["weight"]}, strict=False).missing_keys)
m = nn.Linear(4, 2); nn.init.ones_(m.weight); o = optim.SGD(m.parameters(), lr=0.1, momentum=0.9); m(T(A)).sum().backward(); o.step(); m.weight
m = nn.Linear(4, 2); nn.init.ones_(m.weight); o = optim.Adam(m.parameters(), lr=0.1); m(T(A)).sum().backward(); o.step(); m.weight
m = nn.Linear(4, 2); nn.init.ones_(m.weight); o = optim.AdamW(m.parameters(), lr=0.1); m(T(A)).sum().backward(); o.step(); m.weight
m = nn.Linear(4, 2); o = optim.SGD(m.parameters(), lr=0.1); o.param_groups[0]["lr"] = 0.01; o.param_groups[0]["lr"]
m = nn.Linear(4, 2); o = optim.SGD(m.parameters(), lr=0.1); m(T(A)).sum().backward(); o.zero_grad(set_to_none=True); m.weight.grad is None
m = nn.Linear(4, 2); o = optim.SGD([{"params": [m.weight]}, {"params": [m.bias], "lr": 0.01}], lr=0.1); len(o.param_groups)
m = nn.Linear(4, 2); m.weight.requires_grad = False; o = optim.SGD(m.parameters(), lr=0.1); len(o.param_groups[0]["params"])
m = nn.Linear(4, 2); m(T(A)).sum().backward(); norm = nn.utils.clip_grad_norm_(m.parameters(), 1.0); bool(norm > 1)
m = nn.Linear(4, 2); with_no = torch.no_grad(); with_no.__enter__(); y = m(T(A)); with_no.__exit__(None, None, None); y.requires_grad
m = nn.Linear(4, 2).double(); str(m.weight.dtype).split(".")[-1]
x = T(A, requires_grad=True); twice = torch.no_grad(lambda x: 2 * x); twice(x).requires_grad
x = T(A, requires_grad=True); twice = torch.no_grad()(lambda x: (2 * x).requires_grad); [twice(x), (2 * x).requires_grad]
def each(x): yield (2 * x).requires_grad; each = torch.no_grad()(each); list(each(T(A, requires_grad=True)))
x = T(A, requires_grad=True); h = x.register_hook(lambda g: g * 2); x.sum().backward(); x.grad
x = T(A, requires_grad=True); h = x.register_hook(lambda g: g * 2); h.remove(); x.sum().backward(); x.grad
x = T(A, requires_grad=True); y = x * 2; y.retain_grad(); y.sum().backward(); y.grad
len(TensorDataset(T(A), T(LABELS)))
images, labels = next(iter(DataLoader(TensorDataset(T(A), T(LABELS)), batch_size=2))); images.shape
len(DataLoader(TensorDataset(T(A), T(LABELS)), batch_size=2, shuffle=True))
images, labels = next(iter(DataLoader(TensorDataset(T(A), T(LABELS)), batch_size=2))); images.to("cpu").view(images.size(0), -1)
images, labels = next(iter(DataLoader(TensorDataset(T(A), T(LABELS)), batch_size=2))); labels.size(0)
images, labels = next(iter(DataLoader(TensorDataset(T(A), T(LABELS)), batch_size=64, num_workers=0, pin_memory=False))); images
images, labels = next(iter(DataLoader(TensorDataset(T(np.arange(6).astype("u1")), T(A[0, [0, 1] * 3])), batch_size=4))); images.float()
len(DataLoader(TensorDataset(T(A), T(LABELS)), batch_size=64, drop_last=True))
images, labels = next(iter(DataLoader([(A[i], i) for i in range(3)], batch_size=2))); labels
next(iter(DataLoader([A, A + 1, A + 2], batch_size=2)))
next(iter(DataLoader(list(T(A)), batch_size=2)))
next(iter(DataLoader(T(A), batch_size=2)))
next(iter(DataLoader(A, batch_size=2)))
next(iter(DataLoader(A[0], batch_size=3)))
next(iter(DataLoader(range(5), batch_size=3)))
next(iter(DataLoader([1.0, 2.0, 3.0], batch_size=2)))
next(iter(DataLoader([True, False], batch_size=2)))
next(iter(DataLoader([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], batch_size=2)))[1]
next(iter(DataLoader([(A[0], np.int32(3)), (A[1], np.int32(4))], batch_size=2)))[1]
next(iter(DataLoader([[A[0], 0], [A[1], 1]], batch_size=2)))[0]
pairs, labels = next(iter(DataLoader([((A[0], 1), 2), ((A[1], 3), 4)], batch_size=2))); pairs[0] + pairs[1][:, None]
list(DataLoader([], batch_size=2))
Own = type("Own", (), {"__len__": lambda self: 3, "__getitem__": lambda self, i: A[i]}); next(iter(DataLoader(Own(), batch_size=2)))
Own = type("Own", (), {"__len__": lambda self: 3, "__getitem__": lambda self, i: float(i)}); next(iter(DataLoader(Own(), batch_size=2)))
Own = type("Own", (), {"__len__": lambda self: 3, "__getitem__": lambda self, i: (A[i], int(LABELS[i]))}); images, labels = next(iter(DataLoader(Own(), batch_size=2))); images
""".strip().splitlines()
    if line
]


@pytest.mark.filterwarnings("ignore:Creating a tensor from a list of numpy.ndarrays")  # torch's word on its own speed
@pytest.mark.parametrize("idiom", IDIOMS)
def test_a_habit_of_pytorchs_gives_pytorchs_numbers(idiom):
    expected = numbers(run(idiom, theirs()))
    found = numbers(run(idiom, ours()))
    if isinstance(expected, list):
        assert found == expected or np.allclose(np.asarray(found), np.asarray(expected))
        return
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype or expected.dtype == object or not expected.shape  # Python numbers have none
    if expected.dtype.kind in "fc":
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)
    else:
        assert np.array_equal(found, expected)
