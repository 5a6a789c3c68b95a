"""`find_non_finite`: where numbers stop being finite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monitored._run.replay import NonFiniteReport, replay
from monitored._run.session import BaseSession

__all__ = ["NonFiniteReport", "find_non_finite"]


def find_non_finite(session: Any, fetches: Any, feed_dict: Mapping[Any, Any] | None = None) -> NonFiniteReport | None:
    """Carries out a run without changing the session, and finds the first operation whose result is not finite.

        print(tf.train.find_non_finite(session, train_op, {x: batch}))

    It compiles the run anew, which takes as long as the first time. Of a loop or branch only the whole is looked at.

    Args:
        session: A session, with or without hooks.
        fetches: As for `Session.run`.
        feed_dict: As for `Session.run`. Outputs of operations that cannot be carried out twice, such as those that take
            from a queue, must be fed.

    Returns:
        What is to blame, with what went into it and came out; None if all is finite.

    Raises:
        UnimplementedError: If such an output is not fed.
        RuntimeError: If the session is closed.
    """
    raw_session = getattr(session, "raw_session", None)
    found = raw_session() if callable(raw_session) else session
    if not isinstance(found, BaseSession) or found._closed:
        raise RuntimeError(f"find_non_finite needs a session that is open, not {session!r}.")
    return replay(found, fetches, feed_dict)
