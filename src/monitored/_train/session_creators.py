"""Session creators: how a monitored session gets its session, as the chief or as a worker."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from monitored._graph.graph import get_default_graph
from monitored._run.session import BaseSession
from monitored._train.scaffold import Scaffold
from monitored._train.session_manager import SessionManager

__all__ = ["ChiefSessionCreator", "SessionCreator", "WorkerSessionCreator"]


def _manager_for(scaffold: Scaffold) -> SessionManager:
    scaffold.finalize()
    return SessionManager(
        local_init_op=scaffold.local_init_op,
        local_init_feed_dict=scaffold.local_init_feed_dict,
        ready_op=scaffold.ready_op,
        ready_for_local_init_op=scaffold.ready_for_local_init_op,
        graph=get_default_graph(),
    )


class SessionCreator(ABC):
    """Makes sessions for `MonitoredSession`."""

    @abstractmethod
    def create_session(self) -> BaseSession:
        """Makes a session that is ready to run."""


class ChiefSessionCreator(SessionCreator):
    """Makes sessions as the chief does: initializes the variables, or restores them.

    Args:
        scaffold: Gathers or builds the supporting operations; a default one when None.
        master: The execution engine; only the one in this process (``''``) exists.
        config: A `ConfigProto` for the session.
        checkpoint_dir: A directory whose newest checkpoint is restored, if it holds one.
        checkpoint_filename_with_path: A checkpoint to restore instead.
    """

    def __init__(
        self,
        scaffold: Scaffold | None = None,
        master: str = "",
        config: Any = None,
        checkpoint_dir: str | None = None,
        checkpoint_filename_with_path: str | None = None,
    ) -> None:
        self._scaffold = scaffold or Scaffold()
        self._master = master
        self._config = config
        self._checkpoint_dir = checkpoint_dir
        self._checkpoint_filename_with_path = checkpoint_filename_with_path

    def create_session(self) -> BaseSession:
        """Completes the graph, makes a session, and initializes or restores it.

        Returns:
            The session.

        Raises:
            RuntimeError: If the model is not ready after initialization.
        """
        return _manager_for(self._scaffold).prepare_session(
            self._master,
            saver=self._scaffold.saver,
            checkpoint_dir=self._checkpoint_dir,
            checkpoint_filename_with_path=self._checkpoint_filename_with_path,
            config=self._config,
            init_op=self._scaffold.init_op,
            init_feed_dict=self._scaffold.init_feed_dict,
            init_fn=self._scaffold.init_fn,
        )


class WorkerSessionCreator(SessionCreator):
    """Makes sessions as a worker does: waits until the chief has initialized the model.

    Args:
        scaffold: Gathers or builds the supporting operations; a default one when None.
        master: The execution engine; only the one in this process (``''``) exists.
        config: A `ConfigProto` for the session.
        max_wait_secs: Seconds to wait for the model to be ready.
    """

    def __init__(
        self, scaffold: Scaffold | None = None, master: str = "", config: Any = None, max_wait_secs: float = 30 * 60
    ) -> None:
        self._scaffold = scaffold or Scaffold()
        self._master = master
        self._config = config
        self._max_wait_secs = max_wait_secs

    def create_session(self) -> BaseSession:
        """Completes the graph, makes a session, and waits for the model.

        Returns:
            The session.

        Raises:
            DeadlineExceededError: If the model is not ready in time.
        """
        return _manager_for(self._scaffold).wait_for_session(
            self._master, config=self._config, max_wait_secs=self._max_wait_secs
        )
