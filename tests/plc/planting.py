"""How the conformance tests plant a fault in the soft PLC, and the table that collects them."""

from collections.abc import Callable, Sequence

import pytest

from controller.core.vocabulary import PlcStateBit
from sim.plc_io import RegisterWrite
from sim.plc_test_mode import TestModePlc
from sim.soft_plc import SoftPlc
from tests.plc.virtual_target import VirtualTarget

Plant_ = Callable[[pytest.MonkeyPatch, VirtualTarget], None]
FAULTS: dict[str, tuple[Plant_, tuple[str, ...]]] = {}


def fault(*duties: str) -> Callable[[Plant_], Plant_]:
    def register(plant: Plant_) -> Plant_:
        FAULTS[plant.__name__.replace("_", " ")] = (plant, duties)
        return plant

    return register


def rewrite(
    patch: pytest.MonkeyPatch, change: Callable[[list[RegisterWrite]], list[RegisterWrite]]
) -> None:
    """Change what a scan shows."""
    paced = TestModePlc._paced

    def _paced(
        self: TestModePlc, now_us: int, writes: Sequence[RegisterWrite]
    ) -> list[RegisterWrite]:
        return paced(self, now_us, change(list(writes)))

    patch.setattr(TestModePlc, "_paced", _paced)


def masked(write: RegisterWrite, address: int, words: Sequence[int]) -> RegisterWrite:
    """The write with `words` at `address`, if it covers that."""
    at = address - write.address
    if not 0 <= at <= len(write.words) - len(words):
        return write
    return RegisterWrite(
        write.address, (*write.words[:at], *words, *write.words[at + len(words) :])
    )


def state_bit_set(
    patch: pytest.MonkeyPatch, bit: PlcStateBit, when: Callable[[SoftPlc], bool]
) -> None:
    bits = SoftPlc._state_bits
    patch.setattr(SoftPlc, "_state_bits", lambda self: bits(self) | (bit if when(self) else 0))
