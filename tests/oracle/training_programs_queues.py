"""Programs of queues and input pipelines; see `training_programs`."""

import numpy as np

from oracle.programs import Group, collections, names
from oracle.training_programs import Steps, array, in_thread, nodes, wait_until

queues = Group("queues")
inputs = Group("inputs")


@queues
def graph(tf):
    q = tf.FIFOQueue(10, [tf.float32, tf.int32], shapes=[[2], []], names=["a", "b"])
    q.enqueue({"a": [1.0, 2.0], "b": 3})
    q.enqueue_many({"a": [[1.0, 2.0]], "b": [3]})
    one, many, some = q.dequeue(), q.dequeue_many(3), q.dequeue_up_to(3)
    q.size(), q.is_closed(), q.close(), q.close(cancel_pending_enqueues=True)
    tf.RandomShuffleQueue(10, 2, tf.float32, seed=3)
    padded = tf.PaddingFIFOQueue(10, [tf.float32], shapes=[[None]]).dequeue_many(2)
    by_priority = tf.PriorityQueue(10, [tf.float32], [[]]).dequeue()
    with tf.name_scope("scope"):
        inner = tf.FIFOQueue(3, tf.float32, name="inner")
        inner.enqueue(1.0)
        inner.enqueue(1.0, name="named")
    shapes = [str(t.shape) for d in (one, many, some) for _, t in sorted(d.items())]
    shapes += [str(t.shape) for t in [padded, *by_priority, inner.dequeue()]]
    return {
        "nodes": nodes(tf),
        "shapes": shapes,
        "names": [q.name, inner.name, q.names],
        "types": [t.name for t in q.dtypes],
    }


@queues
def declarations(tf):
    steps = Steps()
    for types in (tf.float32, [tf.float32], [tf.float32, tf.float32]):
        for shapes in (
            [],
            [[]],
            [2],
            [[2]],
            [2, 3],
            [[2], [3]],
            (),
            (2,),
            [[], []],
            [None],
            [3, [2]],
            tf.TensorShape([2]),
        ):
            steps.do(lambda t=types, s=shapes: [str(each) for each in tf.FIFOQueue(3, t, shapes=s).shapes])
    for kwargs in ({"names": "a"}, {"names": ["a", "b"]}, {"shapes": 2}):
        steps.do(lambda k=kwargs: tf.FIFOQueue(3, tf.float32, **k).names)
    steps.do(lambda: tf.PaddingFIFOQueue(3, [tf.float32], None))
    steps.do(lambda: str(tf.PaddingFIFOQueue(3, [tf.float32], [[None, 2]]).shapes))
    steps.do(lambda: tf.QueueBase.from_list(0, []))
    return steps.shown


@queues
def bad_values(tf):
    q = tf.FIFOQueue(10, [tf.float32, tf.int32], shapes=[[2], []])
    named = tf.FIFOQueue(10, [tf.float32, tf.int32], shapes=[[2], []], names=["a", "b"])
    steps = Steps()
    steps.do(lambda: q.enqueue(([1.0, 2.0, 3.0], 1)))
    steps.do(lambda: q.enqueue(([1.0, 2.0], 1.5)))
    steps.do(lambda: q.enqueue({"a": 1}))
    steps.do(lambda: named.enqueue({"a": [1.0, 2.0]}))
    steps.do(lambda: named.enqueue([[1.0, 2.0], 3]))
    steps.do(lambda: q.enqueue_many(([1.0, 2.0], [1, 2])))
    steps.do(lambda: tf.PaddingFIFOQueue(10, [tf.float32], [[None]]).enqueue([[[1.0]]]))
    steps.do(lambda: tf.QueueBase.from_list(0, [q, tf.FIFOQueue(10, [tf.float32])]))
    steps.do(lambda: tf.QueueBase.from_list(0, [q, named]))
    return steps.shown


