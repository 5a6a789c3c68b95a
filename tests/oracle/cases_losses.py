"""Cross entropies and `tf.losses`."""

import numpy as np

from oracle.cases import floats, ints
from oracle.named_group import NamedGroup as Group

case = Group("losses")
LOGITS = floats(3, 4)
LABELS = floats(3, 4, low=0.0, high=1.0, seed=1)
ONE_HOT = np.eye(4, dtype=np.float32)[[1, 3, 0]]
CLASSES = np.array([1, 3, 0], np.int32)
DEEP = floats(2, 3, 4)
EXTREME = np.array([[1000.0, -1000.0, 0.0], [1e-3, 88.0, -88.0]], np.float32)
SIGNS = np.array([-200.0, -1.0, 0.0, 1.0, 200.0], np.float32)
ZEROS_ONES = np.array([0.0, 1.0, 0.5, 0.0, 1.0], np.float32)

for name in ("softmax_cross_entropy_with_logits", "softmax_cross_entropy_with_logits_v2"):

    def softmax(tf, labels, logits, f=name, **more):
        return getattr(tf.nn, f)(labels=labels, logits=logits, **more)

    case(name, softmax, LABELS, LOGITS, nodes=False, shapes=False)
    case(name + "_64", softmax, LABELS.astype(np.float64), LOGITS.astype(np.float64), nodes=False, shapes=False)
    case(name + "_half", softmax, LABELS.astype(np.float16), LOGITS.astype(np.float16), nodes=False, shapes=False,
         tolerance=2e-3)  # fmt: skip
    case(name + "_mixed", softmax, LABELS.astype(np.float64), LOGITS, nodes=False, shapes=False)
    case(name + "_extreme", softmax, np.eye(3, dtype=np.float32)[[1, 1]], EXTREME, nodes=False, shapes=False)
    case(name + "_deep", softmax, floats(2, 3, 4, low=0.0, seed=1), DEEP, nodes=False, shapes=False)
    case(name + "_vector", softmax, LABELS[0], LOGITS[0], nodes=False, shapes=False)
    case(name + "_axis", lambda tf, a, b, f=softmax: f(tf, a, b, axis=1), DEEP, floats(2, 3, 4, seed=1), nodes=False,
         shapes=False, exact=False)  # fmt: skip
    case(name + "_dim", lambda tf, a, b, f=softmax: f(tf, a, b, dim=0, name="mine"), LABELS, LOGITS, nodes=False,
         shapes=False)  # fmt: skip
    case(name + "_mismatch", softmax, floats(3, 5), LOGITS, nodes=False, shapes=False, exact=False)
case("softmax_positional", lambda tf, a, b: tf.nn.softmax_cross_entropy_with_logits(a, b), LABELS, LOGITS)


