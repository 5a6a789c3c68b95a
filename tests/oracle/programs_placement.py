"""Programs on sessions: runs in several calls, devices, configurations, and the end of all sessions."""

from oracle.programs import Group, error
from oracle.programs_session import shown

case = Group("session")


def kind(action):
    """The class of the error that an action raises, or what it gives."""
    try:
        return shown(action())
    except Exception as e:
        return type(e).__name__


def model(tf):
    a, b, c = (tf.placeholder(tf.float32, [], name=name) for name in "abc")
    total = tf.add(a, b, name="total")
    return a, b, c, total, tf.multiply(total, c, name="product")


@case
def partial_runs(tf):
    a, b, c, total, product = model(tf)
    v = tf.get_variable("v", initializer=0.0)
    counted = tf.assign_add(v, a, name="counted")
    doubled = tf.multiply(counted, b)
    random = tf.random_uniform([])
    with tf.Session() as session:
        session.run(v.initializer)
        handle = session.partial_run_setup([total, product], [a, b, c])
        found = [handle, shown(session.partial_run(handle, total, {a: 1, b: 2}))]
        found.append(shown(session.run(total, {a: 7, b: 7})))  # another run, in between
        found.append(shown(session.partial_run(handle, {"p": [product]}, {c: 10})))
        handle = session.partial_run_setup([total, product], [a, b, c])
        found.append(shown(session.partial_run(handle, [total, product], {a: 1, b: 2, c: 3})))
        handle = session.partial_run_setup(["total:0", {"x": product}, total.op], ["a:0", b, c])
        found.append(shown(session.partial_run(handle, [], {"a:0": 1, b: 2})))
        found.append(shown(session.partial_run(handle, ["total:0"])))
        found.append(shown(session.partial_run(handle, product, {c: 5})))
        handle = session.partial_run_setup([counted, doubled], [a, b])
        found.append(shown(session.partial_run(handle, counted, {a: 2})))
        found.append(shown(session.partial_run(handle, doubled, {b: 10})))
        found.append(shown(session.run(v)))
        handle = session.partial_run_setup([random + a, random + b], [a, b])
        names = handle.split("->")[1].split("/")[0].split(",")
        found.append([session.partial_run(handle, n, {t: 0}) for n, t in zip(names, (a, b))])  # noqa: B905
        found[-1] = found[-1][0] == found[-1][1]
        return found


@case
def what_partial_runs_refuse(tf):
    a, b, c, total, product = model(tf)
    with tf.Session() as session:

        def begun(fetches=(total, product), feeds=(a, b, c)):
            return session.partial_run_setup(list(fetches), list(feeds))

        def run(handle, *arguments):
            return error(lambda: session.partial_run(handle, *arguments))

        over = begun([total], [a, b])
        session.partial_run(over, total, {a: 1, b: 2})
        again = begun()
        session.partial_run(again, total, {a: 1, b: 2})
        found = [
            run(over, total, {a: 1, b: 2}),
            run("unknown", total, {a: 1, b: 2}),
            run(begun(), total, {a: 1}),
            run(again, total),
            run(again, product, {a: 1, c: 2}),
            run(begun(), total, {a: 1, b: 2, product: 5}),
            run(begun([total], [a, b]), product, {a: 1, b: 2}),
            run(begun(), total.op, {a: 1, b: 2})[0],
            run(begun(), None)[0],
            run(begun(), total, {a: [1, 2], b: 2}),
            error(lambda: session.partial_run_setup([total], [a, a, b])),
            error(lambda: session.partial_run_setup([5], [a])),
        ]
    return [found, error(lambda: session.partial_run_setup([total], [a])), run(over, total)]


@case
def names_of_devices(tf):
    spec = tf.DeviceSpec
    names = [
        "/job:a/replica:1/task:2/device:GPU:3", "/gpu:0", "/GPU:*", "/device:cpu:1", "cpu:0", "/job:a//task:1", "/cpu",
        "/device:CPU", "/job:a/job:b", "/replica:1", "", "/task:x", "/device:GPU:x", "/gpu:0/gpu:1", "/nonsense", "x",
    ]  # fmt: skip
    fields = ("job", "replica", "task", "device_type", "device_index")
    found = [error(lambda name=name: spec.from_string(name)) for name in names]
    read = [spec.from_string(n) for n, e in zip(names, found) if e == "no error"]  # noqa: B905
    merged = spec.from_string("/job:a/gpu:1")
    merged.merge_from(spec.from_string("/task:3/cpu:*"))
    return [
        found,
        [[s.to_string(), [getattr(s, field) for field in fields]] for s in read],
        merged.to_string(),
        merged.make_merged_spec(spec("z")).to_string(),
        merged.replace(job="q").to_string(),
        spec("w", 1, 2, "cpu", 3).to_string(),
        spec().parse_from_string("/cpu:0").to_string(),
        spec.from_string("/gpu:0") == spec.from_string("/device:GPU:0"),
    ]


