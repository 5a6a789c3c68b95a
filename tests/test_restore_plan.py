"""Restoring what fits of a checkpoint, and saying so."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import monitored as tf


@pytest.fixture(autouse=True)
def _graph() -> Any:
    with tf.Graph().as_default():
        yield


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="monitored")
    return caplog


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A directory with a checkpoint at step 7 of: w [2, 3], b [3], out/k [3, 4], out/b [4], all ones."""
    with tf.Graph().as_default():
        w = tf.get_variable("w", [2, 3], initializer=tf.ones_initializer())
        tf.get_variable("b", [3], initializer=tf.ones_initializer())
        with tf.variable_scope("out"):
            tf.get_variable("k", [3, 4], initializer=tf.ones_initializer())
            tf.get_variable("b", [4], initializer=tf.ones_initializer())
        step = tf.train.get_or_create_global_step()
        train_op = tf.group(tf.assign_add(step, 7), w.initializer)
        hooks = [tf.train.CheckpointSaverHook(tmp_path, save_steps=100)]
        with tf.train.SingularMonitoredSession(hooks=hooks) as session:
            session.run(train_op)
    return tmp_path


def changed() -> None:
    """Another graph: w and out/b as before, out/k with ten columns, b gone, a new layer."""
    tf.get_variable("w", [2, 3], initializer=tf.zeros_initializer())
    with tf.variable_scope("out"):
        tf.get_variable("k", [3, 10], initializer=tf.zeros_initializer())
        tf.get_variable("b", [4], initializer=tf.zeros_initializer())
    with tf.variable_scope("new"):
        k = tf.get_variable("k", [5], initializer=tf.constant_initializer(5.0))
        tf.get_variable("twice", initializer=2 * k.initialized_value())
    tf.train.get_or_create_global_step()


PLAN = """\
What {} has for 6 variables:
  matched       3  global_step, out/b, w
  missing       2  new/k, new/twice
  mismatched    1  out/k has shape [3, 10], in the checkpoint [3, 4]
  unused        1  b"""


def values(session: Any) -> dict[str, Any]:
    return {v.op.name: session.run(v) for v in tf.global_variables()}


# -- the plan ---------------------------------------------------------------------------------------------------------


def test_the_plan_names_what_matches_and_what_does_not(older: Path):
    changed()
    plan = tf.train.RestorePlan.compare(older)
    assert str(plan) == PLAN.format(older / "model.ckpt-7")
    assert plan.checkpoint == str(older / "model.ckpt-7")
    assert plan.matched == ("global_step", "out/b", "w")
    assert plan.missing == ("new/k", "new/twice")
    assert plan.unused == ("b",)
    assert list(plan.mismatched) == ["out/k"]
    assert plan.renamed == {}
    assert not plan.fits


def test_a_dtype_that_differs_is_a_mismatch_and_another_name_is_a_renaming(older: Path):
    tf.get_variable("w", [2, 3], tf.float64)
    bias = tf.get_variable("bias", [3])
    plan = tf.train.RestorePlan.compare(older, renamed={"bias": "b"})
    assert plan.mismatched == {"w": "has dtype float64, in the checkpoint float32"}
    assert plan.renamed == {"bias": "b"}
    assert tf.train.RestorePlan.compare(older, {"b": bias}).renamed == {"bias": "b"}
    assert tf.train.RestorePlan.compare(older, {"b": bias}).fits
    assert "renamed       1  bias (there b)" in str(plan)


def test_a_long_plan_is_wrapped_and_cut_in_errors(older: Path):
    for i in range(30):
        tf.get_variable(f"a_variable_with_a_long_name_{i:02}", [])
    text = str(tf.train.RestorePlan.compare(older))
    assert max(map(len, text.splitlines())) <= 118
    assert "long_name_29" in text
    with tf.Session() as session, pytest.raises(tf.errors.NotFoundError, match="long_name_07, and 22 more"):
        tf.train.Saver().restore(session, older / "model.ckpt-7")


# -- strict, and not --------------------------------------------------------------------------------------------------


