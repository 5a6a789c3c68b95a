"""The lifecycle: monitored sessions and what they stand on, from coordinators and hooks to savers and optimizers."""
