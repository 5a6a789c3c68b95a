"""What of a `ConfigProto` and of `RunOptions` is refused; ``docs/session.md`` tells what the rest does."""

from __future__ import annotations

from typing import Any, Final

from monitored import errors

__all__ = ["check_config", "check_options"]

_EXECUTORS: Final = ("", "DEFAULT", "SINGLE_THREADED_EXECUTOR")


def check_config(config: Any) -> None:
    """Checks a session's configuration.

    Args:
        config: A `ConfigProto`, or None.

    Raises:
        TypeError: If it is something else.
        NotFoundError: If it names an executor that does not exist.
        UnimplementedError: If it asks for something that a session cannot give.
    """
    if config is None:
        return
    if not hasattr(config, "allow_soft_placement"):
        raise TypeError(f"config must be a tf.ConfigProto, but got {type(config)}")
    if config.graph_options.build_cost_model:
        raise errors.UnimplementedError(
            None,
            None,
            "graph_options.build_cost_model: there is no cost model; RunOptions.trace_level gives times.",
        )
    if config.HasField("experimental") and config.experimental.executor_type not in _EXECUTORS:
        raise errors.NotFoundError(
            None,
            None,
            f"No executor factory registered for the given executor type: {config.experimental.executor_type}",
        )


def check_options(options: Any, pools: int) -> None:
    """Checks the options of a run.

    Args:
        options: `RunOptions`.
        pools: How many pools of threads the session's configuration names.

    Raises:
        InvalidArgumentError: If they name a pool of threads that does not exist.
        UnimplementedError: If they ask for something that a session cannot give.
    """
    if not -1 <= options.inter_op_thread_pool < max(pools, 1):
        raise errors.InvalidArgumentError(None, None, f"Invalid inter_op_thread_pool: {options.inter_op_thread_pool}")
    if options.debug_options.debug_tensor_watch_opts:
        raise errors.UnimplementedError(
            None, None, "debug_options: TensorFlow's debugger is not supported; fetch the tensors to be watched."
        )