def test_a_changed_graph_is_refused_with_the_plan_and_how_to_allow_it(older: Path):
    changed()
    with pytest.raises(tf.errors.NotFoundError) as caught:
        tf.train.SingularMonitoredSession(checkpoint_dir=str(older))
    message = caught.value.message
    assert "Key new/k not found in checkpoint" in message
    assert PLAN.format(older / "model.ckpt-7") in message
    assert "saver = tf.train.Saver(strict=False)" in message
    assert "scaffold=tf.train.Scaffold(saver=saver)" in message


def test_what_fits_is_restored_and_the_rest_initialized(older: Path, log: pytest.LogCaptureFixture):
    changed()
    scaffold = tf.train.Scaffold(saver=tf.train.Saver(strict=False))
    with tf.train.SingularMonitoredSession(scaffold=scaffold, checkpoint_dir=str(older)) as session:
        got = values(session.raw_session())
    assert got["global_step"] == 7
    assert (got["w"] == 1).all()
    assert (got["out/b"] == 1).all()
    assert (got["out/k"] == 0).all()
    assert (got["new/k"] == 5).all()
    assert (got["new/twice"] == 10).all()
    (record,) = [r for r in log.records if "What" in r.getMessage()]
    assert record.levelno == logging.WARNING
    assert record.getMessage() == f"{PLAN.format(older / 'model.ckpt-7')}\nInitialized instead: out/k, new/k, new/twice"


def test_training_goes_on_from_the_next_checkpoint_as_usual(older: Path):
    changed()
    for variable in tf.global_variables("new/k"):
        train_op = tf.group(tf.assign_add(variable, tf.ones([5])), tf.assign_add(tf.train.get_global_step(), 1))
    saver = tf.train.Saver(strict=False)
    for step in (8, 9):
        hooks = [tf.train.CheckpointSaverHook(older, save_steps=100, saver=saver)]
        scaffold = tf.train.Scaffold(saver=saver)
        with tf.train.SingularMonitoredSession(hooks=hooks, scaffold=scaffold, checkpoint_dir=str(older)) as session:
            session.run(train_op)
        assert tf.train.latest_checkpoint(older) == str(older / f"model.ckpt-{step}")
    assert (tf.train.load_variable(older, "new/k") == 7).all()


def test_variables_that_have_values_keep_them(older: Path, log: pytest.LogCaptureFixture):
    changed()
    saver = tf.train.Saver(strict=False)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        tf.global_variables("new/k")[0].load(np.full(5, 9.0, np.float32), session)
        saver.restore(session, older / "model.ckpt-7")
        assert (values(session)["new/k"] == 9).all()
    assert "Initialized instead: none, all had values" in log.text


def test_a_checkpoint_of_something_else_is_refused_in_any_case(older: Path):
    tf.get_variable("other", [2])
    with tf.Session() as session, pytest.raises(tf.errors.NotFoundError, match="hardly the right one"):
        tf.train.Saver(strict=False).restore(session, older / "model.ckpt-7")


def test_damage_is_found_before_anything_changes(older: Path):
    changed()
    data = older / "model.ckpt-7.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-4] + b"\0\0\0\0")
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        with pytest.raises(tf.errors.DataLossError):
            tf.train.Saver(strict=False).restore(session, older / "model.ckpt-7")
        assert (values(session)["w"] == 0).all()


# -- renamed ----------------------------------------------------------------------------------------------------------


def renamed_graph() -> Any:
    tf.get_variable("w", [2, 3])
    tf.get_variable("bias", [3])
    with tf.variable_scope("logits"):
        tf.get_variable("k", [3, 4])
        tf.get_variable("b", [4])
    tf.train.get_or_create_global_step()


def test_renamed_variables_are_restored_from_checkpoints_from_before_and_after(
    older: Path, log: pytest.LogCaptureFixture
):
    renamed_graph()
    saver = tf.train.Saver(renamed={"bias": "b", "logits/": "out/"})
    with tf.Session() as session:
        saver.restore(session, older / "model.ckpt-7")
        assert all((np.asarray(v) == 1).all() for name, v in values(session).items() if name != "global_step")
        after = saver.save(session, older / "after")
    assert "renamed       3  bias (there b), logits/b (there out/b), logits/k (there out/k)" in log.text
    assert "bias" in dict(tf.train.list_variables(after))
    log.clear()
    with tf.Session() as session:
        saver.restore(session, after)
    assert "What" not in log.text


