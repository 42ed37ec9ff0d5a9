"""A lesson's source: its form, and the notebooks that are made of it."""

import gc
import os
import signal
import threading
import time

import nbformat
import pytest

from tutorials.build import editions, korean
from tutorials.build.__main__ import main
from tutorials.build.lesson import Lesson, LessonError, lessons
from tutorials.build.running import run

TITLE = '# %% [markdown] name="title"\n# # 1. Doubling\n'
SETUP = '# %% name="setup" tags=["setup"]\nimport warnings\n'
EXERCISE = """\
# %% name="double" tags=["exercise"] exercise="1.1"
def double(x):
    raise NotImplementedError


# %% name="double-solution" tags=["solution"] exercise="1.1"
def double(x):
    return 2 * x


# %% name="double-check" tags=["check"] exercise="1.1"
try:
    print(double(3))
except NotImplementedError:
    print("not done yet")
"""


@pytest.fixture
def write(tmp_path):
    """write(*cells) -> the Lesson of a source with these cells behind the title and the setup."""

    def written(*cells, name="01_doubling.py", start=(TITLE, SETUP)):
        path = tmp_path / name
        path.write_text("\n".join([*start, *cells]), encoding="utf-8")
        return Lesson(path)

    return written


def names(book):
    return [cell.id for cell in book.cells]


def test_a_student_gets_the_blank_and_a_teacher_the_solution(write):
    lesson = write(EXERCISE)
    assert names(lesson.notebook(without="solution")) == ["title", "setup", "double", "double-check"]
    assert names(lesson.notebook(without="exercise")) == ["title", "setup", "double-solution", "double-check"]
    assert lesson.title == "1. Doubling"
    assert "raise NotImplementedError" in lesson.exercises["1.1"]["exercise"]
    assert "return 2 * x" in lesson.exercises["1.1"]["solution"]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["# %%\n1\n"], "cell 3: it needs a name"),
        (['# %% name="Two words"\n1\n'], "not 'Two words'"),
        (['# %% name="setup"\n1\n'], "the name 'setup' is taken"),
        (['# %% name="one" tags=["exrcise"]\n1\n'], "unknown tag exrcise"),
        (['# %% [markdown] name="one"\n# ![a](b.png)\n'], "an image of a file is not there"),
        ([EXERCISE.replace('tags=["solution"] ', "")], "exercise 1.1: it needs the cells exercise, solution and check"),
        ([EXERCISE.replace('"solution"] exercise="1.1"', '"solution"] exercise="1.2"')], "exercise 1.1: it needs"),
        ([EXERCISE.replace(' exercise="1.1"', "")], "exercise None: it needs"),
        ([EXERCISE, '# %% name="again" tags=["check"] exercise="1.1"\n1\n'], "exercise 1.1: it needs"),
    ],
)
def test_a_source_that_breaks_the_form_is_refused(write, cells, message):
    with pytest.raises(LessonError, match=r"01_doubling\.py") as error:
        _ = write(*cells).cells
    assert message in str(error.value)


def test_the_setup_comes_first(write):
    with pytest.raises(LessonError, match="the first cell of code must be tagged setup"):
        _ = write(start=(TITLE,)).cells


def test_a_name_without_a_number_is_no_lesson(write):
    with pytest.raises(LessonError, match=r"doubling\.py: a lesson is called NN_name\.py"):
        write(name="doubling.py")


def test_the_notebook_beside_has_blanks_and_the_outputs_of_the_solutions(write):
    lesson = write(EXERCISE, '# %% name="after"\nprint(6)\n')
    editions.beside(lesson, "tiny")
    book = editions.current(lesson)
    assert names(book) == ["title", "setup", "double", "double-check", "after"]
    assert [o.text for o in book.cells[-1].outputs] == ["6\n"]
    assert book.cells[-2].outputs == []  # "right" below a blank would mislead
    assert book.metadata["minires"] == {"lesson": "01_doubling", "source": lesson.hash, "size": "tiny"}


def test_a_students_notebook_runs_from_top_to_end(write, tmp_path):
    editions.student(write(EXERCISE), tmp_path / "student")
    book = nbformat.read(tmp_path / "student" / "01_doubling.ipynb", as_version=4)
    assert all(not cell.outputs for cell in book.cells if cell.cell_type == "code")
    assert run(book, "student", "tiny", tmp_path).cells[-1].outputs[0].text == "not done yet\n"


def test_a_teachers_notebook_has_solutions_and_outputs(write, tmp_path):
    lesson = write(EXERCISE, '# %% name="after"\nprint(6)\n')
    editions.beside(lesson, "tiny")
    editions.solutions(lesson, tmp_path / "solutions")
    book = nbformat.read(tmp_path / "solutions" / "01_doubling.ipynb", as_version=4)
    assert names(book) == ["title", "setup", "double-solution", "double-check", "after"]
    assert book.cells[-1].outputs[0].text == "6\n"


