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
from monitored._train.companions import register_iterator
from monitored._train.coordinator import Coordinator, LooperThread
from monitored._train.evaluation import (
    checkpoints_iterator, evaluate_once, evaluate_repeatedly, get_or_create_eval_step, wait_for_new_checkpoint,
)
from monitored._train.global_step import (
    assert_global_step, create_global_step, get_global_step, get_or_create_global_step, global_step,
)
from monitored._train.graph_io import write_graph
from monitored._train.hooks import (
    BestCheckpointHook, CheckpointInputPipelineHook, CheckpointSaverHook, CheckpointSaverListener, FeedFnHook,
    FinalOpsHook, GlobalStepWaiterHook, LoggingTensorHook, NanGuardHook, NanLossDuringTrainingError, NanTensorHook,
    NonFiniteUpdatesError, ProfilerHook, ProgressHook, SecondOrStepTimer, StepCounterHook, StopAfterDurationHook,
    StopAfterNEvalsHook, StopAtStepHook, StopOnSignalHook, SummaryAtEndHook, SummarySaverHook, WatchdogHook,
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
from monitored._train.monitored_training_session import MonitoredTrainingSession
from monitored._train.moving_averages import ExponentialMovingAverage
from monitored._train.non_finite import NonFiniteReport, find_non_finite
from monitored._train.optimizers import (
    AdadeltaOptimizer, AdagradOptimizer, AdamOptimizer, FtrlOptimizer, GradientDescentOptimizer, MomentumOptimizer,
    OptaxOptimizer, Optimizer, RMSPropOptimizer,
)
from monitored._train.orbax_exchange import export_orbax, import_orbax
from monitored._train.queue_runner import QueueRunner, add_queue_runner, start_queue_runners
from monitored._train.restore_plan import RestorePlan
from monitored._train.saver import Saver
from monitored._train.scaffold import Scaffold
from monitored._train.session_creators import ChiefSessionCreator, SessionCreator, WorkerSessionCreator
from monitored._train.session_manager import SessionManager
from monitored._train.session_run_hook import SessionRunArgs, SessionRunContext, SessionRunHook, SessionRunValues
from monitored._train.statistics import SessionStatistics, StatisticsHook
from monitored._train.summary_iterator import summary_iterator
from monitored._train.supervisor import Supervisor, basic_train_loop
from monitored._train.warm_start import init_from_checkpoint, warm_start

__all__ = [
    "AdadeltaOptimizer", "AdagradOptimizer", "AdamOptimizer", "BestCheckpointHook", "CheckpointInputPipelineHook",
    "CheckpointReader", "CheckpointSaverHook", "CheckpointSaverListener", "ChiefSessionCreator", "ClusterDef",
    "Coordinator", "ExponentialMovingAverage", "FeedFnHook", "FinalOpsHook", "FtrlOptimizer",
    "GlobalStepWaiterHook", "GradientDescentOptimizer", "LoggingTensorHook", "LooperThread", "MomentumOptimizer",
    "MonitoredSession", "MonitoredTrainingSession", "NanGuardHook", "NanLossDuringTrainingError", "NanTensorHook",
    "NewCheckpointReader", "NonFiniteReport", "NonFiniteUpdatesError", "OptaxOptimizer", "Optimizer",
    "ProfilerHook", "ProgressHook", "QueueRunner", "RMSPropOptimizer", "RestorePlan", "Saver", "SaverDef", "Scaffold",
    "SecondOrStepTimer", "SessionCreator", "SessionManager", "SessionRunArgs", "SessionRunContext",
    "SessionRunHook", "SessionRunValues", "SessionStatistics", "SingularMonitoredSession", "StatisticsHook",
    "StepCounterHook", "StopAfterDurationHook",
    "StopAfterNEvalsHook", "StopAtStepHook", "StopOnSignalHook", "SummaryAtEndHook", "SummarySaverHook",
    "Supervisor", "WatchdogHook", "WorkerSessionCreator", "add_queue_runner", "assert_global_step",
    "basic_train_loop", "batch", "batch_join", "checkpoint_exists", "checkpoints_iterator", "cosine_decay",
    "cosine_decay_restarts", "create_global_step", "evaluate_once", "evaluate_repeatedly", "exponential_decay",
    "export_meta_graph", "export_orbax", "find_non_finite", "generate_checkpoint_state_proto", "get_checkpoint_mtimes",
    "get_checkpoint_state", "get_global_step", "get_or_create_eval_step", "get_or_create_global_step",
    "global_step", "import_meta_graph", "import_orbax", "init_from_checkpoint", "input_producer", "inverse_time_decay",
    "latest_checkpoint", "limit_epochs", "list_variables", "load_checkpoint", "load_variable", "natural_exp_decay",
    "piecewise_constant", "piecewise_constant_decay", "polynomial_decay", "range_input_producer",
    "register_iterator", "remove_checkpoint", "shuffle_batch", "shuffle_batch_join", "slice_input_producer",
    "start_queue_runners",
    "string_input_producer", "summary_iterator", "update_checkpoint_state", "wait_for_new_checkpoint", "warm_start",
    "write_graph",
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
