"""Frames rendered before they are needed, so that rendering never disturbs what is being timed.

A body is what the trigger eye sees as one: a parcel, or touching parcels. At most `ahead` frames
are kept (about 0.4 MB each); a longer run renders on, a few at a time, in a thread beside the belt.
"""

from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from sim.absorption import Detector, PlacedParcel, render
from sim.parcels import SimParcel

FRAMES_AHEAD = 400


def bodies(parcels: Sequence[SimParcel]) -> Iterator[tuple[SimParcel, ...]]:
    """Parcels grouped as a photo-eye sees them: a parcel without a gap before it joins the last."""
    body: list[SimParcel] = []
    for parcel in parcels:
        if body and parcel.gap_before_mm > 0:
            yield tuple(body)
            body = []
        body.append(parcel)
    if body:
        yield tuple(body)


def placed(body: Sequence[SimParcel]) -> tuple[PlacedParcel, ...]:
    """Where the parcels of one body lie behind its leading edge."""
    places, x_mm = [], 0
    for index, parcel in enumerate(body):
        x_mm += parcel.gap_before_mm if index else 0
        places.append(PlacedParcel(parcel, x_mm))
        x_mm += parcel.length_mm
    return tuple(places)


class FrameStore:
    """Rendered frames by the number of a body's first parcel; one reader, one renderer."""

    def __init__(self, detector: Detector, seed: int, ahead: int = FRAMES_AHEAD) -> None:
        self.detector = detector
        self._seed = seed
        self._ahead = ahead
        self._waiting: deque[tuple[SimParcel, ...]] = deque()
        self._frames: dict[int, np.ndarray[tuple[int, ...], np.dtype[np.uint16]]] = {}

    def add(self, parcels: Sequence[SimParcel]) -> None:
        """More parcels that will pass, in belt order."""
        self._waiting.extend(bodies(parcels))

    def render_ahead(self, frames_max: int = FRAMES_AHEAD) -> None:
        """Render until `ahead` frames are kept, `frames_max` were rendered or nothing waits."""
        for _ in range(frames_max):
            if not self.low:
                return
            body = self._waiting.popleft()
            self._frames[body[0].number] = render(placed(body), self.detector, self._seed)

    def take(self, body: Sequence[SimParcel]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
        """The frame of `body`, rows x 2 x columns, rendered now if it was not yet."""
        frame = self._frames.pop(body[0].number, None)
        if frame is None:
            return render(placed(body), self.detector, self._seed)
        return frame

    @property
    def low(self) -> bool:
        """Whether there is something to render and room to keep it."""
        return bool(self._waiting) and len(self._frames) < self._ahead
