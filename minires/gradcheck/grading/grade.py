"""grade: one submission, from a file behind its walls, or a function of this process."""

import functools
import inspect
import secrets
from dataclasses import replace

from minires.errors import MiniresError, OptionError
from minires.gradcheck.checks.report import Report
from minires.gradcheck.grading import standard as standards
from minires.gradcheck.grading.as_function import as_function, of_reference, plan_of
from minires.gradcheck.grading.errors import (
    ChildError,
    CouldNotRunError,
    FormError,
    NotDoneError,
    StoppedError,
    TimedOutError,
)
from minires.gradcheck.grading.judge import Judge
from minires.gradcheck.grading.local import Local
from minires.gradcheck.grading.results import Result
from minires.gradcheck.grading.session import Session
from minires.tensor import registry

TIMEOUT = 10.0  # seconds for each call, as of the command
TAKEN_OFF = ("my_", "your_", "naive_", "_naive", "_loop", "_loops", "_vectorized", "_fast", "student_", "simple_")
SHORT = {
    "conv": "conv2d",
    "batchnorm": "batch_norm",
    "batchnorm2d": "batch_norm",
    "spatial_batchnorm": "batch_norm",
    "layernorm": "layer_norm",
    "groupnorm": "group_norm",
    "max_pool": "max_pool2d",
    "maxpool": "max_pool2d",
    "maxpool2d": "max_pool2d",
    "avg_pool": "avg_pool2d",
    "avgpool": "avg_pool2d",
    "avgpool2d": "avg_pool2d",
    "affine": "linear",
    "softmax_loss": "cross_entropy",
    "attention": "scaled_dot_product_attention",
    "sdpa": "scaled_dot_product_attention",
}

# Words for more than one op, so that an op is not chosen by them. `norm` alone is PyTorch's norm of a vector.
SEVERAL = {
    "norm": ("batch_norm", "layer_norm", "group_norm", "norm"),
    "pool": ("max_pool2d", "avg_pool2d"),
    "pool2d": ("max_pool2d", "avg_pool2d"),
    "loss": ("cross_entropy", "mse_loss", "l1_loss"),
}


def op_of(name):
    """The op that a function is named after: conv2d, relu_backward, conv_forward_naive, MaxPool2d; or ""."""
    if name in registry:
        return name
    word = _bare(name)
    if word in SEVERAL:
        return ""
    return word if word in registry else SHORT.get(word, SHORT.get(word.replace("_", ""), ""))


def _bare(name):
    """A function's name in small letters, without what says forward, backward or whose it is."""
    word = "".join(
        f"_{c.lower()}" if c.isupper() and k and not name[k - 1].isupper() else c.lower() for k, c in enumerate(name)
    )
    for part in ("_forward", "_backward", *TAKEN_OFF):
        word = word.replace(part, "")
    return word


def grade(
    function, like=None, *, shapes=None, reference=None, seed=None, samples=1, numbers_only=False, timeout=TIMEOUT
):
    """Hold a function, class or pair (forward, backward) of this process to an op, as the grader does. -> Result

    like: the op (default: the one it is named after). reference: another function(*arrays) -> (y, backward), a class
    or a pair, with the shapes of its arrays, "8:10" for eight labels of ten classes. With shapes alone the function is
    measured by differences. timeout: seconds for each call, None for no limit. The Result prints as a table with the
    hints for its author. Raises OptionError where it is not clear what to hold it to.
    """
    if timeout is not None and not timeout > 0:
        raise OptionError(f"timeout is {timeout}: give the seconds for each call, or None for no limit")
    shapes = shapes and [standards.shape_of(shape) if isinstance(shape, str) else shape for shape in shapes]
    functions = list(function) if isinstance(function, (tuple, list)) else [function]
    names = [getattr(f, "__name__", type(f).__name__) for f in functions]
    names = [n if n.isidentifier() else f"function{k}" for k, n in enumerate(names)]
    seed = secrets.randbits(32) if seed is None else seed
    like = like or ("" if shapes or reference else next(filter(None, map(op_of, names)), ""))
    held_to = standard_of(like, reference, shapes, names)
    child = Local(names=dict(zip(names, functions)), timeout=timeout)
    result = Result(", ".join(names), held_to.name if held_to else "", seed=seed)
    with Session(lambda: child, names[0]) as session:
        return _graded(
            names, held_to, shapes, session, "\n".join(map(_text, functions)), result, seed, samples, numbers_only
        )


