"""The hooks that come with the library, one file for each."""

from monitored._train.hooks.best_checkpoint import BestCheckpointHook
from monitored._train.hooks.checkpoint_input_pipeline import CheckpointInputPipelineHook
from monitored._train.hooks.checkpoint_saver import CheckpointSaverHook, CheckpointSaverListener
from monitored._train.hooks.feed_fn import FeedFnHook
from monitored._train.hooks.final_ops import FinalOpsHook
from monitored._train.hooks.global_step_waiter import GlobalStepWaiterHook
from monitored._train.hooks.logging_tensor import LoggingTensorHook
from monitored._train.hooks.nan_guard import NanGuardHook, NonFiniteUpdatesError
from monitored._train.hooks.nan_tensor import NanLossDuringTrainingError, NanTensorHook
from monitored._train.hooks.profiler import ProfilerHook
from monitored._train.hooks.progress import ProgressHook
from monitored._train.hooks.step_counter import StepCounterHook
from monitored._train.hooks.stop_after_duration import StopAfterDurationHook
from monitored._train.hooks.stop_after_n_evals import StopAfterNEvalsHook
from monitored._train.hooks.stop_at_step import StopAtStepHook
from monitored._train.hooks.stop_on_signal import StopOnSignalHook
from monitored._train.hooks.summary_at_end import SummaryAtEndHook
from monitored._train.hooks.summary_saver import SummarySaverHook
from monitored._train.hooks.timer import SecondOrStepTimer
from monitored._train.hooks.watchdog import WatchdogHook

__all__ = [
    "BestCheckpointHook",
    "CheckpointInputPipelineHook",
    "CheckpointSaverHook",
    "CheckpointSaverListener",
    "FeedFnHook",
    "FinalOpsHook",
    "GlobalStepWaiterHook",
    "LoggingTensorHook",
    "NanGuardHook",
    "NanLossDuringTrainingError",
    "NanTensorHook",
    "NonFiniteUpdatesError",
    "ProfilerHook",
    "ProgressHook",
    "SecondOrStepTimer",
    "StepCounterHook",
    "StopAfterDurationHook",
    "StopAfterNEvalsHook",
    "StopAtStepHook",
    "StopOnSignalHook",
    "SummaryAtEndHook",
    "SummarySaverHook",
    "WatchdogHook",
]
