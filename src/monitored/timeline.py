"""Traces of runs: `Timeline` turns a `RunMetadata`'s `step_stats` into a Chrome trace."""

from monitored._run.timeline import Timeline

__all__ = ["Timeline"]
