"""The stacks of default graphs and default sessions, one of each for every thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class DefaultStack(threading.local, Generic[T]):
    """A thread's stack of defaults; the innermost is the default."""

    def __init__(self) -> None:
        self.items: list[T] = []

    def get(self) -> T | None:
        """The innermost default, or None."""
        return self.items[-1] if self.items else None

    @contextmanager
    def pushed(self, item: T) -> Iterator[T]:
        """Makes `item` the default within a block."""
        self.items.append(item)
        try:
            yield item
        finally:
            if self.items[-1] is not item:
                raise AssertionError(f"Nesting violated: {item!r} is not the innermost default.")
            self.items.pop()


sessions: DefaultStack[Any] = DefaultStack()


def get_default_session() -> Any:
    """The default session of the current thread, or None.

    Returns:
        The innermost `Session` entered with ``with session:`` or `Session.as_default`.
    """
    return sessions.get()


def session_for(session: Any, graph: Any, method: str, action: str) -> Any:
    """The session to use for `action`: the given one or the default, which must be of the given graph."""
    given = "the given" if session is not None else "the default"
    explicit = f"{method[:-1]}session=sess)"
    session = sessions.get() if session is None else session
    if session is None:
        colon = ":" if method == "run()" else ""  # TensorFlow's two messages differ by little
        raise ValueError(
            f"Cannot {action} using `{method}`: No default session is registered. Use `with sess.as_default(){colon}` "
            f"or pass an explicit session to `{explicit}`"
        )
    if session.graph is not graph:
        raise ValueError(
            f"Cannot use {given} session to {action}: the {action.split()[-1]}'s graph is different from the "
            f"session's graph. Pass an explicit session to {explicit if method == 'run()' else f'`{explicit}`'}."
        )
    return session
