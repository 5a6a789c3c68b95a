"""Writes the graphs that `tests/test_import_graph.py` and `tests/test_meta_graph.py` import, with a real TensorFlow.

Run it by a Python that has TensorFlow 1.15 (so this is Python 3.7), then by one that has TensorFlow 2; each writes the
fixtures that are its own:

    python tests/oracle/make_graph_fixtures.py tests/fixtures/graphs

A graph `x.pb` is a GraphDef; `x.npz` beside it holds what was fed (``feed|<tensor>``) and what TensorFlow gave
(``fetch|<tensor>``). A training run `x.meta` has its checkpoint beside it, and in `x.npz` the batches
(``batch|<tensor>``, one for each step along the first axis), the losses of each step, and the variables after the last
(``after|<name>``). Graphs above 100 kB are compressed, `x.pb.gz`.
"""

import gzip
import os
import sys

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1
IS_TF1 = tf.__version__.startswith("1.")


def write_small(path, data):
    """Writes a file; one above 100 kB compressed, with ``.gz`` behind its name."""
    if len(data) <= 100000:
        with open(path, "wb") as file:
            file.write(data)
        return
    with open(path + ".gz", "wb") as file, gzip.GzipFile("", "wb", 9, file, 0) as compressed:
        compressed.write(data)
    if os.path.exists(path):
        os.remove(path)


def seeded(*shape, seed=0, scale=1.0):
    return (np.random.RandomState(seed).randn(*shape) * scale).astype(np.float32)


def weights(name, *shape, scale=0.3):
    initial = seeded(*shape, seed=sum(map(ord, name)) + len(shape), scale=scale)
    return tf1.get_variable(name, initializer=tf1.constant(initial))


def write_graph(folder, name, graph_def, feeds, fetches, session=None):
    """Writes a GraphDef, and what a new session (or the given one) makes of it."""

    def evaluate(session):
        names = list(fetches)
        values = session.run(names, feeds)
        return dict(zip(names, values))  # noqa: B905 - Python 3.7

    if session is not None:
        values = evaluate(session)
    else:
        with tf1.Graph().as_default() as graph:
            tf1.import_graph_def(graph_def, name="")
            with tf1.Session(graph=graph) as own:
                values = evaluate(own)
    write_small(os.path.join(folder, name + ".pb"), graph_def.SerializeToString(deterministic=True))
    arrays = {"feed|" + key: np.asarray(value) for key, value in feeds.items()}
    arrays.update({"fetch|" + key: np.asarray(value) for key, value in values.items()})
    np.savez_compressed(os.path.join(folder, name + ".npz"), **arrays)


def frozen(session, outputs):
    names = [output.op.name for output in outputs]
    return tf1.graph_util.convert_variables_to_constants(session, session.graph_def, names)


def write_frozen(folder, name, build):
    """Builds a model with variables in a new graph, and writes it with the variables as constants."""
    with tf1.Graph().as_default(), tf1.Session() as session:
        feeds, outputs = build()
        session.run(tf1.global_variables_initializer())
        graph_def = frozen(session, outputs)
    write_graph(folder, name, graph_def, feeds, [output.name for output in outputs])


# -- inference ------------------------------------------------------------------------------------------------


