"""Files as their authors have them: notebooks as Jupyter reads them, encodings, magics."""

import ast
import json
import time

import numpy as np
import pytest

from minires.errors import DataError, MissingDependencyError
from minires.gradcheck.__main__ import main
from minires.gradcheck.grading.box import forbidden_import
from minires.gradcheck.grading.local import Local
from minires.gradcheck.grading.source import nodes_of, read

RELU = "def relu(x):\n    return np.maximum(x, 0), lambda dy: dy * (x > 0)\n"


def notebook(path, *cells, version=4, minor=4, bom=False):
    """A notebook of these code cells."""
    if version == 4:
        code = [
            {"cell_type": "code", "source": c, "metadata": {}, "outputs": [], "execution_count": None} for c in cells
        ]
        markdown = {"cell_type": "markdown", "source": ["# Homework"], "metadata": {}}
        book = {"cells": [markdown, *code], "metadata": {}, "nbformat": 4, "nbformat_minor": minor}
    else:
        code = [
            {"cell_type": "code", "input": c, "metadata": {}, "outputs": [], "language": "python", "collapsed": False}
            for c in cells
        ]
        book = {
            "worksheets": [{"cells": code, "metadata": {}}],
            "metadata": {"name": ""},
            "nbformat": 3,
            "nbformat_minor": 0,
        }
    path.write_bytes((b"\xef\xbb\xbf" if bom else b"") + json.dumps(book).encode())
    return path


LINES = [
    "%matplotlib inline",
    "!pip list",
    "files = !ls",
    "where = %pwd",
    "relu?",
    "?relu",
    "%timeit 1 + 1",
    "display(np.ones(2))",
    "get_ipython().run_line_magic('load_ext', 'autoreload')",
    "import asyncio\nawait asyncio.sleep(0)",
    "%%time\nrelu(np.ones(2))",
    "%%bash\necho $HOME | sed 's/x/y/'",
    "%%html\n<b>bold</b>",
    "k = (7\n     % 6\n     )\nassert k == 1",
    "a = [1\n     != 2]\nassert a == [True]",
    "plot_that_fails()",
    "from google.colab import drive",
]


@pytest.mark.parametrize("line", LINES)
def test_a_line_that_jupyter_runs_stops_no_cell_after_it(tmp_path, capsys, line):
    path = notebook(tmp_path / "hw.ipynb", "import numpy as np\n" + RELU, line, "ready = True\n" + RELU)
    child = Local(read(path))
    assert "ready" in child.load()
    fails = ("plot_that_fails", "colab")
    assert bool(child.cell_errors) == any(word in line for word in fails), child.cell_errors
    assert main([f"{path}:relu", "--samples", "1"]) == 0
    assert "6 of 6 cases passed" in capsys.readouterr().out


@pytest.mark.parametrize("how", [{}, {"version": 3}, {"bom": True}])
def test_notebooks_of_all_versions_are_read(tmp_path, how):
    path = notebook(tmp_path / "hw.ipynb", "import numpy as np\n", RELU, **how)
    child = Local(read(path))
    assert "relu" in child.load()
    assert child.call("relu", (np.array([-1.0, 2.0]),)).value[0].tolist() == [0, 2]


def test_a_missing_function_is_said_with_the_cell_that_failed(tmp_path, capsys):
    path = notebook(tmp_path / "hw.ipynb", "import numpy as np\n", "plot_that_fails()", RELU)
    assert main([f"{path}:tanh"]) == 2
    said = capsys.readouterr().out
    assert (
        "hw.ipynb has no function 'tanh'; it has: relu (after NameError: name 'plot_that_fails' is not defined" in said
    )
    assert "hw.ipynb, cell 3, line 1" in said


def test_what_is_written_by_a_cell_can_be_imported_by_the_next(tmp_path, capsys):
    path = notebook(
        tmp_path / "hw.ipynb", "%%writefile layers.py\nimport numpy as np\n" + RELU, "from layers import relu\nf = relu"
    )
    assert main([f"{path}:f", "--like", "relu"]) == 0


