"""Partitioned variables, and assignments to slices of variables: parts, names, sharing, saving and errors."""

import numpy as np

from oracle.programs import Group, error, names, nodes

program = Group("partitions")


def made(tf, name="w", shape=(7, 2), parts=3, axis=0, **arguments):
    partitioner = tf.fixed_size_partitioner(parts, axis)
    initializer = arguments.pop("initializer", tf.ones_initializer())
    return tf.get_variable(name, list(shape), initializer=initializer, partitioner=partitioner, **arguments)


def slices(variables):
    """Each variable's name, shape, and which slice of what it is."""
    pairs = [(v, v._get_save_slice_info()) for v in variables]
    return [[v.name, v.shape.as_list(), info.full_name, info.spec] for v, info in pairs]


@program
def parts_and_nodes(tf):
    with tf.variable_scope("s", partitioner=tf.fixed_size_partitioner(3)):
        w = tf.get_variable("w", [7, 2], initializer=tf.zeros_initializer(), regularizer=lambda v: v * 2.0)
        scalar = tf.get_variable("scalar", [])
    one = made(tf, "one", parts=1)
    columns = made(tf, "columns", [2, 4], parts=3, axis=1)
    few = made(tf, "few", [2, 4], parts=3)
    value = tf.get_variable("value", initializer=tf.range(5), partitioner=tf.fixed_size_partitioner(2))
    shown = [[v.name, v.dtype.name, v.shape.as_list(), len(v), slices(v)] for v in (w, one, columns, few, value)]
    tensors = [v.as_tensor().name for v in (w, w, one, columns)] + [tf.matmul(w, tf.ones([2, 1])).name]
    found = [
        names(tf.global_variables()),
        names(tf.trainable_variables()),
        names(tf.losses.get_regularization_losses()),
    ]
    return [shown, scalar.name, tensors, found, nodes(tf, but=["scalar", "ones", "range"])]


@program
def older_way_to_make_them(tf):
    return [
        slices(tf.create_partitioned_variables([6, 4], [4, 1], tf.zeros_initializer(), name="rows")),
        slices(tf.create_partitioned_variables([6, 4], [1, 2], tf.ones_initializer())),
        slices(tf.create_partitioned_variables([4], [2], tf.constant([1.0, 2.0, 3.0, 4.0]), trainable=False)),
        names(tf.trainable_variables()),
        error(lambda: tf.create_partitioned_variables([6, 4], [3, 2], tf.ones_initializer())),
        error(lambda: tf.create_partitioned_variables([6, 4], [3], tf.ones_initializer())),
        error(lambda: tf.create_partitioned_variables([], [], tf.ones_initializer())),
        error(lambda: tf.create_partitioned_variables([6, 4], [0, 1], tf.ones_initializer())),
    ]


@program
def what_partitioners_say(tf):
    partitioners = [
        tf.fixed_size_partitioner(3),
        tf.fixed_size_partitioner(3, axis=1),
        tf.variable_axis_size_partitioner(64),
        tf.variable_axis_size_partitioner(64, axis=1),
        tf.variable_axis_size_partitioner(64, max_shards=2),
        tf.variable_axis_size_partitioner(64, bytes_per_string_element=3),
        tf.min_max_variable_partitioner(),
        tf.min_max_variable_partitioner(4, min_slice_size=64),
        tf.min_max_variable_partitioner(4, min_slice_size=300),
        tf.min_max_variable_partitioner(4, axis=1, min_slice_size=16, bytes_per_string_element=4),
    ]
    shapes = [[7, 20], [100, 3], [8, 16], [1, 1]]
    types = [tf.float32, tf.float64, tf.string]
    return [
        [p(shape=tf.TensorShape(shape), dtype=dtype) for shape in shapes for dtype in types] for p in partitioners
    ] + [
        error(lambda: tf.variable_axis_size_partitioner(0)),
        error(lambda: tf.variable_axis_size_partitioner(5, bytes_per_string_element=0)),
        error(lambda: tf.min_max_variable_partitioner(3, axis=3)(shape=tf.TensorShape([2, 3]), dtype=tf.float32)),
        error(lambda: tf.variable_axis_size_partitioner(30)(shape=tf.TensorShape([None, 3]), dtype=tf.float32)),
    ]