def cnn():
    """Convolutions (plain, strided, depthwise), batch normalization, pools, a dense layer, and string-free glue."""
    x = tf1.placeholder(tf.float32, [None, 12, 12, 1], name="images")
    h = tf.nn.conv2d(x, weights("conv1/kernel", 3, 3, 1, 4), strides=[1, 1, 1, 1], padding="SAME")
    h = tf.nn.relu(tf.nn.bias_add(h, weights("conv1/bias", 4)))
    h = tf1.nn.max_pool(h, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
    h = tf1.nn.depthwise_conv2d(h, weights("conv2/depthwise", 3, 3, 4, 2), [1, 1, 1, 1], "VALID")
    scale, offset, mean = weights("bn/gamma", 8), weights("bn/beta", 8), weights("bn/mean", 8)
    variance = tf1.get_variable("bn/variance", initializer=tf1.constant(seeded(8, seed=9) ** 2 + 0.5))
    h = tf1.nn.fused_batch_norm(h, scale, offset, mean, variance, is_training=False)[0]
    h = tf.nn.relu6(h)
    h = tf1.nn.avg_pool(h, [1, 3, 3, 1], [1, 1, 1, 1], "SAME")
    flat = tf.reshape(h, [tf.shape(h)[0], int(h.shape[1] * h.shape[2] * h.shape[3])])
    logits = tf1.nn.xw_plus_b(flat, weights("dense/kernel", 128, 5), weights("dense/bias", 5), name="logits")
    best = tf.argmax(logits, 1, name="best")
    return {"images:0": seeded(3, 12, 12, 1, seed=1)}, [tf.nn.softmax(logits, name="probabilities"), logits, best]


def lstm():
    """`dynamic_rnn` over an LSTM, with sequence lengths: TensorFlow 1's while loop and TensorArrays."""
    x = tf1.placeholder(tf.float32, [None, 6, 3], name="sequences")
    lengths = tf1.placeholder(tf.int32, [None], name="lengths")
    cell = tf1.nn.rnn_cell.LSTMCell(5, name="cell", initializer=tf1.random_normal_initializer(seed=1))
    outputs, state = tf1.nn.dynamic_rnn(cell, x, sequence_length=lengths, dtype=tf.float32)
    last = tf1.layers.dense(state.h, 2, name="dense", kernel_initializer=tf1.random_normal_initializer(seed=2))
    feeds = {"sequences:0": seeded(4, 6, 3, seed=3), "lengths:0": np.array([6, 1, 0, 4], np.int32)}
    return feeds, [tf.identity(last, name="last"), tf.identity(outputs, name="outputs"), state.c]


def bidirectional_gru():
    """A bidirectional, time-major GRU over sequences whose length is known only when running."""
    x = tf1.placeholder(tf.float32, [None, None, 2], name="sequences")
    forward, backward = (tf1.nn.rnn_cell.GRUCell(3, name=n) for n in ("forward", "backward"))
    with tf1.variable_scope("rnn", initializer=tf1.random_normal_initializer(seed=4)):
        outputs, _ = tf1.nn.bidirectional_dynamic_rnn(forward, backward, x, dtype=tf.float32, time_major=True)
    return {"sequences:0": seeded(7, 2, 2, seed=5)}, [tf.concat(outputs, 2, name="outputs")]


# -- control flow ---------------------------------------------------------------------------------------------


def control_flow():
    """Loops and conditions within one another, of TensorFlow 1's or 2's kind as the process is set."""
    x = tf1.placeholder(tf.float32, [3], name="x")
    n = tf1.placeholder(tf.int32, [], name="n")
    flag = tf1.placeholder(tf.bool, [], name="flag")
    fetches = []

    def keep(name, tensor):
        fetches.append(tf.identity(tensor, name="out/" + name))

    keep("cond", tf1.cond(flag, lambda: x + 1.0, lambda: x * tf.cast(n, tf.float32)))
    pair = tf1.cond(n > 2, lambda: (x, tf.constant(1)), lambda: (tf.zeros([3]), n))
    keep("pair_0", pair[0])
    keep("pair_1", pair[1])
    # Two conditions on one predicate, one after the other: they cannot become one.
    first = tf1.cond(flag, lambda: x * 2.0, lambda: x - 1.0)
    keep("twice", tf1.cond(flag, lambda: first * x, lambda: first + x))
    keep("nested", tf1.cond(flag, lambda: tf1.cond(n > 2, lambda: x * 3.0, lambda: x), lambda: -x))
    keep("case", tf1.case([(n < 2, lambda: x), (n < 5, lambda: x * 10.0)], default=lambda: x * 100.0))
    total, count = tf1.while_loop(lambda a, i: i < n, lambda a, i: (a + x * tf.cast(i, tf.float32), i + 1), [x, 0])
    keep("while_total", total)
    keep("while_count", count)

    def outer(i, matrix):
        row = tf1.while_loop(lambda j, r: j < i, lambda j, r: (j + 1, r + x), [0, tf.zeros([3])])[1]
        return i + 1, matrix + tf1.cond(tf.equal(i % 2, 0), lambda: row, lambda: -row)

    keep("nested_while", tf1.while_loop(lambda i, m: i < n, outer, [0, tf.zeros([3])])[1])
    keep(
        "while_in_cond",
        tf1.cond(
            flag, lambda: tf1.while_loop(lambda v: tf.reduce_sum(v) < 50.0, lambda v: v * 2.0, [tf.abs(x)]), lambda: x
        ),
    )
    keep("map", tf1.map_fn(lambda v: v * v + 1.0, x))
    keep("map_ints", tf1.map_fn(lambda v: v * 2, tf.range(n)))
    keep("scan", tf1.scan(lambda a, v: a * v, x))
    keep("foldr", tf1.foldr(lambda a, v: a - v, x))
    array = tf1.TensorArray(tf.int32, size=n, clear_after_read=False)
    array = tf1.while_loop(lambda i, a: i < n, lambda i, a: (i + 1, a.write(i, i * i)), [0, array])[1]
    keep("array", array.stack())
    keep("array_read", array.read(0) + array.size())
    # Its shape grows from turn to turn.
    grown = tf1.while_loop(
        lambda v: tf.size(v) < 9, lambda v: tf.concat([v, v], 0), [x], shape_invariants=[tf.TensorShape([None])]
    )
    keep("grown", grown)
    if IS_TF1:  # TensorFlow 2's kind has no nodes for these
        fetches.extend([total, pair[1]])
    feeds = {"x:0": np.array([1.5, -2.0, 3.0], np.float32), "n:0": np.int32(4), "flag:0": np.bool_(True)}
    return feeds, fetches


def branch_gradients():
    """Gradients of branches: what a branch computes is used again by the branch of its gradient."""
    x = tf1.placeholder(tf.float32, [None, 3], name="x")
    training = tf1.placeholder(tf.bool, [], name="training")
    w = tf.constant(seeded(3, 3, seed=31))
    h = tf.matmul(x, w)
    h = tf1.cond(training, lambda: tf.nn.relu(h) * h, lambda: tf.tanh(h) + 1.0)
    h = tf1.cond(training, lambda: tf1.cond(tf.reduce_sum(h) > 0, lambda: tf.sigmoid(h), lambda: h), lambda: h * h)
    dropped = tf1.cond(training, lambda: tf1.nn.dropout(h, rate=0.5), lambda: h * 1.0, name="dropout")
    tf.identity(dropped, name="out/dropped")
    tf.identity(tf.gradients(dropped, h)[0], name="out/kept")
    gradients = tf.gradients(tf.reduce_sum(h * h), [x, w])
    fetches = [h, tf.identity(gradients[0], name="out/by_x"), tf.identity(gradients[1], name="out/by_w")]
    feeds = {"x:0": seeded(2, 3, seed=32), "training:0": np.bool_(True)}
    return feeds, [tf.identity(h, name="out/h"), *fetches[1:]]


def gradients():
    """The nodes of which TensorFlow makes gradients, each from an operation that has it."""
    x = tf1.placeholder(tf.float32, [None, 6], name="x")
    image = tf1.placeholder(tf.float32, [2, 6, 6, 2], name="image")
    volume = tf.reshape(image, [2, 6, 3, 2, 2])
    positive = tf.exp(x)
    ids = tf.constant([2, 0, 2], tf.int32)
    moments = [tf.constant(seeded(2, seed=seed) ** 2 + 0.5) for seed in range(4)]
    kernel, kernel3 = tf.constant(seeded(3, 3, 2, 3, seed=41)), tf.constant(seeded(2, 2, 1, 2, 3, seed=42))
    deep = tf.constant(seeded(3, 3, 2, 2, seed=43))
    of_x = [
        tf.nn.relu(x), tf.nn.relu6(x * 9), tf.nn.elu(x), tf.nn.selu(x), tf.nn.softplus(x), tf.nn.softsign(x),
        tf1.nn.leaky_relu(x, 0.3), tf.sigmoid(x), tf.tanh(x), tf1.rsqrt(positive), tf.sqrt(positive),
        tf1.reciprocal(positive), tf1.log(positive), tf.pow(positive, 1.5), tf.square(x), tf.abs(x), tf.sin(x),
        tf.nn.log_softmax(x), tf.nn.softmax(x), tf.maximum(x, 0.1), tf.minimum(x, x * x), tf1.where(x > 0, x, x * x),
        tf1.floordiv(x, 2.0) + x / 3.0, tf1.squared_difference(x, positive), tf.erf(x), tf.atan(x),
        tf1.lgamma(positive), x[:, 1:5:2], x[0], x[..., tf.newaxis, ::-1], tf.concat([x, x * 2, positive], 1),
        tf.stack([x, positive]), tf.split(x, 3, 1)[1], tf1.tile(x, [2, 3]), tf1.pad(x, [[1, 0], [0, 2]]),
        tf1.pad(x, [[1, 1], [0, 2]], "REFLECT"), tf.transpose(x), tf.reverse(x, [1]), tf.gather(x, ids, axis=1),
        tf1.gather_nd(x, [[0, 1], [1, 2], [0, 1]]), tf1.reduce_sum(x, 0), tf1.reduce_mean(x, 1), tf1.reduce_max(x, 1),
        tf1.reduce_prod(x, 1), tf1.cumsum(x, 1), tf1.expand_dims(x, 1) + positive, tf.matmul(x, x, transpose_b=True),
        tf1.reduce_logsumexp(x, 1), tf.einsum("ij,ik->jk", x, positive), tf.nn.l2_loss(x), tf.nn.l2_normalize(x, 1),
        tf1.clip_by_value(x, -1.0, 1.0),
        tf1.nn.softmax_cross_entropy_with_logits_v2(labels=tf.nn.softmax(positive), logits=x),
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[1, 5], logits=x),
        tf.nn.sigmoid_cross_entropy_with_logits(labels=positive, logits=x), tf.nn.top_k(x, 2)[0],
        tf1.math.unsorted_segment_sum(x, [1, 0], 3),
        tf.dynamic_stitch([[1], [0]], tf.unstack(x[:, tf.newaxis], num=2)),
        tf.identity(tf.scatter_nd([[2], [0]], x, [4, 6])), tf1.check_numerics(x, "not a number"), tf1.norm(x),
    ]  # fmt: skip
    of_image = [
        tf1.nn.max_pool(image, [1, 3, 3, 1], [1, 2, 2, 1], "SAME"),
        tf1.nn.avg_pool(image, [1, 2, 2, 1], [1, 2, 2, 1], "VALID"),
        tf1.nn.conv2d(image, kernel, [1, 2, 2, 1], "SAME"),
        tf1.nn.depthwise_conv2d(image, deep, [1, 1, 1, 1], "VALID"),
        tf1.nn.conv3d(volume, kernel3, [1, 1, 1, 1, 1], "SAME"),
        tf1.nn.max_pool3d(volume, [1, 2, 2, 1, 1], [1, 2, 1, 1, 1], "SAME"),
        tf1.nn.avg_pool3d(volume, [1, 2, 2, 1, 1], [1, 2, 1, 1, 1], "VALID"), tf1.nn.lrn(image, 1, 1.0, 0.5, 0.75),
        tf1.nn.bias_add(image, moments[0]), tf1.space_to_depth(image, 2),
        tf1.batch_to_space_nd(image, [2, 1], [[0, 0], [0, 0]]),
        tf1.nn.fused_batch_norm(image, moments[0], moments[1])[0],
        tf1.nn.fused_batch_norm(image, moments[0], moments[1], moments[2], moments[3], is_training=False)[0],
        tf1.nn.batch_normalization(image, *tf1.nn.moments(image, [0, 1, 2]), moments[0], moments[1], 1e-3),
        tf1.nn.conv2d_transpose(image, kernel[..., ::-1, :2], [2, 12, 12, 2], [1, 2, 2, 1]),
    ]  # fmt: skip
    fetches = []
    for name, source, values in (("x", x, of_x), ("image", image, of_image)):
        for number, value in enumerate(values):
            gradient = tf.convert_to_tensor(tf.gradients(value, source, tf.sin(value + 0.3))[0])
            fetches.append(tf.identity(gradient, name=f"by_{name}/{number}_{value.op.type}"))
    for number, (value, weight) in enumerate([(of_image[2], kernel), (of_image[3], deep), (of_image[4], kernel3),
                                              (of_image[8], moments[0]), (of_image[11], moments[0]),
                                              (of_image[12], moments[1]), (of_image[11], moments[1])]):  # fmt: skip
        gradient = tf.gradients(value, weight, tf.sin(value))[0]
        fetches.append(tf.identity(gradient, name=f"by_weight/{number}_{value.op.type}"))
    feeds = {"x:0": seeded(2, 6, seed=44), "image:0": seeded(2, 6, 6, 2, seed=45)}
    return feeds, fetches


