"""The few protocol buffers of the checkpoint format, with no generated code.

The messages are TensorFlow's, field for field (`tensor_bundle.proto`, `tensor_slice.proto`,
`saved_tensor_slice.proto`, `checkpoint_state.proto` and the parts of `tensor.proto`, `tensor_shape.proto` and
`versions.proto` that they use). They live
in a descriptor pool of their own, so that a program may import TensorFlow too. Enums are declared as the
int32 that they are on the wire, and nested messages as top-level ones.
"""

import functools
from typing import Any, Final

from monitored._checkpoint.coding import data_loss

# Message -> field -> (number, type). "one" marks a field of which it is known whether it is present.
_MESSAGES: Final[dict[str, dict[str, tuple[int, str]]]] = {
    "BundleHeaderProto": {
        "num_shards": (1, "int32"),
        "endianness": (2, "int32"),  # 0 little, 1 big
        "version": (3, "VersionDef"),
        "tree_hash": (70001, "bytes"),  # not TensorFlow's, which passes over it; see `tree_hash.py`
    },
    "VersionDef": {
        "producer": (1, "int32"),
        "min_consumer": (2, "int32"),
        "bad_consumers": (3, "repeated int32"),
    },
    "BundleEntryProto": {
        "dtype": (1, "int32"),
        "shape": (2, "TensorShapeProto"),
        "shard_id": (3, "int32"),
        "offset": (4, "int64"),
        "size": (5, "int64"),
        "crc32c": (6, "fixed32"),
        "slices": (7, "repeated TensorSliceProto"),
    },
    "TensorShapeProto": {"dim": (2, "repeated Dim"), "unknown_rank": (3, "bool")},
    "Dim": {"size": (1, "int64"), "name": (2, "string")},
    "TensorSliceProto": {"extent": (1, "repeated Extent")},
    "Extent": {"start": (1, "int64"), "length": (2, "one int64")},
    # What a checkpoint of the older format (V1) is made of.
    "SavedTensorSlices": {"meta": (1, "SavedTensorSliceMeta"), "data": (2, "SavedSlice")},
    "SavedTensorSliceMeta": {"tensor": (1, "repeated SavedSliceMeta"), "versions": (2, "VersionDef")},
    "SavedSliceMeta": {
        "name": (1, "bytes"),
        "shape": (2, "TensorShapeProto"),
        "type": (3, "int32"),
        "slice": (4, "repeated TensorSliceProto"),
    },
    "SavedSlice": {"name": (1, "bytes"), "slice": (2, "TensorSliceProto"), "data": (3, "TensorProto")},
    # Packed numbers are bytes here, to be decoded all at once rather than one by one.
    "TensorProto": {
        "float_val": (5, "bytes"),
        "double_val": (6, "bytes"),
        "int_val": (7, "bytes"),
        "string_val": (8, "repeated bytes"),
        "scomplex_val": (9, "bytes"),
        "int64_val": (10, "bytes"),
        "bool_val": (11, "bytes"),
        "dcomplex_val": (12, "bytes"),
        "half_val": (13, "bytes"),
        "uint32_val": (16, "bytes"),
        "uint64_val": (17, "bytes"),
    },
    "CheckpointState": {
        "model_checkpoint_path": (1, "string"),
        "all_model_checkpoint_paths": (2, "repeated string"),
        "all_model_checkpoint_timestamps": (3, "repeated double"),
        "last_preserved_timestamp": (4, "double"),
    },
}


@functools.cache
def message_class(name: str) -> Any:
    """Gives the class of a message.

    Args:
        name: One of the messages above.

    Returns:
        The class, a `google.protobuf.message.Message`.
    """
    from google.protobuf import message_factory

    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"tensorflow.{name}"))


def parse_message(name: str, data: bytes, path: str) -> Any:
    """Decodes a message.

    Args:
        name: One of the messages above.
        data: Its wire format.
        path: The file that it comes from, for the error.

    Returns:
        The message.

    Raises:
        DataLossError: The bytes are no such message.
    """
    from google.protobuf.message import DecodeError

    try:
        return message_class(name).FromString(data)
    except DecodeError as error:
        raise data_loss(path, f"damaged {name}: {error}") from error


@functools.cache
def _pool() -> Any:
    # Imported at the first checkpoint: these cost about 25 ms, which `import monitored` should not take.
    from google.protobuf import descriptor_pb2, descriptor_pool

    field_proto = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="monitored/checkpoint.proto", package="tensorflow", syntax="proto3")
    for message_name, fields in _MESSAGES.items():
        message = file.message_type.add(name=message_name)
        for field_name, (number, declaration) in fields.items():
            modifier, _, kind = declaration.rpartition(" ")
            field = message.field.add(name=field_name, number=number)
            field.label = field_proto.LABEL_REPEATED if modifier == "repeated" else field_proto.LABEL_OPTIONAL
            if modifier == "one":
                field.oneof_index = 0
                message.oneof_decl.add(name=f"has_{field_name}")
            if kind in _MESSAGES:
                field.type_name = f".tensorflow.{kind}"
                field.type = field_proto.TYPE_MESSAGE
            else:
                field.type = field_proto.Type.Value(f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool
