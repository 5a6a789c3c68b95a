"""`SessionManager`: initialized or restored, from the newest checkpoint that is whole; nothing here sleeps."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import monitored as tf
from oracle import saver_programs

EXPECTED = json.loads((Path(__file__).parent / "fixtures" / "saver" / "programs.json").read_text())


@pytest.fixture(autouse=True)
def _graph():
    with tf.Graph().as_default():
        yield


class Clock:
    """A clock that goes on only by sleeping; what is to happen meanwhile happens then."""

    def __init__(self, *events: Callable[[], Any]) -> None:
        self.now = 1000.0
        self.naps: list[float] = []
        self._events = list(events)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds
        if self._events:
            self._events.pop(0)()


def manager(clock: Clock | None = None, **arguments: Any) -> Any:
    """A session manager that checks all variables."""
    clock = clock or Clock()
    arguments.setdefault("ready_op", tf.report_uninitialized_variables())
    return tf.train.SessionManager(**arguments, _clock=clock, _sleep=clock.sleep)


@pytest.mark.parametrize("name", ["session_manager", "log_of_a_session_manager"])
def test_it_does_what_tensorflow_does(name: str, tmp_path: Path):
    assert json.loads(json.dumps(saver_programs.run(tf, name, str(tmp_path)))) == EXPECTED[name]


class Run:
    """A directory with checkpoints of steps 10, 20 and 30, in which the variable `v` is the step."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.v = tf.get_variable("v", [5], initializer=tf.zeros_initializer())
        self.saver = tf.train.Saver()
        with tf.Session() as sess:
            for step in (10, 20, 30):
                self.v.load([float(step)] * 5, sess)
                self.saver.save(sess, directory / "m", step)

    def file(self, step: int, ending: str = "data-00000-of-00001") -> Path:
        return self.directory / f"m-{step}.{ending}"

    def recovered(self) -> Any:
        """The value of `v` in a session prepared from the directory, and the saver that it was restored with."""
        saver = tf.train.Saver(name="new")
        with manager().prepare_session("", self.v.initializer, saver, self.directory) as sess:
            return sess.run(self.v)[0], saver


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


# -- the newest that is whole -------------------------------------------------------------------------------------


def test_the_newest_is_restored_and_the_older_ones_count_for_retention(run: Run, caplog: Any):
    caplog.set_level("INFO", "monitored")
    value, saver = run.recovered()
    assert value == 30
    assert saver.last_checkpoints == [str(run.directory / f"m-{step}") for step in (10, 20, 30)]
    assert f"Restoring parameters from {run.directory}/m-30" in caplog.messages
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize("damage", [flip, cut, Path.unlink])
@pytest.mark.parametrize("ending", ["data-00000-of-00001", "index"])
def test_a_damaged_one_is_passed_over_with_a_warning(damage: Any, ending: str, run: Run, caplog: Any):
    damage(run.file(30, ending))
    files = sorted(run.directory.iterdir())
    value, saver = run.recovered()
    assert value == 20
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert f"{run.directory}/m-30 is damaged" in warning
    assert sorted(run.directory.iterdir()) == files
    assert f"{run.directory}/m-20" in saver.last_checkpoints


def test_each_damaged_one_is_named(run: Run, caplog: Any):
    flip(run.file(30))
    cut(run.file(20))
    assert run.recovered()[0] == 10
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert ["m-30" in warnings[0], "m-20" in warnings[1]] == [True, True]
    assert "Checksum" in warnings[0]


def test_when_all_are_damaged_nothing_is_begun_anew(run: Run):
    files = set(run.directory.iterdir())
    for step in (10, 20, 30):
        flip(run.file(step))
    with pytest.raises(tf.errors.DataLossError, match="no checkpoint that is whole") as caught:
        run.recovered()
    assert all(f"m-{step}: " in caught.value.message for step in (10, 20, 30))
    assert set(run.directory.iterdir()) == files


def test_when_all_are_gone_nothing_is_begun_anew(run: Run):
    for step in (10, 20, 30):
        run.file(step, "index").unlink()
    with pytest.raises(ValueError, match=r"The passed save_path is not a valid checkpoint: .*m-30"):
        run.recovered()


def test_one_that_the_state_file_was_taken_back_from_is_not_used(run: Run):
    paths = [str(run.directory / f"m-{step}") for step in (10, 20, 30)]
    state = run.directory / "checkpoint"
    state.write_text(
        f'model_checkpoint_path: "{paths[1]}"\n' + "".join(f'all_model_checkpoint_paths: "{p}"\n' for p in paths)
    )
    assert run.recovered()[0] == 20
    flip(run.file(20))
    assert run.recovered()[0] == 10


def test_a_damaged_state_file_is_an_error_that_says_what_to_do(run: Run):
    (run.directory / "checkpoint").write_text("model_checkpoint_path: ")
    with pytest.raises(tf.errors.DataLossError, match="update_checkpoint_state"):
        run.recovered()
    tf.train.update_checkpoint_state(run.directory, str(run.directory / "m-20"))
    assert run.recovered()[0] == 20


def test_a_checkpoint_that_does_not_fit_is_not_passed_over(run: Run):
    tf.train.Saver({"v": tf.get_variable("wide", [6], initializer=tf.zeros_initializer())})
    with tf.Graph().as_default():
        v = tf.get_variable("v", [6])
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"shape \[6\], in the checkpoint \[5\]"):
            manager().prepare_session("", v.initializer, tf.train.Saver(), run.directory)


