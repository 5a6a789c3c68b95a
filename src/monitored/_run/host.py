"""What a host step gets to see of the session that runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from monitored._graph.effects import variable_of
from monitored._graph.func_graph import FuncGraph
from monitored._graph.operation import Operation, Tensor
from monitored._run.cancellation import Cancellation
from monitored._run.store import StateStore

if TYPE_CHECKING:
    from monitored._run.executor import Executor


class HostContext:
    """One run's context for its host steps.

    Attributes:
        store: The session's state.
        cancellation: Tells a waiting step that the session was closed or the run's time is over.
    """

    __slots__ = ("_executor", "cancellation", "store")

    def __init__(self, store: StateStore, cancellation: Cancellation, executor: Executor) -> None:
        self.store = store
        self.cancellation = cancellation
        self._executor = executor

    def resource(self, op: Operation, factory: Callable[[], Any]) -> Any:
        """The session's object of a resource operation, made by `factory` at first use."""
        return self.store.resource(op, factory)

    def is_initialized(self, ref: Tensor) -> bool:
        """Whether the variable behind a reference has a value."""
        return variable_of(ref) in self.store.values

    def run_body(self, body: FuncGraph, values: Sequence[Any]) -> list[Any]:
        """Runs the body of a branch or loop, effects included.

        Args:
            body: The function graph.
            values: The values of its inputs.

        Returns:
            The values of its outputs, on the host or the device.
        """
        return self._executor.run_body(body, values, self)
