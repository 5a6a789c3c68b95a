"""Opening a checkpoint of either format."""

import os

from monitored._checkpoint.bundle import Path, index_path
from monitored._checkpoint.bundle_reader import BundleReader
from monitored._checkpoint.coding import data_loss
from monitored._checkpoint.reader import TensorReader
from monitored._checkpoint.v1_reader import V1Reader


def open_checkpoint(prefix: Path) -> TensorReader:
    """Opens a checkpoint for reading, whichever format it is in.

    Args:
        prefix: Path of the checkpoint, without `.index`; of the older format (V1), its file, or the pattern of its
            files. Where both are there, the newer one is opened, as TensorFlow does.

    Returns:
        The reader.

    Raises:
        NotFoundError: There is no such checkpoint.
        DataLossError: Its index is damaged, or the file is none of a checkpoint.
        OpError: It could not be read for another reason.
    """
    path = os.fspath(prefix)
    if os.path.exists(index_path(path)):
        return BundleReader(path)
    if os.path.isdir(path):
        raise data_loss(path, "Unable to open table file: it is a directory, not a checkpoint in it")
    return V1Reader(path)
