"""A submission, or a teacher's own class or pair (forward, backward), as a function(*arrays) -> (y, backward)."""

import inspect
import sys
import threading

import numpy as np

from minires.errors import OptionError
from minires.gradcheck.cases import Case
from minires.gradcheck.grading import standard as standards
from minires.gradcheck.grading import styles
from minires.gradcheck.grading.errors import (
    ChildError,
    CouldNotRunError,
    FormError,
    NotDoneError,
    PassOverError,
    RaisedError,
    WrongError,
)
from minires.gradcheck.grading.face import Described, Handle
from minires.gradcheck.grading.functions import ClosurePlan, PairPlan
from minires.gradcheck.grading.layers import OF_ARRAYS, LayerPlan
from minires.gradcheck.grading.local import Local
from minires.gradcheck.grading.names import SETTINGS, plain, size_of
from minires.gradcheck.grading.plan import RUNNING
from minires.gradcheck.grading.source import read


def function_of(target):
    """The function, class or pair of functions of FILE.py:NAME or FILE.py:F,G, loaded here: a teacher's own."""
    path, colon, words = target.rpartition(":")
    names = words.split(",")
    if not colon or len(names) > 2 or not all(name.isidentifier() for name in names):
        raise OptionError(f"--reference {target}: which function? Write FILE.py:FUNCTION, FILE.py:F,G or FILE.py:CLASS")
    source = read(path)
    child = Local(source)
    beside = str(source.path.parent.resolve())
    sys.path.append(beside)  # for its neighbours; after all other places, so that none is hidden
    try:
        child.load()
    finally:
        sys.path.remove(beside)  # because students' files may be there, too
    for name in names:
        if not callable(child.names.get(name)):
            after = f" (after {child.cell_errors[0]})" if child.cell_errors else ""
            raise OptionError(f"--reference {target}: there is no function {name!r}{after}")
    found = [child.names[name] for name in names]
    return found[0] if len(found) == 1 else found


def of_reference(reference, shapes):
    """A teacher's function as it is; a class or a pair as a function of arrays of these shapes."""
    pair = list(reference) if isinstance(reference, (tuple, list)) else [reference]
    if len(pair) == 1 and not inspect.isclass(pair[0]) and not _has_other_form(pair[0], shapes):
        return pair[0]
    names = [f.__name__ for f in pair]
    child = Local(names=dict(zip(names, pair)))
    try:
        plan, held_to = plan_of(child, names, {name: child.describe(name) for name in names}, shapes, names, "", 0)
    except (CouldNotRunError, ChildError, FormError, NotDoneError) as error:
        raise OptionError(f"the reference {', '.join(names)} cannot be called: {error}") from error
    function = as_function(plan, lambda: child, held_to)
    function.__name__ = names[0]
    function.written = pair
    return function


def _has_other_form(function, shapes):
    """Whether a function gives (loss, dx), or a backward whose gradients are a dict, as a submission may."""
    try:
        value = function(*standards.drawn(shapes, np.random.default_rng(0)))
        if not isinstance(value, (tuple, list)) or len(value) < 2:
            return False
        if not callable(value[1]):
            return np.ndim(value[0]) == 0
        return isinstance(value[1](np.ones(np.shape(value[0]))), dict)
    except Exception:  # the check says what it raises
        return False


def plan_of(child, names, described, shapes, defined, text, seed):
    """(the first plan by which these names give y and gradients, the Standard of their arrays)"""
    held_to = standards.of_shapes(array_names(child, names[0], described[names[0]], len(shapes)), shapes)
    found, reasons = styles.plans(held_to, names, described, defined, text)
    found = [p for p in found if isinstance(p, (ClosurePlan, PairPlan, LayerPlan))]
    if not found:
        raise CouldNotRunError("; ".join(reasons) or "without --like a backward alone has nothing to be held to")
    return _first_that_runs(found, child, held_to.plain(seed)), held_to


def as_function(plan, get_child, held_to):
    """function(*arrays) -> (y, backward) that calls a child by a plan.

    Where the backward needs what the last forward left, the forward is called again before each backward.
    """
    lock = threading.Lock()  # several submissions may be held to one teacher

    def function(*arrays):
        case = Case("", arrays)
        with lock:
            first = plan.start(get_child(), case, None)

        def backward(dy):
            with lock:
                attempt = first if plan.again else plan.start(get_child(), case, None)
                answer, _ = attempt.backward(dy)
                given = plan.gradients(answer, case, plan.order())
            gradients = [given.get(n) for n in held_to.arguments]
            return tuple(g * dy if plan.unit and g is not None else g for g in gradients)

        return first.y, backward

    function.__signature__ = inspect.Signature(
        [inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD) for n in held_to.arguments]
    )
    return function


def _weights_of(child, name, count):
    """The names of the arrays that a layer makes by itself, in their order. count: of the sizes that it is told."""
    try:
        layer = child.call(name, [1] * count).value
    except RaisedError:  # then its arrays are those that it takes
        return []
    if not isinstance(layer, Handle):
        return []
    attributes = child.attributes(layer)
    found = []
    for attribute in attributes:
        value = child.get(layer, attribute)
        if plain(attribute) in OF_ARRAYS and isinstance(value, dict):
            found += [key for key in value if isinstance(value[key], np.ndarray)]
        elif (isinstance(value, np.ndarray) and not _is_derived(attribute, attributes)) or (
            isinstance(value, Handle) and {"data", "grad"} <= set(child.attributes(value))
        ):
            found.append(attribute)
    return found


def _is_derived(attribute, attributes):
    """Whether an attribute is the gradient of another one, or a running statistic."""
    statistics = [word for name in RUNNING for word in SETTINGS[name].split()]
    of_others = any(attribute in (f"d{other}", f"{other}_grad") for other in attributes)
    return of_others or plain(attribute).startswith("grad") or plain(attribute) in statistics


def _first_that_runs(found, child, case):
    error = None
    for plan in found:
        try:
            attempt = plan.start(child, case, None)
            answer, _ = attempt.backward(np.ones_like(attempt.y))
            plan.gradients(answer, case, plan.order())
            return plan
        except (FormError, PassOverError, WrongError) as failure:
            error = error or CouldNotRunError(str(failure))
        except ChildError as failure:
            error = error or failure
    raise error


def array_names(child, name, described: Described, count):
    """The names of a function's arrays: of its first parameters, as many as there are shapes."""
    parameters = described.parameters
    own = []
    if described.kind == "class":  # the arrays of its forward, and of its constructor, or those that this makes
        forward = described.methods.get("forward", [])
        required = [p for p in parameters if p.required]
        if required and all(size_of(p.name) for p in required):
            own = _weights_of(child, name, len(required))
        parameters = forward if own else [*forward, *parameters]
    names = [p.name for p in parameters if p.kind == "positional"] + own
    needed = sum(p.required and p.kind == "positional" for p in parameters) + len(own)
    variadic = any(p.kind == "*" for p in parameters)
    if needed > count or (len(names) < count and not variadic):
        raise CouldNotRunError(f"it takes {', '.join(names) or 'no arrays'}, and --shapes gives {count} arrays")
    return [*names[:count], *(f"x{k}" for k in range(len(names), count))]
