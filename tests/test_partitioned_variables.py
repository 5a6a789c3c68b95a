"""Partitioned variables: the programs of `oracle.programs_partitions` beside TensorFlow, and their checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import monitored as tf
import replay

VALUE = np.arange(10, dtype=np.float32).reshape(5, 2)


@pytest.mark.parametrize("name", replay.names("partitions/"))
def test_like_tensorflow(name: str) -> None:
    replay.check(name)


def partitioned(parts: int | None, name: str = "w") -> Any:
    partitioner = None if parts is None else tf.fixed_size_partitioner(parts)
    return tf.get_variable(name, [5, 2], initializer=tf.zeros_initializer(), partitioner=partitioner)


def value_of(variable: Any) -> Any:
    return variable.as_tensor() if hasattr(variable, "as_tensor") else variable


@pytest.mark.parametrize(("before", "after"), [(2, 3), (2, None), (None, 3), (3, 1)])
def test_a_checkpoint_does_not_depend_on_the_parts(tmp_path: Path, before: int | None, after: int | None) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        w = partitioned(before)
        session.run(w.assign(VALUE))
        path = tf.train.Saver().save(session, tmp_path / "model")
    assert tf.train.list_variables(path) == [("w", [5, 2])]
    np.testing.assert_array_equal(tf.train.load_variable(path, "w"), VALUE)
    with tf.Graph().as_default(), tf.Session() as session:
        w = partitioned(after)
        tf.train.Saver().restore(session, path)
        np.testing.assert_array_equal(session.run(value_of(w)), VALUE)


def test_a_metagraph_keeps_the_parts_together(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        w = partitioned(2)
        w.as_tensor()
        session.run(w.assign(VALUE))
        path = tf.train.Saver().save(session, tmp_path / "model")
    with tf.Graph().as_default(), tf.Session() as session:
        saver = tf.train.import_meta_graph(f"{path}.meta")
        saver.restore(session, path)
        np.testing.assert_array_equal(session.run("w:0"), VALUE)
        again = tf.train.Saver().save(session, tmp_path / "again")  # by the variables, not the saver, that came
        assert tf.train.list_variables(again) == [("w", [5, 2])]
        session.run("save/restore_all", {"save/Const:0": again})  # and by the nodes that came


@pytest.mark.parametrize("shape", [[6, 2], [5, 3]])
def test_a_checkpoint_of_another_shape_changes_nothing(tmp_path: Path, shape: list[int]) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        partitioned(2)
        session.run(tf.global_variables_initializer())
        path = tf.train.Saver().save(session, tmp_path / "model")
    with tf.Graph().as_default(), tf.Session() as session:
        w = tf.get_variable("w", shape, initializer=tf.ones_initializer(), partitioner=tf.fixed_size_partitioner(3))
        session.run(tf.global_variables_initializer())
        saver = tf.train.Saver()
        with pytest.raises(tf.errors.InvalidArgumentError, match="w has shape"):
            saver.restore(session, path)
        with pytest.raises(tf.errors.InvalidArgumentError, match="does not match the shape stored"):
            session.run("save/restore_all", {"save/Const:0": path})
        assert session.run(w.as_tensor()).all()


@pytest.mark.parametrize("target", ["name", "object", "list", "scope"])
def test_a_training_begins_with_a_checkpoint_of_other_parts(tmp_path: Path, target: str) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        session.run(partitioned(2, "old/w").assign(VALUE))
        path = tf.train.Saver().save(session, tmp_path / "model")
    with tf.Graph().as_default(), tf.Session() as session:
        w = partitioned(3, "new/w")
        given = {"name": "new/w", "object": w, "list": list(w)}
        plan = tf.train.init_from_checkpoint(path, {"old/": "new/"} if target == "scope" else {"old/w": given[target]})
        assert plan.fits
        session.run(tf.global_variables_initializer())
        np.testing.assert_array_equal(session.run(w.as_tensor()), VALUE)


def test_variables_without_all_their_parts_are_not_saved(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        w = partitioned(2)
        session.run(tf.global_variables_initializer())
        with pytest.raises(tf.errors.InvalidArgumentError, match="w is incomplete"):
            tf.train.Saver(list(w)[:1]).save(session, tmp_path / "model")
    assert not [*tmp_path.iterdir()]


def test_parts_of_several_devices_have_files_of_their_own(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        parts = []
        for start, device in ((0, "/cpu:0"), (3, "/job:localhost/cpu:0")):
            with tf.device(device):
                part = tf.Variable(VALUE[start : start + 3])
            part._set_save_slice_info(tf.Variable.SaveSliceInfo("w", [5, 2], [start, 0], part.shape.as_list()))
            parts.append(part)
        session.run(tf.global_variables_initializer())
        saver = tf.train.Saver(sharded=True)
        path = saver.save(session, tmp_path / "model")
        assert len([*tmp_path.glob("model.data-*-of-00002")]) == 2
        session.run(parts[1].assign(np.zeros([2, 2])))
        saver.restore(session, path)
        np.testing.assert_array_equal(session.run(parts[1]), VALUE[3:])
        session.run(saver.saver_def.save_tensor_name, {saver.saver_def.filename_tensor_name: str(tmp_path / "nodes")})
        np.testing.assert_array_equal(tf.train.load_variable(tmp_path / "nodes", "w"), VALUE)