@program
def sharing(tf):
    partitioner = tf.fixed_size_partitioner(3)
    w = made(tf)
    tf.get_variable("whole", [4])

    def get(name="w", shape=(7, 2), reuse=True, partitioner=partitioner, **arguments):
        with tf.variable_scope(tf.get_variable_scope(), reuse=reuse, partitioner=partitioner):
            return tf.get_variable(name, list(shape), **arguments)

    return [
        get() is w,
        get(reuse=tf.AUTO_REUSE) is w,
        get(partitioner=None) is w,
        get("w/part_1", [2, 2], partitioner=None) is list(w)[1],
        error(lambda: get(partitioner=tf.fixed_size_partitioner(2))),
        error(lambda: get(shape=[8, 2])),
        error(lambda: get(dtype=tf.int32)),
        error(lambda: get("missing")),
        error(lambda: get(reuse=False)),
        error(lambda: get(reuse=False, partitioner=None)),
        error(lambda: get("whole", [4], reuse=tf.AUTO_REUSE)),
    ]


@program
def partitioners_that_are_wrong(tf):
    def get(partitioner, shape=(4, 4), **arguments):
        return error(lambda: tf.get_variable("w", shape, partitioner=partitioner, **arguments))

    return [
        get(lambda shape, dtype: [2, 2]),
        get(lambda shape, dtype: [2]),
        get(lambda shape, dtype: [0, 1]),
        get(lambda shape, dtype: 3),
        get(3),
        get(tf.fixed_size_partitioner(2), [None, 4]),
        get(tf.fixed_size_partitioner(2), None, initializer=np.arange(6.0)),
        get(tf.fixed_size_partitioner(2), [4], initializer=lambda shape, dtype: tf.ones(shape, dtype))[0],
    ]


@program
def what_initializers_are_told(tf):
    told = []

    def initializer(shape, dtype=None, partition_info=None):
        info = partition_info
        told.append([shape, dtype.name, info.full_shape, info.var_offset])
        told.append([info.single_offset(shape), info.single_slice_dim(shape)])
        told.append(error(lambda: info.single_slice_dim([9, 9])))
        told.append(error(lambda: info.single_slice_dim([9])))
        return tf.zeros(shape, dtype)

    made(tf, initializer=initializer)
    made(tf, "columns", [2, 4], 2, 1, initializer=initializer)
    return told


@program
def custom_getters(tf):
    told = []

    def getter(getter, name, *args, **kwargs):
        told.append([name, kwargs["partitioner"] is not None])
        return getter(name + "_", *args, **kwargs)

    with tf.variable_scope("s", custom_getter=getter, partitioner=tf.fixed_size_partitioner(2)):
        w = tf.get_variable("w", [4])
    return [told, w.name, names(w)]


@program
def changes(tf):
    w = made(tf, shape=[5, 2], parts=2)
    start = len(tf.get_default_graph().get_operations())
    whole = np.arange(10, dtype=np.float32).reshape(5, 2)
    steps = [
        w.assign(whole),
        w.assign_add([tf.ones([3, 2]), tf.ones([2, 2])]),
        w.assign_sub(tf.constant(whole), name="less"),
        w.assign(w),
        tf.assign(w, whole),
    ]
    shown = [[op.name, op.type] for op in tf.get_default_graph().get_operations()[start:] if op.type != "Const"]
    value = w.as_tensor()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        values = []
        for step in steps:
            session.run(step)
            values.append(session.run(value))
        return [[names(step) for step in steps], shown, values, error(lambda: session.run(w))[0]]


@program
def gradients_and_slots(tf):
    w = made(tf, shape=[5, 2], parts=2)
    optimizer = tf.train.AdamOptimizer(0.1)
    loss = tf.reduce_sum(tf.matmul(tf.ones([1, 5]), w) ** 2)
    step = optimizer.minimize(loss)
    average = tf.train.ExponentialMovingAverage(0.9)
    average.apply(list(w))
    value = w.as_tensor()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        losses = [session.run([loss, step])[0] for _ in range(3)]
        shown = session.run(value)
    return [
        losses,
        shown,
        slices([optimizer.get_slot(v, "m") for v in w]),
        slices([optimizer.get_slot(v, "v") for v in w]),
        slices([average.average(v) for v in w]),
        error(lambda: tf.gradients(loss, w)),
    ]