def loop_gradients():
    """Gradients of loops: stacks between the two, arrays of gradients; turns that a limit tells, or only the data."""
    x = tf1.placeholder(tf.float32, [3], name="x")
    n = tf1.placeholder(tf.int32, [], name="n")
    w = tf.constant(seeded(3, seed=61))
    powers = tf1.while_loop(lambda i, v: i < n, lambda i, v: (i + 1, tf.sin(v * w) + x), [0, x])[1]
    doubled = tf1.while_loop(lambda v: tf.reduce_sum(v) < 50.0, lambda v: v * v * w * w + 1.5, [x])
    mapped = tf1.map_fn(lambda v: tf.exp(v) * w, x)
    scanned = tf1.scan(lambda a, v: a * v + tf.tanh(v), x)
    folded = tf1.foldl(lambda a, v: a * v + v * v, x)

    def step(i, v, array):
        v = tf.tanh(v * w + x)
        return i + 1, v, array.write(i, v)

    # As of a recurrent network of which only the last state is used: nothing comes back to the array.
    state = tf1.while_loop(lambda i, v, a: i < n, step, [0, x, tf1.TensorArray(tf.float32, size=n)])[1]
    fetches = []
    for name, value in [("powers", powers), ("doubled", doubled), ("mapped", mapped), ("scanned", scanned),
                        ("folded", folded), ("state", state)]:  # fmt: skip
        for source, label in ((x, "x"), (w, "w")):
            gradient = tf.gradients(tf.sin(value), source)[0]
            if gradient is not None:
                fetches.append(tf.identity(gradient, name=f"out/{name}_by_{label}"))
    feeds = {"x:0": np.array([0.5, -0.3, 0.8], np.float32), "n:0": np.int32(4)}
    return feeds, fetches


