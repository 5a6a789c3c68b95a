"""Training: monitored sessions, hooks, savers, coordinators, queue runners, optimizers."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tensorboard.compat.proto.cluster_pb2 import ClusterDef as ClusterDef
    from tensorboard.compat.proto.saver_pb2 import SaverDef as SaverDef


from monitored._checkpoint import checkpoint_exists as checkpoint_exists
from monitored._checkpoint import generate_checkpoint_state_proto as generate_checkpoint_state_proto
from monitored._checkpoint import get_checkpoint_mtimes as get_checkpoint_mtimes
from monitored._checkpoint import get_checkpoint_state as get_checkpoint_state
from monitored._checkpoint import latest_checkpoint as latest_checkpoint
from monitored._checkpoint import remove_checkpoint as remove_checkpoint
from monitored._checkpoint import update_checkpoint_state as update_checkpoint_state
from monitored._train.checkpoint_utils import CheckpointReader as CheckpointReader
from monitored._train.checkpoint_utils import NewCheckpointReader as NewCheckpointReader
from monitored._train.checkpoint_utils import list_variables as list_variables
from monitored._train.checkpoint_utils import load_checkpoint as load_checkpoint
from monitored._train.checkpoint_utils import load_variable as load_variable
from monitored._train.coordinator import Coordinator as Coordinator
from monitored._train.coordinator import LooperThread as LooperThread
from monitored._train.global_step import assert_global_step as assert_global_step
from monitored._train.global_step import create_global_step as create_global_step
from monitored._train.global_step import get_global_step as get_global_step
from monitored._train.global_step import get_or_create_global_step as get_or_create_global_step
from monitored._train.global_step import global_step as global_step
from monitored._train.graph_io import write_graph as write_graph
from monitored._train.hooks import CheckpointSaverHook as CheckpointSaverHook
from monitored._train.hooks import CheckpointSaverListener as CheckpointSaverListener
from monitored._train.hooks import FeedFnHook as FeedFnHook
from monitored._train.hooks import FinalOpsHook as FinalOpsHook
from monitored._train.hooks import GlobalStepWaiterHook as GlobalStepWaiterHook
from monitored._train.hooks import LoggingTensorHook as LoggingTensorHook
from monitored._train.hooks import NanLossDuringTrainingError as NanLossDuringTrainingError
from monitored._train.hooks import NanTensorHook as NanTensorHook
from monitored._train.hooks import SecondOrStepTimer as SecondOrStepTimer
from monitored._train.hooks import StepCounterHook as StepCounterHook
from monitored._train.hooks import StopAtStepHook as StopAtStepHook
from monitored._train.hooks import SummarySaverHook as SummarySaverHook
from monitored._train.learning_rate_decay import cosine_decay as cosine_decay
from monitored._train.learning_rate_decay import cosine_decay_restarts as cosine_decay_restarts
from monitored._train.learning_rate_decay import exponential_decay as exponential_decay
from monitored._train.learning_rate_decay import inverse_time_decay as inverse_time_decay
from monitored._train.learning_rate_decay import natural_exp_decay as natural_exp_decay
from monitored._train.learning_rate_decay import piecewise_constant as piecewise_constant
from monitored._train.learning_rate_decay import piecewise_constant_decay as piecewise_constant_decay
from monitored._train.learning_rate_decay import polynomial_decay as polynomial_decay
from monitored._train.meta_graph import export_meta_graph as export_meta_graph
from monitored._train.monitored_session import MonitoredSession as MonitoredSession
from monitored._train.monitored_session import SingularMonitoredSession as SingularMonitoredSession
from monitored._train.moving_averages import ExponentialMovingAverage as ExponentialMovingAverage
from monitored._train.optimizers import AdadeltaOptimizer as AdadeltaOptimizer
from monitored._train.optimizers import AdagradOptimizer as AdagradOptimizer
from monitored._train.optimizers import AdamOptimizer as AdamOptimizer
from monitored._train.optimizers import FtrlOptimizer as FtrlOptimizer
from monitored._train.optimizers import GradientDescentOptimizer as GradientDescentOptimizer
from monitored._train.optimizers import MomentumOptimizer as MomentumOptimizer
from monitored._train.optimizers import OptaxOptimizer as OptaxOptimizer
from monitored._train.optimizers import Optimizer as Optimizer
from monitored._train.optimizers import RMSPropOptimizer as RMSPropOptimizer
from monitored._train.queue_runner import QueueRunner as QueueRunner
from monitored._train.queue_runner import add_queue_runner as add_queue_runner
from monitored._train.queue_runner import start_queue_runners as start_queue_runners
from monitored._train.saver import Saver as Saver
from monitored._train.scaffold import Scaffold as Scaffold
from monitored._train.session_creators import ChiefSessionCreator as ChiefSessionCreator
from monitored._train.session_creators import SessionCreator as SessionCreator
from monitored._train.session_creators import WorkerSessionCreator as WorkerSessionCreator
from monitored._train.session_manager import SessionManager as SessionManager
from monitored._train.session_run_hook import SessionRunArgs as SessionRunArgs
from monitored._train.session_run_hook import SessionRunContext as SessionRunContext
from monitored._train.session_run_hook import SessionRunHook as SessionRunHook
from monitored._train.session_run_hook import SessionRunValues as SessionRunValues

__all__ = [
    "AdadeltaOptimizer",
    "AdagradOptimizer",
    "AdamOptimizer",
    "CheckpointReader",
    "CheckpointSaverHook",
    "CheckpointSaverListener",
    "ChiefSessionCreator",
    "ClusterDef",
    "Coordinator",
    "ExponentialMovingAverage",
    "FeedFnHook",
    "FinalOpsHook",
    "FtrlOptimizer",
    "GlobalStepWaiterHook",
    "GradientDescentOptimizer",
    "LoggingTensorHook",
    "LooperThread",
    "MomentumOptimizer",
    "MonitoredSession",
    "NanLossDuringTrainingError",
    "NanTensorHook",
    "NewCheckpointReader",
    "OptaxOptimizer",
    "Optimizer",
    "QueueRunner",
    "RMSPropOptimizer",
    "Saver",
    "SaverDef",
    "Scaffold",
    "SecondOrStepTimer",
    "SessionCreator",
    "SessionManager",
    "SessionRunArgs",
    "SessionRunContext",
    "SessionRunHook",
    "SessionRunValues",
    "SingularMonitoredSession",
    "StepCounterHook",
    "StopAtStepHook",
    "SummarySaverHook",
    "WorkerSessionCreator",
    "add_queue_runner",
    "assert_global_step",
    "checkpoint_exists",
    "cosine_decay",
    "cosine_decay_restarts",
    "create_global_step",
    "exponential_decay",
    "export_meta_graph",
    "generate_checkpoint_state_proto",
    "get_checkpoint_mtimes",
    "get_checkpoint_state",
    "get_global_step",
    "get_or_create_global_step",
    "global_step",
    "inverse_time_decay",
    "latest_checkpoint",
    "list_variables",
    "load_checkpoint",
    "load_variable",
    "natural_exp_decay",
    "piecewise_constant",
    "piecewise_constant_decay",
    "polynomial_decay",
    "remove_checkpoint",
    "start_queue_runners",
    "update_checkpoint_state",
    "write_graph",
]


_PROTOS = {
    "SaverDef": "saver_pb2",
    "ClusterDef": "cluster_pb2",
}


def __getattr__(name: str) -> Any:
    # Protocol buffers cost 50 ms to import; most programs use none of them by name.
    if name in _PROTOS:
        return getattr(importlib.import_module(f"tensorboard.compat.proto.{_PROTOS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
