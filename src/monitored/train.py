"""Training: monitored sessions, hooks, savers, coordinators, queue runners, optimizers."""

# isort: skip_file
from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tensorboard.compat.proto.cluster_pb2 import ClusterDef as ClusterDef
    from tensorboard.compat.proto.saver_pb2 import SaverDef as SaverDef


# fmt: off
from monitored._checkpoint import (
    checkpoint_exists, generate_checkpoint_state_proto, get_checkpoint_mtimes, get_checkpoint_state,
    latest_checkpoint, remove_checkpoint, update_checkpoint_state,
)
from monitored._train.checkpoint_utils import (
    CheckpointReader, NewCheckpointReader, list_variables, load_checkpoint, load_variable,
)
from monitored._train.coordinator import Coordinator, LooperThread
from monitored._train.global_step import (
    assert_global_step, create_global_step, get_global_step, get_or_create_global_step, global_step,
)
from monitored._train.graph_io import write_graph
from monitored._train.hook_calls import HookCalls, Merged, new_run_metadata
from monitored._train.hooks import (
    CheckpointSaverHook, CheckpointSaverListener, FeedFnHook, FinalOpsHook, GlobalStepWaiterHook, LoggingTensorHook,
    NanLossDuringTrainingError, NanTensorHook, SecondOrStepTimer, StepCounterHook, StopAtStepHook, SummarySaverHook,
)
from monitored._train.input import (
    batch, batch_join, input_producer, limit_epochs, range_input_producer, shuffle_batch, shuffle_batch_join,
    slice_input_producer, string_input_producer,
)
from monitored._train.learning_rate_decay import (
    cosine_decay, cosine_decay_restarts, exponential_decay, inverse_time_decay, natural_exp_decay,
    piecewise_constant, piecewise_constant_decay, polynomial_decay,
)
from monitored._train.meta_graph import export_meta_graph
from monitored._train.meta_graph_import import import_meta_graph
from monitored._train.monitored_session import MonitoredSession, SingularMonitoredSession
from monitored._train.moving_averages import ExponentialMovingAverage
from monitored._train.optimizers import (
    AdadeltaOptimizer, AdagradOptimizer, AdamOptimizer, FtrlOptimizer, GradientDescentOptimizer, MomentumOptimizer,
    OptaxOptimizer, Optimizer, RMSPropOptimizer,
)
from monitored._train.queue_runner import QueueRunner, add_queue_runner, start_queue_runners
from monitored._train.saver import Saver
from monitored._train.scaffold import Scaffold
from monitored._train.session_creators import ChiefSessionCreator, SessionCreator, WorkerSessionCreator
from monitored._train.session_manager import SessionManager
from monitored._train.session_run_hook import SessionRunArgs, SessionRunContext, SessionRunHook, SessionRunValues
from monitored._train.summary_iterator import summary_iterator

__all__ = [
    "AdadeltaOptimizer", "AdagradOptimizer", "AdamOptimizer", "CheckpointReader", "CheckpointSaverHook",
    "CheckpointSaverListener", "ChiefSessionCreator", "ClusterDef", "Coordinator", "ExponentialMovingAverage",
    "FeedFnHook", "FinalOpsHook", "FtrlOptimizer", "GlobalStepWaiterHook", "GradientDescentOptimizer", "HookCalls",
    "LoggingTensorHook", "LooperThread", "Merged", "MomentumOptimizer", "MonitoredSession",
    "NanLossDuringTrainingError", "NanTensorHook", "NewCheckpointReader", "OptaxOptimizer", "Optimizer",
    "QueueRunner", "RMSPropOptimizer", "Saver", "SaverDef", "Scaffold", "SecondOrStepTimer", "SessionCreator",
    "SessionManager", "SessionRunArgs", "SessionRunContext", "SessionRunHook", "SessionRunValues",
    "SingularMonitoredSession", "StepCounterHook", "StopAtStepHook", "SummarySaverHook", "WorkerSessionCreator",
    "add_queue_runner", "assert_global_step", "batch", "batch_join", "checkpoint_exists", "cosine_decay",
    "cosine_decay_restarts", "create_global_step", "exponential_decay", "export_meta_graph",
    "generate_checkpoint_state_proto", "get_checkpoint_mtimes", "get_checkpoint_state", "get_global_step",
    "get_or_create_global_step", "global_step", "import_meta_graph", "input_producer", "inverse_time_decay",
    "latest_checkpoint", "limit_epochs", "list_variables", "load_checkpoint", "load_variable", "natural_exp_decay",
    "new_run_metadata", "piecewise_constant", "piecewise_constant_decay", "polynomial_decay",
    "range_input_producer", "remove_checkpoint", "shuffle_batch", "shuffle_batch_join", "slice_input_producer",
    "start_queue_runners", "string_input_producer", "summary_iterator", "update_checkpoint_state", "write_graph",
]
# fmt: on


_PROTOS = {
    "SaverDef": "saver_pb2",
    "ClusterDef": "cluster_pb2",
}


def __getattr__(name: str) -> Any:
    # Protocol buffers cost 50 ms to import; most programs use none of them by name.
    if name in _PROTOS:
        return getattr(importlib.import_module(f"tensorboard.compat.proto.{_PROTOS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
