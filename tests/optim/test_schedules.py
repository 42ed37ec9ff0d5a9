"""Schedules against torch's, step by step."""

import warnings

import numpy as np
import pytest

from minires import Tensor, optim
from minires.errors import OptionError


def torchs(make, steps, lr=0.3):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what this test compares with")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr)
    scheduler = make(torch.optim.lr_scheduler, optimizer)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some torch schedulers warn of themselves
            scheduler.step()
    return found


@pytest.mark.parametrize(
    ("ours", "make", "steps"),
    [
        (optim.multistep(0.3, [5, 12], 0.2), lambda s, o: s.MultiStepLR(o, [5, 12], 0.2), 20),
        (optim.multistep(0.3, [5, 5]), lambda s, o: s.MultiStepLR(o, [5, 5]), 10),
        (optim.cosine(0.3, 17, 0.01), lambda s, o: s.CosineAnnealingLR(o, 17, 0.01), 18),
        (optim.one_cycle(0.3, 30), lambda s, o: s.OneCycleLR(o, 0.3, total_steps=30, cycle_momentum=False), 30),
        (
            optim.one_cycle(0.3, 23, 0.47, 10.0, 50.0),
            lambda s, o: s.OneCycleLR(
                o, 0.3, total_steps=23, pct_start=0.47, div_factor=10.0, final_div_factor=50.0, cycle_momentum=False
            ),
            23,
        ),
        (
            optim.one_cycle(0.3, 9, div_factor=1.0, final_div_factor=1.0),
            lambda s, o: s.OneCycleLR(
                o, 0.3, total_steps=9, div_factor=1.0, final_div_factor=1.0, cycle_momentum=False
            ),
            9,
        ),
        (optim.linear_warmup(optim.constant(0.3), 6), lambda s, o: s.LinearLR(o, total_iters=6), 10),
        (
            optim.linear_warmup(optim.multistep(0.3, [8]), 4, 0.1),
            lambda s, o: s.ChainedScheduler([s.LinearLR(o, 0.1, total_iters=4), s.MultiStepLR(o, [8])]),
            12,
        ),
        (optim.constant(0.3), lambda s, o: s.ConstantLR(o, 1.0), 5),
    ],
)
def test_every_step_is_torchs(ours, make, steps):
    assert [ours(step) for step in range(steps)] == pytest.approx(torchs(make, steps), rel=1e-12, abs=1e-14)


def test_after_its_end_a_schedule_stays_where_it_was():
    for schedule in (optim.one_cycle(0.3, 10), optim.cosine(0.3, 9, 0.1)):
        assert schedule(100) == schedule(9)


def test_a_cycle_of_one_step_is_at_its_end_or_at_its_top():
    assert optim.one_cycle(0.3, 1)(0) == pytest.approx(0.3 / 25 / 1e4, rel=1e-12)
    assert optim.one_cycle(0.3, 1, 1.0)(0) == 0.3
    assert optim.one_cycle(0.3, 10, 0.1)(0) == 0.3  # the top is at step 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: optim.constant(-1),
        lambda: optim.cosine(0.1, 0),
        lambda: optim.one_cycle(0.1, 0),
        lambda: optim.cosine(0.1, 2.5),
        lambda: optim.one_cycle(0.1, 9, 1.5),
        lambda: optim.linear_warmup(optim.constant(1), 0),
        lambda: optim.constant(float("nan")),
        lambda: optim.multistep(0.1, [3], -1),
        lambda: optim.multistep(0.1, [-3]),
        lambda: optim.multistep(0.1, ["3"]),
        lambda: optim.constant(float("inf")),
        lambda: optim.one_cycle(float("inf"), 9),
        lambda: optim.one_cycle(0.1, 9.0),
        lambda: optim.one_cycle(0.1, True),
        lambda: optim.cosine(0.1, 9, float("nan")),
        lambda: optim.one_cycle(0.1, 9, final_div_factor=float("inf")),
        lambda: optim.one_cycle(0.1, 9, div_factor=0.75),
        lambda: optim.one_cycle(0.1, 9, final_div_factor=0.75),
        lambda: optim.linear_warmup(0.1, 5),
        lambda: optim.multistep(0.1, 30),
        lambda: optim.constant(True),
        lambda: optim.cosine(0.1, 10**400),
        lambda: optim.one_cycle(0.1, 10**400),
        lambda: optim.multistep(0.1, [10**5000]),
        lambda: optim.linear_warmup(optim.constant(1), 2**53 + 1),
        lambda: optim.multistep(0.1, [1, 1], 1e200),
        lambda: optim.multistep(1e300, [3] * 9, 10),
        lambda: optim.multistep(0.1, {3: 1}),
        lambda: optim.multistep(0.1, b"35"),
        lambda: optim.multistep(0.1, np.array(3)),
        lambda: optim.multistep(0.1, Tensor(3)),
        lambda: optim.multistep(0.1, "35"),
        lambda: optim.multistep(0.1, [np.nan]),
    ],
)
def test_nonsense_is_refused(make):
    with pytest.raises(OptionError, match="must be a") as caught:
        make()
    assert "\n" not in str(caught.value)


def test_milestones_may_come_from_an_iterator_and_numpy():
    schedule = optim.multistep(0.5, iter(np.array([2, 3])), 0.5)
    assert [schedule(step) for step in range(4)] == [0.5, 0.5, 0.25, 0.125]


SCHEDULES = [
    optim.constant(0.1),
    optim.multistep(0.1, [2]),
    optim.cosine(0.1, 10),
    optim.one_cycle(0.1, 10),
    optim.linear_warmup(optim.constant(0.1), 5),
    optim.linear_warmup(lambda step: 0.1, 5),
]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("step", [-1, -100, 1.5, np.nan, np.inf, None, "3", True, [1], 10**400])
def test_a_step_that_is_no_count_is_refused(schedule, step):
    with pytest.raises(OptionError, match="step must be a whole number of at"):
        schedule(step)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_rate_is_a_python_float_whatever_type_the_step_has(schedule):
    for step in (0, 3, 9, 2**53):
        assert {type(schedule(kind(step))) for kind in (int, np.int64, np.uint64)} == {float}


@pytest.mark.parametrize("returned", [None, "0.1", np.nan, np.inf, -0.1, np.ones(2)])
def test_what_a_schedule_of_ones_own_returns_is_a_rate(returned):
    with pytest.raises(OptionError, match=r"what schedule\(step\) returns must be a finite number of at least 0"):
        optim.linear_warmup(lambda step: returned, 5)(0)


def test_a_rate_as_large_as_floats_go_is_met_exactly():
    assert optim.cosine(1e308, 10)(0) == 1e308
    assert optim.cosine(0.0, 10, 1e308)(10) == 1e308
    assert optim.multistep(1e-200, [5], 1e200)(5) == 1.0


@pytest.mark.parametrize("pct_start", [0, 1])
def test_a_cycle_may_rise_or_fall_all_the_way(pct_start):
    """Of 4 steps: from the top at −1 down to the end at 3, or from the start up to the top at 3."""
    found = [optim.one_cycle(1.0, 4, pct_start, 2.0, 4.0)(step) for step in range(4)]
    ends = (1.0, 0.125, 1) if not pct_start else (0.5, 1.0, 0)
    part = [(step + ends[2]) / (3 + ends[2]) for step in range(4)]
    assert found == pytest.approx(
        [ends[1] + (ends[0] - ends[1]) * (1 + np.cos(np.pi * p)) / 2 for p in part], abs=1e-12
    )