def test_a_renaming_that_means_nothing_or_two_things_is_refused(older: Path):
    renamed_graph()
    path = older / "model.ckpt-7"
    with tf.Session() as session:
        with pytest.raises(ValueError, match=r"no variable 'bais'.*bias, global_step"):
            tf.train.Saver(renamed={"bais": "b"}).restore(session, path)
        with pytest.raises(ValueError, match="both be scopes"):
            tf.train.Saver(renamed={"logits/": "out"}).restore(session, path)
        with pytest.raises(ValueError, match="init_from_checkpoint"):
            tf.train.Saver(renamed={"bias": "w"}).restore(session, path)


# -- init_from_checkpoint ---------------------------------------------------------------------------------------------


def target() -> list[Any]:
    with tf.variable_scope("new"):
        return [
            tf.get_variable("k", [3, 4], initializer=tf.zeros_initializer()),
            tf.get_variable("b", [4], initializer=tf.zeros_initializer()),
        ]


@pytest.mark.parametrize(
    ("assignment_map", "filled"),
    [
        ({"out/": "new/"}, "kb"),
        ({"out/k": "new/k"}, "k"),
        ({"out/k": 0}, "k"),
        ({"out/b": [1]}, "b"),
        ({}, ""),
        ({"out/": "nowhere/"}, ""),
    ],
)
def test_init_from_checkpoint_takes_what_is_asked_for(older: Path, assignment_map: Any, filled: str):
    variables = target()
    given = {
        key: variables[v] if isinstance(v, int) else [variables[i] for i in v] if isinstance(v, list) else v
        for key, v in assignment_map.items()
    }
    plan = tf.train.init_from_checkpoint(older, given)
    assert sorted(plan.renamed) == sorted(f"new/{name}" for name in filled)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for variable in variables:
            assert (session.run(variable) == (variable.op.name[-1] in filled)).all()


def test_the_root_of_a_checkpoint_is_a_scope_too(older: Path):
    with tf.variable_scope("model"):
        w = tf.get_variable("w", [2, 3], initializer=tf.zeros_initializer())
    tf.train.init_from_checkpoint(older / "model.ckpt-7", {"/": "model/"})
    with tf.Session() as session:
        session.run(w.initializer)
        assert (session.run(w) == 1).all()


def test_init_from_checkpoint_has_tensorflows_nodes_and_the_old_initializers_place(older: Path):
    w = tf.get_variable("w", [2, 3], initializer=tf.zeros_initializer())
    twice = tf.get_variable("twice", initializer=2 * w.initialized_value())
    tf.train.init_from_checkpoint(older, {"w": w})
    assert w.initializer.name == "Assign"
    assert w.initial_value.name == "checkpoint_initializer:0"
    tf.train.init_from_checkpoint(older, {"w": "w"})
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert (session.run(twice) == 2).all()


def test_init_from_checkpoint_says_what_is_wrong(older: Path):
    k, _ = target()
    wide = tf.get_variable("wide", [3, 5])
    double = tf.get_variable("double", [4], tf.float64)
    for given, kind, message in [
        ({"out/none": k}, ValueError, "Tensor out/none is not found in .*\n.*\n  missing       1  new/k"),
        ({"none/": "new/"}, ValueError, r"Tensor none/b \(b in none/\) is not found"),
        ({"out/k": wide}, ValueError, r"Shape of variable wide:0 \(\(3, 5\)\) doesn't match .* out/k \(\[3, 4\]\)"),
        ({"out/b": double}, tf.errors.InvalidArgumentError, "expected dtype float64 does not equal original dtype f"),
        ({"out/k": "new/none"}, ValueError, "scope only name new/none should map .*no variable 'new/none'"),
        ({"out/k": "new/"}, ValueError, "Should be 'scope/': 'other_scope/'"),
        ({"out/k": 5}, TypeError, "mapped to a variable or a name"),
        (5, TypeError, "must be a mapping"),
    ]:
        with pytest.raises(kind, match=message):
            tf.train.init_from_checkpoint(older, given)
    with pytest.raises(tf.errors.NotFoundError, match="Failed to find any matching files"):
        tf.train.init_from_checkpoint(older / "none", {})
    (older / "empty").mkdir()
    with pytest.raises(ValueError, match="Couldn't find 'checkpoint' file"):
        tf.train.init_from_checkpoint(older / "empty", {})


