"""Gradients that are right, each in the place of another."""

from minires.gradcheck.grading.hints.wrong import same
from minires.gradcheck.grading.standard import argument_names


def of_exchanged(standard, record, wrong, right):
    """The hint where some of the gradients that are wrong are one another's. right: {argument: gradient}"""
    arrays = dict(zip(argument_names(standard, record.case), record.case.arrays))
    given = {name: g for name, g in record.given["first"].items() if name in wrong and g is not None}
    owner = {}
    for mine, g in given.items():
        others = (name for name in given if name != mine)
        read = {other: record.layout.exchanged(g, mine, other, arrays) for other in others}
        owner[mine] = next((other for other, theirs in read.items() if same(theirs, right[other])), None)
    exchanged = [name for name in owner if owner[name] is not None]
    if len(exchanged) < 2 or {owner[name] for name in exchanged} != set(exchanged):
        return []
    own = [f"d{record.names.get(name, name)}" for name in exchanged]
    theirs = [f"d{record.names.get(owner[name], owner[name])}" for name in exchanged]
    if len(own) == 2:
        return [f"your {' and '.join(own)} are exchanged: return {own[0]} first"]
    return [f"what you return as {', '.join(own)} is {', '.join(theirs)}: return {', '.join(own)}"]
