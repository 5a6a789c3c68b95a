"""The guard against numbers that are not finite, and finding where they come from."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import optax
import pytest

import monitored as tf

GOOD = np.array([[1.0, 2.0], [3.0, 4.0]])
BAD = np.array([[1.0, 2.0], [0.0, 0.0]])  # its logarithm is not finite

OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "sgd": lambda: tf.train.GradientDescentOptimizer(0.01),
    "momentum": lambda: tf.train.MomentumOptimizer(0.01, 0.9),
    "adam": lambda: tf.train.AdamOptimizer(0.01),
    "adagrad": lambda: tf.train.AdagradOptimizer(0.01),
    "adadelta": lambda: tf.train.AdadeltaOptimizer(0.01),
    "rmsprop": lambda: tf.train.RMSPropOptimizer(0.01, centered=True),
    "ftrl": lambda: tf.train.FtrlOptimizer(0.01),
    "optax": lambda: tf.train.OptaxOptimizer(optax.adamw(0.01)),
}


@pytest.fixture(autouse=True)
def _graph() -> Any:
    with tf.Graph().as_default():
        yield


class Model:
    """The sum of log(x (w w + 1)): finite unless a row of x is zero. `size` makes the weights many."""

    def __init__(self, optimizer: Any = None, size: int = 1) -> None:
        self.x = tf.placeholder(tf.float32, [None, 2], name="x")
        w = tf.get_variable("w", [2, size], initializer=tf.ones_initializer())
        self.step = tf.train.get_or_create_global_step()
        self.loss = tf.reduce_sum(tf.log(tf.matmul(self.x, w * w + 1), name="log"))
        self.train_op = (optimizer or tf.train.GradientDescentOptimizer(0.01)).minimize(self.loss, self.step)

    def values(self, session: Any) -> dict[str, np.ndarray]:
        variables = tf.global_variables()
        return dict(zip([v.op.name for v in variables], session.run(variables), strict=True))


def changed(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> set[str]:
    assert before.keys() == after.keys()
    return {name for name in before if not np.array_equal(before[name], after[name])}


# -- the guard --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "size"), [*((name, 1) for name in OPTIMIZERS), *((name, 5000) for name in ("sgd", "adam", "optax"))]
)
def test_a_step_that_is_not_finite_changes_only_the_global_step(name: str, size: int):
    model = Model(OPTIMIZERS[name](), size)
    hook = tf.train.NanGuardHook(model.loss, fail_after=None, explain=False)
    with tf.train.SingularMonitoredSession(hooks=[hook]) as session:
        raw = session.raw_session()
        session.run(model.train_op, {model.x: GOOD})
        before = model.values(raw)
        session.run(model.train_op, {model.x: BAD})
        session.run([model.train_op, model.loss], {model.x: BAD})
        after = model.values(raw)
        assert changed(before, after) == {"global_step"}
        assert after["global_step"] == 3
        session.run(model.train_op, {model.x: GOOD})
        assert changed(after, model.values(raw)) == before.keys()
    assert hook.skipped_steps == 2


@pytest.mark.parametrize("name", ["sgd", "adam", "ftrl", "optax"])
def test_steps_that_are_finite_are_the_same(name: str):
    found = []
    for hooked in (False, True):
        with tf.Graph().as_default():
            model = Model(OPTIMIZERS[name](), 5000)
            hooks = [tf.train.NanGuardHook(model.loss)] if hooked else []
            with tf.train.SingularMonitoredSession(hooks=hooks) as session:
                for _ in range(3):
                    session.run(model.train_op, {model.x: GOOD})
                found.append(model.values(session.raw_session()))
    for key, value in found[0].items():
        np.testing.assert_allclose(found[1][key], value, rtol=1e-5, err_msg=key)


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "optax"])
def test_updates_of_rows_are_guarded(name: str):
    rows = tf.placeholder(tf.int32, [None])
    scale = tf.placeholder(tf.float32, [])
    table = tf.get_variable("table", [6, 4])
    step = tf.train.get_or_create_global_step()
    loss = tf.reduce_sum(tf.nn.embedding_lookup(table, rows)) * scale
    train_op = OPTIMIZERS[name]().minimize(loss, step)
    hook = tf.train.NanGuardHook(loss, explain=False)
    with tf.train.SingularMonitoredSession(hooks=[hook]) as session:
        raw, variables = session.raw_session(), tf.global_variables()
        session.run(train_op, {rows: [1, 2, 1], scale: 1})
        before = raw.run(variables)
        session.run(train_op, {rows: [1, 2, 1], scale: np.inf})
        after = raw.run(variables)
        assert [v.op.name for v, a, b in zip(variables, before, after, strict=True) if not np.array_equal(a, b)] == [
            "global_step"
        ]
        session.run(train_op, {rows: [1, 2, 1], scale: 1})
        assert not np.array_equal(raw.run(table), after[variables.index(table)])


def test_a_gradient_that_is_not_finite_is_enough():
    w = tf.get_variable("w", [2], initializer=tf.zeros_initializer())
    loss = tf.norm(w)  # zero, with an infinite slope
    train_op = tf.train.GradientDescentOptimizer(0.1).minimize(loss, tf.train.get_or_create_global_step())
    hook = tf.train.NanGuardHook(loss, explain=False)
    with tf.train.SingularMonitoredSession(hooks=[hook]) as session:
        assert session.run([train_op, loss])[1] == 0
        assert (session.raw_session().run(w) == 0).all()
    assert hook.skipped_steps == 1


def test_what_else_the_step_changes_is_kept_too():
    """Moving averages of a batch, before and after the step, branches, and variables that are overwritten."""
    x = tf.placeholder(tf.float32, [2])
    w = tf.get_variable("w", [2], initializer=tf.ones_initializer())
    before, after, chosen, written, drawn = (
        tf.get_variable(name, [2], initializer=tf.zeros_initializer(), trainable=False)
        for name in ("before", "after", "chosen", "written", "drawn")
    )
    averages = tf.assign_add(before, 0.1 * (x - before))
    with tf.control_dependencies([averages]):
        loss = tf.reduce_sum(x * w)
    branch = tf.cond(loss > 0, lambda: tf.assign_add(chosen, x), lambda: tf.assign_sub(chosen, x))
    step_op = tf.train.AdamOptimizer(0.1).minimize(loss, tf.train.get_or_create_global_step())
    with tf.control_dependencies([step_op]):
        train_op = tf.group(
            tf.assign_add(after, w * x), tf.assign(written, x), branch, tf.assign(drawn, tf.random_uniform([2], seed=1))
        )
    hook = tf.train.NanGuardHook(loss, step_op, explain=False)
    with tf.train.SingularMonitoredSession(hooks=[hook]) as session:
        raw, variables = session.raw_session(), tf.global_variables()
        names = [v.op.name for v in variables]
        first = dict(zip(names, raw.run(variables), strict=True))
        session.run(train_op, {x: [np.nan, 1]})
        second = dict(zip(names, raw.run(variables), strict=True))
        assert changed(first, second) == {"global_step"}
        session.run(train_op, {x: [2, 1]})
        third = dict(zip(names, raw.run(variables), strict=True))
        assert changed(second, third) == set(names)
    assert hook.skipped_steps == 1


def test_random_streams_go_on_in_skipped_steps():
    """Else a step that drew the numbers that made it fail would draw them again for ever."""
    seen = tf.get_variable("seen", [], initializer=tf.zeros_initializer())
    number = tf.random_uniform([], seed=3)
    loss = seen * 0 + number + tf.placeholder_with_default(0.0, [], name="extra")
    train_op = tf.train.GradientDescentOptimizer(0.1).minimize(loss, tf.train.get_or_create_global_step())
    hook = tf.train.NanGuardHook(loss, explain=False)
    with tf.train.SingularMonitoredSession(hooks=[hook]) as session:
        drawn = [session.run([number, train_op], {"extra:0": np.nan if i == 1 else 0})[0] for i in range(3)]
    assert len(set(drawn)) == 3


def test_large_but_finite_numbers_pass():
    w = tf.get_variable("w", [2], initializer=tf.constant_initializer(3e38))
    loss = tf.reduce_sum(w * 1e-30)
    train_op = tf.train.GradientDescentOptimizer(3e37).minimize(loss * 1e30, tf.train.get_or_create_global_step())
    hook = tf.train.NanGuardHook(loss, explain=False)
    with tf.train.SingularMonitoredSession(hooks=[hook]) as session:
        session.run(train_op)
    assert hook.skipped_steps == 0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_every_floating_type_is_looked_at(dtype: str):
    x = tf.placeholder(dtype, [3])
    w = tf.get_variable("w", [3], dtype, initializer=tf.ones_initializer())
    loss = tf.reduce_sum(w * x)
    train_op = tf.train.GradientDescentOptimizer(0.5).minimize(loss, tf.train.get_or_create_global_step())
    hook = tf.train.NanGuardHook(loss, explain=False)
    with tf.train.SingularMonitoredSession(hooks=[hook]) as session:
        for bad in (np.nan, np.inf, -np.inf):
            session.run(train_op, {x: np.array([1, bad, 1]).astype(x.dtype.as_numpy_dtype)})
        assert (session.raw_session().run(w).astype(float) == 1).all()
    assert hook.skipped_steps == 3


# -- what it costs ----------------------------------------------------------------------------------------------------


def test_while_all_is_well_the_run_is_the_callers_own_and_compiled_once():
    model = Model()
    hook = tf.train.NanGuardHook(model.loss, every_n_steps=10)
    with tf.train.SingularMonitoredSession(hooks=[hook]) as session:
        raw = session.raw_session()
        session.run(model.train_op, {model.x: GOOD})
        runs = _Runs(raw)
        for _ in range(29):
            session.run(model.train_op, {model.x: GOOD})
        own = [fetches for fetches in runs.fetches if fetches == [model.train_op]]
    assert len(own) == 29
    assert len(runs.fetches) == 29 + 3 + 1  # three looks in thirty steps, and one at the end


class _Runs:
    """The fetches of a session's runs."""

    def __init__(self, session: Any) -> None:
        self.fetches: list[Any] = []
        run, run_joined = session.run, session.run_joined

        def noting(fetches: Any, *args: Any, **kwargs: Any) -> Any:
            self.fetches.append(fetches)
            return run(fetches, *args, **kwargs)

        def noting_joined(fetches: Any, more: list[Any], *args: Any) -> Any:
            self.fetches.append([fetches, *more])
            return run_joined(fetches, more, *args)

        session.run, session.run_joined = noting, noting_joined


def test_the_graph_is_as_it_was_for_sessions_without_the_hook():
    model = Model()
    for _ in range(2):
        with tf.train.SingularMonitoredSession(hooks=[tf.train.NanGuardHook(model.loss)]) as session:
            session.run(model.train_op, {model.x: BAD})
            assert np.isfinite(session.raw_session().run("w:0")).all()
    with tf.train.SingularMonitoredSession() as session:
        session.run(model.train_op, {model.x: BAD})
        assert not np.isfinite(session.raw_session().run("w:0")).all()


def test_checkpoints_know_nothing_of_the_guard(tmp_path: Any):
    model = Model()
    saving = tf.train.CheckpointSaverHook(tmp_path, save_steps=10)
    with tf.train.SingularMonitoredSession(hooks=[saving, tf.train.NanGuardHook(model.loss)]) as session:
        session.run(model.train_op, {model.x: GOOD})
    assert [name for name, _ in tf.train.list_variables(tmp_path)] == ["global_step", "w"]
    with tf.train.SingularMonitoredSession(
        hooks=[tf.train.NanGuardHook(model.loss)], checkpoint_dir=str(tmp_path)
    ) as session:
        session.run(model.train_op, {model.x: BAD})


# -- what it says -----------------------------------------------------------------------------------------------------


