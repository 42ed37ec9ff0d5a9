"""What the grader takes of a notebook: imports, functions, classes and constants. Experiments do not run.

An assignment that calls something, `table = np.sqrt(range(9))`, is taken only if a function that is marked needs it.
"""

import ast
import symtable

from minires.gradcheck.grading.source import Cell, Source, nodes_of

HIDDEN = "minires"
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
ASSIGNMENTS = (ast.Assign, ast.AnnAssign)


def defined_functions(source):
    """The names of functions that the cells of a source define at top level, or assign."""
    found = set()
    for statement, _, _ in _statements(source):
        found |= _names(statement)
    return found


def taken(source, functions):
    """(the Source with a cell for each statement that is taken, the names that imports of minires would give).

    A cell that Python cannot read stays as it is where it defines one of the functions, so that its error is told.
    """
    statements = list(_statements(source))
    needed = _needed([statement for statement, _, _ in statements], functions)
    cells = []
    hidden = set()
    for statement, cell, text in statements:
        if _is_of_minires(statement):
            hidden |= {(alias.asname or alias.name).partition(".")[0] for alias in statement.names}
        elif _is_taken(statement, needed):
            cells.append(Cell(f"{cell.name}, {_called(statement)}", text))
    cells += [
        cell for cell in source.cells if not _can_be_read(cell) and any(f"def {f}" in cell.text for f in functions)
    ]
    return Source(source.path, cells), hidden


def _can_be_read(cell):
    return bool(nodes_of(cell.text))


def _statements(source):
    """(statement, its cell, its text with as many empty lines before it as there were lines)."""
    for cell in source.cells:
        if not _can_be_read(cell):
            continue
        lines = cell.text.splitlines(keepends=True)
        for statement in ast.parse(cell.text).body:
            decorators = getattr(statement, "decorator_list", [])
            first = min([statement.lineno, *(decorator.lineno for decorator in decorators)])
            text = ast.get_source_segment(cell.text, statement)
            if first < statement.lineno:  # of decorators Python says no segment
                text = "".join(lines[first - 1 : statement.lineno - 1]) + text
            yield statement, cell, "\n" * (first - 1) + text


def _is_taken(statement, needed):
    if isinstance(statement, (ast.Import, ast.ImportFrom, ast.Pass, *DEFINITIONS)):
        return True
    if isinstance(statement, ASSIGNMENTS):
        return statement.value is not None and (_is_constant(statement.value) or bool(_names(statement) & needed))
    if isinstance(statement, ast.Try):
        inner = [*statement.body, *statement.orelse, *statement.finalbody]
        inner += [one for handler in statement.handlers for one in handler.body]
        return all(_is_taken(one, needed) for one in inner)
    if isinstance(statement, ast.If):
        inner = [*statement.body, *statement.orelse]
        return _is_constant(statement.test) and all(_is_taken(one, needed) for one in inner)
    return False


def _is_constant(value):
    """Whether an expression calls nothing and loops over nothing. A lambda is a function."""
    if isinstance(value, ast.Lambda):
        return True
    work = (ast.Call, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Await, ast.NamedExpr)
    return not isinstance(value, work) and all(map(_is_constant, ast.iter_child_nodes(value)))


def _is_of_minires(statement):
    if isinstance(statement, ast.Import):
        return all(alias.name.partition(".")[0] == HIDDEN for alias in statement.names)
    return isinstance(statement, ast.ImportFrom) and (statement.module or "").partition(".")[0] == HIDDEN


def _names(statement):
    """The names that a statement defines or assigns."""
    if isinstance(statement, DEFINITIONS):
        return {statement.name}
    if not isinstance(statement, ASSIGNMENTS):
        return set()
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}


def _needed(statements, functions):
    """The functions, and all global names that they use, by way of other definitions, too."""
    used = {}
    for statement in statements:
        for name in _names(statement):
            used.setdefault(name, set()).update(_globals_of(statement))
    needed = set()
    new = set(functions)
    while new:
        needed |= new
        new = {name for one in new for name in used.get(one, ())} - needed
    return needed


def _globals_of(statement):
    """The global names that a statement reads, inside of functions, too."""
    tables = [symtable.symtable(ast.unparse(statement), "a statement", "exec")]
    found = set()
    while tables:
        table = tables.pop()
        tables += table.get_children()
        of_module = table.get_type() == "module"
        found |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and (of_module or s.is_global())}
    return found


def _called(statement):
    """A statement in a word, for the place of an error."""
    if isinstance(statement, DEFINITIONS):
        return statement.name
    return ", ".join(sorted(_names(statement))) or type(statement).__name__.lower()
