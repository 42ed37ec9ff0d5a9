"""The text of an answer, in which a blank that was left is seen."""

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
