// The line's drawing: what stands where. The same numbers stand in the line's TOML: three eyes, two gates,
// lanes 1, 2, 3 and 5.

export const BELT_SPEED_MM_PER_S = 1000;
export const ENCODER_COUNTS_PER_M = 1000;
export const BELT_END_MM = 1800;
const DECISION_POSITION_MM = 600;
export const PARCEL_LENGTH_MAX_MM = 200;
export const PARCELS_ON_BELT_MAX = 44; // of the 48 rows of T; above this the infeed stops

// Photo-eyes in the order of the belt; the first is the induct eye, the last the pre-gate eye.
export const EYES = [
  { number: 1, positionMm: 0 },
  { number: 2, positionMm: 50 },
  { number: 3, positionMm: 600 },
];
export const XRAY = { source: 4, eye: 2 }; // triggered by the leading edge at this eye

export const HOLD = 1;
const LEFT = 2;
const RIGHT = 3;

export const GATES = [
  { number: 1, positionMm: 1000 },
  { number: 2, positionMm: 1400 },
];
export const GATE_TRAVEL_MS = 300;

// A lane's eye lies this far behind its gate; the eye of a lane without gate lies at the belt's end.
const LANE_EYE_BEHIND_GATE_MM = 300;
export const LANES = [
  { number: 1, gate: 1, side: LEFT },
  { number: 2, gate: 1, side: RIGHT },
  { number: 3, gate: 2, side: LEFT },
  { number: 5, gate: 0, side: HOLD },
].map((lane) => {
  const gate = GATES.find((each) => each.number === lane.gate);
  return { ...lane, eyeMm: gate ? gate.positionMm + LANE_EYE_BEHIND_GATE_MM : BELT_END_MM };
});

// Lane by destination of a decision: 1 hold, 2 release, 3 inspect, 4 detain, 5 return, 6 recirculate; there is
// none for 7, domestic.
export const LANE_OF_DESTINATION = { 1: 5, 2: 1, 3: 2, 4: 3, 5: 3, 6: 3 };

export const SCAN_MS = 10; // the longest scan that the leads below allow for; the program's own is shorter
const DECISION_MARGIN_MS = 100;
export const GATE_MARGIN_MS = 5;
export const GATE_STUCK_MS = 2 * GATE_TRAVEL_MS + 200;
export const EDGE_WINDOW_MM = 40; // an edge belongs to the parcel expected within this

export const laneByNumber = (number) => LANES.find((lane) => lane.number === number);

export const inCounts = (mm) => Math.floor((mm * ENCODER_COUNTS_PER_M) / 1000);

/** Counts that pass in this time at belt speed, rounded up. */
export const countsIn = (ms) => inCounts(Math.ceil((BELT_SPEED_MM_PER_S * ms) / 1000));

/** Where a decision is late, in counts behind induct (P19). */
export const DECISION_POINT = Math.min(
  inCounts(DECISION_POSITION_MM),
  inCounts(EYES[EYES.length - 1].positionMm),
  inCounts(GATES[0].positionMm) - countsIn(GATE_TRAVEL_MS + SCAN_MS + DECISION_MARGIN_MS),
);

/** How far before its gate a gate begins to move (P25), and the least gap behind a leased parcel (P24). */
export const GATE_LEAD = countsIn(GATE_TRAVEL_MS + SCAN_MS + GATE_MARGIN_MS);
