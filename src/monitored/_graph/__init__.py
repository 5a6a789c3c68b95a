"""What a computation is: graphs, operations, tensors, op definitions, dtypes, shapes and scopes."""
