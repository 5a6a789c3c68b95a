"""`StopOnSignalHook`, in processes of their own that are sent signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import monitored as tf

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")

PROGRAM = """
import ctypes, os, signal, sys
import numpy as np
import monitored as tf

# A shell's background jobs, as which tests may run, begin with SIGINT ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
directory = sys.argv[1]
step = tf.train.get_or_create_global_step()
train_op = tf.assign_add(step, 1)

def tell(text):
    print(text, flush=True)

def wait():
    "Waits for a line, while signals are handled."
    sys.stdin.readline()

def wait_deafly():
    "Waits for ever, where Python can handle no signal: a lock that this thread has already."
    mutex = ctypes.create_string_buffer(64)
    lock = ctypes.CDLL(None).pthread_mutex_lock
    lock(mutex)
    tell("deaf")
    lock(mutex)

hook = tf.train.StopOnSignalHook()
saver_hook = tf.train.CheckpointSaverHook(directory, save_steps=1000)
"""


class Program:
    """A process that runs a program, told by lines on its standard input."""

    def __init__(self, body: str, directory: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", PROGRAM + textwrap.dedent(body), str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until(self, text: str) -> None:
        """Reads until a line is the text."""
        assert self.process.stdout is not None
        seen = []
        for line in self.process.stdout:
            seen.append(line)
            if line.strip() == text:
                return
        pytest.fail(f"ended without {text!r}: {seen}\n{self.process.stderr and self.process.stderr.read()}")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait_until_noticed(self, number: int) -> None:
        """Reads what the hook says when the first signal arrives."""
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert line.startswith(f"{signal.Signals(number).name}: stopping after this step"), line

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def finish(self) -> tuple[int, str, str]:
        """Lets it go on as long as it will; its exit code, and what it wrote from here on."""
        out, err = self.process.communicate()
        return self.process.returncode, out, err


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Program]]:
    programs: list[Program] = []

    def run(body: str) -> Program:
        programs.append(Program(body, tmp_path))
        return programs[-1]

    yield run
    for program in programs:
        if program.process.poll() is None:
            program.process.kill()
            program.process.communicate()


def _saved(directory: Path) -> int:
    newest = tf.train.latest_checkpoint(str(directory))
    assert newest is not None
    return int(tf.train.load_checkpoint(newest).get_tensor("global_step"))


LOOP = """
with tf.train.SingularMonitoredSession(hooks=[saver_hook, hook], checkpoint_dir=directory) as session:
    while not session.should_stop():
        if session.run(train_op) == 3:
            tell("at 3")
            wait()
tell("not reached")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_loop_saves_and_gives_the_exit_code(
    number: signal.Signals, start: Callable[[str], Program], tmp_path: Path
) -> None:
    program = start(LOOP)
    program.until("at 3")
    program.signal(number)
    program.wait_until_noticed(number)
    program.go_on()
    code, out, err = program.finish()
    assert (code, out) == (128 + number, ""), err
    assert "Traceback" not in err
    assert _saved(tmp_path) == 3


COMPILING = """
quiet = True

def compiled(x):
    global quiet
    if not quiet:
        quiet = True
        tell("there")
        wait()
    return x

train_op = tf.group(train_op, tf.jax_function(compiled, tf.constant(1.0)))
quiet = False  # the next trace is that of the compiler
"""
RESTORING = """
restore = tf.train.Saver.restore

def restore_slowly(*args):
    tell("there")
    wait()
    return restore(*args)

tf.train.Saver.restore = restore_slowly
"""
INITIALIZING = """
def init_fn(scaffold, session):
    tell("there")
    wait()

scaffold = tf.train.Scaffold(init_fn=init_fn)
"""


@pytest.mark.parametrize(("body", "saved"), [(INITIALIZING, 0), (RESTORING, 7), (COMPILING, 8)])
def test_a_signal_during_initializing_restoring_or_compiling_is_kept_until_then(
    body: str, saved: int, start: Callable[[str], Program], tmp_path: Path
) -> None:
    if saved:
        with tf.Graph().as_default(), tf.Session() as sess:
            step = tf.train.get_or_create_global_step()
            sess.run(step.assign(7))
            tf.train.Saver().save(sess, str(tmp_path / "model.ckpt"))
    program = start(
        f"""
scaffold = None
{body}
hooks = [saver_hook, hook]
with tf.train.SingularMonitoredSession(hooks, scaffold, checkpoint_dir=directory) as session:
    tell("made")
    while not session.should_stop():
        session.run(train_op)
"""
    )
    program.until("there")
    program.signal(signal.SIGINT)
    program.wait_until_noticed(signal.SIGINT)
    program.go_on()
    code, out, err = program.finish()
    assert (code, out) == (130, "made\n" * (body != COMPILING)), err
    assert _saved(tmp_path) == saved