def test_what_is_no_notebook_is_said_in_one_sentence(tmp_path, capsys):
    for content in (b"", b"[]", b"{}", b"\xff\xfe", b'{"nbformat": 4}', b"x = 1"):
        (tmp_path / "hw.ipynb").write_bytes(content)
        with pytest.raises(DataError, match=r"hw.ipynb is no notebook"):
            read(tmp_path / "hw.ipynb")
        assert main([f"{tmp_path / 'hw.ipynb'}:relu"]) == 2
        assert capsys.readouterr().out.count("\n") <= 2


def test_without_nbformat_the_pip_line_is_said(tmp_path, monkeypatch):
    path = notebook(tmp_path / "hw.ipynb", RELU)
    monkeypatch.setitem(__import__("sys").modules, "nbformat", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "minires\[notebooks\]"'):
        read(path)


@pytest.mark.parametrize(
    ("content", "fine"),
    [
        ("# é\nx = 'é'\n".encode(), True),
        (b"\xef\xbb\xbfx = 1\r\ny = 2\r\n", True),
        ("# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1"), True),
        ("x = 'é'\n".encode("latin-1"), False),
        (b"x = 1\x00", True),  # what is wrong with that, Python says
        (b"# coding: nonsense\n", False),
    ],
)
def test_a_file_is_read_in_its_own_encoding_or_refused(tmp_path, content, fine):
    (tmp_path / "hw.py").write_bytes(content)
    if fine:
        read(tmp_path / "hw.py")
    else:
        with pytest.raises(DataError, match=r"hw.py is no text in UTF-8"):
            read(tmp_path / "hw.py")


@pytest.mark.filterwarnings("error")
def test_cells_without_an_id_are_read_without_a_word(tmp_path):
    """Version 4.5 asks for ids; what made the notebook may not have written them."""
    source = read(notebook(tmp_path / "work.ipynb", RELU, minor=5))
    assert [cell.text for cell in source.cells] == [RELU]


def test_a_text_costs_the_grader_no_more_time_than_its_length(tmp_path, capsys):
    file = tmp_path / "hw.py"
    begin = time.process_time()
    for coding in ("punycode", "idna", "unicode_escape", "raw_unicode_escape", "utf-7"):
        file.write_bytes(f"# coding: {coding}\n".encode() + b"#" + b"a" * 800_000 + b"-zzzz\n")
        with pytest.raises(DataError, match="save it as UTF-8"):
            read(file)
    file.write_bytes(b"x = 1\n" * 300_000)
    with pytest.raises(DataError, match="larger than 1 MB"):
        read(file)
    file.write_bytes("x = '가'\n".encode() * 80_000)
    with pytest.raises(DataError, match="more than 300 kB of code"):
        read(file)
    assert main([f"{file}:relu", "--like", "relu"]) == 2
    assert "kB of code" in capsys.readouterr().out
    with pytest.raises(DataError, match="is a folder"):
        read(tmp_path)
    file.write_text("x = 1\n" * 50_000)
    assert nodes_of(read(file).text, ast.While) == []
    assert forbidden_import("(" * 10**6, ["torch"]) is None
    deep = notebook(tmp_path / "hw.ipynb", "import numpy as np\n" + RELU, "-" * 200_000 + "1")
    assert main([f"{deep}:relu", "--samples", "1"]) == 0
    assert "grader itself" not in capsys.readouterr().out
    assert time.process_time() - begin < 30  # a few seconds; minutes, if one part were quadratic


@pytest.mark.parametrize("coding", ["latin-1", "ascii", "cp1252", "euc-kr", "cp949", "utf8", "shift-jis", "big5"])
def test_the_usual_encodings_are_read(tmp_path, coding):
    (tmp_path / "hw.py").write_bytes(f"# coding: {coding}\n".encode() + RELU.encode(coding))
    assert RELU in read(tmp_path / "hw.py").text
