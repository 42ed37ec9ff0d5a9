"""What is handed to PyPI: links that lead somewhere from there, and the versions that the workflow tests."""

import configparser
import re
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
SETUP = configparser.ConfigParser(interpolation=None)
SETUP.read(ROOT / "setup.cfg", encoding="utf-8")


def listed(value):
    return [line for line in value.splitlines() if line]


@pytest.fixture
def page(monkeypatch):
    """The description that setup.py gives to PyPI."""
    given = {}
    monkeypatch.setitem(sys.modules, "setuptools", SimpleNamespace(setup=lambda **settings: given.update(settings)))
    runpy.run_path(str(ROOT / "setup.py"))
    assert given["long_description_content_type"] == "text/markdown"
    return given["long_description"]


def test_the_page_on_pypi_is_the_readme_with_absolute_links(page):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"(!?)\[[^\[\]]*\]\(([^()\s]+)\)", readme)
    ours = [(image, target) for image, target in targets if not re.match(r"\w+:|#", target)]
    assert len(ours) > 20
    for image, target in ours:
        assert (ROOT / target.partition("#")[0]).exists()
        place = (
            "https://raw.githubusercontent.com/minires/minires/main/"
            if image
            else "https://github.com/minires/minires/blob/main/"
        )
        assert f"]({place}{target})" in page
    assert not re.findall(r"\]\((?!https?://|#)", page)
    assert re.sub(r"https://\S+?/(blob/)?main/", "", page) == readme


def test_links_elsewhere_stay_as_they_are():
    absolute = runpy.run_path(str(ROOT / "docs" / "links.py"))["absolute"]
    for text in ("[a](https://b.org/c)", "[a](#part)", "[a](mailto:b@c.org)", "x[0](1 + 2)", "no link"):
        assert absolute(text) == text
    assert (
        absolute("![a](b.png) [c](d)", images="") == "![a](b.png) [c](https://github.com/minires/minires/blob/main/d)"
    )


def test_pypi_is_told_the_licence_the_places_and_the_pythons():
    metadata = SETUP["metadata"]
    assert metadata["license_expression"] == "MIT"
    assert {line.partition(" = ")[0] for line in listed(metadata["project_urls"])} >= {
        "Source",
        "Issues",
        "Documentation",
    }
    assert not [
        c for c in listed(metadata["classifiers"]) if c.startswith("License ::")
    ]  # the expression has its place
    assert SETUP["options"]["python_requires"] == f">={pythons()[0]}"


def test_in_a_browser_the_extras_want_only_what_pyodide_and_the_site_have():
    extras = SETUP["options.extras_require"]
    wanted = [Requirement(line) for line in listed(extras["data"]) + listed(extras["plots"])]
    there = [one for one in wanted if one.marker is None or one.marker.evaluate({"sys_platform": "emscripten"})]
    assert sorted(one.name for one in there) == ["matplotlib", "pillow", "tqdm"]
    versions = {"matplotlib": "3.8.4", "pillow": "10.2.0", "tqdm": "4.70.1"}
    assert all(versions[one.name] in one.specifier for one in there)


def pythons():
    """The versions of Python that we say minires runs on."""
    return re.findall(r":: (3\.\d+)$", SETUP["metadata"]["classifiers"], re.M)


def test_the_workflow_tests_the_oldest_and_the_newest_python_and_numpy_on_three_systems():
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed; it reads the workflow")
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    matrix = workflow["jobs"]["light"]["strategy"]["matrix"]
    assert {system.partition("-")[0] for system in matrix["system"]} == {"ubuntu", "macos", "windows"}
    [oldest_numpy] = [line for line in listed(SETUP["options"]["install_requires"]) if line.startswith("numpy")]
    assert [(pair["python"], pair["numpy"]) for pair in matrix["versions"]] == [
        (pythons()[0], oldest_numpy.replace(">=", "==") + ".*"),
        (pythons()[-1], "numpy"),
    ]
    runs = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    assert ".ci/run" in runs


def test_the_workflow_publishes_the_reference_and_in_it_the_book():
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed; it reads the workflow")
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    steps = workflow["jobs"]["site"]["steps"]
    runs = [step.get("run", "").partition("  #")[0] for step in steps]
    assert runs[-4:-1] == [
        "python docs/build.py",
        "python -m tutorials.build site",
        "mv tutorials/out/site docs/site/lessons",
    ]
    assert steps[-1]["with"]["path"] == "docs/site"
    extras = SETUP["options.extras_require"]
    assert all(extra in extras for extra in re.search(r'-e "\.\[(.*)\]"', runs[2])[1].split(","))
    site, folder = (line.partition(" = ")[2] for line in listed(SETUP["metadata"]["project_urls"])[:2])
    assert folder == f"{site}/lessons/"
    for readme, place in (("README.md", folder), ("README.ko.md", f"{folder}ko/")):
        assert f"]({place})" in (ROOT / readme).read_text(encoding="utf-8")


@pytest.mark.parametrize("job", ["light"])
def test_the_rooms_that_the_light_suite_names_are_there(job):
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    folders = re.findall(r"\btests/\w+", text)
    assert len(folders) > 5
    assert all((ROOT / folder).is_dir() for folder in folders)
