"""The ways in which people write a forward and a backward, each as a plan: how to call it, and how to read its answer.

    closure     f(x, w, b, stride=1) -> (y, backward)                    as an op
    alone       f_backward(dy, x, w, b, stride=1) -> (dx, dw, db)        dy may be called dout, or come last
    pair        f_forward(x, w, b, conv_param) -> (y, cache), f_backward(dout, cache)
    loss        f(x, target) -> (loss, dx)                               for a dy of 1
    layer       a class with forward and backward, its arrays given to it or set, its gradients returned or kept

A plan is found by the names of the parameters (names.py) and tried on a plain case (judge.py). It gives each submission
what it asks for and nothing else; a case with a setting that the submission does not know is passed over.
"""

import itertools

from minires.gradcheck.grading import names
from minires.gradcheck.grading.binding import Binding, bind, keys_of
from minires.gradcheck.grading.errors import FormError
from minires.gradcheck.grading.functions import AlonePlan, ClosurePlan, PairPlan
from minires.gradcheck.grading.layers import LayerPlan
from minires.gradcheck.grading.layouts import layouts_of

FORWARD_METHODS = ("forward", "fprop", "forward_propagation", "forward_pass", "순전파", "__call__", "call")
BACKWARD_METHODS = ("backward", "bprop", "back", "backprop", "backward_propagation", "backward_pass", "역전파")
# Whose name does not say that it is a backward is asked for the op: its backward alone would be half of the work.
FORWARD = (
    "{name} takes {dy}, so it is a backward, and its forward is missing: return (y, backward), or name both functions, "
    "FILE:{name},{name}_backward; a backward is marked alone where its name says so, as {name}_backward"
)

NET = (
    "; a net with a loss is graded as a function: write def f(x, W1, b1, …, labels), which sets these in a new net and "
    "returns net.loss(x, labels)"
)


def partner_of(name, defined):
    """The backward that belongs to a forward of this name, or the forward to a backward; "" if there is none."""
    swaps = [("forward", "backward"), ("fwd", "bwd"), ("fprop", "bprop"), ("Forward", "Backward"), ("순전파", "역전파")]
    for a, b in swaps + [(b, a) for a, b in swaps]:
        if a in name and name.replace(a, b) in defined:
            return name.replace(a, b)
    return next((name + end for end in ("_backward", "_bwd", "_grad") if name + end in defined), "")


def plans(standard, targets, described, defined, source):
    """All Plans of the functions or the class that are named, likely ones first; and why others cannot be.

    targets: the names; described: {name: Described}; defined: names in the file; source: its text.
    """
    keys = keys_of(standard, source)
    found, reasons = [], []

    def attempt(make):
        try:
            found.extend(make())
        except FormError as error:
            reasons.append(str(error))

    first = described[targets[0]]
    if len(targets) == 2:
        attempt(lambda: _pairs(standard, keys, targets, described))
    elif first.kind == "class" or (first.kind == "object" and _methods_of(first)):
        attempt(lambda: _layers(standard, keys, targets[0], first))
    else:
        name = targets[0]
        partner = partner_of(name, defined)
        ways = [lambda: _closures(standard, keys, name, first)]
        if names.looks_backward(name) or _is_derivative(standard, name):
            ways.insert(0, lambda: _alone(standard, keys, name, first))
        elif upstream := _names_dy(standard, first.parameters):
            ways = []
            reasons.append(FORWARD.format(dy=upstream, name=name))
        if partner and partner in described and described[partner].kind == "function":
            pair = (partner, name) if names.looks_backward(name) else (name, partner)
            ways.insert(
                1 if names.looks_backward(name) and not _has_cache(standard, first.parameters) else 0,
                lambda: _pairs(standard, keys, pair, described),
            )
        for way in ways:
            attempt(way)
    return found, list(dict.fromkeys(reasons))


def _is_derivative(standard, name):
    """Whether a function is called after the derivative of the op: drelu, d_relu, dconv."""
    op = names.plain(standard.name)
    rest = names.plain(name)[1:]
    return name[:1] in "dD" and len(rest) > 2 and bool(op) and (op.startswith(rest) or rest.startswith(op))


def _names_dy(standard, parameters):
    """The first or last parameter if it must be dy by its name, or ""."""
    ends = [parameters[0], parameters[-1]] if parameters else []
    clear = set(names.UPSTREAM) - set(names.UNCLEAR) - set(standard.arguments)
    return next((p.name for p in ends if p.required and names.plain(p.name) in clear), "")


def _has_cache(standard, parameters):
    return any(names.is_cache(standard, p.name) for p in parameters)


def _methods_of(described):
    """(forward's name, backward's name) of a layer, or ()."""
    forward = next((m for m in FORWARD_METHODS if m in described.methods), "")
    backward = next((m for m in BACKWARD_METHODS if m in described.methods), "")
    return (forward, backward) if forward and backward else ()