def test_a_signal_during_an_evaluation(start: Callable[[str], Program], tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        step = tf.train.get_or_create_global_step()
        sess.run(step.initializer)
        tf.train.Saver().save(sess, str(tmp_path / "model.ckpt"))
    program = start(
        """
        def evaluate():
            tell("evaluating")
            wait()
            return np.float32(1)

        tf.train.evaluate_repeatedly(directory, eval_ops=tf.py_func(evaluate, [], tf.float32), hooks=[hook])
        """
    )
    program.until("evaluating")
    program.signal(signal.SIGTERM)
    program.wait_until_noticed(signal.SIGTERM)
    program.go_on()
    code, out, err = program.finish()
    assert (code, out) == (143, ""), err


@pytest.mark.parametrize("numbers", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM)])
def test_a_second_signal_stops_at_once(
    numbers: tuple[int, int], start: Callable[[str], Program], tmp_path: Path
) -> None:
    program = start(LOOP)
    program.until("at 3")
    program.signal(numbers[0])
    program.wait_until_noticed(numbers[0])
    program.signal(numbers[1])  # it still waits for its line
    code, out, err = program.finish()
    assert (code, out) == (128 + numbers[1], "")
    assert "again: stopping at once" in err
    # The first save may not have come to its end; there is no other.
    assert tf.train.latest_checkpoint(str(tmp_path)) is None or _saved(tmp_path) == 0


def test_a_second_signal_stops_at_once_where_python_handles_none(start: Callable[[str], Program]) -> None:
    program = start(
        """
        deaf = tf.py_func(lambda: (wait_deafly(), np.float32(1))[1], [], tf.float32)
        with tf.train.SingularMonitoredSession(hooks=[hook]) as session:
            session.run(deaf)
        """
    )
    program.until("deaf")
    program.signal(signal.SIGINT)
    program.signal(signal.SIGTERM)  # another one: two of a kind may arrive as one
    code, _, err = program.finish()
    assert code in (128 + signal.SIGINT, 128 + signal.SIGTERM), err


def test_a_forked_child_has_its_own_signals(start: Callable[[str], Program], tmp_path: Path) -> None:
    program = start(
        """
        with tf.train.SingularMonitoredSession(hooks=[saver_hook, hook]) as session:
            reading, writing = os.pipe()
            child = os.fork()
            if child == 0:
                signal.raise_signal(signal.SIGTERM)  # which ends it, as if there were no hook
                os._exit(9)
            tell(os.waitpid(child, 0)[1])
            tell(session.should_stop())
            tell("waiting")
            wait()
            while not session.should_stop():
                session.run(train_op)
        """
    )
    program.until(str(int(signal.SIGTERM)))
    program.until("False")
    program.until("waiting")
    program.signal(signal.SIGTERM)
    program.wait_until_noticed(signal.SIGTERM)
    program.go_on()
    assert program.finish()[0] == 143


def test_without_the_hook_ctrl_c_while_compiling_closes_the_session_and_changes_nothing(
    start: Callable[[str], Program], tmp_path: Path
) -> None:
    program = start(
        COMPILING
        + """
try:
    with tf.train.SingularMonitoredSession(hooks=[saver_hook]) as session:
        raw = session.raw_session()
        try:
            session.run(train_op)
        except KeyboardInterrupt:
            tell(raw.run(step))
            raise
except KeyboardInterrupt:
    tell(session.raw_session())
"""
    )
    program.until("there")
    program.signal(signal.SIGINT)
    code, out, err = program.finish()
    assert (code, out) == (0, "0\nNone\n"), err
    assert _saved(tmp_path) == 0


# -- in this process ---------------------------------------------------------------------------------------------------


@pytest.fixture
def _graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


def _nothing(number: int, frame: Any) -> None:
    pass


@pytest.mark.usefixtures("_graph")
@pytest.mark.parametrize("fails", [False, True])
def test_the_handlers_of_before_are_back_at_the_end(fails: bool) -> None:
    tf.constant(1.0)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)}
    signal.signal(signal.SIGUSR1, _nothing)
    threads = threading.active_count()
    try:
        hook = tf.train.StopOnSignalHook([signal.SIGTERM, signal.SIGUSR1])
        try:
            with tf.train.SingularMonitoredSession(hooks=[hook]):
                assert signal.getsignal(signal.SIGUSR1) != _nothing
                assert signal.getsignal(signal.SIGTERM) != before[signal.SIGTERM]
                assert signal.getsignal(signal.SIGINT) == before[signal.SIGINT]
                if fails:
                    raise KeyError
        except KeyError:
            assert fails
        assert signal.getsignal(signal.SIGUSR1) == _nothing
        assert signal.getsignal(signal.SIGTERM) == before[signal.SIGTERM]
        assert signal.set_wakeup_fd(-1) == -1
        assert threading.active_count() == threads
    finally:
        signal.signal(signal.SIGUSR1, before[signal.SIGUSR1])


