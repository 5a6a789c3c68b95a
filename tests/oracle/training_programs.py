"""Programs of queues, Python functions, checks, summaries, hooks and threads, and what they are to show.

They are run like those in `programs.py`; what TensorFlow gave is kept in ``fixtures/training.json``, which
``make_training_fixtures.py`` writes. Read by Python 3.7 too.
"""

import contextlib
import glob
import inspect
import logging
import os
import shutil
import tempfile
import threading
import time

import numpy as np

from oracle import programs
from oracle.programs import error, plain

PREFIXES = (
    "queues/", "py_func/", "checks/", "inputs/", "summaries/", "hooks/", "coordinator/", "queue_runner/", "supervisor/",
)  # fmt: skip


class Steps:
    """Collects what a program shows, with errors as what they are."""

    def __init__(self, session=None):
        self.session = session
        self.shown = []

    def run(self, fetches, feed_dict=None, timeout_in_ms=None, tf=None):
        options = None if timeout_in_ms is None else tf.RunOptions(timeout_in_ms=timeout_in_ms)
        self.do(lambda: self.session.run(fetches, feed_dict, options=options))

    def do(self, action):
        found = []
        failed = error(lambda: found.append(plain(action())))
        self.shown.append(found[0] if found else failed)


def nodes(tf):
    """The default graph's nodes, with the attributes that matter here."""
    kept = ("capacity", "cancel_pending_enqueues", "min_after_dequeue", "seed", "seed2", "max_images", "first_n")
    found = []
    for op in tf.get_default_graph().get_operations():
        attrs = {name: op.node_def.attr[name] for name in kept if name in op.node_def.attr}
        found.append([op.name, op.type, [t.name for t in op.inputs], {k: v.i or v.b for k, v in attrs.items()}])
    return found


@contextlib.contextmanager
def directory():
    """A directory of the program's own."""
    path = tempfile.mkdtemp()
    try:
        yield path
    finally:
        shutil.rmtree(path)


class Log(logging.Handler):
    """What the library writes to its log meanwhile, level and text."""

    def __init__(self, tf, path=None):
        super().__init__(logging.INFO)
        self.logger = logging.getLogger(tf.__name__)
        self.path = path
        self.lines = []

    def emit(self, record):
        text = record.getMessage()
        if "deprecat" not in text and "Instructions for updating" not in text:
            self.lines.append([record.levelname, text.replace(self.path, "DIR") if self.path else text])

    def __enter__(self):
        self.before = (self.logger.level, self.logger.propagate, self.logger.handlers[:])
        self.logger.setLevel(logging.INFO)
        self.logger.propagate = False
        self.logger.handlers = [self]
        return self

    def __exit__(self, *exc_info):
        level, self.logger.propagate, self.logger.handlers = self.before
        self.logger.setLevel(level)


class Clock:
    """A clock that the program moves. TensorFlow's hooks look at `time.time`, this library's at their argument."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def make(self, hook_class, *args, **kwargs):
        if "clock" in inspect.signature(hook_class.__init__).parameters:
            kwargs["clock"] = self
        return hook_class(*args, **kwargs)

    @contextlib.contextmanager
    def patched(self, tf):
        real = time.time
        if tf.__name__ == "tensorflow":
            time.time = self
        try:
            yield self
        finally:
            time.time = real


def events(tf, path):
    """What is in the event files of a directory: steps and contents."""
    found = []
    for name in sorted(glob.glob(os.path.join(path, "events*"))):
        for event in tf.train.summary_iterator(name):
            kind = event.WhichOneof("what")
            what = ""
            if kind == "summary":
                what = [[value.tag, value.simple_value] for value in event.summary.value]
            elif kind == "session_log":
                log = event.session_log
                what = [log.status, log.checkpoint_path.replace(path, "DIR")]
            found.append([event.step, kind, what])
    return found


def in_thread(action):
    """Runs an action in a thread; gives the thread and the list that will hold what came out."""
    outcome = []

    def run():
        outcome.append(error(lambda: outcome.append(plain(action()))))

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome


def wait_until(holds):
    """Waits for what another thread brings about, and fails when it does not."""
    give_up = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < give_up


def run(tf, name):
    """What a program shows."""
    return programs.run(tf, name)


def array(*values):
    return np.array(values, np.float32)
