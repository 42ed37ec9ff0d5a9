"""What the grader takes of a notebook: the functions of the exercises, and all that they need. Experiments do not run.

What a function needs is seen in the global names that it reads: imports, other functions, classes and assignments, and
what these need in turn. An experiment whose result no function reads is not among them.
"""

import ast
import re
import symtable

from minires.errors import DataError
from minires.gradcheck.grading.source import MESSAGE, TOO_LONG, Cell, Source, nodes_of

HIDDEN = "minires"
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
ASSIGNMENTS = (ast.Assign, ast.AnnAssign, ast.AugAssign)
IMPORTS = (ast.Import, ast.ImportFrom)
ALL = "*"  # the name of from numpy import *


def defined_names(source):
    """The names that the cells of a source define at top level."""
    return {name for statement, _, _ in _statements(source) for name in _names(statement)}


def taken(source, functions):
    """(the Source with a cell for each statement that is taken, the names that imports of minires would give).

    A cell that Python cannot read stays as it is where it defines one of the functions, so that its error is told.
    Raises DataError where the cells, each with the empty lines before it, are too long to be handed over.
    """
    statements = list(_statements(source))
    needed = _needed([statement for statement, _, _ in statements], functions)
    cells = []
    hidden = set()
    length = 0
    for statement, cell, lines in statements:
        names = _names(statement)
        if _is_of_minires(statement):
            hidden |= names
        elif names & needed:
            called = statement.name if isinstance(statement, DEFINITIONS) else ", ".join(sorted(names))
            cells.append(Cell(f"{cell.name}, {called}", _text(statement, lines)))
            length += len(cells[-1].text)
            if length > MESSAGE:
                raise DataError(f"{source.path.name} has {TOO_LONG}")
    for cell in source.cells:
        if not _can_be_read(cell) and any(f"def {function}" in cell.text for function in functions):
            cells.append(cell)
    return Source(source.path, cells), hidden


def _can_be_read(cell):
    return bool(nodes_of(cell.text, ast.Module))


def _statements(source):
    """(statement, its cell, the lines of the cell as bytes), in a time that grows with the length of the cells."""
    for cell in source.cells:
        if _can_be_read(cell):
            lines = re.split(rb"(?<=\n)", cell.text.replace("\r\n", "\n").replace("\r", "\n").encode())
            for statement in ast.parse(cell.text).body:
                yield statement, cell, lines


def _text(statement, lines):
    """The text of a statement and its decorators, with as many empty lines before it as there were lines."""
    decorators = getattr(statement, "decorator_list", [])
    first = min([statement.lineno, *(decorator.lineno for decorator in decorators)])
    own = lines[first - 1 : statement.end_lineno]
    own[-1] = own[-1][: statement.end_col_offset]  # these are offsets of bytes
    if not decorators:
        own[0] = own[0][statement.col_offset :]
    return "\n" * (first - 1) + b"".join(own).decode()


def _is_of_minires(statement):
    if isinstance(statement, ast.Import):
        return all(alias.name.partition(".")[0] == HIDDEN for alias in statement.names)
    return isinstance(statement, ast.ImportFrom) and (statement.module or "").partition(".")[0] == HIDDEN


def _names(statement):
    """The names that a statement defines; none where it does something else, too.

    An import or a definition may stand in a try or an if, and `Value.add = add` counts as a part of Value.
    """
    if isinstance(statement, DEFINITIONS):
        return {statement.name}
    if isinstance(statement, IMPORTS):
        return {alias.asname or alias.name.partition(".")[0] for alias in statement.names}
    if isinstance(statement, ASSIGNMENTS):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}
    if isinstance(statement, ast.If | ast.Try):
        inside = [node for node in ast.iter_child_nodes(statement) if isinstance(node, ast.stmt)]
        inside += [one for handler in getattr(statement, "handlers", ()) for one in handler.body]
        found = [_names(one) for one in inside if not isinstance(one, ast.Pass)]
        return set().union(*found) if all(found) else set()
    return set()


def _needed(statements, functions):
    """The functions, and all global names that they use, by way of other definitions, too."""
    used = {}
    for statement in statements:
        for name in _names(statement):
            used.setdefault(name, set()).update(_globals_of(statement))
    needed = {ALL}
    new = set(functions)
    while new:
        needed |= new
        new = {name for one in new for name in used.get(one, ())} - needed
    return needed


def _globals_of(statement):
    """The global names that a statement reads, inside of functions, too."""
    try:
        tables = [symtable.symtable(ast.unparse(statement), "a statement", "exec")]
    except SyntaxError:  # what can be parsed, and not compiled
        return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
    found = set()
    while tables:
        table = tables.pop()
        tables += table.get_children()
        of_module = table.get_type() == "module"
        found |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and (of_module or s.is_global())}
    return found
