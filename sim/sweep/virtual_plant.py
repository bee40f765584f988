"""The plant of a run: world and soft PLC, scan by scan, with what can be done to its sensors and power.

The register image that the host reaches is the PLC's own; where a fault wants it, a host meets the
image with a scan half written.
"""

from collections.abc import Callable
from random import Random
from typing import Final

from controller.core.settings import LineSettings
from controller.core.units import NS_PER_US
from controller.core.vocabulary import GatePosition
from plc import register_map as m
from sim.parcels import SimParcel
from sim.plant_truth import PlantTruth
from sim.plc_io import GateOrder, Note, PlcInputs, PlcOutputs
from sim.plc_rows import PlcSettings
from sim.soft_plc import HOST_BLOCKS_ADDRESS, HOST_BLOCKS_COUNT, SoftPlc
from sim.sweep.virtual_vision import VirtualVision
from sim.sweep.virtual_wire import Medium
from sim.world import World, WorldSettings

Distortion = Callable[[PlcInputs], PlcInputs]
_COMMAND_BITS: Final = m.C_ADDRESS + m.C_COMMAND_BITS - HOST_BLOCKS_ADDRESS


class VirtualPlant:
    """`scan(now_us)` once every `scan_us`. `on_notes` hears the PLC's notes of every scan that has any.

    Each of `distortions` changes what the PLC's inputs show; `torn_scans` is how many of the next scans
    with writes a host meets half done; `press_reset` is the button at the machine.
    """

    def __init__(
        self,
        line: LineSettings,
        parcels: tuple[SimParcel, ...],
        rng: Random,
        medium: Medium,
        vision: VirtualVision,
        options: WorldSettings,
        numbers: PlcSettings,
    ) -> None:
        self.world = World(line, parcels, rng, options)
        self.truth = PlantTruth(self.world, 0)
        self.medium = medium
        self.scan_us = numbers.scan_ms * 1_000
        self.distortions: list[Distortion] = []
        self.torn_scans = 0
        self.on_notes: Callable[[tuple[Note, ...]], None] = lambda notes: None
        self._line = line
        self._rng = rng
        self._vision = vision
        # what a restarted PLC begins with
        self._numbers = PlcSettings(
            scan_ms=numbers.scan_ms, every_scan_whole=numbers.every_scan_whole
        )
        self._reset_scans = 0
        self._outputs = PlcOutputs()
        self._off = PlcOutputs(
            gates=tuple(GateOrder(g.number, GatePosition.HOLD) for g in line.gates)
        )
        self.plc: SoftPlc | None = None
        self._switch_on(numbers)

    def press_reset(self) -> None:
        """An operator resets alarms at the PLC's panel; the host has no such word."""
        self._reset_scans = 3

    def switch_off(self) -> None:
        """The PLC loses its power: belt standing, gates falling to hold."""
        self.plc = self.medium.image = None
        self._outputs = self._off

    def switch_on(self) -> None:
        """A new boot with an empty tracking table; numbers start anew."""
        self._switch_on(self._numbers)

    def _switch_on(self, numbers: PlcSettings) -> None:
        self.plc = SoftPlc(self._line, self._rng, numbers)
        self.medium.image = self.plc.registers.image

    def scan(self, now_us: int) -> None:
        """The plant moves on to `now_us` and the PLC scans it."""
        world = self.world
        inputs = world.step(now_us, self._outputs)
        self._vision.follow(world.belt.travel_nm)
        for distortion in self.distortions[:]:
            inputs = distortion(inputs)
        if self.plc is None:
            return
        medium, image = self.medium, self.plc.registers.image
        medium.whole()
        before = image.copy() if self.torn_scans else None
        self.plc.registers.keeps_commits = before is not None
        blocks = image[HOST_BLOCKS_ADDRESS : HOST_BLOCKS_ADDRESS + HOST_BLOCKS_COUNT]
        if self._reset_scans:
            self._reset_scans -= 1
            blocks[_COMMAND_BITS] |= m.C_BIT_ALARM_RESET if self._reset_scans else 0
        self._outputs = outputs = self.plc.scan(now_us, inputs, blocks)
        if before is not None and len(outputs.commits) > 1:
            self.torn_scans -= 1
            medium.tear(before, outputs.commits)
        if outputs.notes:
            self.truth.note(now_us * NS_PER_US, outputs.notes)
            self.on_notes(outputs.notes)
        for pulse in outputs.triggers:
            body = world.bodies.get((pulse.eye, pulse.counts), ())
            parcels = tuple(one.parcel for one in body)
            self._vision.trigger(self.plc.boot_id, pulse, parcels, world.belt.travel_nm)