def write_control_flow(folder, name, build, others):
    with tf1.Graph().as_default() as graph, tf1.Session() as session:
        feeds, fetches = build()
        names = [tensor.name for tensor in fetches]
        write_graph(folder, name, graph.as_graph_def(), feeds, names, session)
        write_graph(folder, name + "_else", graph.as_graph_def(), dict(feeds, **others), names, session)
    os.remove(os.path.join(folder, name + "_else.pb"))  # the same graph


def called(variable, flag):
    """What a function of TensorFlow 2 gives that calls another, changes a variable, and holds a loop and a branch."""

    @tf.function
    def both(a, b):
        return a * b, a + b

    @tf.function
    def function(flag):
        variable.assign_add([1.0, 1.0])
        product, total = both(variable, variable.read_value())
        for number in tf.range(3):
            total += product * tf.cast(number, tf.float32)
        if flag:
            variable.assign(total)
        return total

    return function(flag)


def write_effects(folder, name, resource):
    """Variables of either kind, changed within conditions and loops; what a series of runs gives."""
    with tf1.Graph().as_default() as graph, tf1.Session() as session:
        with tf1.variable_scope("vars", use_resource=resource):
            v = tf1.get_variable("v", initializer=tf1.constant([1.0, 2.0]))
            w = tf1.get_variable("w", initializer=tf1.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
            c = tf1.get_variable("c", initializer=tf1.constant(0, tf.int64), trainable=False)
        flag = tf1.placeholder(tf.bool, [], name="flag")
        ids = tf1.placeholder(tf.int32, [None], name="ids")
        tf1.group(tf1.global_variables_initializer(), name="run/initialize")
        tf.identity(tf1.cond(flag, lambda: tf.identity(v.assign_add([1.0, 1.0])), lambda: v * 2.0), name="out/cond")

        def body(i):
            with tf1.control_dependencies([c.assign_add(tf.constant(2, tf.int64))]):
                return i + 1

        tf.identity(tf1.while_loop(lambda i: i < 3, body, [0]), name="out/loop")
        tf.identity(tf.nn.embedding_lookup(w, ids), name="out/rows")
        tf1.group(tf1.scatter_add(w, ids, tf.ones([2, 2])), name="run/scatter")
        tf1.group(tf1.assign(v, [5.0, 5.0]), name="run/assign")
        tf1.group(tf1.assign_sub(v, [1.0, 2.0]), name="run/assign_sub")
        tf.identity(tf1.is_variable_initialized(v), name="out/initialized")
        for variable, label in ((v, "v"), (w, "w"), (c, "c")):
            tf.identity(variable, name="out/" + label)
        series = [
            "out/initialized:0", "run/initialize", "out/initialized:0", "out/cond:0|1", "out/cond:0|0", "out/v:0",
            "out/loop:0", "out/c:0", "out/rows:0", "run/scatter", "out/rows:0", "out/w:0", "run/assign",
            "run/assign_sub", "out/v:0",
        ]  # fmt: skip
        if not IS_TF1:
            series += ["out/called:0", "out/called:0", "out/v:0", "out/case:0"]
            tf.identity(called(v, flag), name="out/called")
            branches = [
                lambda: v + 1.0,
                lambda: v * 2.0,
                lambda: v.assign_add([1.0, 1.0], read_value=True) * 1.0,
                lambda: v,
            ]
            tf.identity(tf.switch_case(ids[0], branches), name="out/case")
        graph_def = graph.as_graph_def()
        write_small(os.path.join(folder, name + ".pb"), graph_def.SerializeToString(deterministic=True))
        arrays = {}
        for number, step in enumerate(series):
            fetch, _, on = step.partition("|")
            value = session.run(fetch, {"flag:0": on == "1", "ids:0": [2, 0]})
            arrays[f"{number:02d}|{step}"] = np.array(np.nan) if value is None else value
        np.savez_compressed(os.path.join(folder, name + ".npz"), **arrays)


# -- training -------------------------------------------------------------------------------------------------


def train_cnn():
    """A convolutional classifier with batch normalization, weight decay, a decaying rate and Adam."""
    x = tf1.placeholder(tf.float32, [None, 8, 8, 1], name="images")
    y = tf1.placeholder(tf.int64, [None], name="labels")
    decay = tf.keras.regularizers.l2(0.01)
    # A bias before the normalization would have no gradient but rounding errors, which Adam makes as large as any.
    h = tf1.layers.conv2d(
        x, 4, 3, padding="same", use_bias=False, kernel_initializer=tf1.glorot_uniform_initializer(seed=1)
    )
    h = tf.nn.relu(tf1.layers.batch_normalization(h, training=True, momentum=0.9))
    h = tf1.layers.max_pooling2d(h, 2, 2)
    h = tf1.layers.conv2d(
        h, 6, 3, strides=2, activation=tf.nn.elu, kernel_initializer=tf1.glorot_uniform_initializer(seed=2)
    )
    h = tf1.layers.average_pooling2d(h, 1, 1)
    h = tf1.layers.flatten(h)
    h = tf1.layers.dense(
        h, 8, activation=tf.nn.tanh, kernel_regularizer=decay, kernel_initializer=tf1.glorot_uniform_initializer(seed=3)
    )
    logits = tf1.layers.dense(h, 3, kernel_initializer=tf1.glorot_uniform_initializer(seed=4))
    tf1.losses.sparse_softmax_cross_entropy(y, logits)
    loss = tf1.losses.get_total_loss(name="total_loss")
    step = tf1.train.get_or_create_global_step()
    rate = tf1.train.exponential_decay(0.02, step, 10, 0.9, staircase=True)
    with tf1.control_dependencies(tf1.get_collection(tf1.GraphKeys.UPDATE_OPS)):
        train_op = tf1.train.AdamOptimizer(rate).minimize(loss, step)
    images = seeded(25, 5, 8, 8, 1, seed=11).round(1)
    labels = np.random.RandomState(12).randint(0, 3, [25, 5]).astype(np.int64)
    return loss, train_op, {"images:0": images, "labels:0": labels}


def train_text():
    """An embedding whose gradient is sparse, a clipped gradient, an average of the weights; momentum."""
    ids = tf1.placeholder(tf.int32, [None, 4], name="ids")
    y = tf1.placeholder(tf.float32, [None, 1], name="targets")
    with tf1.variable_scope("model", use_resource=True):
        table = tf1.get_variable("table", initializer=tf1.constant(seeded(20, 3, seed=21)))
        embedded = tf.reduce_mean(tf.nn.embedding_lookup(table, ids), 1)
        kernel = tf1.get_variable("kernel", initializer=tf1.constant(seeded(3, 1, seed=22)))
        bias = tf1.get_variable("bias", initializer=tf1.zeros([1]))
        logits = tf.matmul(tf.sigmoid(embedded), kernel) + bias
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=logits), name="loss")
        loss += 0.01 * tf.nn.l2_loss(kernel)
        step = tf1.train.get_or_create_global_step()
        optimizer = tf1.train.MomentumOptimizer(0.5, 0.9, use_nesterov=True)
        pairs = optimizer.compute_gradients(loss)
        pairs = [(g if isinstance(g, tf.IndexedSlices) else tf.clip_by_norm(g, 0.5), v) for g, v in pairs]
        applied = optimizer.apply_gradients(pairs, step)
        averages = tf1.train.ExponentialMovingAverage(0.9, step)
        with tf1.control_dependencies([applied]):
            train_op = averages.apply([kernel, bias])
    tf1.add_to_collection(tf1.GraphKeys.LOSSES, loss)
    tf1.add_to_collection(tf1.GraphKeys.TRAIN_OP, train_op)
    batches = np.random.RandomState(23).randint(0, 20, [25, 5, 4]).astype(np.int32)
    targets = (batches.sum(2, keepdims=True) % 2).astype(np.float32)
    return loss, train_op, {"ids:0": batches, "targets:0": targets}


