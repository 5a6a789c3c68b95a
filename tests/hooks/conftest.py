"""What the tests of hooks have in common: a graph of their own, and a session of either class."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import monitored as tf

SESSIONS = {
    "Singular": lambda hooks, **kwargs: tf.train.SingularMonitoredSession(hooks, **kwargs),
    "Monitored": lambda hooks, **kwargs: tf.train.MonitoredSession(tf.train.ChiefSessionCreator(**kwargs), hooks),
}


@pytest.fixture(autouse=True)
def _graph() -> Iterator[None]:
    with tf.Graph().as_default():
        tf.constant(0, name="alive")
        yield
    tf.summary.FileWriterCache.clear()


@pytest.fixture(params=list(SESSIONS))
def make(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Makes a session of either class: hooks, and the arguments of a `ChiefSessionCreator`."""
    return SESSIONS[request.param]
