"""Doing what a plan says: the state store, the executor, the session, its options and metadata."""
