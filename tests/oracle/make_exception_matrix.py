"""What becomes of an exception in a monitored session, by its class, its place and the session's class.

    python3.7 tests/oracle/make_exception_matrix.py      (in an environment with tensorflow==1.15.5)

fills `tests/fixtures/exception_matrix.json` by running TensorFlow; `tests/test_exception_matrix.py` runs the same
cells on this project. So this file is Python 3.7, and takes the library to run as an argument.

Each cell is one small training loop of at most four steps, with three hooks of which the middle one can raise, a
queue filled by a `QueueRunner`, and one exception raised in one place. An error that means preemption is raised twice
(so a session that recovers has to do it twice), any other as often as the place is come by.
"""

import json
import os
import shutil
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURE = os.path.join(os.path.dirname(HERE), "fixtures", "exception_matrix.json")

CLASSES = ["SingularMonitoredSession", "MonitoredSession", "MonitoredTrainingSession"]
EXCEPTIONS = [
    "ValueError", "OutOfRangeError", "StopIteration", "AbortedError", "UnavailableError", "KeyboardInterrupt",
    "SystemExit",
]  # fmt: skip
PLACES = {
    "begin": "a hook's begin",
    "init_fn": "the scaffold's init_fn, while the session is made",
    "after_create_session": "a hook's after_create_session",
    "body": "the block under `with`, after the first step",
    "before_run": "a hook's before_run, in the second step",
    "run": "the raw session's run, in the second step",
    "after_run": "a hook's after_run, in the second step",
    "step_fn": "a function given to run_step_fn, in the second step",
    "end": "a hook's end",
    "close": "the raw session's close",
    "queue_runner": "a queue runner's thread, seen by should_stop",
    "queue_runner_waited_for": "a queue runner's thread, while a step waits for its queue",
    "thread": "a thread under Coordinator.stop_on_exception",
    "before_save": "a checkpoint listener's before_save, in the second step",
    "after_save": "a checkpoint listener's after_save, in the second step",
    "listener_end": "a checkpoint listener's end",
}
FORMS = ["with", "close"]  # how the session is ended: by a block, or by close() in a `finally`
CLOSE_FORM = [
    (place, exception)
    for place in ("body", "run", "after_run", "end", "close", "queue_runner", "queue_runner_waited_for")
    for exception in ("ValueError", "OutOfRangeError", "AbortedError")
]
STEPS = 4
WAIT = 60  # seconds; reached only when something is broken


def cells():
    """The names of all cells, as ``class/place/exception/form``."""
    for class_name in CLASSES:
        for place in PLACES:
            for exception in EXCEPTIONS:
                yield "/".join([class_name, place, exception, "with"])
        for place, exception in CLOSE_FORM:
            yield "/".join([class_name, place, exception, "close"])


class Cell:
    """One cell while it runs.

    Args:
        tf: The library.
        name: The cell's name.
        directory: An empty directory for checkpoints.
    """

    def __init__(self, tf, name, directory):
        self.tf = tf
        self.class_name, self.place, self.exception, self.form = name.split("/")
        self.directory = directory
        self.calls = []  # the hooks' methods, in the order of their calls
        self.values = []  # what the steps returned
        self.seen = []  # what came out of should_stop and of the steps, inside the block
        self.raws = []
        self.coordinators = []
        self.threads = []  # all that were registered with a coordinator
        self.begun = 0  # steps
        self.raised = 0
        self.over = False
        self.armed = False  # the next run of the raw session is the hooked one
        self.go = threading.Event()
        self.raising = threading.Event()
        self.thread = None
        self.enqueue = None

    def error(self):
        """A new exception of the cell's class."""
        if self.exception in vars(self.tf.errors):
            return getattr(self.tf.errors, self.exception)(None, None, "raised by the test")
        builtin = {"ValueError": ValueError, "StopIteration": StopIteration, "KeyboardInterrupt": KeyboardInterrupt,
                   "SystemExit": SystemExit}  # fmt: skip
        return builtin[self.exception]("raised by the test")

    def spent(self):
        """Whether the exception has been raised as often as it should be."""
        return self.over or (self.exception in ("AbortedError", "UnavailableError") and self.raised >= 2)

    def reach(self, place):
        """Raises if this is the place, and it is time."""
        in_step = place in ("before_run", "run", "after_run", "step_fn", "before_save", "after_save")
        if place != self.place or self.spent() or (in_step and self.begun < 2):
            return
        self.raised += 1
        self.calls.append("raise")
        raise self.error()

    def reach_in_thread(self):
        """Raises in a thread, once the loop lets it."""
        if not self.spent():
            self.go.wait(WAIT)
        if self.spent():
            return
        if self.place != "queue_runner_waited_for":
            self.go.clear()
        self.raised += 1
        self.thread = threading.current_thread()
        self.raising.set()
        raise self.error()

    def let_thread_raise(self):
        """Lets the thread raise, and waits until it has ended."""
        if self.spent() or (self.raised and self.exception not in ("AbortedError", "UnavailableError")):
            return
        self.go.set()
        if self.place != "queue_runner_waited_for":
            self.raising.wait(WAIT)
            self.raising.clear()
            self.thread.join(WAIT)

    def patch(self, raw):
        """Makes a raw session fail where the cell wants it to."""
        run, close, make_callable = raw.run, raw.close, raw.make_callable

        def patched_run(fetches, *args, **kwargs):
            if fetches is self.enqueue:
                if self.place.startswith("queue_runner"):
                    self.reach_in_thread()
            elif self.armed:
                self.armed = False
                self.reach("run")
            return run(fetches, *args, **kwargs)

        def patched_close():
            close()
            self.reach("close")

        def patched_make_callable(fetches, *args, **kwargs):
            if fetches is self.enqueue:
                return lambda: patched_run(fetches)
            return make_callable(fetches, *args, **kwargs)

        raw.run, raw.close, raw.make_callable = patched_run, patched_close, patched_make_callable
        self.raws.append(raw)