@pytest.mark.usefixtures("_graph")
def test_a_signal_raised_here_ends_the_session_with_its_code() -> None:
    step = tf.assign_add(tf.train.get_or_create_global_step(), 1)
    ended = []

    class Ending(tf.train.SessionRunHook):
        def end(self, session: Any) -> None:
            ended.append(session.run("global_step:0"))

    hook = tf.train.StopOnSignalHook([signal.SIGUSR1])
    with pytest.raises(SystemExit) as caught, tf.train.MonitoredSession(hooks=[hook, Ending()]) as session:  # noqa: PT012
        while not session.should_stop():
            if session.run(step) == 2:
                signal.raise_signal(signal.SIGUSR1)
    assert caught.value.code == 128 + signal.SIGUSR1 == hook.exit_code
    assert hook.signum == signal.SIGUSR1
    assert ended == [2]


def _saving(directory: Path) -> tuple[Any, Any]:
    """The operation that takes a step, and a hook that saves at the end."""
    train_op = tf.assign_add(tf.train.get_or_create_global_step(), 1)
    return train_op, tf.train.CheckpointSaverHook(directory, save_steps=1000)


@pytest.mark.usefixtures("_graph")
def test_without_a_signal_nothing_is_different(tmp_path: Path) -> None:
    train_op, saver_hook = _saving(tmp_path)
    hook = tf.train.StopOnSignalHook()
    with tf.train.SingularMonitoredSession(hooks=[saver_hook, hook]) as session:
        for _ in range(5):
            session.run(train_op)
        assert not session.should_stop()
    assert (hook.signum, hook.exit_code) == (None, None)
    assert _saved(tmp_path) == 5


@pytest.mark.usefixtures("_graph")
def test_a_loop_that_does_not_ask_ends_too(tmp_path: Path) -> None:
    train_op, saver_hook = _saving(tmp_path)
    hook = tf.train.StopOnSignalHook([signal.SIGUSR1])
    with pytest.raises(SystemExit), tf.train.SingularMonitoredSession(hooks=[saver_hook, hook]) as session:  # noqa: PT012
        while True:
            if session.run(train_op) == 3:
                signal.raise_signal(signal.SIGUSR1)
    assert _saved(tmp_path) == 4  # the signal came before a run; no other begins


@pytest.mark.usefixtures("_graph")
def test_a_signal_within_a_run_lets_it_be_the_last() -> None:
    train_op = tf.assign_add(tf.train.get_or_create_global_step(), 1)
    interrupt = tf.py_func(lambda: signal.raise_signal(signal.SIGUSR1) or np.float32(1), [], tf.float32)
    hook = tf.train.StopOnSignalHook([signal.SIGUSR1], exit_at_end=False)
    with tf.train.SingularMonitoredSession(hooks=[hook]) as session:
        session.run([train_op, interrupt])
        session.run(train_op)
        pytest.fail("the block should have ended")
    assert hook.signum == signal.SIGUSR1


@pytest.mark.usefixtures("_graph")
def test_the_exit_can_be_left_to_the_program(tmp_path: Path) -> None:
    train_op, saver_hook = _saving(tmp_path)
    hook = tf.train.StopOnSignalHook([signal.SIGUSR1], exit_at_end=False)
    with tf.train.SingularMonitoredSession(hooks=[saver_hook, hook]) as session:
        session.run(train_op)
        signal.raise_signal(signal.SIGUSR1)
        assert session.should_stop()
    assert (hook.signum, hook.exit_code) == (signal.SIGUSR1, 128 + signal.SIGUSR1)
    assert _saved(tmp_path) == 1


@pytest.mark.usefixtures("_graph")
def test_an_error_after_the_signal_is_what_comes_out() -> None:
    tf.constant(1.0)
    hook = tf.train.StopOnSignalHook([signal.SIGUSR1])
    with pytest.raises(KeyError), tf.train.SingularMonitoredSession(hooks=[hook]):  # noqa: PT012
        signal.raise_signal(signal.SIGUSR1)
        raise KeyError


@pytest.mark.usefixtures("_graph")
def test_another_wakeup_descriptor_is_left_alone() -> None:
    tf.constant(1.0)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    try:
        with tf.train.SingularMonitoredSession(hooks=[tf.train.StopOnSignalHook([signal.SIGUSR1])]):
            pass
        assert signal.set_wakeup_fd(-1) == writing
    finally:
        signal.set_wakeup_fd(-1)
        os.close(reading)
        os.close(writing)


@pytest.mark.usefixtures("_graph")
def test_only_in_the_main_thread() -> None:
    graph = tf.get_default_graph()
    tf.constant(1.0)
    errors = []

    def work() -> None:
        with graph.as_default():
            try:
                tf.train.SingularMonitoredSession(hooks=[tf.train.StopOnSignalHook()])
            except RuntimeError as error:
                errors.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(errors) == 1
    assert "main thread" in errors[0]
