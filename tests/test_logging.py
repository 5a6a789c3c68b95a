"""`tf.logging`."""

from __future__ import annotations

import logging

import pytest

import monitored as tf


@pytest.fixture(autouse=True)
def _level() -> object:
    logger = logging.getLogger("monitored")
    before = logger.level
    yield
    logger.setLevel(before)


def test_levels(caplog: pytest.LogCaptureFixture) -> None:
    log = tf.logging
    assert [log.DEBUG, log.INFO, log.WARN, log.ERROR, log.FATAL] == [10, 20, 30, 40, 50]
    log.set_verbosity(log.INFO)
    assert log.get_verbosity() == 20
    log.debug("not shown")
    log.info("i %s", 1)
    log.warn("w")
    log.error("e")
    log.fatal("f")
    log.log(log.INFO, "l %d", 2)
    log.vlog(1, "not shown")
    log.log_if(log.INFO, "if %d", True, 3)
    log.log_if(log.INFO, "not shown", False)
    log.TaskLevelStatusMessage("status")
    log.set_verbosity(log.ERROR)
    log.warning("not shown")
    assert [(r.levelno, r.message) for r in caplog.records] == [
        (20, "i 1"), (30, "w"), (40, "e"), (50, "f"), (20, "l 2"), (20, "if 3"), (40, "status"),
    ]  # fmt: skip


def test_counting(caplog: pytest.LogCaptureFixture) -> None:
    for i in range(7):
        tf.logging.log_first_n(tf.logging.ERROR, "first %d", 2, i)
        tf.logging.log_every_n(tf.logging.ERROR, "every %d", 3, i)
    assert [r.message for r in caplog.records] == ["first 0", "first 1", "every 2", "every 5"]


def test_lines_go_to_the_standard_error_unless_the_program_logs_itself(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    tf.logging.set_verbosity(tf.logging.INFO)
    tf.logging.info("shown")
    assert capsys.readouterr().err == "INFO:monitored:shown\n"
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.NullHandler()])
    tf.logging.info("not shown twice")
    tf.logging.flush()
    assert capsys.readouterr().err == ""
