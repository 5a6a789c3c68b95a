"""`MonitoredTrainingSession`: a monitored session with the hooks that training usually wants."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from monitored._train.hooks.checkpoint_saver import CheckpointSaverHook
from monitored._train.hooks.step_counter import StepCounterHook
from monitored._train.hooks.summary_saver import SummarySaverHook
from monitored._train.monitored_session import MonitoredSession
from monitored._train.scaffold import Scaffold
from monitored._train.session_creators import ChiefSessionCreator, WorkerSessionCreator
from monitored._train.session_run_hook import SessionRunHook

__all__ = ["MonitoredTrainingSession"]


class _UseDefault:
    """What an argument is that was not given, where None means never."""

    def __repr__(self) -> str:
        return "USE_DEFAULT"


USE_DEFAULT: Final[Any] = _UseDefault()


def MonitoredTrainingSession(  # TensorFlow's name
    master: str = "",
    is_chief: bool = True,
    checkpoint_dir: str | None = None,
    scaffold: Scaffold | None = None,
    hooks: Iterable[SessionRunHook] | None = None,
    chief_only_hooks: Iterable[SessionRunHook] | None = None,
    save_checkpoint_secs: float | None = USE_DEFAULT,
    save_summaries_steps: int | None = USE_DEFAULT,
    save_summaries_secs: float | None = USE_DEFAULT,
    config: Any = None,
    stop_grace_period_secs: float = 120,
    log_step_count_steps: int | None = 100,
    max_wait_secs: float = 7200,
    save_checkpoint_steps: int | None = USE_DEFAULT,
    summary_dir: str | None = None,
) -> MonitoredSession:
    """A `MonitoredSession` that counts steps, saves checkpoints and writes summaries.

    Its hooks, in order: `chief_only_hooks`, a `StepCounterHook`, a `SummarySaverHook`, a `CheckpointSaverHook`, and
    `hooks`. A worker has only `hooks`, and waits for the chief to initialize the model.

        with tf.train.MonitoredTrainingSession(checkpoint_dir="runs/digits", hooks=hooks) as session:
            while not session.should_stop():
                session.run(train_op)

    Args:
        master: The execution engine; only the one in this process (``''``) exists.
        is_chief: Whether this is the process that initializes, saves and writes summaries.
        checkpoint_dir: A directory to save checkpoints in, and to restore the newest from.
        scaffold: A `Scaffold` that gathers or builds the supporting operations; a default one when None.
        hooks: `SessionRunHook` objects.
        chief_only_hooks: `SessionRunHook` objects for the chief only.
        save_checkpoint_secs: Seconds from one checkpoint to the next; None or 0 for none. 600 unless
            `save_checkpoint_steps` is given.
        save_summaries_steps: Steps from one summary to the next; None or 0 for none. 100 unless `save_summaries_secs`
            is given.
        save_summaries_secs: Seconds from one summary to the next, instead; None or 0 for none.
        config: A `ConfigProto` for the session.
        stop_grace_period_secs: Seconds that the threads of queue runners have to end after `close`.
        log_step_count_steps: Steps from one measurement of steps per second to the next; None or 0 for none.
        max_wait_secs: For how many seconds a worker waits for the chief.
        save_checkpoint_steps: Steps from one checkpoint to the next, instead; None or 0 for none.
        summary_dir: A directory for the summaries; `checkpoint_dir` by default.

    Returns:
        The session.

    Raises:
        ValueError: If both steps and seconds are given for the checkpoints, or for the summaries.
        DeadlineExceededError: If a worker has waited long enough.
    """
    summaries_steps, summaries_secs = _steps_or_secs(save_summaries_steps, save_summaries_secs, 100, None)
    checkpoint_steps, checkpoint_secs = _steps_or_secs(save_checkpoint_steps, save_checkpoint_secs, None, 600)
    scaffold = scaffold or Scaffold()
    if not is_chief:
        worker = WorkerSessionCreator(scaffold, master, config, max_wait_secs)
        return MonitoredSession(worker, hooks, stop_grace_period_secs)

    all_hooks = list(chief_only_hooks or [])
    summary_dir = summary_dir or checkpoint_dir
    if summary_dir and _is_wanted(log_step_count_steps):
        all_hooks.append(StepCounterHook(log_step_count_steps, output_dir=summary_dir))
    if summary_dir and (_is_wanted(summaries_steps) or _is_wanted(summaries_secs)):
        all_hooks.append(SummarySaverHook(summaries_steps, summaries_secs, summary_dir, scaffold=scaffold))
    if checkpoint_dir and (_is_wanted(checkpoint_steps) or _is_wanted(checkpoint_secs)):
        all_hooks.append(CheckpointSaverHook(checkpoint_dir, checkpoint_secs, checkpoint_steps, scaffold=scaffold))
    chief = ChiefSessionCreator(scaffold, master, config, checkpoint_dir)
    return MonitoredSession(chief, [*all_hooks, *(hooks or [])], stop_grace_period_secs)


def _steps_or_secs(steps: Any, secs: Any, default_steps: Any, default_secs: Any) -> tuple[Any, Any]:
    """What was given of the two; the defaults when neither was."""
    if steps is USE_DEFAULT and secs is USE_DEFAULT:
        return default_steps, default_secs
    return None if steps is USE_DEFAULT else steps, None if secs is USE_DEFAULT else secs


def _is_wanted(interval: float | None) -> bool:
    return interval is not None and interval > 0
