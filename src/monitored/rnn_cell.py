"""Recurrent cells: `tf.nn.rnn_cell`."""

# isort: skip_file
from __future__ import annotations

# fmt: off
from monitored._ops.rnn_cells import (
    BasicLSTMCell, BasicRNNCell, GRUCell, LSTMCell, LSTMStateTuple, MultiRNNCell, RNNCell,
)
from monitored._ops.rnn_wrappers import DropoutWrapper, ResidualWrapper

__all__ = [
    "BasicLSTMCell", "BasicRNNCell", "DropoutWrapper", "GRUCell", "LSTMCell", "LSTMStateTuple", "MultiRNNCell",
    "RNNCell", "ResidualWrapper",
]
# fmt: on
