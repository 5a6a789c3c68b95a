"""The vocabulary: one file for each family of operations, each op one registered `OpDef`."""