def sparse(tf, labels, logits, **more):
    """With arguments in the order of the inputs."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits, **more)


case("sparse", sparse, CLASSES, LOGITS, nodes=False, shapes=False)
case("sparse_named", lambda tf, a, b: sparse(tf, a, b, name="mine"), CLASSES.astype(np.int64), LOGITS, nodes=False,
     shapes=False)  # fmt: skip
case("sparse_64", sparse, CLASSES, LOGITS.astype(np.float64), nodes=False, shapes=False)
case("sparse_deep", sparse, ints(2, 3, low=0, high=4), DEEP, nodes=False, shapes=False)
case("sparse_scalar", sparse, CLASSES[0], LOGITS[0], nodes=False, shapes=False)
case("sparse_extreme", sparse, np.array([1, 2], np.int32), EXTREME, nodes=False, shapes=False)
case("sparse_rank", sparse, ints(3, 3), LOGITS, nodes=False)
case("sparse_shape", sparse, CLASSES[:2], LOGITS, nodes=False)
case("sparse_scalar_logits", sparse, CLASSES[0], LOGITS[0, 0], nodes=False)
case("sparse_float", sparse, LABELS[:, 0], LOGITS)

for name, more in (
    ("sigmoid_cross_entropy_with_logits", {}),
    ("weighted_cross_entropy_with_logits", {"pos_weight": 2.5}),
):

    def sigmoid(tf, labels, logits, f=name, more=more, **name_):
        arguments = dict(more, **name_)
        return getattr(tf.nn, f)(labels=labels, logits=logits, **arguments)

    case(name, sigmoid, LABELS, LOGITS)
    case(name + "_kinks", sigmoid, ZEROS_ONES, SIGNS)
    case(name + "_named", lambda tf, a, b, f=sigmoid: f(tf, a, b, name="mine"), LABELS, LOGITS)
    case(name + "_mismatch", sigmoid, LABELS, DEEP)

REDUCTIONS = ("NONE", "SUM", "MEAN", "SUM_OVER_BATCH_SIZE", "SUM_BY_NONZERO_WEIGHTS", "SUM_OVER_NONZERO_WEIGHTS")
WEIGHTS = np.array([[1.0], [0.0], [2.0]], np.float32)
for name in (
    "absolute_difference", "mean_squared_error", "huber_loss", "log_loss", "hinge_loss", "sigmoid_cross_entropy",
    "softmax_cross_entropy",
):  # fmt: skip
    labels = ONE_HOT if name in ("hinge_loss", "softmax_cross_entropy") else LABELS
    predictions = floats(3, 4, low=0.1, high=0.9, seed=2)
    weights = WEIGHTS[:, 0] if name == "softmax_cross_entropy" else WEIGHTS

    def loss(tf, labels, predictions, weights=1.0, f=name, **more):
        return getattr(tf.losses, f)(labels, predictions, weights, **more)

    case(name, loss, labels, predictions, nodes=False)
    case(name + "_scaled", lambda tf, a, b, f=loss: f(tf, a, b, 0.5), labels, predictions, nodes=False)
    case(name + "_zero", lambda tf, a, b, f=loss: f(tf, a, b, 0.0), labels, predictions, nodes=False)
    case(name + "_weights", loss, labels, predictions, weights, nodes=False, shapes=False)
    case(name + "_scope", lambda tf, a, b, f=loss: f(tf, a, b, scope="mine"), labels, predictions, nodes=False)
    case(name + "_int", loss, ONE_HOT.astype(np.int32), predictions, nodes=False)
    case(name + "_mismatch", loss, labels[:2], predictions, nodes=False)
    case(name + "_missing", lambda tf, b, f=loss: f(tf, None, b), predictions)
    for reduction in REDUCTIONS:
        case(f"{name}_{reduction}",
             lambda tf, a, b, w, f=loss, r=reduction: f(tf, a, b, w, reduction=getattr(tf.losses.Reduction, r)), labels,
             predictions, weights, nodes=False, shapes=False)  # fmt: skip
case("smoothed_sigmoid", lambda tf, a, b: tf.losses.sigmoid_cross_entropy(a, b, label_smoothing=0.1), LABELS, LOGITS,
     nodes=False)  # fmt: skip
case("smoothed_softmax", lambda tf, a, b: tf.losses.softmax_cross_entropy(a, b, label_smoothing=0.1), ONE_HOT, LOGITS,
     nodes=False)  # fmt: skip
case("sparse_loss", lambda tf, a, b: tf.losses.sparse_softmax_cross_entropy(a, b), CLASSES, LOGITS, nodes=False)
case("sparse_loss_column", lambda tf, a, b: tf.losses.sparse_softmax_cross_entropy(a, b), CLASSES[:, None], LOGITS,
     nodes=False)  # fmt: skip
case("sparse_loss_weights", lambda tf, a, b, w: tf.losses.sparse_softmax_cross_entropy(a, b, w), CLASSES, LOGITS,
     WEIGHTS, nodes=False, shapes=False)  # fmt: skip
case("cosine", lambda tf, a, b: tf.losses.cosine_distance(a, b, axis=1), LABELS, LOGITS, nodes=False)
case("huber_delta", lambda tf, a, b: tf.losses.huber_loss(a, b, delta=0.3), LABELS, LOGITS, nodes=False)
case("bad_weights", lambda tf, a, b, w: tf.losses.mean_squared_error(a, b, w), LABELS, LOGITS, WEIGHTS[:, 0],
     nodes=False, shapes=False)  # fmt: skip
case("bad_reduction", lambda tf, a, b: tf.losses.mean_squared_error(a, b, reduction="other"), LABELS, LOGITS)
case("no_weights", lambda tf, a, b: tf.losses.mean_squared_error(a, b, None), LABELS, LOGITS)
case("total",
     lambda tf, a, b: [f(a, b) for f in (tf.losses.mean_squared_error, tf.losses.huber_loss)]
     + [tf.losses.get_total_loss()], LABELS, LOGITS, nodes=False)  # fmt: skip
case("no_total", lambda tf: tf.losses.get_total_loss())
