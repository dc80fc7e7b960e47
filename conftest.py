"""Gives the tests of the packages (tests/) and of the engines (engines/*/*/tests/) the same fixtures."""

pytest_plugins = ["tests.fixtures", "tests.stack"]
