"""What holds of the kernels of a GPU beside their results: how many launches, what is copied, for which chips."""

import ast
import gc
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from backends import BACKENDS, GPUS, host, needs_gpu

import minires
from minires import Tensor, cuda, kernels, models, ops, optim
from minires.arrays import channels_last
from minires.graph import Node
from minires.kernels import Window
from minires.models.blocks import Bottleneck
from minires.train import train_step

ROOT = Path(minires.__file__).parent
CPU = BACKENDS[0]


@pytest.fixture(scope="module")
def counters():
    """counters() -> {what: how often so far}; only the stand-in for a GPU counts."""
    if cuda.stand_in() is None:
        pytest.skip("launches and copies are counted by a stand-in for CUDA only: MINIRES_CUPY_STAND_IN names none")
    return cuda.stand_in().snapshot


def spent(counters, do):
    before = counters()
    result = do()
    after = counters()
    return Counter({name: after[name] - before[name] for name in after}), result


@pytest.fixture(scope="module")
def steps(counters):
    """Four training steps of ResNet-50 on small images: (spent, result, by layer kind, bytes in arrays), of each."""
    import cupy

    place = GPUS[0]
    pool = cupy.get_default_memory_pool()
    gc.collect()
    pool.free_all_blocks()  # what other tests have left would be cut up
    model = models.create("resnet50", rng=0).to(place.device)
    optimizer = optim.SGD(model.parameters(), 0.01, momentum=0.9, weight_decay=1e-4)
    rng = np.random.default_rng(0)
    labels = place.array(rng.integers(0, 1000, 2))
    kinds = Counter()
    found = []
    gradients = Node.gradients

    def counted(node, dy):
        used, dxs = spent(counters, lambda: gradients(node, dy))
        kinds[f"{node.name} backward"] += used["launch"] + used["blas"]
        return dxs

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Node, "gradients", counted)
        for _ in range(4):
            images = channels_last(rng.standard_normal((2, 3, 33, 33), dtype=np.float32))
            kinds.clear()
            used, result = spent(
                counters, lambda images=images: train_step(model, optimizer, place.array(images), labels)
            )
            assert all(isinstance(number, type(labels)) for number in result)  # arrays, because the host did not wait
            loss, correct = map(float, result)
            del result
            found.append((used, (loss, correct), dict(kinds), pool.used_bytes()))
    return found


@needs_gpu
def test_a_training_step_of_resnet50_is_at_most_800_launches_and_the_host_never_waits(steps):
    for used, _, kinds, _ in steps:
        print({**kinds, "all": used["launch"] + used["blas"]})
        assert used["launch"] + used["blas"] <= 800, kinds
        assert used["d2h"] == used["sync"] == 0
        assert used["h2d"] == 1  # the images
        assert used["h2d_bytes"] == 2 * 3 * 33 * 33 * 4


@needs_gpu
def test_memory_is_flat_after_the_second_step(steps):
    """To the byte in arrays; the pool may still cut a block otherwise."""
    held = [in_arrays for *_, in_arrays in steps]
    assert held[1] == held[2] == held[3] > 100e6
    assert sum(used["live_bytes"] for used, *_ in steps[2:]) < 0.01 * held[1]


@needs_gpu
def test_loss_and_count_can_be_read_later(steps):
    for _, (loss, correct), *_ in steps:
        assert 0 < loss < 20
        assert correct in (0, 1, 2)


@needs_gpu
def test_inference_and_the_optimizers_do_not_wait_either(counters):
    place = GPUS[0]
    model = models.create("resnet8", rng=0).to(place.device).eval()
    x = place.array(np.zeros((2, 3, 8, 8), np.float32))
    parameters = list(model.parameters())
    for p in parameters:
        p.grad = p.data * 0
    adamw = optim.AdamW(parameters)
    with minires.no_grad():
        used, _ = spent(counters, lambda: (model(Tensor(x)), adamw.step()))
    assert used["d2h"] == used["sync"] == used["h2d"] == 0


