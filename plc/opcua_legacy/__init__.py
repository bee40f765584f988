"""The optional OPC UA backend on the deprecated `opcua` library, which runs in a process of its own."""

from plc.opcua_legacy.backend import LegacyBackend

__all__ = ["LegacyBackend"]
