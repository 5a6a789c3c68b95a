"""A hook that writes down what happens to it."""

from __future__ import annotations

from typing import Any

import monitored as tf


class Noting(tf.train.SessionRunHook):
    """Writes down what it is called with; `fails` names a method that raises `error`."""

    def __init__(self, fails: str = "", error: BaseException | None = None) -> None:
        self.calls: list[str] = []
        self.told: list[tuple[Any, BaseException]] = []
        self.closed: list[BaseException | None] = []
        self.fails = fails
        self.error = ValueError("raised by the hook") if error is None else error

    def note(self, method: str) -> None:
        self.calls.append(method)
        if method == self.fails:
            raise self.error

    def begin(self) -> None:
        self.note("begin")

    def after_create_session(self, session: Any, coord: Any) -> None:
        self.note("after_create_session")

    def before_run(self, run_context: Any) -> None:
        self.note("before_run")

    def after_run(self, run_context: Any, run_values: Any) -> None:
        self.note("after_run")

    def end(self, session: Any) -> None:
        self.note("end")

    def on_error(self, run_context: Any, error: BaseException) -> None:
        if run_context.session is not None:
            run_context.session.run("alive:0")  # it is still open
        self.told.append((run_context, error))
        self.note("on_error")

    def after_close(self, error: BaseException | None) -> None:
        self.closed.append(error)
        self.note("after_close")
