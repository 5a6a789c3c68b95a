"""`Scaffold`: the operations that a training program is started with, given or built by default."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from monitored._graph.collections import GraphKeys
from monitored._graph.graph import get_default_graph
from monitored._graph.operation import Operation
from monitored._ops.control_flow import group
from monitored._ops.summary import merge_all
from monitored._ops.variable_ops import (
    global_variables,
    global_variables_initializer,
    local_variables_initializer,
    report_uninitialized_variables,
    tables_initializer,
)
from monitored._train.saver import Saver

__all__ = ["Scaffold"]

_log = logging.getLogger("monitored")


class Scaffold:
    """The pieces that a session of training needs: how to initialize, to check, to summarize and to save.

    Each is what the constructor got; else what the graph has in the collection of its name; else `finalize` builds it:

        init_op                  initializes the global variables
        ready_op                 the names of global and local variables without values; none means ready
        ready_for_local_init_op  the names of global variables without values
        local_init_op            initializes the local variables and the tables
        summary_op               merges all summaries; None when there are none
        saver                    saves the global variables

    What is built is added to the collection. `finalize` then finalizes the graph.
    """

    def __init__(
        self,
        init_op: Any = None,
        init_feed_dict: Any = None,
        init_fn: Callable[[Scaffold, Any], Any] | None = None,
        ready_op: Any = None,
        ready_for_local_init_op: Any = None,
        local_init_op: Any = None,
        summary_op: Any = None,
        saver: Saver | None = None,
        copy_from_scaffold: Scaffold | None = None,
        local_init_feed_dict: Any = None,
    ) -> None:
        """Takes what is given; the rest is found or built by `finalize`.

        Args:
            init_op: Initializes the variables; run when there is no checkpoint to restore.
            init_feed_dict: The feed dictionary for `init_op`.
            init_fn: ``init_fn(scaffold, session)``, called after `init_op`.
            ready_op: Says that the model is ready by giving an empty list of names.
            ready_for_local_init_op: Says that the model is ready for `local_init_op` by an empty list of names.
            local_init_op: Initializes what belongs to the process and is in no checkpoint; run in every session.
            summary_op: Gives the summary to record.
            saver: Saves and restores the variables.
            copy_from_scaffold: A scaffold whose fields stand in for those that are not given.
            local_init_feed_dict: The feed dictionary for `local_init_op`.

        Raises:
            TypeError: If `copy_from_scaffold` is no `Scaffold`.
        """
        if copy_from_scaffold is not None and not isinstance(copy_from_scaffold, Scaffold):
            raise TypeError("copy_from_scaffold is not a Scaffold instance.")

        def given(name: str, value: Any) -> Any:
            # Identity, not truth: a tensor has none.
            return getattr(copy_from_scaffold, name) if value is None and copy_from_scaffold is not None else value

        self._init_op = given("_init_op", init_op)
        self._init_feed_dict = given("_init_feed_dict", init_feed_dict)
        self._user_init_fn = given("_user_init_fn", init_fn)
        self._ready_op = given("_ready_op", ready_op)
        self._ready_for_local_init_op = given("_ready_for_local_init_op", ready_for_local_init_op)
        self._local_init_op = given("_local_init_op", local_init_op)
        self._local_init_feed_dict = given("_local_init_feed_dict", local_init_feed_dict)
        self._summary_op = given("_summary_op", summary_op)
        self._saver = given("_saver", saver)

    def finalize(self) -> Scaffold:
        """Builds what is missing in the default graph, and finalizes the graph.

        Returns:
            The scaffold itself.

        Raises:
            RuntimeError: If a collection holds more than one candidate.
        """
        get = self.get_or_default
        if self._init_op is None:
            self._init_op = get("init_op", GraphKeys.INIT_OP, _default_init_op)
        if self._ready_op is None:
            self._ready_op = get("ready_op", GraphKeys.READY_OP, report_uninitialized_variables)
        if self._ready_for_local_init_op is None:
            self._ready_for_local_init_op = get(
                "ready_for_local_init_op",
                GraphKeys.READY_FOR_LOCAL_INIT_OP,
                lambda: report_uninitialized_variables(global_variables()),
            )
        if self._local_init_op is None:
            self._local_init_op = get("local_init_op", GraphKeys.LOCAL_INIT_OP, Scaffold.default_local_init_op)
        if self._summary_op is None:
            self._summary_op = get("summary_op", GraphKeys.SUMMARY_OP, merge_all)
        if self._saver is None:
            self._saver = saver_or_default()
        self._saver.build()
        get_default_graph().finalize()
        _log.info("Graph was finalized.")
        return self

    @property
    def init_op(self) -> Any:
        """Initializes the variables."""
        return self._init_op

    @property
    def init_feed_dict(self) -> Any:
        """The feed dictionary for `init_op`."""
        return self._init_feed_dict

    @property
    def init_fn(self) -> Callable[[Any], Any] | None:
        """The function given, as a function of the session alone; None when there is none."""
        function = self._user_init_fn
        return None if function is None else lambda session: function(self, session)

    @property
    def ready_op(self) -> Any:
        """Gives the names of what is not ready; none means ready."""
        return self._ready_op

    @property
    def ready_for_local_init_op(self) -> Any:
        """Gives the names of what must be ready before `local_init_op`, and is not."""
        return self._ready_for_local_init_op

    @property
    def local_init_op(self) -> Any:
        """Initializes what belongs to the process and is in no checkpoint."""
        return self._local_init_op

    @property
    def local_init_feed_dict(self) -> Any:
        """The feed dictionary for `local_init_op`."""
        return self._local_init_feed_dict

    @property
    def summary_op(self) -> Any:
        """Gives the summary to record; None when there is none."""
        return self._summary_op

    @property
    def saver(self) -> Any:
        """Saves and restores the variables."""
        return self._saver

    @staticmethod
    def get_or_default(arg_name: str, collection_key: str, default_constructor: Callable[[], Any]) -> Any:
        """The item of a collection of the default graph; when it is empty, a new one that is added to it.

        Args:
            arg_name: The argument of `Scaffold` that chooses an item, for the message.
            collection_key: The collection.
            default_constructor: Makes the item; None is not added.

        Returns:
            The item.

        Raises:
            RuntimeError: If the collection holds more than one.
        """
        graph = get_default_graph()
        items = graph.get_collection(collection_key)
        if len(items) > 1:
            raise RuntimeError(
                f'More than one item in the collection "{collection_key}". Please indicate which one to use by passing '
                f"it to the tf.Scaffold constructor as:  tf.Scaffold({arg_name}=item to use)"
            )
        if items:
            return items[0]
        item = default_constructor()
        if item is not None:
            graph.add_to_collection(collection_key, item)
        return item

    @staticmethod
    def default_local_init_op() -> Operation:
        """An operation that initializes the local variables and the tables of the default graph.

        Returns:
            The operation.
        """
        return group(local_variables_initializer(), tables_initializer())


def _default_init_op() -> Operation:
    return group(global_variables_initializer())


def saver_or_default() -> Saver:
    """The saver in the default graph's collection; when there is none, a new one that is added to it.

    Returns:
        The saver.

    Raises:
        RuntimeError: If there are several.
    """
    graph = get_default_graph()
    savers: list[Saver] = graph.get_collection(GraphKeys.SAVERS)
    if len(savers) > 1:
        raise RuntimeError(
            f"More than one item in collection {GraphKeys.SAVERS}. Please indicate which one to use by passing it to "
            "the constructor."
        )
    if savers:
        return savers[0]
    saver = Saver(sharded=True, allow_empty=True)
    graph.add_to_collection(GraphKeys.SAVERS, saver)
    return saver