@pytest.mark.parametrize("place", GPUS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_blocks_compute_what_they_compute_with_numpy(place, dtype):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 4, 9, 7)).astype(dtype)
    upstream = rng.standard_normal((4, 8, 5, 4)).astype(dtype)
    results = []
    for backend in (CPU, place):
        block = Bottleneck(4, 2, stride=2, rng=0).to(dtype).to(backend.device)
        t = Tensor(backend.array(channels_last(x)), requires_grad=True)
        y = block(t)
        y.backward(backend.array(upstream))
        results.append(
            {
                "y": y.data,
                "x": t.grad,
                **block.state_dict(),
                **{f"∂{name}": p.grad for name, p in block.named_parameters()},
            }
        )
    for name, expected in results[0].items():
        found = host(results[1][name])
        assert found.dtype == expected.dtype
        unit = np.finfo(expected.dtype).eps if expected.dtype.kind == "f" else 0
        assert np.abs(found - expected).max() <= 100 * unit * max(1, np.abs(expected).max()), name


@pytest.mark.parametrize("place", GPUS)
@pytest.mark.parametrize("blocks", [1, 3])
def test_a_thread_adds_up_more_than_one_sum_of_64(place, blocks, monkeypatch):
    """As it does where a feature map has more pixels than a GPU has threads."""
    from minires.kernels.device import norm

    monkeypatch.setattr(norm, "BLOCKS", blocks)
    rng = np.random.default_rng(0)
    x, dy = (channels_last(rng.standard_normal((3, 30, 40, 41))) for _ in range(2))
    mean, var = place.mean_var(x)
    by_channel, n, u = (0, 2, 3), x.size // 30, 2.0**-53
    dw, db = place.normalize_sums(dy, x, mean, 1 / var)
    x_hat = (x - mean.reshape(1, -1, 1, 1)) / var.reshape(1, -1, 1, 1)
    for found, terms in (
        (n * mean, x),
        (n * var, (x - x.mean(axis=by_channel, keepdims=True)) ** 2),
        (db, dy),
        (dw, dy * x_hat),
    ):
        # 64 additions, about four roundings of a term, and some in the other factors
        assert np.all(np.abs(found - terms.sum(axis=by_channel)) <= 80 * u * np.abs(terms).sum(axis=by_channel))


@pytest.mark.parametrize("place", GPUS)
def test_a_target_that_is_no_class_makes_the_loss_nan_on_a_gpu(place):
    logits = place.array(np.zeros((3, 5), np.float32))
    for target in (5, -1):
        x = Tensor(logits, requires_grad=True)
        labels = place.array(np.array([0, target, 1]))
        loss = ops.cross_entropy(x, labels)
        assert np.isnan(loss.item())
        loss.backward()
        assert np.isnan(host(x.grad)).all()  # so that no training step hides it
        each = host(ops.cross_entropy(x, labels, reduction="none").data)
        assert np.isnan(each).tolist() == [False, True, False]
    assert ops.cross_entropy(Tensor(logits), place.array(np.array([0, -100, 1]))).item() == pytest.approx(np.log(5))


@pytest.mark.parametrize("where", [0, 1, 40, 69])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_logit_that_is_not_finite_makes_the_loss_nan(backend, where, value):
    """In each thread's part of a row, first or last."""
    logits = np.zeros((2, 70), np.float32)
    logits[1, where] = value
    with np.errstate(invalid="ignore"):
        found = ops.cross_entropy(
            Tensor(backend.array(logits)), backend.array(np.array([3, 5])), reduction="none"
        ).numpy()
    assert found[0] == pytest.approx(np.log(70))
    assert np.isnan(found[1])


