"""A directory of checkpoints that can be damaged anywhere, and what must hold of it however it is damaged."""

import shutil
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

import monitored as tf
from monitored import errors
from monitored._checkpoint import (
    BundleWriter,
    get_checkpoint_state,
    newest_first,
    open_checkpoint,
    write_checkpoint_state,
)

FIXTURES = Path(__file__).parent / "fixtures"
V1 = "v1.ckpt-3-?????-of-00002"
MOST_MEMORY = 4 << 20  # bytes; the files have some hundreds, so whoever takes more believed a number in them

# What a damaged checkpoint may raise: errors that say so, never one that only an accident would be.
CLEAR = (
    errors.DataLossError,
    errors.NotFoundError,
    errors.InvalidArgumentError,
    errors.UnimplementedError,
    errors.FailedPreconditionError,
)

Values = dict[str, tuple[str, tuple[int, ...], Any]]


class Directory:
    """Three checkpoints, two of them ours and one TensorFlow's of the V1 format, with what is in each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for step in (1, 2):
            with BundleWriter(path / f"m-{step}", num_shards=2) as writer:
                writer.add("w", np.arange(6, dtype=np.float32).reshape(2, 3) * step)
                writer.add("half", np.array([step, 2], ml_dtypes.bfloat16), shard=1)
                writer.add("words", np.array([b"", b"ab" * step], object))
                writer.add("global_step", np.int64(step), shard=1)
                writer.add_slice("part", np.full(2, step), (3,), (0,))
                writer.add_slice("part", np.full(1, -step), (3,), (2,), shard=1)
        for file in FIXTURES.glob("v1.ckpt-3-0*"):
            shutil.copy(file, path)
        self.checkpoints = [str(path / name) for name in ("m-1", "m-2", V1)]
        write_checkpoint_state(path, self.checkpoints[1], self.checkpoints[:2], save_relative_paths=True)
        self.good = {checkpoint: values_of(checkpoint) for checkpoint in self.checkpoints}
        self.files = sorted(file.name for file in path.iterdir())
        self.content = {name: (path / name).read_bytes() for name in self.files}

    @contextmanager
    def damaged(self, name: str, content: bytes) -> Iterator[None]:
        """Gives a file another content for a while."""
        (self.path / name).write_bytes(content)
        try:
            yield
        finally:
            (self.path / name).write_bytes(self.content[name])

    def check(self, name: str) -> None:
        """Every way to read what a file is part of: right values, or an error that says what is wrong."""
        tracemalloc.start()
        try:
            for checkpoint in self.checkpoints:
                if name.startswith(Path(checkpoint).name.partition("-?")[0]):
                    self._check_one(checkpoint)
            self._check_newest()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < MOST_MEMORY

    def _check_newest(self) -> None:
        try:
            newest = tf.train.latest_checkpoint(self.path)
            state = get_checkpoint_state(self.path)
        except ValueError:  # TensorFlow's class, when the file names none
            return
        for checkpoint in newest_first(state) if state else []:
            problems = problems_of(checkpoint)
            if not problems:
                assert values_of(checkpoint) == self.good[checkpoint]
                break
            assert all(problems)
        if newest is not None:
            self._check_one(newest)

    def _check_one(self, checkpoint: str) -> None:
        try:
            found = values_of(checkpoint)
        except CLEAR:
            return
        assert found == self.good[checkpoint]


def problems_of(checkpoint: str) -> list[str]:
    """What is wrong with a checkpoint; nothing if every byte is as it was written."""
    try:
        return open_checkpoint(checkpoint).verify()
    except CLEAR as error:
        return [error.message]


def values_of(checkpoint: str) -> Values:
    """Everything in a checkpoint, to the last bit."""
    reader = tf.train.load_checkpoint(checkpoint)
    found: Values = {}
    for name, shape in reader.get_variable_to_shape_map().items():
        value = np.asarray(reader.get_tensor(name))
        assert list(value.shape) == shape
        found[name] = (value.dtype.name, value.shape, value.tolist() if value.dtype == object else value.tobytes())
    return found