def make_hook(cell, name):
    """A hook that writes its calls down; the one called ``middle`` can raise."""

    class Hook(cell.tf.train.SessionRunHook):
        def note(self, method):
            cell.calls.append(f"{name}.{method}")
            if name == "middle":
                cell.reach(method)

        def begin(self):
            self.note("begin")

        def after_create_session(self, session, coord):
            if name == "first" and cell.place == "thread":
                start_thread(cell, coord)
            self.note("after_create_session")

        def before_run(self, run_context):
            self.note("before_run")
            cell.armed = name == "last"

        def after_run(self, run_context, run_values):
            self.note("after_run")

        def end(self, session):
            self.note("end")

    return Hook()


def start_thread(cell, coordinator):
    """Starts a thread of the coordinator's that can raise."""

    def work():
        with coordinator.stop_on_exception():
            cell.reach_in_thread()

    thread = threading.Thread(target=work)
    thread.daemon = True
    coordinator.register_thread(thread)
    thread.start()


def make_saver_hook(cell):
    """A `CheckpointSaverHook` that saves after every step, with a listener that can raise."""

    class Listener(cell.tf.train.CheckpointSaverListener):
        def begin(self):
            cell.calls.append("listener.begin")

        def before_save(self, session, global_step_value):
            cell.calls.append("listener.before_save")
            cell.reach("before_save")

        def after_save(self, session, global_step_value):
            cell.calls.append("listener.after_save")
            cell.reach("after_save")

        def end(self, session, global_step_value):
            cell.calls.append("listener.end")
            cell.reach("listener_end")

    return cell.tf.train.CheckpointSaverHook(cell.directory, save_steps=1, listeners=[Listener()])


def make_session(cell):
    """The monitored session of a cell."""
    train = cell.tf.train
    hooks = [make_hook(cell, name) for name in ("first", "middle", "last")]
    saves = cell.place in ("before_save", "after_save", "listener_end")
    if saves:
        hooks.append(make_saver_hook(cell))
    scaffold = train.Scaffold(init_fn=lambda scaffold, session: cell.reach("init_fn"))
    if cell.class_name == "SingularMonitoredSession":
        return train.SingularMonitoredSession(hooks, scaffold, checkpoint_dir=cell.directory if saves else None)
    if cell.class_name == "MonitoredSession":
        directory = cell.directory if saves else None
        return train.MonitoredSession(train.ChiefSessionCreator(scaffold, checkpoint_dir=directory), hooks)
    return train.MonitoredTrainingSession(
        checkpoint_dir=cell.directory, scaffold=scaffold, hooks=hooks, save_checkpoint_secs=None,
        save_checkpoint_steps=None if saves else 1, save_summaries_steps=None, save_summaries_secs=None,
        log_step_count_steps=None,
    )  # fmt: skip


def train_loop(cell, session, step, dequeue):
    """At most four steps; writes down what they return and what they raise."""
    # A queue runner's thread that these end leaves its queue open: a step waits for ever.
    endless = cell.exception in ("KeyboardInterrupt", "SystemExit")
    options = cell.tf.RunOptions(timeout_in_ms=200) if endless else None
    for _ in range(STEPS):
        threaded = cell.place in ("queue_runner", "queue_runner_waited_for", "thread")
        if threaded and cell.begun:
            cell.let_thread_raise()
        try:
            stop = session.should_stop()
        except BaseException as error:
            cell.seen.append("should_stop: " + described(error))
            raise
        if stop:
            cell.seen.append("should_stop: True")
            return
        cell.begun += 1
        try:
            if cell.place == "queue_runner_waited_for" and cell.begun > 1:
                result = session.run(dequeue, options=options)
            elif cell.place == "step_fn":

                def step_fn(step_context):
                    cell.reach("step_fn")
                    return step_context.run_with_hooks(step)

                result = session.run_step_fn(step_fn)
            else:
                result = session.run(step)
        except BaseException as error:
            cell.seen.append("run: " + described(error))
            cell.seen.append("should_stop then: " + outcome(session.should_stop))
            raise
        cell.values.append(int(result))
        cell.reach("body")


