"""Checkpoints to and from Orbax: the same bits both ways."""

import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import monitored as tf
from monitored._checkpoint import write_bundle

orbax = pytest.importorskip("orbax.checkpoint")

DTYPES = [
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "bfloat16", "float32", "float64", "complex64", "complex128", "float8_e5m2", "float8_e4m3fn", "int4"),
]


def bits(directory: Path | str) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """Every tensor of a checkpoint, to the last bit."""
    reader = tf.train.load_checkpoint(directory)
    values = {name: np.asarray(reader.get_tensor(name)) for name in reader.get_variable_to_shape_map()}
    return {name: (value.dtype.name, value.shape, value.tobytes()) for name, value in values.items()}


def array(dtype: str, shape: tuple[int, ...]) -> Any:
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    if dtype in ("bool", "int4"):
        return np.arange(np.prod(shape)).reshape(shape).astype(kind)
    random = np.random.default_rng(0)  # any bits, not-a-numbers with their payloads among them
    return np.frombuffer(random.bytes(int(np.prod(shape)) * kind.itemsize), kind).reshape(shape)


def test_every_dtype_goes_there_and_comes_back_bit_for_bit(tmp_path: Path) -> None:
    write_bundle(
        tmp_path / "m", {f"{dtype}/{len(shape)}": array(dtype, shape) for dtype in DTYPES for shape in [(), (3, 5)]}
    )
    written = tf.train.export_orbax(tmp_path / "m", tmp_path / "there")
    assert written == tf.train.import_orbax(tmp_path / "there", tmp_path / "back")
    assert bits(tmp_path / "back") == bits(tmp_path / "m")


def test_a_trained_model_is_a_tree_of_its_scopes_with_slots_beside_their_variables(tmp_path: Path) -> None:
    with tf.Graph().as_default():
        kernel = tf.get_variable("dense/kernel", [2, 2])
        step = tf.train.get_or_create_global_step()
        train = tf.train.AdamOptimizer(0.1).minimize(tf.reduce_sum(kernel * kernel), step)
        with tf.train.SingularMonitoredSession(hooks=[tf.train.CheckpointSaverHook(str(tmp_path), 1000)]) as sess:
            sess.run(train)
    path = tmp_path / "tree"
    tf.train.export_orbax(tmp_path, path)
    tree = orbax.PyTreeCheckpointer().restore(path)
    assert sorted(tree) == [
        "_monitored",
        "beta1_power",
        "beta2_power",
        "dense",
        "global_step",
    ]  # random streams go along
    assert sorted(tree["dense"]) == ["kernel", "kernel/Adam", "kernel/Adam_1"]
    np.testing.assert_array_equal(tree["dense"]["kernel"], tf.train.load_variable(tmp_path, "dense/kernel"))
    tf.train.import_orbax(path, tmp_path / "back")
    assert bits(tmp_path / "back") == bits(tmp_path)
    tf.train.export_orbax(tmp_path, tmp_path / "part", wanted=lambda name: name.endswith("kernel"))
    tree = orbax.PyTreeCheckpointer().restore(tmp_path / "part")
    assert list(tree) == ["dense"]
    assert list(tree["dense"]) == ["kernel"]


def test_what_the_jax_world_wrote_starts_a_training(tmp_path: Path) -> None:
    import jax.numpy as jnp

    params = {"Dense_0": {"kernel": jnp.arange(6.0).reshape(2, 3), "bias": jnp.ones(3, jnp.bfloat16)}}
    state = {"params": params, "step": 12, "rates": [np.float64(0.5), np.int64(2)], "nothing": None}
    with orbax.CheckpointManager(tmp_path / "manager") as manager:
        manager.save(3, args=orbax.args.StandardSave(state))
    found = tf.train.import_orbax(tmp_path / "manager" / "3", tmp_path / "m")
    assert found == {
        "params/Dense_0/bias": (3,), "params/Dense_0/kernel": (2, 3), "rates/0": (), "rates/1": (), "step": (),
    }  # fmt: skip
    with tf.Graph().as_default(), tf.Session() as sess:
        kernel = tf.get_variable("net/Dense_0/kernel", [2, 3])
        bias = tf.get_variable("net/Dense_0/bias", [3], tf.bfloat16)
        tf.train.init_from_checkpoint(tmp_path / "m", {"params/": "net/"})
        sess.run(tf.global_variables_initializer())
        assert sess.run(kernel).tolist() == [[0, 1, 2], [3, 4, 5]]
        assert sess.run(bias).tolist() == [1, 1, 1]
    assert tf.train.load_variable(tmp_path / "m", "step") == 12


@pytest.mark.parametrize("value", [np.array([b"text"], object), np.zeros((0, 3)), np.array(1, ml_dtypes.uint4)])
def test_what_orbax_cannot_hold_is_named_and_can_be_left_out(tmp_path: Path, value: Any) -> None:
    write_bundle(tmp_path / "m", {"odd": value, "w": np.ones(2)})
    with pytest.raises(tf.errors.UnimplementedError, match=r"no elements\): odd\."):
        tf.train.export_orbax(tmp_path / "m", tmp_path / "there")
    assert not (tmp_path / "there").exists()
    assert tf.train.export_orbax(tmp_path / "m", tmp_path / "there", wanted=lambda name: name != "odd") == {"w": (2,)}


def test_names_that_orbax_would_take_for_one_are_refused(tmp_path: Path) -> None:
    write_bundle(tmp_path / "m", {"a/b": np.ones(2), "a.b": np.zeros(2)})
    with pytest.raises(ValueError, match=r"'a.b' and 'a/b' for one"):
        tf.train.export_orbax(tmp_path / "m", tmp_path / "there")


def test_arrays_that_would_have_one_name_are_refused(tmp_path: Path) -> None:
    orbax.PyTreeCheckpointer().save(tmp_path / "there", {"a": {"b/c": np.ones(2)}, "a/b": {"c": np.zeros(2)}})
    with pytest.raises(ValueError, match="name 'a/b/c'"):
        tf.train.import_orbax(tmp_path / "there", tmp_path / "m")


def test_what_is_in_the_way_or_not_there_is_told(tmp_path: Path, monkeypatch: Any) -> None:
    write_bundle(tmp_path / "m", {"w": np.ones(2)})
    with pytest.raises(tf.errors.AlreadyExistsError, match="exists"):
        tf.train.export_orbax(tmp_path / "m", tmp_path)
    with pytest.raises(tf.errors.NotFoundError, match="_METADATA"):
        tf.train.import_orbax(tmp_path / "none", tmp_path / "n")
    monkeypatch.setitem(sys.modules, "orbax.checkpoint", None)
    with pytest.raises(ImportError, match=r"pip install 'monitored\[orbax\]'"):
        tf.train.export_orbax(tmp_path / "m", tmp_path / "there")
