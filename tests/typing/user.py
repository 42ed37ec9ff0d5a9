"""What a user writes: mypy finds no error in it."""

from collections.abc import Callable, Iterator

import numpy as np

import minires
import minires.nn.functional as F
import minires.summary
from minires import Tensor, data, gradcheck, models, nn, ops, optim, storage
from minires.annotations import Array


class Net(nn.Module):
    def __init__(self, width: int = 8) -> None:
        self.conv = nn.Conv2d(1, width, 3, padding="same", bias=False, rng=0)
        self.bn = nn.BatchNorm2d(width)
        self.blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.fc = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.chain(x, self.conv, self.bn, ops.relu)
        x = F.max_pool2d(x, 2).mean(dim=(2, 3))
        for block in self.blocks:
            x = ops.residual_add(x, block(x))
        return self.fc(x)


class Squares:
    """A data set of the user's own."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, i: int) -> tuple[np.ndarray, int]:
        return np.full(1, i, np.float32), i * i


@minires.op
def scaled(x: Array, *, factor: float = 2.0) -> tuple[Array, Callable[[Array], Array]]:
    return x * factor, lambda dy: dy * factor


# Tensors

x = minires.randn(2, 3, rng=0, requires_grad=True)
w: Tensor = x + x
w = x + 1 - 2.0 * x / np.ones(3, np.float32)
w = np.ones((2, 3), np.float32) * x + np.float32(3) * x
w = (x @ x.T) ** 2
a = np.ones((2, 3), np.float32)
with_arrays: list[Tensor] = [a + x, a - x, a * x, a / x, a**x, a.T @ x, x + a, x - a, x * a, x / a, x**a, x @ a.T]
with_numbers: list[Tensor] = [1 + x, 1 - x, 2 * x, 1 / x, 2**x, x + 1, x - 1, x * 2, x / 2, x**2]
w = -x[0, 1:] + abs(x)[1, :2]
w += 1
mask: Tensor = (x > 0) & (x == x)
shape: tuple[int, ...] = x.shape
rows, columns = shape
loss = (x * x).sum().reshape(1).view((1, 1))
loss.backward()
norm: float = x.grad.max() + loss.item()
values: np.ndarray = x.detach().numpy()
exponent: Tensor = np.exp(x)
best, where = x.max(dim=1)
for row in x:
    print(f"{row.sum().item():.3f}", float(row[0]), len(row), row.dtype, row.device)
minires.manual_seed(0)
with minires.no_grad():
    x.copy_(np.zeros((2, 3))).zero_()


@minires.no_grad()
def measured(model: nn.Module, x: Tensor) -> float:
    return model(x).mean().item()


# Ops

y: Tensor = ops.conv2d(minires.ones(1, 1, 5, 5), minires.ones(1, 1, 3, 3), stride=2)
y = ops.conv2d(minires.ones(1, 1, 5, 5), minires.ones(1, 1, 3, 3), None, 1, (1, 1))
y = ops.cat([y, y], dim=0) + ops.stack([y, y], 0)
y = ops.einsum("ij,kj->ik", x, x) + ops.softmax(x, dim=1)[:, :2] + F.softmax(x, 1)[:, :2]
y = ops.where(x > 0, x, 0.0).clip(min=0, max=1)
y = scaled(minires.ones(3), factor=3.0)
array, backward = ops.relu.raw(np.ones(3))
(dx,) = (backward(array),)
name: str = ops.relu.__name__

# Networks

net = Net()
logits: Tensor = net(minires.ones(2, 1, 4, 4))
net.train().to("cpu").eval()
measured(net, minires.ones(2, 1, 4, 4))
parameters: Iterator[nn.Parameter] = net.parameters()
nn.init.kaiming_normal_(net.conv.weight, mode="fan_out", rng=np.random.default_rng(0))
nn.init.zeros_(net.fc.bias)
sequence = nn.Sequential(nn.Conv2d(1, 2, (3, 1)), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((None, 1)), nn.Flatten())
sequence[0].weight.requires_grad_(False)
print(sequence(np.ones((1, 1, 4, 4), np.float32)).shape, nn.count_parameters(net), net)
resnet = models.resnet20(num_classes=10, rng=0)
logits = resnet(minires.ones(1, 3, 32, 32))
resnet.layer1[0].conv1.weight.data += 0
logits = models.resnet50(variant="v1", rng=0)(minires.ones(1, 3, 33, 33))
models.create("plain8", num_classes=3)

# Training

train, test = data.load("digits")
augment = data.compose(data.random_crop(8, padding=1), data.normalize(train.mean, train.std))
loader = data.DataLoader(train, batch_size=64, shuffle=True, seed=0, transform=augment)
optimizer = optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
optim.AdamW([{"params": net.fc.parameters(), "lr": 0.01}, {"params": [net.conv.weight]}], lr=0.1)
schedule = optim.linear_warmup(optim.cosine(0.1, T_max=10), steps=2)
criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
correct = 0
for step, (images, labels) in enumerate(loader):
    optimizer.lr = schedule(step)
    logits = net(images)
    loss = criterion(logits, labels) + F.cross_entropy(logits, labels, reduction="mean")
    optimizer.zero_grad()
    loss.backward()
    optim.clip_grad_norm_(net.parameters(), max_norm=1.0)
    optimizer.step()
    correct += (logits.argmax(1) == labels).sum().item()
    if step == 1:
        break
for inputs, targets in data.DataLoader(Squares(), batch_size=2):
    F.mse_loss(inputs, targets[:, None].float()).item()
image, label = train[0]
for image, label in test:
    print(image.shape, label)
    break
images.data[0] = [[0]]
minires.zeros(2)[:] = [1.0, 2.0]
for arrays in data.ArrayLoader((np.ones((4, 2)), np.arange(4)), batch_size=2):
    print(arrays[0].shape)

# Weights, tables and checks

state = net.state_dict()
storage.save("weights.safetensors", state, {"epoch": "1"})
weights, metadata = storage.load("weights.safetensors")
missing, unexpected = net.load_state_dict(weights, strict=True)
table = minires.summary.summary(net, (1, 1, 8, 8), depth=3)
total: int = table.parameters + table.multiply_adds + sum(row.parameters for row in table.rows)
print(table, table.rows[0].name, minires.summary.summary(net, input_data=x))
report: gradcheck.Report = gradcheck.check(ops.residual_add, np.ones((2, 3)), np.ones((2, 3)), seed=1)
assert report.passed, report.worst
reports = gradcheck.check_op("relu", samples=1)
assert all(one.passed for one in reports)
assert gradcheck.check_module(net.fc, np.ones((2, 8))).status == "ok"