def _text(function):
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return ""


def standard_of(like, reference, shapes, names=()):
    """The Standard of an op or of a teacher's own function, or None where there is neither. names: of a submission."""
    if reference:
        if like:
            raise OptionError("--like and --reference both say what to be held to; leave one of the two out")
        if not shapes:
            raise OptionError("--reference needs the shapes of its arrays: --shapes 2,3,8,8 4,3,3,3")
        function = of_reference(reference, shapes)
        held_to = standards.of_function(function, shapes)
        held_to.written = getattr(function, "written", [function])
        held_to.remake = functools.partial(of_reference, shapes=shapes)
        report, held_to = standards.proved(held_to)
        if not report.passed:
            raise OptionError(f"the reference itself does not pass the check: {report}")
        return standards.with_another_batch(held_to)
    if like:
        if shapes:
            raise OptionError("--shapes goes with --reference, or alone; an op's cases have shapes of their own")
        return standards.of_op(like)
    if shapes:
        return None
    for name in names:
        if _bare(name) in SEVERAL:
            *most, last = (f"--like {op}" for op in SEVERAL[_bare(name)])
            raise OptionError(f"{name} may be several ops: say which, {', '.join(most)} or {last}")
    raise OptionError(
        "say which op it is to be like: --like OP; --list shows their names; or --reference FILE.py:FUNCTION, or the "
        "shapes of its arrays alone, for advice: --shapes 2,3,8,8 4,3,3,3"
    )


def grade_source(source, names, held_to, shapes, open_child, result, *, seed, samples, numbers_only=False):
    """Grade functions of a Source. open_child() gives a Box, or a Local where there are to be no walls. -> Result"""
    name = source.path.name if source.path else "the submission"
    try:
        with Session(open_child, name) as session:
            return _graded(names, held_to, shapes, session, source.text, result, seed, samples, numbers_only)
    except MiniresError as error:
        result.error = str(error)
    return result


def _graded(names, held_to, shapes, session, text, result, seed, samples, numbers_only):
    if held_to is not None:
        judge = Judge(held_to, session, text, seed=seed, samples=samples, numbers_only=numbers_only)
        judge.grade(names, result)
    else:
        try:
            _measured(names, shapes, session, text, result, seed)
        except (CouldNotRunError, FormError) as error:
            result.error = str(error)
        except NotDoneError as error:
            result.not_done = str(error)
        except StoppedError as error:
            result.stop(error)
        except ChildError as error:
            session.lost(error)
            result.error = str(error)
    return result


def _measured(names, shapes, session, text, result, seed):
    """Hold a submission to differences of itself: advice, for there is nothing else to hold it to."""
    result.advice = True
    judge = Judge(standards.of_shapes([], shapes), session, text)
    child = session.get()
    described = judge._describe(child, names)
    plan, held_to = plan_of(child, names, described, shapes, session.defined, text, seed)
    result.style = plan.said()
    held_to = replace(held_to, name=names[0], raw=as_function(plan, session.get, held_to))
    try:
        report, held_to = standards.proved(held_to, seed)
    except ChildError as error:
        report = Report(names[0], problems=[str(error)])
        if isinstance(error, TimedOutError):
            session.lost(error)
    if session.stopped is not None:  # the check took it for an error of the function
        result.not_tried, result.untried = 1, [names[0]]
        raise session.stopped
    if held_to.unasked:
        result.notes.append(f"it gives no {standards.unasked_of(held_to)}, so none was checked")
    result.cases.append(report)
