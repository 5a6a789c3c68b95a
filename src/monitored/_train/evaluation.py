"""Evaluating checkpoints: once, or each as it appears.

    for path in tf.train.checkpoints_iterator("runs/digits"):
        with tf.Graph().as_default():
            accuracy, update = build()                      # what the checkpoint holds, and local variables that count
            hooks = [tf.train.StopAfterNEvalsHook(100)]
            print(tf.train.evaluate_once(path, eval_ops=update, final_ops=accuracy, hooks=hooks))

An evaluation is a `MonitoredSession` that restores the checkpoint and runs `eval_ops` until a hook or the end of the
input stops it; then it runs `final_ops` once.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from monitored._checkpoint import latest_checkpoint
from monitored._graph import dtypes
from monitored._graph.collections import GraphKeys
from monitored._graph.graph import get_default_graph
from monitored._ops import initializers
from monitored._ops.variable_ops import assign_add
from monitored._ops.variable_scope import get_variable
from monitored._train.hooks.final_ops import FinalOpsHook
from monitored._train.hooks.stop_after_n_evals import StopAfterNEvalsHook
from monitored._train.monitored_session import MonitoredSession
from monitored._train.scaffold import Scaffold
from monitored._train.session_creators import ChiefSessionCreator
from monitored._train.session_run_hook import SessionRunHook

__all__ = [
    "checkpoints_iterator",
    "evaluate_once",
    "evaluate_repeatedly",
    "get_or_create_eval_step",
    "wait_for_new_checkpoint",
]

_log = logging.getLogger("monitored")


def get_or_create_eval_step() -> Any:
    """The variable that counts the evaluations of a checkpoint, made when the default graph has none.

    Returns:
        A local variable in the collection ``GraphKeys.EVAL_STEP``.

    Raises:
        ValueError: If the collection holds several.
    """
    graph = get_default_graph()
    found = graph.get_collection(GraphKeys.EVAL_STEP)
    if len(found) > 1:
        raise ValueError("Multiple tensors added to tf.GraphKeys.EVAL_STEP")
    if found:
        return found[0]
    with graph.name_scope(None):
        return get_variable(
            GraphKeys.EVAL_STEP,
            shape=[],
            dtype=dtypes.int64,
            initializer=initializers.zeros_initializer(),
            trainable=False,
            collections=[GraphKeys.LOCAL_VARIABLES, GraphKeys.EVAL_STEP],
        )


def wait_for_new_checkpoint(
    checkpoint_dir: str | os.PathLike[str],
    last_checkpoint: str | None = None,
    seconds_to_sleep: float = 1,
    timeout: float | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str | None:
    """Waits until the newest checkpoint in a directory is another one.

    Args:
        checkpoint_dir: The directory.
        last_checkpoint: The checkpoint that is not waited for; None for any.
        seconds_to_sleep: Seconds from one look to the next.
        timeout: Seconds to wait at most; None for no limit.
        clock: Gives the time in seconds.
        sleep: Waits for some seconds.

    Returns:
        The checkpoint's path; None when the time is over.
    """
    _log.info("Waiting for new checkpoint at %s", checkpoint_dir)
    deadline = None if timeout is None else clock() + timeout
    while True:
        path = latest_checkpoint(checkpoint_dir)
        if path is not None and path != last_checkpoint:
            _log.info("Found new checkpoint at %s", path)
            return path
        if deadline is not None and clock() + seconds_to_sleep > deadline:
            return None
        sleep(seconds_to_sleep)


def checkpoints_iterator(
    checkpoint_dir: str | os.PathLike[str],
    min_interval_secs: float = 0,
    timeout: float | None = None,
    timeout_fn: Callable[[], bool] | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[str]:
    """Gives each new checkpoint in a directory; of several that have come meanwhile, the newest.

    Args:
        checkpoint_dir: The directory.
        min_interval_secs: Seconds from one checkpoint to the next at least.
        timeout: Seconds to wait for a checkpoint; None for no limit.
        timeout_fn: Called when they are over: True ends the iteration, False waits again. None ends it.
        clock: Gives the time in seconds.
        sleep: Waits for some seconds.

    Yields:
        The checkpoint's path.
    """
    path: str | None = None
    while True:
        found = wait_for_new_checkpoint(checkpoint_dir, path, timeout=timeout, clock=clock, sleep=sleep)
        if found is None:
            if timeout_fn is None:
                _log.info("Timed-out waiting for a checkpoint.")
                return
            if timeout_fn():
                return
            continue
        path, begin = found, clock()
        yield path
        rest = begin + min_interval_secs - clock()
        if rest > 0:
            sleep(rest)


def evaluate_once(
    checkpoint_path: str | os.PathLike[str],
    master: str = "",
    scaffold: Scaffold | None = None,
    eval_ops: Any = None,
    feed_dict: Any = None,
    final_ops: Any = None,
    final_ops_feed_dict: Any = None,
    hooks: Iterable[SessionRunHook] | None = None,
    config: Any = None,
) -> Any:
    """Evaluates a checkpoint.

    Args:
        checkpoint_path: The checkpoint, as `latest_checkpoint` returns it.
        master: The execution engine; only the one in this process (``''``) exists.
        scaffold: A `Scaffold` that gathers or builds the supporting operations; a default one when None.
        eval_ops: What to run again and again: an operation or tensor, or a list or dictionary of them. Some hook, such
            as `StopAfterNEvalsHook`, or the end of the input has to stop it. None to run nothing.
        feed_dict: What to feed for `eval_ops`.
        final_ops: What to fetch afterwards, as for `Session.run`.
        final_ops_feed_dict: What to feed for `final_ops`.
        hooks: `SessionRunHook` objects.
        config: A `ConfigProto` for the session.

    Returns:
        The values of `final_ops`; None without them.

    Raises:
        ValueError: If there is no such checkpoint.
        OpError: If it does not fit the graph, or cannot be read.
    """
    eval_ops, all_hooks = _counted(eval_ops, list(hooks or []))
    final = FinalOpsHook(final_ops, final_ops_feed_dict)
    creator = ChiefSessionCreator(scaffold, master, config, checkpoint_filename_with_path=os.fspath(checkpoint_path))
    _log.info("Starting evaluation at %s", _now())
    with MonitoredSession(creator, [*all_hooks, final]) as session:
        if eval_ops is not None:
            while not session.should_stop():
                session.run(eval_ops, feed_dict)
    _log.info("Finished evaluation at %s", _now())
    return final.final_ops_values


def evaluate_repeatedly(
    checkpoint_dir: str | os.PathLike[str],
    master: str = "",
    scaffold: Scaffold | None = None,
    eval_ops: Any = None,
    feed_dict: Any = None,
    final_ops: Any = None,
    final_ops_feed_dict: Any = None,
    eval_interval_secs: float = 60,
    hooks: Iterable[SessionRunHook] | None = None,
    config: Any = None,
    max_number_of_evaluations: int | None = None,
    timeout: float | None = None,
    timeout_fn: Callable[[], bool] | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Any:
    """Evaluates each new checkpoint in a directory; of several that have come meanwhile, the newest.

    Args:
        checkpoint_dir: The directory.
        master: The execution engine; only the one in this process (``''``) exists.
        scaffold: A `Scaffold` that gathers or builds the supporting operations; a default one when None.
        eval_ops: What to run again and again for each checkpoint; see `evaluate_once`.
        feed_dict: What to feed for `eval_ops`.
        final_ops: What to fetch afterwards, as for `Session.run`.
        final_ops_feed_dict: What to feed for `final_ops`.
        eval_interval_secs: Seconds from one evaluation to the next at least.
        hooks: `SessionRunHook` objects; they begin and end with each evaluation.
        config: A `ConfigProto` for the sessions.
        max_number_of_evaluations: How many checkpoints to evaluate; None for no limit.
        timeout: Seconds to wait for a checkpoint; None for no limit.
        timeout_fn: Called when they are over: True ends the evaluation, False waits again. None ends it.
        clock: Gives the time in seconds.
        sleep: Waits for some seconds.

    Returns:
        The values of `final_ops` for the last checkpoint; None if there was none.
    """
    eval_ops, all_hooks = _counted(eval_ops, list(hooks or []))
    final = FinalOpsHook(final_ops, final_ops_feed_dict)
    paths = checkpoints_iterator(checkpoint_dir, eval_interval_secs, timeout, timeout_fn, clock=clock, sleep=sleep)
    for number, path in enumerate(paths, 1):
        creator = ChiefSessionCreator(scaffold, master, config, checkpoint_filename_with_path=path)
        with MonitoredSession(creator, [*all_hooks, final]) as session:
            _log.info("Starting evaluation at %s", _now())
            if eval_ops is not None:
                while not session.should_stop():
                    session.run(eval_ops, feed_dict)
            _log.info("Finished evaluation at %s", _now())
        if number == max_number_of_evaluations:
            break
    return final.final_ops_values


def _counted(eval_ops: Any, hooks: list[SessionRunHook]) -> tuple[Any, list[SessionRunHook]]:
    """The operations with one that counts their runs, of which the hooks that stop after a number are told."""
    if eval_ops is None:
        return None, hooks
    count = assign_add(get_or_create_eval_step(), 1, use_locking=True)
    for hook in hooks:
        if isinstance(hook, StopAfterNEvalsHook):
            hook._set_evals_completed_tensor(count)
    if isinstance(eval_ops, dict):
        return {**eval_ops, "update_eval_step": count}, hooks
    return [*(eval_ops if isinstance(eval_ops, (list, tuple)) else [eval_ops]), count], hooks


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
