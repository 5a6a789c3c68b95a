"""Values of many megabytes, which are restored straight into the device's memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import monitored as tf
from monitored._run import new_memory

BYTES = 33 << 20
DTYPES = ["bool", "int8", "int64", "uint32", "float16", "bfloat16", "float32", "float64", "complex128"]


@pytest.fixture(autouse=True)
def _graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


@pytest.fixture(params=[True, False], ids=["in place", "copied"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways: with memory of XLA's, and as where there is none."""
    if not request.param:

        def fail(*_: Any) -> None:
            raise RuntimeError("a handler of another version")

        monkeypatch.setattr(new_memory, "_maker", fail)


def large(dtype: Any, seed: int = 0) -> np.ndarray[Any, Any]:
    """Random numbers, the same for a seed; three more than fill whole pages."""
    dtype = np.dtype(dtype)
    bits = np.random.default_rng(seed).integers(0, 2 if dtype.kind == "b" else 64, BYTES // dtype.itemsize + 3)
    return bits.astype(dtype)


def saved(values: dict[str, np.ndarray[Any, Any]], path: Path) -> tuple[tf.train.Saver, str]:
    """Variables of these values in the default graph, and a checkpoint of them."""
    for name, value in values.items():
        tf.get_variable(name, value.shape, tf.as_dtype(value.dtype), initializer=tf.zeros_initializer())
    saver = tf.train.Saver()
    with tf.Session() as session:
        for variable in tf.global_variables():
            variable.load(values[variable.op.name], session)
        return saver, saver.save(session, str(path / "model"))


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_value_of_each_type_comes_back_and_steps_go_on_from_it(dtype: str, tmp_path: Path):
    value = large(getattr(ml_dtypes, dtype, dtype))
    saver, path = saved({"v": value}, tmp_path)
    (variable,) = tf.global_variables()
    step = variable.assign(tf.logical_not(variable) if dtype == "bool" else variable + variable)
    with tf.Session() as session:
        for _ in range(2):  # into a session without values, and over those of a step
            saver.restore(session, path)
            assert session.run(variable).tobytes() == value.tobytes()
            session.run(step.op)
            session.run(step.op)
            after = session.run(variable)
            assert (after == (value if dtype == "bool" else value * value.dtype.type(4))).all()


@pytest.mark.usefixtures("way")
def test_values_do_not_share_memory(tmp_path: Path):
    values = {f"v{i}": large("float32", i) for i in range(4)}
    saver, path = saved(values, tmp_path)
    with tf.Session() as session, tf.Session() as other:
        saver.restore(session, path)
        saver.restore(other, path)
        session.run(tf.assign(tf.global_variables()[1], tf.zeros(values["v1"].shape)))
        for variable in tf.global_variables():
            name = variable.op.name
            assert (other.run(variable) == values[name]).all()
            assert (session.run(variable) == (0 if name == "v1" else values[name])).all()


@pytest.mark.usefixtures("way")
def test_a_damaged_value_changes_nothing(tmp_path: Path):
    values = {f"v{i}": large("float32", i) for i in range(3)}
    saver, path = saved(values, tmp_path)
    data = tmp_path / "model.data-00000-of-00001"
    with data.open("r+b") as file:
        file.seek(2 * BYTES + BYTES // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 8]))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        with pytest.raises(tf.errors.DataLossError, match="v2: Checksum does not match"):
            saver.restore(session, path)
        assert all((value == 0).all() for value in session.run(tf.global_variables()))


@pytest.mark.usefixtures("way")
def test_a_value_takes_the_variables_shape_where_that_is_asked_for(tmp_path: Path):
    value = large("float32")[: BYTES // 4]
    _, path = saved({"v": value}, tmp_path)
    with tf.Graph().as_default():
        variable = tf.get_variable("v", [3, BYTES // 12], initializer=tf.zeros_initializer())
        with tf.Session() as session:
            tf.train.Saver(reshape=True).restore(session, path)
            assert (session.run(variable) == value.reshape(3, -1)).all()


def test_each_save_behind_the_steps_holds_the_values_of_its_own_step(tmp_path: Path):
    """From the second save on, several threads copy, into the memory of the one before."""
    step = tf.train.get_or_create_global_step()
    values = [tf.get_variable(f"v{i}", [BYTES // 4 + i], initializer=tf.zeros_initializer()) for i in range(2)]
    with tf.control_dependencies([tf.assign_add(value, tf.ones_like(value)) for value in values]):
        train = tf.assign_add(step, 1)
    hook = tf.train.CheckpointSaverHook(str(tmp_path), save_steps=2)
    with tf.train.SingularMonitoredSession([hook]) as session:
        for _ in range(8):
            session.run(train)
    state = tf.train.get_checkpoint_state(str(tmp_path))
    assert state is not None
    for steps, path in zip((0, 2, 4, 6, 8), state.all_model_checkpoint_paths, strict=True):
        assert path.endswith(f"-{steps}")
        for value in (step, *values):
            np.testing.assert_array_equal(tf.train.load_variable(path, value.op.name), steps)


def test_memory_comes_from_xla_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """So that the tests above test what they say."""
    taken = []

    def watched(*args: Any) -> Any:
        taken.append(new_memory.new_memory(*args))
        return taken[-1]

    monkeypatch.setattr("monitored._train.snapshot.new_memory", watched)
    value = large("float32")
    saver, path = saved({"large": value, "some": value[:3_000_000], "small": value[:1000]}, tmp_path)
    with tf.Session() as session:
        saver.restore(session, path)
    (places,) = taken
    assert [array.shape for array, _ in places] == [value.shape, (3_000_000,)]