def train_rnn():
    """An LSTM over sequences of different lengths: gradients through TensorFlow 1's loops."""
    x = tf1.placeholder(tf.float32, [None, 5, 2], name="sequences")
    lengths = tf1.placeholder(tf.int32, [None], name="lengths")
    y = tf1.placeholder(tf.float32, [None], name="targets")
    inputs = tf1.layers.dense(x, 2, name="before", kernel_initializer=tf1.random_normal_initializer(seed=3))
    cell = tf1.nn.rnn_cell.LSTMCell(3, name="cell", initializer=tf1.random_normal_initializer(seed=1))
    outputs, state = tf1.nn.dynamic_rnn(cell, inputs, sequence_length=lengths, dtype=tf.float32)
    predicted = tf1.layers.dense(state.h, 1, name="dense", kernel_initializer=tf1.random_normal_initializer(seed=2))
    loss = tf.reduce_mean(tf.square(predicted[:, 0] - y)) + 0.1 * tf.reduce_mean(tf.square(outputs))
    step = tf1.train.get_or_create_global_step()
    train_op = tf1.train.AdamOptimizer(0.05).minimize(loss, step)
    random = np.random.RandomState(51)
    batches = {"sequences:0": random.randn(12, 4, 5, 2).round(1).astype(np.float32),
               "lengths:0": random.randint(1, 6, [12, 4]).astype(np.int32)}  # fmt: skip
    batches["targets:0"] = batches["sequences:0"][:, :, 0, 0] * 2
    return loss, train_op, batches


