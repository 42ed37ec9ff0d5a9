"""What the tests of experiments on trained networks share: the networks, which are trained once."""

from dataclasses import replace

import pytest

from minires import lab
from minires.lab import Report


@pytest.fixture(scope="session")
def trained_folder(tmp_path_factory):
    """A folder in which lesion has trained plain20 and resnet20 with three seeds."""
    folder = tmp_path_factory.mktemp("lesion")
    lab.lesion(seeds=3, draws=2, swaps=2, out=folder)
    return folder


@pytest.fixture(scope="session")
def files(trained_folder):
    """The checkpoints of these networks, plain ones first."""
    return tuple(
        str(trained_folder / "lesion" / f"{arm}-seed{seed}" / "checkpoint.safetensors")
        for arm in ("plain20", "resnet20")
        for seed in range(3)
    )


@pytest.fixture(scope="session")
def again():
    """again(report, **settings): the Report with other parts for the same networks.

    The numbers of a trial depend on its network and seed, so they need not be measured again.
    """

    def changed(report, **settings):
        weights = {"weights": ()} if hasattr(report.settings, "weights") else {}
        s = replace(report.settings, **weights, seeds=3, **settings)
        measured = report.results.as_dict()
        assert all(str(trial.seed) in measured[trial.arm] for trial in report.experiment.trials(s))
        return Report(report.experiment, report.size, s, report.results, report.seconds)

    return changed
