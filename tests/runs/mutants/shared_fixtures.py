"""A pytest plugin: what a fixture of several tests calls is reached by each of them, not by the first alone."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from mutmut.state import state

CALLED: defaultdict[str, set[str]] = defaultdict(set)  # functions, by the fixture's name


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Iterator[None]:
    """Note what a fixture calls that is made once for several tests."""
    before = set(state()._stats)
    state()._stats.clear()
    result = yield
    if fixturedef.scope != "function":
        CALLED[fixturedef.argname] |= state()._stats
    state()._stats.update(before)
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Function) -> None:
    """Count that among what the test called."""
    for name in item.fixturenames:
        state()._stats.update(CALLED[name])
