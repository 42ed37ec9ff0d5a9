"""What the tests of marking share."""

from boxes import walls  # noqa: F401 - a fixture