def _upstreams(parameters):
    """The positions at which dy may be: that with its name, else the first or the last."""
    named = [k for k, p in enumerate(parameters) if names.plain(p.name) in names.UPSTREAM and p.kind != "**"]
    clear = [k for k in named if names.plain(parameters[k].name) not in names.UNCLEAR]
    positional = [k for k, p in enumerate(parameters) if p.kind == "positional" and p.required]
    ends = [k for k in (positional[:1] + positional[-1:]) if k not in named]
    return list(dict.fromkeys((clear or named) + ([] if clear else ends)))


def _laid_out(standard, make):
    """The plan in each layout, its own first, and with pairs."""
    return [
        make(layout=layout, pairs=pairs)
        for pairs, layout in itertools.product((False, True), layouts_of(standard))
        if not pairs or (not layout.words and {"stride", "kernel_size", "padding"} & standard.settings.keys())
    ]


def _closures(standard, keys, name, described):
    binding = bind(standard, described.parameters)
    return _laid_out(standard, lambda **how: ClosurePlan(standard, keys, name=name, forward=binding, **how))


def _backward_bindings(standard, parameters, roles):
    """Bindings of a backward: dy where it may be."""
    found, reasons = [], []
    unit = [None] if standard.is_op and standard.may_be_loss else []
    for upstream in _upstreams(parameters) + unit:
        for more in roles:
            try:
                found.append((upstream, bind(standard, parameters, roles=more, upstream=upstream)))
            except FormError as error:
                reasons.append(error)
    if not found:
        raise reasons[0] if reasons else FormError("no parameter of it takes dy, the gradient with respect to y")
    return found


def _roles(standard, parameters):
    """Whether a parameter of a backward is taken for y: first where it is called so, because numbers then come of y."""
    called_so = any(names.plain(p.name) in names.CLEARLY_OUTPUT for p in parameters[1:])
    first = called_so and "target" not in standard.arguments
    return [("output",), ()] if first else [(), ("output",)]


def _alone(standard, keys, name, described):
    made = []
    for upstream, binding in _backward_bindings(standard, described.parameters, _roles(standard, described.parameters)):
        if not binding.arrays and not binding.has("output") and not binding.has("rest"):
            continue
        unit = upstream is None
        words = "gradients alone" if unit else "a backward alone"
        made += _laid_out(
            standard,
            lambda binding=binding, unit=unit, words=words, **how: AlonePlan(
                standard, keys, name=name, backward=binding, unit=unit, words=words, **how
            ),
        )
    if not made:
        raise FormError("it takes no arrays beside dy")
    return made


def _pairs(standard, keys, targets, described):
    forward, backward = targets
    if names.says_backward(forward) and not names.says_backward(backward):
        forward, backward = backward, forward
    for name in (forward, backward):
        if described[name].kind == "class":
            raise FormError(f"{name} is a class: name it alone, or two functions")
    first = bind(standard, described[forward].parameters)
    made = []
    parameters = described[backward].parameters
    roles = _roles(standard, parameters)
    if _has_cache(standard, parameters) and len(standard.arguments) > 1:
        roles = [("cache",)]  # one thing stands for all arrays, so it is none of them
    else:
        roles.insert(1 if roles[0] and not _has_cache(standard, parameters) else 0, ("cache",))
        roles.append(("cache", "unnamed"))  # last: what has no known name, and would be an array
    for upstream, second in _backward_bindings(standard, parameters, roles):
        unit = upstream is None
        made += _laid_out(
            standard,
            lambda second=second, unit=unit, **how: PairPlan(
                standard, keys, name=forward, forward=first, backward_name=backward, backward=second, unit=unit, **how
            ),
        )
    return made


def _layers(standard, keys, name, described):
    calls = _methods_of(described)
    if not calls:
        raise FormError(
            f"the class {name} has no methods forward and backward, but {', '.join(described.methods) or 'none'}"
            + NET * ("loss" in described.methods)
        )
    is_class = described.kind == "class"
    layer = bind(standard, described.parameters, sizes=True) if is_class else None
    taken = layer.arrays if layer else []
    parameters = described.methods[calls[0]]
    forward = bind(standard, parameters, taken=taken)
    back = described.methods[calls[1]]
    made = []
    if not back and not standard.may_be_loss:
        raise FormError(f"{calls[1]} of {name} takes nothing: give it dy, the gradient with respect to y")
    ways = _backward_bindings(standard, back, [("output", "rate")]) if back else [(None, Binding([]))]
    for upstream, backward in ways:
        made += _laid_out(
            standard,
            lambda backward=backward, upstream=upstream, **how: LayerPlan(
                standard,
                keys,
                name=name,
                made=layer,
                forward=forward,
                backward=backward,
                calls=calls,
                methods=frozenset(described.methods),
                unit=upstream is None,
                interleaved=is_class,
                words="a class with forward and backward" if is_class else "an object with forward and backward",
                **how,
            ),
        )
    return made
