"""The editions of a lesson: the notebook beside its source, the student's, the teacher's, and the Korean ones."""

import base64
import re

import nbformat

from minires.storage.atomic import atomic_write
from tutorials.build import korean
from tutorials.build.lesson import HERE, LessonError, tags_of
from tutorials.build.running import run

LINK = re.compile(r"\]\((?!\w+:|#)([^)\s#]+)(#[^)\s]*)?\)")
SPEAK = 'from minires.lessons import speak\n\nspeak("{language}")'  # what checks say, in a translated notebook
REPOSITORY = "https://github.com/minires/minires/blob/main/"


def beside(lesson, size="small"):
    """Write NN_name.ipynb beside the source: the student's blanks, with the outputs of a run with the solutions."""
    done = run(lesson.notebook(without="exercise"), lesson.name, size, HERE)
    outputs = outputs_of(done)
    book = lesson.notebook(without="solution")
    give_outputs(book, outputs)
    book.metadata["minires"]["size"] = size
    write(book, lesson.beside)


def student(lesson, folder, language="en"):
    """The notebook that a student opens: no solutions, and no outputs, because a prediction comes first."""
    book = lesson.notebook(without="solution", text=text_in(language, lesson))
    give_language(book, language)
    write(book, folder / f"{lesson.name}.ipynb")


def solutions(lesson, folder, language="en"):
    """The teacher's: with solutions, and the outputs of the notebook beside the source."""
    book = lesson.notebook(without="exercise", text=text_in(language, lesson))
    give_outputs(book, outputs_of(current(lesson)))
    give_language(book, language)
    write(book, folder / f"{lesson.name}.ipynb")


def figures(lesson, folder):
    """The lesson's figures as files, for slides. -> their paths"""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for cell in current(lesson).cells:
        images = [o.data["image/png"] for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
        for k, image in enumerate(images):
            more = f"-{k + 1}" if len(images) > 1 else ""
            paths.append(folder / f"{lesson.name}-{cell.id}{more}.png")
            atomic_write(paths[-1], base64.b64decode(image))
    return paths


def current(lesson):
    """The notebook beside the source. Raises LessonError if it is missing, or made of another source."""
    again = f"python -m tutorials.build notebooks --lessons {lesson.number}"
    if not lesson.beside.exists():
        raise LessonError(f"{lesson.beside.name} is missing; make it: {again}")
    book = nbformat.read(lesson.beside, as_version=4)
    if book.metadata.get("minires", {}).get("source") != lesson.hash:
        raise LessonError(f"{lesson.beside.name} is stale, because its source has changed; make it again: {again}")
    return book


def text_in(language, lesson):
    """cell -> its text in a language, with links that work outside the repository."""
    said = lesson.texts if language == "en" else korean.texts(lesson)
    outside = {name: with_links(text, lesson.path.parent) for name, text in said.items()}
    return lambda cell: outside[cell.metadata["name"]]


def with_links(text, folder, inside=()):
    """A text of a folder, with links into the public repository for those into this one.

    inside: {path: link} of the files that the reader has beside the text.
    """

    def absolute(link):
        path = (folder / link[1]).resolve()
        place = inside[path] if path in inside else f"{REPOSITORY}{path.relative_to(HERE.parent).as_posix()}"
        return f"]({place}{link[2] or ''})"

    return LINK.sub(absolute, text)


def dead_links(texts, folder):
    """[(name, link)] of links in texts of a folder that lead to no file of the repository."""
    return [
        (name, target)
        for name, text in texts.items()
        for target, _ in LINK.findall(text)
        if not (folder / target).exists()
    ]


def give_language(book, language):
    """Let the first cell of code choose the language of the checks. English is chosen already."""
    setup = next(cell for cell in book.cells if cell.cell_type == "code")
    if language != "en":
        setup.source += f"\n\n{SPEAK.format(language=language)}"


def outputs_of(book):
    """{cell's name: (outputs, number)} of all code but checks, because "right" below a blank would mislead."""
    return {
        cell.id: (cell.outputs, cell.execution_count)
        for cell in book.cells
        if cell.cell_type == "code" and "check" not in tags_of(cell)
    }


def give_outputs(book, outputs):
    for cell in book.cells:
        if cell.cell_type == "code" and cell.id in outputs:
            cell.outputs, cell.execution_count = outputs[cell.id]


def write(book, path):
    nbformat.validate(book)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, (nbformat.writes(book) + "\n").encode())