def train(model: Model, batches: list[np.ndarray], **kwargs: Any) -> Any:
    hook = tf.train.NanGuardHook(model.loss, **kwargs)
    with tf.train.SingularMonitoredSession(hooks=[hook]) as session:
        for batch in batches:
            session.run(model.train_op, {model.x: batch})
    return hook


def test_it_names_the_operation_its_place_and_what_went_in(caplog: pytest.LogCaptureFixture):
    hook = train(Model(), [GOOD, BAD, GOOD], every_n_steps=1)
    assert hook.skipped_steps == 1
    first, last = (record.getMessage() for record in caplog.records)
    assert first.startswith("1 step was skipped: the loss or a gradient was not finite.")
    assert "Log 'log', created at " in first
    assert f"{__file__}:" in first
    assert "in   MatMul:0 [2, 1]: from 0 to " in first
    assert "out  log:0 [2, 1]: 1 -Inf of 2, the others" in first
    assert last == "1 steps were skipped since their loss or gradients were not finite."


def test_it_looks_now_and_then_and_closer_when_it_saw_something(caplog: pytest.LogCaptureFixture):
    batches = [GOOD, BAD, *[GOOD] * 6, BAD, GOOD]
    train(Model(), batches, every_n_steps=5)
    seen = [record.getMessage() for record in caplog.records]
    assert len(seen) == 3
    assert "Log 'log'" not in seen[0]  # seen at the fifth step, when it was past
    assert "Log 'log'" in seen[1]  # the ninth was carried out again