def test_training_goes_on_from_the_newest_whole_one(tmp_path: Path):
    def train(steps: int) -> tuple[int, list[float]]:
        with tf.Graph().as_default():
            step = tf.train.get_or_create_global_step()
            x = tf.get_variable("x", [2], initializer=tf.zeros_initializer())
            grow = tf.group(tf.assign_add(x, tf.random_normal([2], seed=1)), tf.assign_add(step, 1))
            saver = tf.train.Saver()
            scaffold = tf.train.Scaffold(saver=saver)
            with tf.train.SingularMonitoredSession(scaffold=scaffold, checkpoint_dir=str(tmp_path)) as sess:
                for _ in range(steps):
                    sess.run(grow)
                    saver.save(sess, tmp_path / "m", step)
                return sess.run(step), sess.run(x).tolist()

    count, want = train(4)
    assert count == 4
    flip(tmp_path / "m-4.data-00000-of-00001")
    assert train(1) == (4, want)  # from step 3, and the same random numbers again


# -- directories --------------------------------------------------------------------------------------------------


def test_a_directory_that_is_a_file(tmp_path: Path):
    v = tf.get_variable("v", [])
    (tmp_path / "file").write_text("mine")
    with pytest.raises(tf.errors.FailedPreconditionError, match=f"{tmp_path}/file is a file"):
        manager().prepare_session("", v.initializer, tf.train.Saver(), tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_directory_that_is_not_there_or_empty_means_to_begin(tmp_path: Path):
    v = tf.get_variable("v", [], initializer=tf.ones_initializer())
    saver = tf.train.Saver()
    for directory in (tmp_path / "none", tmp_path):
        with manager().prepare_session("", v.initializer, saver, directory) as sess:
            assert sess.run(v) == 1
    assert list(tmp_path.iterdir()) == []


# -- waiting ------------------------------------------------------------------------------------------------------


def test_waiting_for_a_checkpoint(tmp_path: Path):
    v = tf.get_variable("v", [])
    saver = tf.train.Saver()

    def save() -> None:
        with tf.Session() as sess:
            v.load(5.0, sess)
            saver.save(sess, tmp_path / "m", 1)

    clock = Clock(lambda: None, save)
    patient = manager(clock, recovery_wait_secs=7)
    with patient.prepare_session("", v.initializer, saver, tmp_path, wait_for_checkpoint=True) as sess:
        assert sess.run(v) == 5
    assert clock.naps == [7, 7]


def test_waiting_for_a_checkpoint_that_does_not_come(tmp_path: Path):
    v = tf.get_variable("v", [], initializer=tf.ones_initializer())
    clock = Clock()
    patient = manager(clock, recovery_wait_secs=10)
    arguments: dict[str, Any] = {"wait_for_checkpoint": True, "max_wait_secs": 25}
    assert not patient.recover_session("", tf.train.Saver(), tmp_path, **arguments)[1]
    assert clock.naps == [10, 10, 10]
    with patient.prepare_session("", v.initializer, tf.train.Saver(), tmp_path, **arguments) as sess:
        assert sess.run(v) == 1


def test_waiting_for_a_model(caplog: Any):
    caplog.set_level("INFO", "monitored")
    v = tf.get_variable("v", [])
    clock = Clock()
    with pytest.raises(tf.errors.DeadlineExceededError, match="Session was not ready after waiting 60 secs"):
        manager(clock, recovery_wait_secs=25).wait_for_session("", max_wait_secs=60)
    assert clock.naps == [25, 25]
    assert "ready: Variables not initialized: v" in caplog.text
    with manager(clock, ready_op=tf.constant([], tf.string)).wait_for_session("", max_wait_secs=None) as sess:
        assert sess.run(v.initializer) is None
    assert clock.naps == [25, 25]


# -- readiness ----------------------------------------------------------------------------------------------------


def test_a_session_is_closed_when_its_model_is_not_ready():
    tf.get_variable("v", [])
    sessions: list[Any] = []
    with pytest.raises(RuntimeError, match=r"did not make model ready.*Variables not initialized: v"):
        manager().prepare_session("", init_fn=sessions.append)
    with pytest.raises(RuntimeError, match="closed"):
        sessions[0].run("v:0")


def test_init_comes_before_the_function_and_the_local_initializer():
    start = tf.placeholder(tf.float32, [])
    v = tf.Variable(start)
    local = tf.Variable(v * 2, collections=[tf.GraphKeys.LOCAL_VARIABLES])
    factor = tf.placeholder_with_default(1.0, [])
    local_init = tf.assign(local, v * factor)
    seen = []

    def init_fn(sess: Any) -> None:
        seen.append(sess.run(v))
        v.load(10.0, sess)

    with manager(local_init_op=local_init, local_init_feed_dict={factor: 3.0}).prepare_session(
        "", v.initializer, init_feed_dict={start: 4.0}, init_fn=init_fn
    ) as sess:
        assert sess.run(local) == 30
    assert seen == [4]


def test_an_error_of_a_ready_op_that_says_nothing_about_variables_comes_out():
    check = tf.Assert(tf.constant(False), ["no"])
    with pytest.raises(tf.errors.InvalidArgumentError):
        manager(ready_op=check).prepare_session("", tf.no_op())


@pytest.mark.parametrize("ready", [lambda: tf.constant(3), lambda: tf.no_op()])
def test_older_kinds_of_ready_ops(ready: Callable[[], Any]):
    with manager(ready_op=ready()).prepare_session("", tf.no_op()) as sess:
        assert sess.graph is tf.get_default_graph()
