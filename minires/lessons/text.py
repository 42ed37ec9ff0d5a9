"""The text of an answer, in which a blank that was left is seen; and the verbs of a sentence about its results."""

import inspect


def text_of(child, name):
    """The code that defines a function of a Box or a Local; "" where it is not known."""
    if child.source is not None:
        cells = [cell for cell in child.source.cells if cell.name.endswith(f", {name}")]
        return "\n".join(cell.text for cell in cells or child.source.cells)
    try:
        return inspect.getsource(child.names[name])
    except (OSError, TypeError):  # of a console, or of an object
        return ""


def is_blank(error, text):
    """Whether what was raised comes of a blank: NotImplementedError, or `out = None` that the next line fills."""
    if error.type == "NotImplementedError":
        return True
    filled = error.type in ("AttributeError", "TypeError") and (
        "NoneType" in error.message or "ellipsis" in error.message
    )
    return filled and ("= None" in text or "= ..." in text)


def has(name):
    """ "has", or "have" behind the name of several things, such as "counts" and "the points by training"."""
    return "have" if _several(name) else "has"


def is_(name):
    """ "is" or "are", in the same way."""
    return "are" if _several(name) else "is"


def _several(name):
    return name.removeprefix("the ").split()[0].endswith("s")
