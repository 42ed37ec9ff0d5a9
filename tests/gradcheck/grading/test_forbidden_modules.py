"""A module that a homework forbids is named when a submission imports it."""

import pytest


def test_a_forbidden_module_is_named(tmp_path, grade):
    (tmp_path / "hw.py").write_text("import minires.ops as o\ndef f(x):\n    return o.relu.raw(x)\n")
    status, out = grade(f"{tmp_path / 'hw.py'}:f", "--like", "relu", "--forbid", "minires", "torch")
    assert status == 2
    assert "imports minires" in out


@pytest.mark.parametrize(
    "importing",
    [
        "from minires import ops",
        "import sys; sys.meta_path.pop(0); from minires import ops",
        "import importlib; ops = importlib.import_module('minires.ops')",
    ],
)
def test_minires_gives_no_answers_unless_it_is_allowed(tmp_path, grade, importing):
    answer = "def relu(x): return np.maximum(x, 0), lambda dy: dy * (x > 0)"
    (tmp_path / "minires").mkdir()
    (tmp_path / "minires" / "ops.py").write_text(f"import numpy as np\n{answer}\n")
    (tmp_path / "hw.py").write_text(f"{importing}\ndef relu(x):\n    return ops.relu(x)\n")
    asked = f"{tmp_path / 'hw.py'}:relu"
    status, out = grade(asked)
    assert status == 2
    assert "hidden from submissions, because it knows the answers; --allow-minires shows it" in out
    assert grade(asked, "--allow-minires")[0] == 0
    assert grade(asked, "--shapes", "3,2")[0] == 0  # advice


def test_a_check_by_minires_in_what_is_handed_in_costs_nothing(tmp_path, grade):
    text = "def neg(x):\n    return -x, lambda dy: -dy\nfrom minires import gradcheck\ngradcheck.grade(neg)\n"
    (tmp_path / "hw.py").write_text(text)
    status, out = grade(f"{tmp_path / 'hw.py'}:neg")
    assert status == 0, out


@pytest.mark.parametrize(
    ("text", "forbid", "said"),
    [
        ("import decimal.nothing", ["fractions,decimal"], "hw.py imports decimal, which is forbidden here"),
        ("try:\n    import decimal\nexcept Exception:\n    pass", ["decimal"], "hw.py imports decimal"),
        ("__import__('deci' + 'mal')", ["decimal"], "it imports decimal"),
        ("import helper", ["decimal"], "it imports decimal"),
        ("# import decimal\nimport decimals", ["decimal"], ""),
        ("import json", ["decimal", "os", "threading"], ""),
    ],
)
def test_what_is_forbidden_is_told_and_what_looks_like_it_passes(tmp_path, grade, text, forbid, said):
    (tmp_path / "helper.py").write_text("import decimal")
    (tmp_path / "decimals.py").write_text("")
    (tmp_path / "hw.py").write_text(f"{text}\ndef neg(x):\n    return -x, lambda dy: -dy\n")
    status, out = grade(f"{tmp_path / 'hw.py'}:neg", "--forbid", *forbid)
    assert status == (2 if said else 0), out
    assert said in out