def test_it_fails_after_some_in_a_row_and_says_why(caplog: pytest.LogCaptureFixture):
    model = Model()
    hook = tf.train.NanGuardHook(model.loss, every_n_steps=1, fail_after=3)

    def loop() -> None:
        with tf.train.SingularMonitoredSession(hooks=[hook]) as session:
            for batch in [BAD, BAD, GOOD, *[BAD] * 5]:
                session.run(model.train_op, {model.x: batch})

    with pytest.raises(tf.train.NonFiniteUpdatesError, match="3 steps in a row were skipped") as caught:
        loop()
    assert isinstance(caught.value, tf.train.NanLossDuringTrainingError)
    assert "Log 'log'" in str(caught.value)
    assert hook.skipped_steps == 5


def test_what_came_from_a_queue_and_what_was_drawn_is_replayed(caplog: pytest.LogCaptureFixture):
    queue = tf.FIFOQueue(20, tf.float32, [[]])
    fill = queue.enqueue_many([tf.constant([1.0, -1.0, 1.0, -1.0, 1.0, 1.0])])
    w = tf.get_variable("w", [], initializer=tf.ones_initializer())
    left = queue.size()
    loss = tf.log(queue.dequeue() * w * tf.random_uniform([], 0.5, 1.0, seed=1), name="log")
    train_op = tf.train.GradientDescentOptimizer(0.0).minimize(loss, tf.train.get_or_create_global_step())
    hook = tf.train.NanGuardHook(loss, every_n_steps=1)
    with tf.train.SingularMonitoredSession(hooks=[hook]) as session:
        session.raw_session().run(fill)
        for _ in range(5):
            session.run(train_op)
        assert session.raw_session().run(left) == 1  # nothing was taken for the replay
    texts = [record.getMessage() for record in caplog.records]
    assert "first operation" not in texts[0]
    assert "Log 'log'" in texts[1]
    assert "NaN" in texts[1]


def test_a_step_fed_by_another_hook_cannot_be_replayed_and_it_says_so(caplog: pytest.LogCaptureFixture):
    model = Model()
    batches = iter([GOOD, BAD, BAD, GOOD])
    feeding = tf.train.FeedFnHook(lambda: {model.x: next(batches)})
    hook = tf.train.NanGuardHook(model.loss, every_n_steps=1)
    with tf.train.SingularMonitoredSession(hooks=[feeding, hook]) as session:
        for _ in range(4):
            session.run(model.train_op)
    assert hook.skipped_steps == 2
    assert "could not be carried out again" in caplog.records[1].getMessage()
    assert "placeholder" in caplog.records[1].getMessage()


def test_other_runs_of_the_session_are_left_alone(caplog: pytest.LogCaptureFixture):
    model = Model()
    other = tf.placeholder(tf.float32, [])
    doubled = other * 2
    hook = tf.train.NanGuardHook(model.loss, every_n_steps=1)
    with tf.train.SingularMonitoredSession(hooks=[hook]) as session:
        session.run(model.train_op, {model.x: BAD})
        assert np.isnan(session.run(doubled, {other: np.nan}))
        session.run(model.train_op, {model.x: GOOD})
    assert hook.skipped_steps == 1


def test_mistakes_are_said():
    for kwargs in ({"every_n_steps": 0}, {"fail_after": 0}):
        with pytest.raises(ValueError, match="must be at least 1"):
            tf.train.NanGuardHook("loss:0", **kwargs)
    w = tf.get_variable("w", [], initializer=tf.ones_initializer())
    loss = w * 2.0
    with pytest.raises(ValueError, match="has 0 training operations"):
        tf.train.SingularMonitoredSession(hooks=[tf.train.NanGuardHook(loss)])
    step = tf.train.get_or_create_global_step()
    one, two = (tf.train.GradientDescentOptimizer(0.1).minimize(loss, step, name=name) for name in ("one", "two"))
    with pytest.raises(ValueError, match=r"has 2 training operations \('one', 'two'\).*train_op="):
        tf.train.SingularMonitoredSession(hooks=[tf.train.NanGuardHook(loss)])
    with pytest.raises(ValueError, match="changes no trainable variable"):
        tf.train.SingularMonitoredSession(hooks=[tf.train.NanGuardHook(loss, tf.assign_add(step, 1))])
    with pytest.raises(TypeError, match="must be floating"):
        tf.train.SingularMonitoredSession(hooks=[tf.train.NanGuardHook(step, one)])
    hooks = [tf.train.NanGuardHook([loss], one), tf.train.NanGuardHook(loss, two)]
    with tf.train.SingularMonitoredSession(hooks=hooks) as session:
        session.run([one, two])


