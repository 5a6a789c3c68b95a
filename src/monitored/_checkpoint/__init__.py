"""Checkpoints in TensorFlow's V2 format, written and read with no TensorFlow.

A checkpoint called `dir/model.ckpt-7` (its *prefix*) is a few files side by side:

    dir/model.ckpt-7.index                 a sorted table: tensor name -> dtype, shape, place, checksum
    dir/model.ckpt-7.data-00000-of-00001   the bytes of the tensors, one after the other
    dir/checkpoint                         which checkpoints this directory holds, newest last

Read from the bottom up:

    coding.py       varints, masked checksums and order-keeping keys
    files.py        OSError -> TensorFlow's errors; staging, fsync, publishing by rename
    protos.py       the few protocol buffers of the format
    table.py        the sorted table that an `.index` file is
    tree_hash.py    one number for all that a checkpoint holds
    bundle.py       tensors in and out: `BundleWriter`, `BundleReader`
    v1_reader.py    TensorFlow's older checkpoints: `V1Reader`
    opening.py      either of them: `open_checkpoint`
    state.py        the `checkpoint` file: which checkpoints there are, and which to go on from
    lock.py         one process at a time saves in a directory
"""

from monitored._checkpoint.bundle_reader import BundleReader as BundleReader
from monitored._checkpoint.bundle_writer import BundleWriter as BundleWriter
from monitored._checkpoint.bundle_writer import write_bundle as write_bundle
from monitored._checkpoint.lock import DirectoryLock as DirectoryLock
from monitored._checkpoint.opening import open_checkpoint as open_checkpoint
from monitored._checkpoint.reader import TensorReader as TensorReader
from monitored._checkpoint.state import CheckpointState as CheckpointState
from monitored._checkpoint.state import checkpoint_exists as checkpoint_exists
from monitored._checkpoint.state import generate_checkpoint_state_proto as generate_checkpoint_state_proto
from monitored._checkpoint.state import get_checkpoint_mtimes as get_checkpoint_mtimes
from monitored._checkpoint.state import get_checkpoint_state as get_checkpoint_state
from monitored._checkpoint.state import latest_checkpoint as latest_checkpoint
from monitored._checkpoint.state import newest_first as newest_first
from monitored._checkpoint.state import remove_checkpoint as remove_checkpoint
from monitored._checkpoint.state import update_checkpoint_state as update_checkpoint_state
from monitored._checkpoint.state import write_checkpoint_state as write_checkpoint_state

__all__ = [
    "BundleReader",
    "BundleWriter",
    "CheckpointState",
    "DirectoryLock",
    "TensorReader",
    "checkpoint_exists",
    "generate_checkpoint_state_proto",
    "get_checkpoint_mtimes",
    "get_checkpoint_state",
    "latest_checkpoint",
    "newest_first",
    "open_checkpoint",
    "remove_checkpoint",
    "update_checkpoint_state",
    "write_bundle",
    "write_checkpoint_state",
]