def test_not_strict_init_leaves_the_other_initializers(older: Path, log: pytest.LogCaptureFixture):
    k, b = target()
    wide = tf.get_variable("wide", [3, 5], initializer=tf.ones_initializer())
    plan = tf.train.init_from_checkpoint(older, {"out/k": wide, "out/b": b, "none": k}, strict=False)
    assert (list(plan.renamed), list(plan.mismatched), plan.missing) == (["new/b"], ["wide"], ("new/k",))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert [float(session.run(v).mean()) for v in (k, b, wide)] == [0, 1, 1]
    assert any(r.levelno == logging.WARNING and "mismatched" in r.getMessage() for r in log.records)


def test_a_session_with_a_checkpoint_of_its_own_restores_that(older: Path, tmp_path_factory: pytest.TempPathFactory):
    own = tmp_path_factory.mktemp("own")
    w = tf.get_variable("w", [2, 3], initializer=tf.zeros_initializer())
    train_op = tf.group(tf.assign_add(w, tf.ones([2, 3])), tf.assign_add(tf.train.get_or_create_global_step(), 1))
    tf.train.warm_start(older)
    for want in (2, 3):
        hooks = [tf.train.CheckpointSaverHook(own, save_steps=1)]
        with tf.train.SingularMonitoredSession(hooks=hooks, checkpoint_dir=str(own)) as session:
            session.run(train_op)
            assert (session.raw_session().run(w) == want).all()


# -- warm_start -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chosen", "warmed"),
    [(".*", ["b", "w"]), ("w", ["w"]), (".*[b]", ["b"]), (["w", "steps"], ["w"]), ([], []), (None, [])],
)
def test_warm_start_chooses_as_tensorflow_does(older: Path, chosen: Any, warmed: list[str]):
    tf.get_variable("w", [2, 3])
    tf.get_variable("b", [3])
    tf.get_variable("global_step", [], tf.int64, trainable=False)
    plan = tf.train.warm_start(older, chosen)
    assert sorted(plan.matched) == warmed


def test_warm_start_takes_variables_and_other_names(older: Path, log: pytest.LogCaptureFixture):
    bias = tf.get_variable("bias", [3], initializer=tf.zeros_initializer())
    plan = tf.train.warm_start(str(older), [bias], var_name_to_prev_var_name={"bias": "b"})
    assert plan.renamed == {"bias": "b"}
    with tf.Session() as session:
        session.run(bias.initializer)
        assert (session.run(bias) == 1).all()
    assert f"Warm-starting from: {older}" in log.text
    assert "Warm-started 1 variables." in log.text


def test_warm_start_says_what_is_wrong(older: Path):
    w = tf.get_variable("w", [2, 3])
    tf.get_variable("extra", [2])
    with pytest.raises(ValueError, match="Tensor extra is not found"):
        tf.train.warm_start(older)
    assert tf.train.warm_start(older, strict=False).missing == ("extra",)
    with pytest.raises(ValueError, match=r"were not used: \{'wrong'\}.*viable variable names: \['w'\]"):
        tf.train.warm_start(older, "w", var_name_to_prev_var_name={"wrong": "b"})
    with pytest.raises(ValueError, match="all `Variable` or all `str`"):
        tf.train.warm_start(older, [w, "w"])
    with pytest.raises(ValueError, match="must be a `list` or `str`"):
        tf.train.warm_start(older, 5)
    with pytest.raises(tf.errors.UnimplementedError, match="vocab"):
        tf.train.warm_start(older, "w", {"w": object()})