# -- find_non_finite --------------------------------------------------------------------------------------------------


def test_find_non_finite_blames_what_made_it():
    model = Model()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert tf.train.find_non_finite(session, model.train_op, {model.x: GOOD}) is None
        report = tf.train.find_non_finite(session, model.loss, {model.x: BAD})
        assert report.op is model.loss.graph.get_operation_by_name("log")
        assert report.name == "log"
        assert str(report).startswith("The first operation with a result that is not finite: Log 'log', created at")
        report = tf.train.find_non_finite(session, [model.loss, model.train_op], {model.x: BAD})
        assert "The first that makes NaN of it: the gradient of MatMul 'MatMul'" in str(report)
        assert session.run(tf.train.get_global_step()) == 0
        assert (session.run("w:0") == 1).all()


def test_find_non_finite_blames_what_was_given():
    model = Model()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        report = tf.train.find_non_finite(session, model.loss, {model.x: [[np.nan, 1.0]]})
        assert (report.op, report.name) == (None, "x:0")
        assert str(report) == "x:0 is not finite from the start: 1 NaN of 2, the others 1"
        tf.global_variables()[0].load(np.array([[np.inf], [1.0]], np.float32), session)
        report = tf.train.find_non_finite(session, model.loss, {model.x: GOOD})
        assert str(report) == "w is not finite from the start: 1 Inf of 2, the others 1"


def test_find_non_finite_leaves_out_what_is_masked():
    x = tf.placeholder(tf.float32, [None])
    scores = tf.where(x > 0, x, tf.fill(tf.shape(x), -np.inf))
    weights = tf.nn.softmax(scores)
    loss = tf.reduce_sum(tf.sqrt(weights - 0.5, name="root"))
    with tf.Session() as session:
        assert tf.train.find_non_finite(session, weights, {x: [1, 2, 0]}) is None
        assert tf.train.find_non_finite(session, loss, {x: [1, 2, 0]}).name == "root"


def test_find_non_finite_follows_values_through_loops_branches_and_steps_on_the_host():
    x = tf.placeholder(tf.float32, [])
    loop = tf.while_loop(lambda i, v: i < 300, lambda i, v: (i + 1, v * v), [0, x])[1]
    branch = tf.cond(x > 0, lambda: tf.log(x - 3.0), lambda: x)
    across = tf.sqrt(tf.py_func(lambda v: v - np.float32(9), [x], tf.float32, stateful=False), name="root")
    with tf.Session() as session:
        assert tf.train.find_non_finite(session, loop, {x: 3}).op.type == "While"
        assert tf.train.find_non_finite(session, branch, {x: 3}).op.type == "If"
        assert tf.train.find_non_finite(session, across, {x: 3}).name == "root"
        assert tf.train.find_non_finite(session, [across, branch, loop], {x: 0.5}).name == "cond/If"


def test_find_non_finite_takes_nothing_from_queues():
    queue = tf.FIFOQueue(5, tf.float32, [[]])
    left = queue.size()
    taken = queue.dequeue()
    loss = tf.log(taken, name="log")
    with tf.Session() as session:
        session.run(queue.enqueue([0.0]))
        with pytest.raises(tf.errors.UnimplementedError, match="cannot be carried out a second time"):
            tf.train.find_non_finite(session, loss)
        assert tf.train.find_non_finite(session, loss, {taken: 0.0}).name == "log"
        assert session.run(left) == 1
    with pytest.raises(RuntimeError, match="open"):
        tf.train.find_non_finite(session, loss, {taken: 0.0})


def test_find_non_finite_takes_a_monitored_session(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    model = Model()
    with tf.train.SingularMonitoredSession() as session:
        assert tf.train.find_non_finite(session, model.loss, {model.x: BAD}).name == "log"
