"""The whole gradient check: all ops on their cases, all linear maps on integers, blocks and networks."""

import time

import numpy as np

from minires.arrays import to_device
from minires.console import Table
from minires.gradcheck.checks.adjoint import adjoint_identities
from minires.gradcheck.checks.checker import check_op
from minires.gradcheck.checks.networks import check_module, taylor_test
from minires.models import resnet8, resnet20
from minires.models.blocks import BasicBlock, Bottleneck
from minires.op import registry

OPS = {"op": 19, "input": 6, "elements": -8, "by": 7, "error": -7, "float32": -7, "kinks": -5}
LINEAR = {"linear map": 25, "input": 6, "tried": -5, "|⟨A·x, dy⟩ − ⟨x, Aᵀ·dy⟩|": -25}
NETWORKS = {"network": 25, "of": 13, "by": 20, "": -7}


def full_check(names=(), *, seed=0, samples=3, device="cpu", quiet=False):
    """Check the named ops. Without names: all ops, the linear maps and the networks. -> whether all passed"""
    to_device(np.zeros(1), device)  # raises once, and here, if there is no such device
    started = time.perf_counter()
    reports = check_ops(names or sorted(registry), seed=seed, samples=samples, device=device, quiet=quiet)
    failed = [r for r in reports if not r.passed]
    counts = [f"{sum(r.passed for r in reports)} of {len(reports)} cases"]
    if not names:
        identities = check_linear(seed=seed, samples=samples, quiet=quiet) if device == "cpu" else []
        nets = check_networks(seed=seed, device=device, quiet=quiet)
        failed += [r for r in identities + nets if not r.passed]
        counts += [
            f"{sum(r.passed for r in group)} of {len(group)} {what}"
            for what, group in (("linear maps", identities), ("checks of networks", nets))
            if group
        ]
    kinks = sum(r.kinks for r in reports)
    elements = sum(r.elements for r in reports)
    if not quiet:
        print()
    for report in failed:
        print(report)
    print(
        f"{', '.join(counts)} passed in {time.perf_counter() - started:.1f} s; "
        f"{kinks} of {elements} elements skipped at a kink ({100 * kinks / max(elements, 1):.2g} %)"
    )
    return not failed


def check_ops(names, *, seed, samples, device="cpu", quiet=False):
    """Print a row for each argument of each op, for all its cases together. -> list of Report"""
    table = Table(OPS, quiet)
    reports = []
    for name in names:
        of_op = check_op(name, seed=seed, samples=samples, device=device)
        reports += of_op
        for argument in dict.fromkeys(w.argument for r in of_op for w in r.arguments) or ["-"]:
            found = [(w, r) for r in of_op for w in r.arguments if w.argument == argument]
            worst, report = max(found, key=lambda pair: pair[0].error, default=(None, of_op[0]))
            kinks = sum(len(w.kinks) for w, _ in found)
            elements = sum(w.elements for w, _ in found) + kinks
            table.row(
                name,
                argument,
                elements,
                report.method.partition(" ")[0],
                f"{worst.error if worst else np.nan:.1e}",
                f"{max((w.float32_error for w, _ in found), default=np.nan):.1f} u",
                kinks or "-",
                passed=not any(r.problems or r.unsure for r in of_op) and all(r.agrees(w) for w, r in found),
            )
    return reports


def check_linear(*, seed, samples, quiet=False):
    """Print a row for each linear map. -> list of AdjointCheck"""
    found = adjoint_identities(seed, 500 * samples)
    if not quiet:
        print()
    table = Table(LINEAR, quiet)
    for check in found:
        table.row(check.name, check.argument, check.configurations, f"{check.difference:.3g}", passed=check.passed)
    return found


def check_networks(*, seed, device="cpu", quiet=False):
    """Print three rows for each network: its inputs, its parameters, and all of them at once by a Taylor test."""
    table = Table(NETWORKS, quiet)
    reports = []
    if not quiet:
        print()
    for name, module, x in networks(seed):
        report = check_module(module, x, seed=seed, name=name, device=device)
        inputs = [w for w in report.arguments if w.argument.startswith("input")]
        rest = [w for w in report.arguments if w not in inputs]
        for what, found in (("x", inputs), (f"{len(rest) - 1} parameters", rest)):
            table.row(
                name, what, report.method, f"{max(w.error for w in found):.1e}", passed=all(map(report.agrees, found))
            )
        reports.append(report)
        taylor = taylor_test(module, x, seed=seed, name=name, device=device)
        table.row(name, "everything", "Taylor test, rate ε^", f"{taylor.rate:.3f}", passed=taylor.passed)
        reports.append(taylor)
    return reports


def networks(seed):
    """(name, module, images): residual blocks and whole ResNets."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((3, 4, 6, 5))
    yield "BasicBlock", BasicBlock(4, 4, rng=rng), x
    yield "BasicBlock, option A", BasicBlock(4, 8, stride=2, shortcut="A", rng=rng), x
    for variant in ("v1", "v1.5"):
        yield f"Bottleneck {variant}, option B", Bottleneck(4, 2, stride=2, variant=variant, rng=rng), x
    yield "plain block", BasicBlock(4, 4, shortcut=None, rng=rng), x
    images = rng.standard_normal((4, 1, 8, 8))
    yield "resnet8 in training", resnet8(in_channels=1, rng=rng), images
    yield "resnet8 in evaluation", resnet8(in_channels=1, rng=rng).eval(), images
    yield "resnet20 in training", resnet20(in_channels=1, rng=rng), images