def write_the_same_again(path):
    """Writes a MetaGraph anew, with its mappings in order: so that what has not changed gives the same file."""
    meta = tf1.MetaGraphDef()
    with open(path, "rb") as file:
        meta.ParseFromString(file.read())
    meta.meta_info_def.ClearField("stripped_op_list")  # most of the file, and nothing reads it
    with open(path, "wb") as file:
        file.write(meta.SerializeToString(deterministic=True))


def write_training(folder, name, build, before=5, **options):
    """Trains for some steps, saves, and trains on: the losses of all steps are kept, and where the save was."""
    with tf1.Graph().as_default(), tf1.Session() as session:
        loss, train_op, batches = build()
        tf1.summary.scalar("loss", loss)
        saver = tf1.train.Saver(max_to_keep=3)
        session.run(tf1.global_variables_initializer())
        losses = []
        count = len(next(iter(batches.values())))
        for number in range(count):
            if number == before:
                saver.save(session, os.path.join(folder, name), write_state=False, **options)
                write_the_same_again(os.path.join(folder, name + ".meta"))
                with open(os.path.join(folder, name + ".meta"), "rb") as file:
                    write_small(file.name, file.read())
            feeds = {key: value[number] for key, value in batches.items()}
            losses.append(session.run([loss, train_op], feeds)[0])
        arrays = {"batch|" + key: value for key, value in batches.items()}
        for variable in tf1.global_variables():
            arrays["after|" + variable.op.name] = session.run(variable)
        arrays.update(
            losses=np.array(losses), before=np.array(before), loss=np.array(loss.name), train_op=np.array(train_op.name)
        )
        np.savez_compressed(os.path.join(folder, name + ".npz"), **arrays)


