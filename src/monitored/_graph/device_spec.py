"""Names of devices: `DeviceSpec`, and what several of them around an operation come to."""

from __future__ import annotations

import functools
from typing import Any, Final

__all__ = ["DeviceSpec", "merge_names"]

_TYPES: Final = ("CPU", "GPU", "TPU")  # those that may stand without `device:`


class DeviceSpec:
    """A device, or a part of what tells one: ``/job:worker/replica:0/task:1/device:GPU:0``.

    Attributes:
        job: The name of the job.
        replica: The number of the replica.
        task: The number of the task.
        device_type: The kind of device, such as ``'CPU'`` or ``'GPU'``.
        device_index: Which one of its kind.
    """

    def __init__(
        self,
        job: str | None = None,
        replica: int | None = None,
        task: int | None = None,
        device_type: str | None = None,
        device_index: int | None = None,
    ) -> None:
        """Says what is known of a device; None for what is not.

        Args:
            job: The name of the job.
            replica: The number of the replica.
            task: The number of the task.
            device_type: The kind of device, such as ``'CPU'`` or ``'GPU'``.
            device_index: Which one of its kind.
        """
        self.job = job
        self.replica = replica
        self.task = task
        self.device_type = device_type.upper() if device_type in ("cpu", "gpu") else device_type
        self.device_index = device_index

    def parse_from_string(self, spec: str) -> DeviceSpec:
        """Takes everything over from a name.

        Args:
            spec: The name, such as ``'/job:worker/cpu:0'``.

        Returns:
            This object.

        Raises:
            ValueError: If it is no name of a device.
        """
        self.__dict__.update(self.from_string(spec).__dict__)
        return self

    @classmethod
    def from_string(cls, spec: str) -> DeviceSpec:
        """Reads a name.

        Args:
            spec: The name, such as ``'/job:worker/cpu:0'``.

        Returns:
            What it says.

        Raises:
            ValueError: If it is no name of a device.
        """
        found = cls()
        has_type = False
        for text in filter(None, spec.split("/")):
            key, *values = text.split(":")
            if key in ("job", "replica", "task") and len(values) == 1:
                setattr(found, key, values[0] if key == "job" else int(values[0]))
            elif (key.upper() in _TYPES and len(values) <= 1) or (key == "device" and len(values) == 2):
                if has_type:
                    raise ValueError(f"Cannot specify multiple device types: {spec}")
                has_type = True
                kind, index = (key, *values, "*")[:2] if key != "device" else values
                found.device_type = kind.upper()
                found.device_index = None if index == "*" else int(index)
            else:
                raise ValueError(f"Unknown attribute: '{key}' in '{spec}'. A device is called, say, '/device:CPU:0'.")
        return found

    def merge_from(self, dev: DeviceSpec) -> None:
        """Takes over what another one knows.

        Args:
            dev: The other one.
        """
        self.__dict__.update((key, value) for key, value in dev.__dict__.items() if value is not None)

    def make_merged_spec(self, dev: DeviceSpec) -> DeviceSpec:
        """A new one with what another one knows, and the rest from this one.

        Args:
            dev: The other one.

        Returns:
            The new one.
        """
        merged = self.replace()
        merged.merge_from(dev)
        return merged

    def replace(self, **kwargs: Any) -> DeviceSpec:
        """A new one that differs in some attributes.

        Args:
            kwargs: The attributes that differ.

        Returns:
            The new one.
        """
        return DeviceSpec(**{**self.__dict__, **kwargs})

    def to_string(self) -> str:
        """The name.

        Returns:
            What is known, in TensorFlow's order; an empty string if that is nothing.
        """
        parts = [("job", self.job), ("replica", self.replica), ("task", self.task)]
        name = "".join(f"/{key}:{value}" for key, value in parts if value is not None)
        if self.device_type is not None:
            name += f"/device:{self.device_type}:{'*' if self.device_index is None else self.device_index}"
        return name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DeviceSpec) and self.to_string() == other.to_string()

    def __hash__(self) -> int:
        return hash(self.to_string())


@functools.lru_cache(maxsize=1000)
def merge_names(outer: str, inner: str) -> str:
    """What two names around an operation come to: what the inner one says, and the rest from the outer.

    Args:
        outer: The outer name, or an empty string.
        inner: The inner name.

    Returns:
        The name in TensorFlow's long form.

    Raises:
        ValueError: If one is no name of a device.
    """
    return DeviceSpec.from_string(outer).make_merged_spec(DeviceSpec.from_string(inner)).to_string()