def described(error):
    """An exception's class and, where it is this file's own, its message; TensorFlow's may name threads and paths."""
    message = str(getattr(error, "message", error))
    if message not in ("raised by the test", "Session is already closed."):
        return type(error).__name__
    return f"{type(error).__name__}: {message}"


def shortened(calls):
    """Calls as text, where a method that was called of all three hooks in turn is named once, without them."""
    text = " ".join(calls) + " "
    for method in ("begin", "after_create_session", "before_run", "after_run", "end"):
        text = text.replace(f"first.{method} middle.{method} last.{method} ", method + " ")
    return text.strip()


def outcome(call):
    """What a call returns or raises, as text."""
    try:
        return str(call())
    except BaseException as error:
        return described(error)


def run_cell(tf, name, directory):
    """Runs a cell.

    Args:
        tf: The library.
        name: The cell's name, from `cells`.
        directory: An empty directory.

    Returns:
        What happened, as a dictionary of texts, lists and truth values.
    """
    cell = Cell(tf, name, directory)
    manager, coordinator_class = tf.train.SessionManager, tf.train.Coordinator
    prepare_session, register_thread = manager.prepare_session, coordinator_class.register_thread

    def prepare_and_patch(self, *args, **kwargs):
        raw = prepare_session(self, *args, **kwargs)
        cell.patch(raw)
        return raw

    def register_and_note(self, thread):
        register_thread(self, thread)
        cell.threads.append(thread)
        cell.coordinators.append(self)

    manager.prepare_session, coordinator_class.register_thread = prepare_and_patch, register_and_note
    try:
        with tf.Graph().as_default() as graph:
            return run_in_graph(cell, graph)
    finally:
        manager.prepare_session, coordinator_class.register_thread = prepare_session, register_thread
        cell.over = True
        cell.go.set()
        for coordinator in cell.coordinators:
            outcome(coordinator.request_stop)
        for thread in cell.threads:
            thread.join(WAIT)
        for raw in cell.raws:
            type(raw).close(raw)


def run_in_graph(cell, graph):
    """Builds the model, trains, and looks at what is left."""
    tf = cell.tf
    step = tf.assign_add(tf.train.get_or_create_global_step(), 1)
    queue = tf.FIFOQueue(4, [tf.int32], shapes=[[]])
    cell.enqueue = queue.enqueue(tf.constant(7))
    tf.train.add_queue_runner(tf.train.QueueRunner(queue, [cell.enqueue]))
    dequeue = queue.dequeue()
    session, escaped = None, None
    try:
        if cell.form == "with":
            with make_session(cell) as session:
                train_loop(cell, session, step, dequeue)
        else:
            session = make_session(cell)
            try:
                train_loop(cell, session, step, dequeue)
            finally:
                session.close()
    except BaseException as error:
        escaped = described(error)
    found = {
        "calls": shortened(cell.calls),
        "steps": cell.values,
        "seen": cell.seen,
        "escaped": escaped,
        "graph finalized": graph.finalized,
        "threads left": sum(thread.is_alive() for thread in cell.threads),
        "raw sessions closed": [is_closed(raw, step) for raw in cell.raws],
    }
    if session is not None:
        found["afterwards"] = {
            "run": "fails" if "Error" in outcome(lambda: session.run(step)) else "works",
            "should_stop": outcome(session.should_stop),
            "close": outcome(session.close),
        }
    checkpoint = tf.train.latest_checkpoint(cell.directory)
    if checkpoint is not None:
        found["checkpoint"] = int(tf.train.load_checkpoint(checkpoint).get_tensor("global_step"))
    return found


def is_closed(raw, step):
    """Whether a raw session can run no more."""
    try:
        type(raw).run(raw, step)
    except RuntimeError:
        return True
    return False


def main():
    """Fills the fixture."""
    import tensorflow as tf

    tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.FATAL)
    found = {}
    for name in cells():
        directory = tempfile.mkdtemp()
        try:
            found[name] = run_cell(tf, name, directory)
        finally:
            shutil.rmtree(directory)
    with open(FIXTURE, "w") as file:
        lines = [f"{json.dumps(name)}: {json.dumps(found[name], sort_keys=True)}" for name in sorted(found)]
        file.write("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