def main(folder):
    if not os.path.isdir(folder):
        os.makedirs(folder)
    others = {"n:0": np.int32(1), "flag:0": np.bool_(False)}
    if IS_TF1:
        write_frozen(folder, "cnn", cnn)
        write_frozen(folder, "lstm", lstm)
        write_frozen(folder, "bidirectional_gru", bidirectional_gru)
        write_frozen(folder, "gradients", gradients)
        write_frozen(folder, "loop_gradients", loop_gradients)
        write_control_flow(folder, "control_flow", control_flow, others)
        write_control_flow(folder, "branch_gradients", branch_gradients, {"training:0": np.bool_(False)})
        write_effects(folder, "effects", resource=False)
        write_effects(folder, "effects_resource", resource=True)
        write_training(folder, "train_cnn", train_cnn, strip_default_attrs=True)
        write_training(folder, "train_text", train_text)
        write_training(folder, "train_rnn", train_rnn, strip_default_attrs=True)
    else:
        tf1.disable_eager_execution()
        write_control_flow(folder, "control_flow_v2", control_flow, others)
        write_effects(folder, "effects_v2", resource=True)
        write_frozen(folder, "loop_gradients_v2", loop_gradients)
        write_control_flow(folder, "branch_gradients_v2", branch_gradients, {"training:0": np.bool_(False)})
        write_training(folder, "train_text_v2", train_text)


if __name__ == "__main__":
    main(sys.argv[1])
