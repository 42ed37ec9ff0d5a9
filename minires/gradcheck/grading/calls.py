"""The calls of one forward and its backwards, which belong together."""

import itertools

import numpy as np

from minires.gradcheck.grading.face import Handle
from minires.gradcheck.grading.plan import RETURNED, RUNNING, Upstream
from minires.gradcheck.grading.single import same

NUMBERS = itertools.count()


class Calls:
    """The calls of one forward and its backwards: what each changes in place, its own arrays and earlier ones."""

    def __init__(self, plan, child):
        self.plan, self.child = plan, child
        self.number = next(NUMBERS)
        self.bindings = {}
        self.y = None  # as the forward returned it

    def first(self, label, binding, target, args, kwargs, method=None, keep=False):
        """A call before the backward. -> (its value, the names of what it changed)"""
        self.bindings[label] = binding
        self.sent = (args, kwargs)
        returned = self.child.call(target, args, kwargs, method, keep=keep, watch=[self.number, label])
        value = returned.value
        self.y = value[0] if isinstance(value, (tuple, list)) and value else value
        return value, self.plan.report(returned.changed, binding)

    def y_is_another(self):
        """Whether the y that the forward returned is no longer what it was, because another forward changed it."""
        now = self.child.given(self.number, "y", 0)
        return isinstance(now, np.ndarray) and isinstance(self.y, np.ndarray) and not same(now, self.y)

    def running(self, binding, case):
        """{"running_mean": (as it was given, as it is after the forward)}, of those among the forward's parameters."""
        standard = self.plan.standard
        if not standard.settings.keys() >= RUNNING:
            return {}
        found = {}
        for slot in binding.slots:
            place = binding.place(slot, *self.sent)
            if place is None:
                continue
            if slot.role == "setting" and slot.what in RUNNING:
                found[slot.what] = self.child.given(self.number, "forward", place)
            elif slot.role == "dict" and RUNNING & self.plan.keys.keys():
                table = self.child.given(self.number, "forward", place)
                keys = {s: key for s in RUNNING for key in self.plan.keys.get(s, ())}
                found |= {s: table[key] for s, key in keys.items() if isinstance(table, dict) and key in table}
        full = standard.full_settings(case)
        return {setting: (np.asarray(full[setting]), new) for setting, new in found.items()}

    def arrays_of(self, more, case):
        """The arrays among what a forward returns beside y and a cache, where running statistics may be there."""
        if not self.plan.standard.settings.keys() >= RUNNING or not case.static.get("training"):
            return []
        found = []
        inside = list(more)
        while inside:
            one = inside.pop()
            if isinstance(one, Handle):  # a cache is kept as it is, and so is what follows it
                here = self.child.call(self.child.function("lambda value: value"), [one]).value
                inside += [] if isinstance(here, Handle) else [here]
            elif isinstance(one, np.ndarray):
                found.append(one)
            elif isinstance(one, (tuple, list, dict)):
                inside += one.values() if isinstance(one, dict) else one
        return found

    def backward(self, binding, target, args, kwargs=None, method=None):
        """A call of the backward; without a binding dy is all that it is given."""
        returned = self.child.call(target, args, kwargs, method, since=self.number)
        changed = (
            self.plan.report(returned.changed, binding) if binding else [Upstream("dy")] if returned.changed else []
        )
        for label, place in returned.earlier:
            if label == "y":
                changed.append(RETURNED)
            elif label in self.bindings:
                changed += self.plan.report([place], self.bindings[label])
        return returned.value, changed