@pytest.fixture(scope="module")
def every_kernel():
    """All kernels of kernels/device/, each used once in both types: {name: what it was made into}."""
    device = GPUS[0]
    for dtype in (np.float32, np.float64):
        rng = np.random.default_rng(0)
        x = rng.standard_normal((2, 3, 6, 5)).astype(dtype)
        win = Window.of(x.shape, (4, 3, 3, 3), 2, 1)
        w, dy = (rng.standard_normal(shape).astype(dtype) for shape in ((4, 3, 3, 3), win.y_shape))
        device.conv(x, w, win), device.conv_dx(dy, w, win), device.conv_dw(dy, x, win)
        pool = Window.pool(x.shape, 2)
        y = device.max_pool(x, pool)
        (
            device.max_pool_dx(y, device.max_pool_argmax(x, y, pool), pool),
            device.avg_pool(x, pool),
            device.avg_pool_dx(y, pool),
        )
        device.add(x, x), device.add_relu(x, x), device.relu(x), device.relu_dx(x, x)
        gamma = np.ones(3, dtype)
        mean, var = device.mean_var(x)
        inv_std = device.inv_std(var, 1e-5)
        device.normalize(x, mean, inv_std, gamma, gamma)
        dw, db = device.normalize_sums(x, x, mean, inv_std)
        device.normalize_dx(x, x, mean, inv_std, gamma, dw, db), device.scale(x, inv_std)
        device.update_running_stats(gamma, gamma, mean, var, 0.1, 60)
        logits = x.reshape(-1, 5)
        t = np.zeros(36, int)
        losses, _, log_p = device.cross_entropy(logits, t, None, 0.1, -100)
        device.cross_entropy_dx(log_p, t, None, 0.1, -100, losses)
        a, b = ([device.array(np.ones(3, dtype))] for _ in range(2))
        kernels.sgd(a, b, a, lr=0.1, momentum=0.9, dampening=0.0, weight_decay=0.0, nesterov=False, first=False)
        kernels.adam(a, b, a, b, lr=0.1, beta1=0.9, beta2=0.99, eps=1e-8, weight_decay=0.0, decoupled=True, t=1)
    from minires.kernels.device.launch import made

    return made


ARCHITECTURES = (75, 80, 90, 120)


@needs_gpu
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_kernel_compiles_for(architecture, every_kernel):
    """By NVIDIA's own compiler, which needs no GPU."""
    nvrtc = pytest.importorskip("cupy_backends.cuda.libs.nvrtc")
    compiled = set()
    for name, source in sources(every_kernel):
        program = nvrtc.createProgram(source, f"{name}.cu", [], [])
        try:
            nvrtc.compileProgram(program, [f"--gpu-architecture=compute_{architecture}", "-std=c++17", *INCLUDES()])
        except Exception:
            raise AssertionError(f"{name}: {nvrtc.getProgramLog(program)}") from None
        assert len(nvrtc.getPTX(program)) > 200
        compiled.add(name)
    on_device = "".join(p.read_text() for p in (ROOT / "kernels" / "device").glob("*.py"))
    written = set(re.findall(r"__global__ void (\w+)", on_device)) | {
        f"minires_{name}" for name in re.findall(r'"(\w+)"\)\(|, "(\w+)"\),', on_device) for name in name if name
    }
    assert written - compiled <= {"minires_float32", "minires_float64"}, "these were not compiled"


def INCLUDES():
    import cupy

    folder = Path(cupy.__file__).parent
    own = folder / "_core" / "include"
    headers = [own, *own.glob("cupy/_cccl/*"), *(folder.parent / "nvidia").glob("*/include")]
    return [f"-I{path}" for path in headers if path.is_dir()]


def sources(made):
    """(name, CUDA source) of each kernel, for each type it was used with."""
    for key, kernel in made.items():
        if len(key) == 3:  # raw: (source, name, dtype)
            assert kernel.code.startswith("typedef ")
            yield key[1], kernel.code
        else:
            for code in kernel.cached_codes.values():
                yield f"minires_{key[3]}", "#include <cupy/complex.cuh>\n#include <cupy/carray.cuh>\n" + code


def test_ops_and_pages_call_nothing_of_numpys_on_arrays():
    """np.exp(x) works on an array of a GPU, and hides where the work runs: ops take array_module(x)'s functions."""
    allowed = {"np.dtype", "np.random.default_rng", "np.ndarray", "np.errstate", "np.broadcast_shapes"}
    files = [*(ROOT / "ops").glob("*.py"), *(ROOT / "kernels" / "readable").glob("*.py")]
    assert len(files) > 20
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (called := ast.unparse(node.func).partition("(")[0]).startswith("np."):
                assert called in allowed, f"{path}:{node.lineno} calls {called}"


def test_the_reason_why_the_gpu_is_not_tested_is_known():
    assert bool(GPUS) == (cuda.why_not() == "")
