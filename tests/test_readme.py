"""What the README shows is what happens."""

import inspect
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import minires
from minires import data, ops
from minires.gradcheck.__main__ import main as gradcheck
from minires.gradcheck.bugs import catalogue
from minires.nn import count_parameters
from minires.op import registry
from minires.train import Config, Run
from minires.train.__main__ import parse

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
BLOCKS = [block for block in re.findall(r"```python\n(.*?)```", TEXT, re.S) if "import" in block]
[RECIPE] = [block for block in BLOCKS if '"image.jpg"' in block]  # for an image and a checkpoint that are there
PROGRAMS = [block for block in BLOCKS if block != RECIPE]


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_programs_run_and_print_what_they_say(program, capsys):
    exec(compile(program, "README.md", "exec"), {})
    out = capsys.readouterr().out
    for promised in re.findall(r"^# (FAILED.*)$", program, re.M):
        assert promised in out


def test_the_recipe_names_an_image_as_training_saw_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name, color in (("blue", (30, 30, 200)), ("red", (200, 30, 30))):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for k in range(10):
            pixels = np.clip(color + rng.integers(-30, 30, (30, 20 + k, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{k}.jpg")
    run = Run.start(
        Config(dataset="photos", model="resnet8", size=16, epochs=4, processes=1, out="runs/photos-resnet18")
    )
    assert run.fit()
    [(images, _)] = data.ArrayLoader(run.test_set, len(run.test_set))
    logits = run.model.eval()(images).data
    for i in range(len(run.test_set)):
        image, label = run.test_set[i]
        shutil.copy(run.test_set.paths[i], "image.jpg")
        found = {}
        exec(compile(RECIPE, "README.md", "exec"), found)
        assert capsys.readouterr().out == f"{run.test_set.classes[label]}\n"
        np.testing.assert_array_equal(found["image"], image)
        np.testing.assert_allclose(found["logits"].data[0], logits[i], rtol=1e-4, atol=1e-5)
    assert len([line for line in RECIPE.splitlines() if line]) <= 10


CONSOLES = re.findall(r"\$ python -m minires\.gradcheck ([^\n]*)\n(.*?)```", TEXT, re.S)


def words(line):
    """A line without its numbers, because another machine rounds them in another way."""
    return re.sub(r"-?\d+(\.\d+)?(e[-+]\d+)?", "#", line).split()


@pytest.mark.parametrize(("arguments", "shown"), CONSOLES, ids=[arguments for arguments, _ in CONSOLES])
def test_consoles_show_what_is_printed(arguments, shown, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for program in PROGRAMS:
        if program.startswith("# homework.py"):
            (tmp_path / "homework.py").write_text(program)
    gradcheck(arguments.split())
    printed = list(map(words, capsys.readouterr().out.splitlines()))
    for line in shown.splitlines():
        assert line == "…" or words(line) in printed


def test_the_readmes_counts_are_right():
    assert len(CONSOLES) == 4
    assert f"all {len(registry)} ops" in TEXT
    assert f"of {len(catalogue)} mistakes" in TEXT


def test_the_residual_add_that_is_shown_is_the_one_that_runs():
    assert inspect.getsource(ops.residual_add.raw) in TEXT


@pytest.mark.parametrize(
    "op", [op for op in registry.values() if op.__module__.startswith("minires.")], ids=lambda op: op.__name__
)
def test_an_op_that_calls_kernels_names_their_page(op):
    """From the README to the op, and from there to the readable kernel: two steps."""
    file = ROOT / (op.__module__.replace(".", "/") + ".py")
    calls = "kernels." in inspect.getsource(op.raw).replace("kernels.readable", "")
    pages = re.findall(r"kernels/readable/\w+\.py", inspect.getdoc(op) + file.read_text().split('"""')[1])
    assert pages or not calls
    for page in pages:
        assert (ROOT / "minires" / page).exists()


def test_the_training_commands_are_understood():
    commands = re.findall(r"^python -m minires\.train(.*?)(?:#.*)?$", TEXT, re.M)
    assert len(commands) == 5
    for command in commands:
        parse(command.split())


def test_counts_of_parameters_are_the_models_own():
    """A cell with "`resnet50` / `101`" stands before one with a count for each of them."""
    from minires import kernels, models

    table = TEXT[TEXT.index("## Models") : TEXT.index("`models.create(")]
    checked = set()
    for row in re.findall(r"^\| (`.*) \|$", table, re.M):
        cells = row.split(" | ")
        for named, counts in zip(cells[::2], cells[1::2], strict=True):
            first, *others = re.findall(r"`(\w+)`", named)
            names = [first] + [re.sub(r"\d.*", other, first) for other in others if other[0].isdigit()]
            if "…" in named:
                continue
            for name, count in zip(names, counts.split(" / "), strict=True):
                with kernels.shapes_only():
                    assert f"{count_parameters(models.create(name)):,}" == count, name
                checked.add(name)
    assert len(checked) >= 30


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(((?!http)[^)]+)\)", TEXT):
        file, _, heading = target.partition("#")
        file = file or "README.md"
        assert (ROOT / file).exists(), target
        headings = re.findall(r"^#+ (.*)$", (ROOT / file).read_text(), re.M) if heading else []
        assert not heading or heading in [re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings], target


def test_the_differences_name_where_torchs_functions_are():
    differences = TEXT[TEXT.index("What differs:") : TEXT.index("## Every gradient")]
    for name in ("tensor", "zeros", "ones", "randn", "Tensor"):
        assert f"`{name}" in differences
        assert hasattr(minires, name)
    for name in ("cat", "stack", "where", "einsum"):
        assert f"`{name}`" in differences
        assert hasattr(ops, name)
    for name in ("storage.save", "storage.load", "optim.cosine"):
        assert f"`{name}`" in differences
        package, _, function = name.partition(".")
        assert hasattr(getattr(minires, package), function)
