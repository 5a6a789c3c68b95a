"""`Supervisor` and `basic_train_loop`; compared with what TensorFlow does."""

from __future__ import annotations

import pytest

import replay_training


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("name", replay_training.names("supervisor/"))
def test_like_tensorflow(name: str) -> None:
    replay_training.check(name)
