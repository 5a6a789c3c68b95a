"""`CheckpointInputPipelineHook`: makes sure that checkpoints hold where the input stands."""

from __future__ import annotations

import logging
from typing import Any

from monitored._graph.graph import get_default_graph
from monitored._train.session_run_hook import SessionRunHook

__all__ = ["CheckpointInputPipelineHook"]

_log = logging.getLogger("monitored")


class CheckpointInputPipelineHook(SessionRunHook):
    """Makes sure that checkpoints hold where the program's iterators stand.

    TensorFlow's saves the positions of `tf.data` iterators beside the checkpoints. Here every checkpoint holds the
    position of every iterator that was registered, so that it only has to be one:

        batches = tf.train.register_iterator(iter(loader))
        hooks = [tf.train.CheckpointSaverHook("runs/a", save_steps=100), tf.train.CheckpointInputPipelineHook()]

    Args:
        estimator: What TensorFlow's takes the directory from; nothing here.
    """

    def __init__(self, estimator: Any = None) -> None:
        super().__init__()

    def begin(self) -> None:
        """Looks for iterators.

        Raises:
            ValueError: If the graph has none.
        """
        names = [name.removeprefix("iterator/") for name in get_default_graph()._iterators]
        if not names:
            raise ValueError(
                "CheckpointInputPipelineHook found no iterator to save. Register those of the program:\n"
                "  batches = tf.train.register_iterator(iter(loader))\n"
                "Or let each step's input follow from the global step, which every checkpoint holds, and leave the "
                "hook out:\n"
                "  rows = np.random.RandomState(step).randint(len(images), size=batch_size)"
            )
        _log.info("Checkpoints hold where the input stands: %s.", ", ".join(names))