@case
def devices_around_operations(tf):
    found, told = [], []

    def show():
        found.append(tf.no_op().device)

    def adding(op):
        told.append([op.name, op.type, op.device])
        return op.device + "/task:1"

    with tf.device("/job:a"), tf.device("/task:3"):
        show()
        for inner in ("/gpu:1", "/job:b", "", tf.DeviceSpec(task=5), adding, lambda op: "/task:9", lambda op: ""):
            with tf.device(inner):
                show()
        with tf.device("/cpu:1"), tf.device("/cpu:*"):
            show()
        with tf.device(adding), tf.device("/gpu:0"):
            show()
        with tf.device(lambda op: "/task:8"), tf.device("/gpu:0"):
            show()
        with tf.device(adding), tf.device(None):
            show()
        x = tf.constant(1.0)
        with tf.device(adding), tf.get_default_graph().colocate_with(x.op):
            show()
    return [found, told, error(lambda: tf.device("/foo:0").__enter__())]


@case
def where_operations_may_run(tf):
    names = [
        "/cpu:0", "/gpu:0", "/cpu:1", "/job:ps", "/job:localhost/replica:0/task:0", "/job:localhost/task:3", "/gpu",
        "/device:TPU:0", "/cpu:*", "/job:worker/cpu:0", "/cpu:-1", "/gpu:7",
    ]  # fmt: skip

    def run(name, **config):
        with tf.Graph().as_default():
            with tf.device(name):
                x = tf.constant(1.0) + 1.0
            with tf.Session(config=tf.ConfigProto(**config)) as session:
                return kind(lambda: session.run(x))

    with tf.Graph().as_default():
        with tf.device("/device:TPU:5"):
            tf.constant(1.0)
        needed = tf.constant(2.0)
        pruned = tf.ConfigProto()
        pruned.graph_options.place_pruned_graph = True
        of_the_whole = [kind(lambda config=c: tf.Session(config=config).run(needed)) for c in (None, pruned)]
    return [
        [run(name) for name in names],
        [run(name, allow_soft_placement=True) for name in names],
        [run(name, device_count={"CPU": 2}) for name in ("/cpu:1", "/cpu:2")],
        of_the_whole,
        run(names[1]).startswith("InvalidArgument") and "Cannot assign a device for operation",
    ]


@case
def configurations(tf):
    x = tf.constant(1.0)
    item = tf.FIFOQueue(2, tf.float32).dequeue()

    def made(fill=None, fetch=x, options=None, **fields):
        config = tf.ConfigProto(**fields)
        if fill is not None:
            fill(config)
        return kind(lambda: tf.Session(config=config).run(fetch, options=options))

    def set_executor(config):
        config.experimental.executor_type = "FOO"

    def add_pool(config):
        config.session_inter_op_thread_pool.add().num_threads = 2

    with tf.Session(config=tf.ConfigProto(device_count={"CPU": 2})) as session:
        devices = [[d.name, d.device_type] for d in session.list_devices() if d.device_type == "CPU"]
        first = session.list_devices()[0]
        same = first.incarnation == session.list_devices()[0].incarnation
        text = repr(first) == f"_DeviceAttributes({first.name}, CPU, {first.memory_limit_bytes}, {first.incarnation})"
    return [
        devices, same, text,
        error(session.list_devices),
        made(device_count={"CPU": 0}),
        made(device_count={"FOO": 3, "GPU": 0}),
        made(fetch=item, operation_timeout_in_ms=20),
        made(fetch=item, operation_timeout_in_ms=60000, options=tf.RunOptions(timeout_in_ms=20)),
        made(operation_timeout_in_ms=-5),
        made(intra_op_parallelism_threads=2, inter_op_parallelism_threads=2, use_per_session_threads=True),
        made(set_executor),
        made(options=tf.RunOptions(inter_op_thread_pool=3)),
        made(options=tf.RunOptions(inter_op_thread_pool=-1)),
        made(add_pool, options=tf.RunOptions(inter_op_thread_pool=1)),
        made(add_pool, options=tf.RunOptions(inter_op_thread_pool=0)),
        made(device_filters=["/job:ps"], isolate_session_state=True, placement_period=3),
        error(lambda: tf.Session(config=5))[0],
    ]  # fmt: skip


@case
def the_end_of_all_sessions(tf):
    v = tf.get_variable("v", initializer=1.0)
    sessions = [tf.Session(), tf.Session()]
    for session in sessions:
        session.run(v.initializer)
    tf.Session.reset("")
    found = [error(lambda s=s: s.run(v)) for s in sessions]
    with tf.Session() as session:
        session.run(v.initializer)
        return [*found, shown(session.run(v)), error(lambda: tf.Session.reset("nonsense"))[0]]