@program
def embeddings(tf):
    shown = []
    for strategy, make in (("mod", tf.train.AdagradOptimizer), ("div", tf.train.AdamOptimizer)):
        with tf.Graph().as_default(), tf.Session() as session:
            start = tf.constant(np.arange(14, dtype=np.float32).reshape(7, 2))
            w = tf.get_variable("w", initializer=start, partitioner=tf.fixed_size_partitioner(3))
            ids = tf.placeholder(tf.int32, [None])
            rows = tf.nn.embedding_lookup(w, ids, partition_strategy=strategy)
            loss = tf.reduce_sum(rows * rows)
            are_sparse = [type(g).__name__ for g in tf.gradients(loss, list(w))]
            step = make(0.5).minimize(loss)
            session.run(tf.global_variables_initializer())
            losses = [session.run([loss, step], {ids: i})[0] for i in ([0, 6, 3, 6], [1, 2, 5, 5])]
            shown.append([are_sparse, losses, session.run(w.as_tensor())])
    return shown


@program
def names_in_a_saver(tf):
    w = made(tf, shape=[5, 2], parts=2)
    other = made(tf, "other", [4], parts=2)
    parts = list(w)
    shown = []
    for given in ({"n": w}, {"n": parts}, parts, [w], {"w": w, "v": parts[0]}, {"n": parts[:1]}, {"n": parts[::-1]}):
        saver = tf.train.Saver(given).as_saver_def()
        save = tf.get_default_graph().get_tensor_by_name(saver.save_tensor_name).op.control_inputs[0]
        with tf.Session() as session:
            said = [value.tolist() for value in session.run(list(save.inputs[1:3]))]
        shown.append([said, names(save.inputs[3:])])
    mixed = [parts[0], next(iter(other))]
    plain = tf.get_variable("plain", [2])
    return [
        shown,
        error(lambda: tf.train.Saver({"n": mixed})),
        error(lambda: tf.train.Saver({"n": [plain]})),
        error(lambda: tf.train.Saver({"n": [w]}))[0],
    ]


@program
def in_layers(tf):
    with tf.variable_scope("s", partitioner=tf.fixed_size_partitioner(2)):
        out = tf.layers.dense(tf.ones([2, 3]), 2, kernel_regularizer=lambda w: tf.reduce_sum(w * w), name="d")
    losses = names(tf.losses.get_regularization_losses())
    return [out.shape.as_list(), slices(tf.global_variables()), len(losses)]


# -- slices of variables ----------------------------------------------------------------------------------------------


@program
def assignments_to_slices(tf):
    v = tf.get_variable("v", [3, 4], initializer=tf.zeros_initializer())
    i = tf.placeholder_with_default(2, [])
    start = len(tf.get_default_graph().get_operations())
    steps = [
        v[1:, ::2].assign(tf.ones([2, 2])),
        v[0].assign([1.0, 2.0, 3.0, 4.0], name="row"),
        v[0, 1].assign(9.0),
        v[..., -1].assign([7.0, 8.0, 9.0]),
        v[i].assign([5.0, 5.0, 6.0, 6.0]),
        v[i, 1:3].assign([0.0, 1.0]),
        v[::-1, ::-2].assign([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
        v[tf.newaxis, 0].assign([[0.5, 0.5, 0.5, 0.5]]),
    ]
    made_of = [op for op in tf.get_default_graph().get_operations()[start:] if op.type == "StridedSliceAssign"]
    wrong = [v[0].assign([1.0, 2.0]), v[0].assign(5.0)]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        values = [session.run(step) for step in steps]
        return [
            [[op.name, names(op.inputs)[:3]] for op in made_of],
            [[step.name, step.dtype.name, step.shape.as_list()] for step in steps],
            values,
            [error(lambda step=step: session.run(step))[0] for step in wrong],
            session.run(v),
            error(lambda: tf.zeros([3])[0].assign(1.0)),
            error(lambda: v[0][0].assign(1.0)),
            error(lambda: tf.zeros([3]).assign(1.0)),
        ]