def test_a_stale_or_missing_notebook_is_refused_with_the_command(write):
    lesson = write(EXERCISE)
    with pytest.raises(LessonError, match=r"01_doubling\.ipynb is missing; .*notebooks --lessons 1"):
        editions.current(lesson)
    editions.beside(lesson, "tiny")
    changed = Lesson(lesson.path)
    changed.text += "\n"
    with pytest.raises(LessonError, match="is stale, because its source has changed"):
        editions.current(changed)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("assert 1 > 2, 'the claim failed'", "cell wrong: AssertionError: the claim failed"),
        ("import warnings; warnings.warn('a warning')", "cell wrong: it warns"),
        ("import sys; print('trouble', file=sys.stderr)", "cell wrong: it warns"),
    ],
)
def test_an_error_and_a_warning_fail_a_lesson(write, code, message):
    lesson = write(f'# %% name="wrong"\n{code}\n', '# %% name="after"\n1\n')
    with pytest.raises(LessonError) as error:
        editions.beside(lesson, "tiny")
    assert message in str(error.value)
    assert not lesson.beside.exists()


def test_ctrl_c_ends_the_kernel_without_a_word(write, capfd):
    """The kernel answers in the middle of its end, and logs that it cannot."""
    lesson = write('# %% name="long"\nopen("begun", "w").close()\nimport time\n\ntime.sleep(60)\n')
    begun = lesson.path.with_name("begun")

    def interrupt():
        while not begun.exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    begun_by = threading.Thread(target=interrupt)
    begun_by.start()
    with pytest.raises(KeyboardInterrupt):
        run(lesson.notebook(without="exercise"), lesson.name, "tiny", lesson.path.parent)
    begun_by.join()
    assert capfd.readouterr().err == ""
    gc.collect()  # here, and not in another test: nbclient leaves a task that has failed, which is logged then


def test_a_dead_kernel_says_what_it_logged(write):
    dies = 'import os\nos.write(2, b"out of memory")\nos._exit(1)\n'
    lesson = write(f'# %% name="dead"\n{dies}')
    with pytest.raises(LessonError, match="01_doubling, cell dead: Kernel died") as error:
        run(lesson.notebook(without="exercise"), lesson.name, "tiny", lesson.path.parent)
    assert "out of memory" in error.value.details


def test_a_dead_link_is_found(write, tmp_path):
    (tmp_path / "there.py").touch()
    links = "[a](there.py) [b](there.py#line) [c](gone.py) [d](https://minires.github.io/gone)"
    lesson = write(f'# %% [markdown] name="links"\n# {links}\n')
    assert editions.dead_links(lesson.texts, tmp_path) == [("links", "gone.py")]


def test_korean_text_is_keyed_by_cell_and_knows_what_is_stale(write, tmp_path):
    lesson = write('# %% [markdown] name="question"\n# Why?\n', EXERCISE)
    file = tmp_path / "01_doubling.ko.md"
    assert not korean.is_begun(lesson)
    assert korean.texts(lesson)["title"] == f"# 1. Doubling\n\n{korean.NOT_YET}"
    mark = korean.hash_of("Why?")
    title = korean.hash_of("# 1. Doubling")
    file.write_text(f"<!-- title {title} -->\n# 1. 두 배\n", encoding="utf-8")
    with pytest.raises(LessonError, match="has no cell question"):
        korean.texts(lesson)
    file.write_text(f"<!-- title {title} -->\n# 1. 두 배\n\n<!-- question {mark} -->\n왜?\n", encoding="utf-8")
    assert korean.texts(lesson) == {"title": "# 1. 두 배", "question": "왜?"}
    assert korean.stale(lesson) == []
    file.write_text(file.read_text(encoding="utf-8").replace(mark, "0" * 8), encoding="utf-8")
    assert korean.stale(lesson) == ["question"]
    assert korean.accept(lesson) == ["question"]
    assert korean.stale(lesson) == []
    assert korean.texts(lesson)["question"] == "왜?"
    file.write_text(file.read_text(encoding="utf-8") + f"<!-- other {mark} -->\n…\n", encoding="utf-8")
    with pytest.raises(LessonError, match="has other too many"):
        korean.texts(lesson)
    editions.student(lesson, tmp_path / "en")


def test_the_korean_notebook_has_the_same_code_and_its_checks_speak_korean(write, tmp_path):
    lesson = write(EXERCISE)
    (tmp_path / "01_doubling.ko.md").write_text(
        f"<!-- title {korean.hash_of('# 1. Doubling')} -->\n# 1. 두 배\n", encoding="utf-8"
    )
    editions.student(lesson, tmp_path / "ko", "ko")
    book = nbformat.read(tmp_path / "ko" / "01_doubling.ipynb", as_version=4)
    assert book.cells[0].source == "# 1. 두 배"
    english = [cell.source for cell in lesson.notebook(without="solution").cells[1:]]
    english[0] += '\n\nfrom minires.lessons import speak\n\nspeak("ko")'
    assert [cell.source for cell in book.cells[1:]] == english


def test_links_work_outside_of_the_repository():
    (lesson,) = lessons(["06"])
    cell = next(cell for cell in lesson.cells if "residual.py" in cell.source)
    text = editions.text_in("en", lesson)(cell)
    assert "](https://github.com/minires/minires/blob/main/minires/ops/residual.py)" in text


def test_an_unknown_lesson_is_an_error_of_one_line(capsys):
    assert main(["student", "--lessons", "77"]) == 2
    assert capsys.readouterr().err.startswith("tutorials.build: there is no lesson '77'; there are ")


def test_every_lesson_links_to_files_that_exist():
    every = lessons()
    assert every
    for lesson in every:
        for texts in (lesson.texts, korean.texts(lesson)):
            assert editions.dead_links(texts, lesson.path.parent) == []
        editions.current(lesson)
