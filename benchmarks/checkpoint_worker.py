"""Saves and restores variables of one size for one target, in a process of its own, as often as it is told to.

    python checkpoint_worker.py TARGET BYTES FOLDER

`checkpoints.py` starts it. The checkpoint that it restores is in the folder; another process may have made it. It
answers each word that it reads with seconds, as a number:

    stall    what a step takes longer in which `CheckpointSaverHook` saves (Orbax: its asynchronous checkpointer)
    loop     what a save adds to the loop in all, the steps included that are slower while it goes on
    durable  a save whose files are on the disk: those that a target does not flush are flushed here
    restore  a restore into a session whose variables have values
    restore_new  a restore into a new session

As TensorFlow 1.15 is one of the targets, this file is Python 3.7.
"""

import glob
import os
import shutil
import statistics
import sys
import time

import numpy as np

from worker import load

PARTS = 10  # variables
SAVES = 3


def save_steps(size):
    """From one save to the next, so many that the one has ended long before the next begins."""
    return 50 if size > 1e6 else 500


def flush(folder, prefix):
    """Flushes files, and the directory's entries, to the disk."""
    for path in glob.glob(prefix + "*") + glob.glob(os.path.join(folder, "checkpoint")) + [folder]:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


class Graph:
    """A target that speaks TensorFlow 1's API."""

    def __init__(self, target, size, folder):
        self.tf, self.version = load(target)
        self.save_steps = save_steps(size)
        self.tf.logging.set_verbosity(self.tf.logging.ERROR)
        self.flushes = target == "monitored"
        self.folder = folder
        count = max(1, size // 4 // PARTS)
        shapes = [[count]] * PARTS if size > 1e6 else [[size // 4]]
        tf = self.tf
        values = [
            tf.get_variable("v%d" % i, shape, initializer=tf.zeros_initializer()) for i, shape in enumerate(shapes)
        ]
        self.step = tf.train.get_or_create_global_step()
        with tf.control_dependencies([tf.assign_add(value, tf.ones_like(value)) for value in values]):
            self.train = tf.assign_add(self.step, 1)
        self.saver = tf.train.Saver(max_to_keep=2)
        self.session = tf.Session()
        self.path = os.path.join(folder, "model")
        if not os.path.exists(self.path + ".index"):
            self.session.run(tf.global_variables_initializer())
            self.saver.save(self.session, self.path, write_state=False)

    def _steps(self):
        """The seconds of steps, and whether a save began in each."""
        tf = self.tf
        folder = os.path.join(self.folder, "hook")
        hook = tf.train.CheckpointSaverHook(folder, save_steps=self.save_steps, saver=self.saver)
        times = []
        with tf.train.SingularMonitoredSession([hook]) as session:
            for _ in range(self.save_steps * (1 + SAVES) - 1):
                start = time.perf_counter()
                session.run([self.train, self.step])
                times.append(time.perf_counter() - start)
            first = session.raw_session().run(self.step) - len(times)
        shutil.rmtree(folder)
        # The first stretch is for warming up.
        saving = [(first + i + 1) % self.save_steps == 0 for i in range(len(times))]
        return times[self.save_steps - 1 :], saving[self.save_steps - 1 :]

    def stall(self):
        times, saving = self._steps()
        plain = statistics.median(t for t, saves in zip(times, saving) if not saves)
        return max(0.0, statistics.median(t for t, saves in zip(times, saving) if saves) - plain)

    def loop(self):
        times, _ = self._steps()
        half = self.save_steps // 2  # steps during the save, and as many after it
        stretches = [times[i : i + 2 * half] for i in range(0, len(times), self.save_steps)]
        return max(0.0, statistics.median(sum(steps[:half]) - sum(steps[half:]) for steps in stretches))

    def durable(self):
        start = time.perf_counter()
        path = self.saver.save(self.session, os.path.join(self.folder, "durable"), global_step=int(1e6 * start))
        if not self.flushes:
            flush(self.folder, path)
        return time.perf_counter() - start

    def restore(self):
        return self._restored(self.session)

    def restore_new(self):
        with self.tf.Session() as session:
            return self._restored(session)

    def _restored(self, session):
        start = time.perf_counter()
        self.saver.restore(session, self.path)
        return time.perf_counter() - start


class Orbax:
    """JAX arrays, saved by Orbax."""

    def __init__(self, size, folder):
        import jax
        import orbax.checkpoint as ocp

        self.jax, self.ocp, self.folder = jax, ocp, folder
        self.version = ocp.__version__
        self.save_steps = save_steps(size)
        count = max(1, size // 4 // PARTS)
        shapes = [count] * PARTS if size > 1e6 else [size // 4]
        self.values = {"v%d" % i: jax.numpy.zeros(shape) for i, shape in enumerate(shapes)}
        self.train = jax.jit(lambda values: {name: value + 1 for name, value in values.items()}, donate_argnums=0)
        self.saver = ocp.AsyncCheckpointer(ocp.StandardCheckpointHandler())
        self.path = os.path.join(folder, "model")
        if not os.path.exists(self.path):
            self._save(self.path)
            self.saver.wait_until_finished()

    def _save(self, path):
        self.saver.save(path, args=self.ocp.args.StandardSave(self.values))

    def _steps(self):
        times, saving = [], []
        for i in range(self.save_steps * (1 + SAVES) - 1):
            start = time.perf_counter()
            self.values = self.jax.block_until_ready(self.train(self.values))
            saves = (i + 1) % self.save_steps == 0
            if saves:
                self._save(os.path.join(self.folder, "hook-%d" % i))
            times.append(time.perf_counter() - start)
            saving.append(saves)
        self.saver.wait_until_finished()
        for path in glob.glob(os.path.join(self.folder, "hook-*")):
            shutil.rmtree(path)
        return times[self.save_steps - 1 :], saving[self.save_steps - 1 :]

    stall = Graph.stall
    loop = Graph.loop

    def durable(self):
        path = os.path.join(self.folder, "durable")
        start = time.perf_counter()
        self._save(path)
        self.saver.wait_until_finished()
        taken = time.perf_counter() - start
        shutil.rmtree(path)
        return taken

    def restore(self):
        start = time.perf_counter()
        like = self.jax.tree.map(self.ocp.utils.to_shape_dtype_struct, self.values)
        self.values = self.jax.block_until_ready(
            self.saver.restore(self.path, args=self.ocp.args.StandardRestore(like))
        )
        return time.perf_counter() - start

    restore_new = restore


def main():
    target, size, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not look like an answer
    worker = Orbax(size, folder) if target == "orbax" else Graph(target, size, folder)
    print(worker.version, file=answers, flush=True)
    for line in sys.stdin:
        print(getattr(worker, line.strip())(), file=answers, flush=True)


if __name__ == "__main__":
    np.random.seed(0)
    main()