@queues
def life(tf):
    q = tf.FIFOQueue(10, [tf.float32, tf.int32], shapes=[[2], []], shared_name="q")
    with tf.Session() as session:
        steps = Steps(session)
        steps.run(q.size())
        steps.run(q.enqueue(([1.0, 2.0], 1)))
        steps.run(q.dequeue())
        steps.run(q.enqueue_many(([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [1, 2, 3])))
        steps.run(q.dequeue_many(2))
        steps.run(q.dequeue_many(0))
        steps.run(q.is_closed())
        steps.run(q.close())
        steps.run(q.is_closed())
        steps.run(q.enqueue(([1.0, 2.0], 1)))
        steps.run(q.enqueue_many(([[1.0, 2.0]], [1])))
        steps.run(q.close())
        steps.run(q.close(True))
        steps.run(q.dequeue_many(5))
        steps.run(q.dequeue_up_to(5))
        steps.run(q.dequeue_up_to(5))
        steps.run(q.dequeue())
        steps.run(q.dequeue_many(0))
        steps.run(q.enqueue_many((np.zeros([0, 2], np.float32), np.zeros([0], np.int32))))
        return steps.shown


@queues
def bad_feeds(tf):
    q = tf.FIFOQueue(10, [tf.float32, tf.int32], shapes=[[2], []])
    x, n = tf.placeholder(tf.float32), tf.placeholder(tf.int32, [])
    padded = tf.PaddingFIFOQueue(10, [tf.float32], shapes=[[None]])
    unshaped = tf.FIFOQueue(5, [tf.float32])
    with tf.Session() as session:
        steps = Steps(session)
        steps.run(q.enqueue((x, 3)), {x: [1.0, 2.0, 3.0]})
        steps.run(q.enqueue_many((x, [3, 4])), {x: [[1.0, 2.0]]})
        steps.run(q.enqueue_many((x, [3, 4])), {x: [[1.0, 2.0, 5.0], [3.0, 4.0, 5.0]]})
        steps.run(q.dequeue_many(n), {n: -2})
        steps.run(padded.enqueue([x]), {x: [[1.0]]})
        steps.run(unshaped.enqueue([3.0]))
        steps.run(unshaped.enqueue([[3.0, 4.0]]))
        steps.run(unshaped.dequeue_many(2))
        steps.run(unshaped.dequeue_up_to(2))
        steps.run(unshaped.dequeue())
        steps.run(unshaped.dequeue())
        steps.run(q.size())
        steps.run(tf.RandomShuffleQueue(10, 12, [tf.float32]).size())
        steps.run(tf.RandomShuffleQueue(10, -1, [tf.float32]).size())
        return steps.shown


@queues
def timeouts(tf):
    q = tf.FIFOQueue(2, [tf.float32], shapes=[[]])
    with tf.Session() as session:
        steps = Steps(session)
        steps.run(q.dequeue(), timeout_in_ms=20, tf=tf)
        steps.run(q.enqueue_many([array(1, 2, 3)]), timeout_in_ms=20, tf=tf)
        steps.run(q.size())
        steps.run(q.dequeue_many(2))
        return steps.shown


@queues
def shuffled(tf):
    shown = []
    for graph_seed, seed in ((None, 3), (5, 9), (7, None)):
        with tf.Graph().as_default():
            if graph_seed is not None:
                tf.set_random_seed(graph_seed)
            q = tf.RandomShuffleQueue(600, 3, tf.int32, shapes=[[]], seed=seed)
            with tf.Session() as session:
                steps = Steps(session)
                steps.run(q.enqueue_many([np.arange(500, dtype=np.int32)]))
                steps.run(q.dequeue_many(480))
                steps.run(q.enqueue_many([np.arange(5, dtype=np.int32)]))
                steps.run(q.dequeue_many(20))
                steps.run(q.close())
                steps.run(q.dequeue_many(9))
                steps.run(q.dequeue_up_to(9))
                steps.run(q.dequeue())
                shown.append(
                    [s if isinstance(s, list) and isinstance(s[0], int) else s is not None for s in steps.shown]
                )
    return shown


@queues
def padded(tf):
    p = tf.PaddingFIFOQueue(10, [tf.string, tf.int32], shapes=[[None], [2, None]])
    with tf.Session() as session:
        steps = Steps(session)
        steps.run(p.enqueue([["a", "b"], [[1], [2]]]))
        steps.run(p.enqueue([["c"], [[1, 3], [2, 4]]]))
        steps.run(p.enqueue([np.zeros([0], object).astype(str), np.zeros([2, 0], np.int32)]))
        steps.run(p.dequeue_many(3))
        return steps.shown


@queues
def by_priority(tf):
    p = tf.PriorityQueue(10, [tf.string], [[]])
    with tf.Session() as session:
        steps = Steps(session)
        steps.run(p.enqueue_many([[5, 1, 3, 2], ["a", "b", "c", "d"]]))
        steps.run(p.dequeue_many(3))
        steps.run(p.enqueue((9, "z")))
        steps.run(p.dequeue())
        return steps.shown


@queues
def shared_names(tf):
    a = tf.FIFOQueue(5, [tf.float32], shapes=[[]], shared_name="s")
    b = tf.FIFOQueue(5, [tf.float32], shapes=[[]], shared_name="s")
    with tf.Session() as session:
        steps = Steps(session)
        steps.run(a.enqueue(7.0))
        steps.run(b.dequeue())
        steps.run(tf.FIFOQueue(6, [tf.float32], shapes=[[]], shared_name="s").size())
        steps.run(tf.RandomShuffleQueue(5, 1, [tf.float32], shapes=[[]], shared_name="s").size())
        steps.run(a.close())
        steps.run(b.dequeue())
        return [
            s if not isinstance(s, list) else [s[0], s[1].replace("Expected FIFOQueue, found", "Expected")]
            for s in steps.shown[:3]
        ] + steps.shown[4:]


@queues
def from_list(tf):
    queues_ = [tf.FIFOQueue(5, [tf.float32], shapes=[[2]]), tf.FIFOQueue(5, [tf.float32], shapes=[[3]])]
    which = tf.placeholder(tf.int32, [])
    chosen = tf.QueueBase.from_list(which, queues_)
    with tf.Session() as session:
        steps = Steps(session)
        steps.run(queues_[0].enqueue([[1.0, 2.0]]))
        steps.run(queues_[1].enqueue([[3.0, 4.0, 5.0]]))
        taken = chosen.dequeue()
        steps.run(taken, {which: 1})
        steps.run(taken, {which: 0})
        return [str(chosen.shapes), *steps.shown]


@queues
def more_than_fits(tf):
    q = tf.FIFOQueue(2, [tf.float32], shapes=[[]])
    enqueue, size, dequeue_many = q.enqueue_many([array(1, 2, 3, 4)]), q.size(), q.dequeue_many(4)
    with tf.Session() as session:
        thread, outcome = in_thread(lambda: session.run(enqueue))
        wait_until(lambda: session.run(size) == 2)
        taken = session.run(dequeue_many)
        thread.join()
        return [taken, outcome]


@queues
def closed_while_enqueues_wait(tf):
    q = tf.FIFOQueue(2, [tf.float32], shapes=[[]])
    enqueue, size = q.enqueue_many([array(1, 2, 3, 4)]), q.size()
    close, is_closed, dequeue = q.close(cancel_pending_enqueues=True), q.is_closed(), q.dequeue()
    with tf.Session() as session:
        thread, outcome = in_thread(lambda: session.run(enqueue))
        wait_until(lambda: session.run(size) == 2)
        session.run(close)
        thread.join()
        return [outcome, session.run(is_closed), session.run(dequeue), session.run(size)]


@queues
def closed_while_a_dequeue_waits(tf):
    shown = []
    for method in ("dequeue_many", "dequeue_up_to"):
        with tf.Graph().as_default():
            q = tf.FIFOQueue(9, [tf.float32], shapes=[[]], shared_name="q")
            dequeue, enqueue, size, close = getattr(q, method)(5), q.enqueue_many([array(1, 2)]), q.size(), q.close()
            with tf.Session() as session:
                thread, outcome = in_thread(lambda s=session, d=dequeue: s.run(d))
                session.run(enqueue)
                wait_until(lambda s=session, n=size: s.run(n) == 0)
                session.run(close)
                thread.join()
                shown.append([outcome, session.run(size)])
    return shown


@queues
def session_closed(tf):
    q = tf.FIFOQueue(2, [tf.float32], shapes=[[]])
    enqueue, dequeue_many, size, fill = (
        q.enqueue_many([array(1, 2, 3)]),
        q.dequeue_many(4),
        q.size(),
        q.enqueue_many([array(1)]),
    )
    shown = []
    session = tf.Session()
    thread, outcome = in_thread(lambda: session.run(enqueue))
    wait_until(lambda: session.run(size) == 2)
    session.close()
    thread.join()
    shown.append(outcome)
    session = tf.Session()
    thread, outcome = in_thread(lambda: session.run(dequeue_many))
    session.run(fill)
    wait_until(lambda: session.run(size) == 0)
    session.close()
    thread.join()
    return [*shown, outcome]


# -- input pipelines ------------------------------------------------------------------------------------------


def consume(tf, fetches, limit=50):
    found = []
    with tf.train.MonitoredSession() as session:
        while not session.should_stop() and len(found) < limit:
            found.append(session.run(fetches))
    return found


@inputs
def strings(tf):
    return consume(tf, tf.train.string_input_producer(["a", "b", "c"], num_epochs=2, shuffle=False).dequeue())


@inputs
def numbers(tf):
    return consume(tf, tf.train.range_input_producer(4, num_epochs=2, shuffle=False).dequeue_up_to(3))


@inputs
def endless(tf):
    element = tf.train.range_input_producer(3, shuffle=False).dequeue()
    return consume(tf, tf.train.batch([element], 2), limit=5)


def _rows(tf, epochs):
    return tf.train.slice_input_producer(
        [tf.constant([[1.0, 2.0], [3.0, 4.0]]), tf.constant([5, 6])], epochs, shuffle=False
    )


@inputs
def slices(tf):
    return consume(tf, _rows(tf, 2))


@inputs
def batches(tf):
    return consume(tf, tf.train.batch(_rows(tf, 3), 4))


@inputs
def last_batch_smaller(tf):
    x, y = _rows(tf, 3)
    return consume(tf, tf.train.batch({"x": x, "y": y}, 4, allow_smaller_final_batch=True))


@inputs
def rows_batched(tf):
    rows = tf.train.limit_epochs(tf.constant([[1.0], [2.0], [3.0]]), 2)
    return consume(tf, tf.train.batch([rows], 2, enqueue_many=True))


@inputs
def batches_shuffled(tf):
    element = tf.train.range_input_producer(10, num_epochs=1, shuffle=False).dequeue()
    return consume(tf, tf.train.shuffle_batch([element], 5, 50, 9, seed=3))


@inputs
def pipeline_graph(tf):
    tf.train.range_input_producer(5, num_epochs=2, seed=4)
    tf.train.shuffle_batch([tf.zeros([2])], 3, capacity=20, min_after_dequeue=5, seed=2, name="mixed")
    tf.train.batch_join([[tf.zeros([2])], [tf.ones([2])]], 3)
    kept = [node for node in nodes(tf) if node[1] not in ("Const", "Assert", "RandomShuffle")]
    found = {k: v for k, v in collections(tf).items() if k != "queue_runners"}
    runners = [
        [q.name, names(q.enqueue_ops), q.close_op.name, q.cancel_op.name] for q in tf.get_collection("queue_runners")
    ]
    return {"nodes": kept, "collections": found, "runners": runners}


@inputs
def bad_arguments(tf):
    steps = Steps()
    steps.do(lambda: tf.train.string_input_producer([]))
    steps.do(lambda: tf.train.input_producer(tf.placeholder(tf.int32)))
    steps.do(lambda: tf.train.limit_epochs(tf.constant(1), 0))
    steps.do(lambda: tf.train.slice_input_producer([]))
    steps.do(lambda: tf.train.batch([], 3))
    steps.do(lambda: tf.train.batch([tf.placeholder(tf.float32, name="p")], 3))
    steps.do(lambda: tf.train.shuffle_batch([tf.constant(1)], 3, 10, 20))
    steps.do(lambda: tf.train.batch_join([[tf.zeros([2])], [tf.ones([2], tf.int32)]], 3))
    steps.do(lambda: tf.train.batch([tf.constant(1)], 3, shapes=[[2]]))
    return steps.shown
