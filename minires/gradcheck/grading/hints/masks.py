"""A teacher's function without the masks of its ReLUs, to see whether a submission forgot one.

In a copy of the teacher's code each comparison with 0 goes by a switch, which may take it for true: then the backward
is that of a submission that forgot this mask. The teacher's own function is not touched.
"""

import ast
import contextlib
import inspect
import itertools
import threading

import numpy as np

SWITCH = "minires_switch"
TRUE = {ast.Gt: True, ast.GtE: True, ast.NotEq: True, ast.Lt: False, ast.LtE: False, ast.Eq: False}
TURNED = {ast.Gt: ast.Lt, ast.GtE: ast.LtE, ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Eq: ast.Eq, ast.NotEq: ast.NotEq}
LOCK = threading.Lock()  # several submissions may be held to one teacher


class Switches(ast.NodeTransformer):
    """Puts a switch around each comparison of one thing with 0."""

    def __init__(self):
        self.count = 0

    def visit_Compare(self, node):
        self.generic_visit(node)
        kind = type(node.ops[0])
        if len(node.ops) > 1 or kind not in TRUE:
            return node
        if _is_zero(node.left):
            kind = TURNED[kind]
        elif not _is_zero(node.comparators[0]):
            return node
        arguments = [node, ast.Constant(self.count), ast.Constant(TRUE[kind])]
        self.count += 1
        return ast.copy_location(ast.Call(ast.Name(SWITCH, ast.Load()), arguments, []), node)


def _is_zero(node):
    return isinstance(node, ast.Constant) and type(node.value) in (int, float) and node.value == 0


class Maskless:
    """Copies of a teacher's functions with switches. -> .functions; switched(numbers) turns some of them on."""

    def __init__(self, functions):
        first = _function_of(functions[0])
        lines, _ = inspect.findsource(first)
        tree = ast.parse("".join(lines))
        tree.body = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
        switches = Switches()
        tree = ast.fix_missing_locations(switches.visit(tree))
        names = {**first.__globals__, SWITCH: self._switch}
        exec(compile(tree, "the teacher's function without masks", "exec"), names)
        self.count = switches.count
        self.functions = [names[f.__name__] for f in functions]
        self.on = frozenset()

    def gradients(self, function, arrays, dy, y, numbers, early):
        """What its backward gives with these switches on, in the forward too if early; None where y is another then."""
        with LOCK:
            with self.switched(numbers if early else ()):
                found, backward = function(*(a.copy() for a in arrays))
            with self.switched(numbers):
                return backward(dy.copy()) if np.array_equal(found, y) else None

    def _switch(self, found, number, value):
        if number not in self.on or type(found) is bool:  # of sizes, as `if padding > 0`
            return found
        return np.full_like(found, value)

    @contextlib.contextmanager
    def switched(self, numbers):
        self.on = frozenset(numbers)
        try:
            yield
        finally:
            self.on = frozenset()


def _function_of(written):
    """A function as it is; of a class one of its methods, which knows the file."""
    if not inspect.isclass(written):
        return written
    return next(value for value in vars(written).values() if inspect.isfunction(value))


def without(reference, remake, arrays, dy, y):
    """The gradients of a teacher's function without one of its masks, or without all.

    reference: what the teacher wrote, a function, a class or a pair; remake: this -> function(*arrays) -> (y,
    backward). A function that was made inside another has no code of its own: nothing comes of it.
    """
    try:
        maskless = Maskless(list(reference))
        function = remake(maskless.functions)
    except Exception:  # the code cannot be read again, so that no mistake can be made in it
        return
    ways = [[k] for k in range(maskless.count)]
    ways += [range(maskless.count)] * (len(ways) > 1)
    for numbers, early in itertools.product(ways, (True, False)):  # masks may be made in the forward or the backward
        try:
            gradients = maskless.gradients(function, arrays, dy, y, numbers, early)
        except Exception:  # what it computes has no meaning there
            continue
        if gradients is not None:
            yield gradients
