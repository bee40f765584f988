/* A whole PLC in C over libmodbus, written from docs/plc-interface.md: tracking, leases, gates, ring,
 * session, watchdog, test mode. It shares no code with the host and none with annex A.
 *
 * Line: tests/plc/conformance_line.toml. Always in test mode unless --production. The scan thread writes
 * registers one by one with pauses while the server thread answers: reads are really torn.
 * Prints "P port", then nothing; ends at SIGTERM.
 *
 * build: gcc -O1 -o fullplc fullplc.c $(pkg-config --cflags --libs libmodbus) -lpthread
 */
#include <errno.h>
#include <modbus.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { H_HEAD = 4, H_ACK = 8, H_OVER = 10, H_STATE = 11, H_COPY = 12, P = 14, E = 20, C = 100, D = 120,
       T = 320, R = 640, SLOTS = 110, SLOT = 31, ROWS = 16, PARCELS = 48, MAP = 4096, QUEUE = 256 };
enum { EYES = 3, GATES = 2, LANES = 5, BELT_END = 1800, DECISION = 600, LONGEST = 200, TRAVEL_MS = 300,
       LEAD = 315, REACH = 15, LANE_EYE = 300, WINDOW = 40, SCAN_US = 5000, LIFE_US = 400000 };
enum { HOLD = 1, RELEASE = 2 };
static const int eye_mm[EYES] = { 0, 50, 600 }, gate_mm[GATES] = { 1000, 1400 };
static const struct { int gate, side; } lanes[LANES + 1] = { {0, 0}, {1, 2}, {1, 3}, {2, 2}, {-1, 0}, {0, 1} };
static const int lane_for[8] = { 0, 5, 1, 2, 3, 3, 3, 0 };

typedef struct { uint16_t kind, source; uint32_t id, at; uint64_t us; uint16_t pay[16]; } Record;
typedef struct { uint32_t id, start, length, seq; int eyes, lane, cause, extra; unsigned dest;
                 int closed, began, held, seen; } Parcel;
typedef struct { int go, is, stuck, told; uint32_t id, waits; uint64_t since, off, arrives; int sim; } Gate;
typedef struct { int on, lane; uint32_t start, length; } Body;

static volatile uint16_t *reg;
static volatile sig_atomic_t stop;
static int production;
static uint32_t dice_state = 1, starts = 0x00C0FFEE;
static uint64_t now;
static uint32_t encoder;
static uint64_t belt_rest;

/* the program's state; a start wipes it */
static struct {
    uint32_t boot_id, boot_at, head, acked, slot_seq[SLOTS], answered[ROWS], session, other, next_id, next_trigger;
    uint16_t overflow, beat, session_beat, other_beat, bad[ROWS][12], test_number;
    Record queue[QUEUE]; unsigned in, out; int step; uint64_t step_us, slow_us, life_us;
    int tripped, permits, reset_bit, reset, belt, infeed, told, ring_full, estop, free_gates;
    Parcel p[PARCELS]; Gate gate[GATES];
    int eye_was[EYES], eye_parcel[EYES], eye_ever[EYES]; uint32_t eye_rise[EYES], eye_fell[EYES], eye_gap[EYES];
    int lane_was[LANES + 1], lane_parcel[LANES + 1];
    uint32_t burst, burst_no;
} s;
static int lane_full[LANES + 1];
static Body body[8];

static uint64_t clock_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static void pause_us(unsigned us) {
    struct timespec t = { us / 1000000u, (long)(us % 1000000u) * 1000 };
    nanosleep(&t, NULL);
}

static void put(unsigned at, unsigned word) {
    reg[at] = (uint16_t)word;
    dice_state = dice_state * 1664525u + 1013904223u;
    if (dice_state >> 24 < 8) pause_us(20); /* interrupted: a read sees the half */
}

static void put32(unsigned at, uint32_t v) { put(at, v >> 16); put(at + 1, v & 0xffff); }
static uint32_t get32(unsigned at) { return (uint32_t)reg[at] << 16 | reg[at + 1]; }
static int32_t ahead(uint32_t a, uint32_t b) { return (int32_t)(a - b); }
static uint32_t next_seq(uint32_t seq) { return seq == UINT32_MAX ? 1 : seq + 1; }

static int32_t steps(uint32_t a, uint32_t b) { /* records from b to a; 0 is no sequence */
    int32_t d = ahead(a, b);
    return d > 0 && a < b ? d - 1 : d < 0 && a > b ? d + 1 : d;
}

static unsigned crc_add(unsigned crc, unsigned word) {
    for (int half = 0; half < 2; half++) {
        crc ^= half ? word & 0xff : word >> 8 & 0xff;
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0xa001 : crc >> 1;
    }
    return crc;
}

/* ---- ring: P5, P6 ---- */
static void record(unsigned kind, unsigned source, uint32_t id, uint32_t at, const uint16_t *pay, int words) {
    if ((s.in + 1) % QUEUE == s.out) { put(H_OVER, ++s.overflow); return; }
    Record *r = &s.queue[s.in];
    memset(r, 0, sizeof *r);
    r->kind = (uint16_t)kind; r->source = (uint16_t)source; r->id = id; r->at = at; r->us = now;
    if (words) memcpy(r->pay, pay, 2u * (unsigned)words);
    s.in = (s.in + 1) % QUEUE;
}

static void record32(unsigned kind, unsigned source, uint32_t id, uint32_t at, uint32_t a, uint32_t b, int two) {
    uint16_t pay[4] = { (uint16_t)(a >> 16), (uint16_t)a, (uint16_t)(b >> 16), (uint16_t)b };
    record(kind, source, id, at, pay, two ? 4 : 2);
}

static void commit_step(void) {
    const Record *r = &s.queue[s.out];
    uint32_t seq = next_seq(s.head);
    unsigned at = R + seq % SLOTS * SLOT, crc = 0xffff;
    switch (++s.step) {
    case 1: put32(at, 0); break;
    case 2:
        put(at + 2, r->kind); put(at + 3, r->source); put32(at + 4, r->id); put32(at + 6, r->at);
        for (int i = 0; i < 4; i++) put(at + 8 + (unsigned)i, (unsigned)(r->us >> (48 - 16 * i)) & 0xffff);
        for (int i = 0; i < 16; i++) put(at + 12 + (unsigned)i, r->pay[i]);
        break;
    case 3:
        crc = crc_add(crc_add(crc, seq >> 16), seq & 0xffff);
        for (unsigned i = 2; i < 28; i++) crc = crc_add(crc, reg[at + i]);
        put(at + 28, crc);
        break;
    case 4: put32(at + 29, seq); break;
    case 5: put32(at, seq); break;
    case 6: put32(H_HEAD, seq); break;
    default:
        put32(H_COPY, seq);
        s.head = seq; s.slot_seq[seq % SLOTS] = seq; s.out = (s.out + 1) % QUEUE; s.step = 0;
    }
}

static void commit_records(void) {
    while (s.out != s.in) {
        uint32_t there = s.slot_seq[next_seq(s.head) % SLOTS];
        if (s.step == 0 && there && steps(there, s.acked) > 0) {
            put(H_OVER, ++s.overflow);
            s.out = (s.out + 1) % QUEUE;
            continue;
        }
        if (s.slow_us && now - s.step_us < s.slow_us) return;
        s.step_us = now;
        commit_step();
        if (s.slow_us) return;
    }
}

static int filled(void) { /* slots that the next records will not get in a row */
    int free_slots = 0;
    for (uint32_t seq = next_seq(s.head); free_slots < SLOTS; seq = next_seq(seq), free_slots++) {
        uint32_t there = s.slot_seq[seq % SLOTS];
        if (there && steps(there, s.acked) > 0) break;
    }
    return SLOTS - free_slots;
}

/* ---- parcels: P21 to P24 ---- */
static int32_t leading(const Parcel *p) { return ahead(encoder, p->start); }
static int32_t trailing(const Parcel *p) { return leading(p) - (int32_t)(p->length ? p->length : LONGEST); }

static int32_t decision_point(void) {
    int32_t by_gate = gate_mm[0] - (TRAVEL_MS + 10 + 100);
    return by_gate < DECISION ? by_gate : DECISION;
}

static void take_default(Parcel *p, int cause) {
    uint16_t pay = (uint16_t)cause;
    if (p->began || p->seen) return;
    p->lane = 0; p->closed = 1; p->dest = HOLD;
    if (!p->held) record(9, 0, p->id, encoder, &pay, 1);
    p->held = 1;
}

/* even one whose gate began, as long as it has not reached it */
static void disown(Parcel *p, int cause) {
    if (p->began && p->lane && leading(p) < gate_mm[lanes[p->lane].gate - 1]) p->began = 0;
    take_default(p, cause);
}

static Parcel *new_parcel(uint32_t start, int eyes) {
    for (int i = 0; i < PARCELS; i++) {
        if (s.p[i].id) continue;
        s.p[i] = (Parcel){ .id = s.next_id, .start = start, .eyes = eyes, .cause = 1 };
        s.next_id = next_seq(s.next_id);
        return &s.p[i];
    }
    return NULL;
}

static Parcel *expected(uint32_t at, int place, int eyes) {
    Parcel *best = NULL;
    int32_t best_off = WINDOW + 1;
    for (int i = 0; i < PARCELS; i++) {
        Parcel *p = &s.p[i];
        int32_t off = abs(ahead(at - (uint32_t)place, p->start));
        if (p->id && !p->seen && (eyes < 0 || p->eyes == eyes) && off < best_off) { best = p; best_off = off; }
    }
    return best;
}

static void eye_rises(int e, uint32_t at) {
    Parcel *p = e ? expected(at, eye_mm[e], e) : new_parcel(at, 1);
    s.eye_rise[e] = at;
    s.eye_gap[e] = s.eye_ever[e] ? at - s.eye_fell[e] : UINT32_MAX;
    if (!e && p) record32(1, 1, p->id, at, s.eye_gap[0], 0, 0);
    if (e && p) p->eyes = e + 1;
    if (e == EYES - 1 && p) p->start = at - (uint32_t)eye_mm[e]; /* the gates reckon from here */
    if (e && !p && (p = new_parcel(at - (uint32_t)eye_mm[e], e + 1))) { p->extra = p->closed = 1; p->dest = HOLD; }
    if (e == 1 && p && !p->extra) record32(6, 4, p->id, at, s.next_trigger++, 0, 0);
    s.eye_parcel[e] = p ? (int)(p - s.p) + 1 : 0;
}

static void eye_falls(int e, uint32_t at) {
    uint16_t unknown = 5;
    s.eye_fell[e] = at; s.eye_ever[e] = 1;
    if (!s.eye_parcel[e]) return;
    Parcel *p = &s.p[s.eye_parcel[e] - 1];
    s.eye_parcel[e] = 0;
    p->length = at - s.eye_rise[e];
    if (p->extra && !p->held) {
        record32(11, (unsigned)e + 1, p->id, s.eye_rise[e], p->length, 0, 0);
        record(9, 0, p->id, encoder, &unknown, 1);
        p->held = 1;
    } else record32(2, (unsigned)e + 1, p->id, s.eye_rise[e], p->length, s.eye_gap[e], 1);
}

static int lane_eye_mm(int lane) { return lanes[lane].gate > 0 ? gate_mm[lanes[lane].gate - 1] + LANE_EYE : BELT_END; }

static const Body *over(int place, int lane) {
    for (int i = 0; i < 8; i++) {
        int32_t past = ahead(encoder, body[i].start) - place;
        if (body[i].on && body[i].lane == lane && past >= 0 && past < (int32_t)body[i].length) return &body[i];
    }
    return NULL;
}

static void track(void) {
    for (int e = 0; e < EYES; e++) {
        const Body *b = over(eye_mm[e], 0);
        if (b && !s.eye_was[e]) eye_rises(e, b->start + (uint32_t)eye_mm[e]);
        if (!b && s.eye_was[e]) eye_falls(e, encoder);
        s.eye_was[e] = b != NULL;
    }
    for (int lane = 1; lane <= LANES; lane++) {
        if (lanes[lane].gate < 0) continue;
        const Body *b = over(lane_eye_mm(lane), lanes[lane].gate ? lane : 0);
        int is = b != NULL;
        if (is && !s.lane_was[lane]) {
            uint32_t at = b->start + (uint32_t)lane_eye_mm(lane);
            Parcel *p = expected(at, lane_eye_mm(lane), -1);
            record(8, (unsigned)lane, p ? p->id : 0, at, NULL, 0);
            s.lane_parcel[lane] = p ? (int)(p - s.p) + 1 : 0;
            if (p) p->seen = 1;
        }
        if (!is && s.lane_was[lane] && s.lane_parcel[lane]) s.p[s.lane_parcel[lane] - 1].id = 0;
        s.lane_was[lane] = is;
    }
    for (int i = 0; i < PARCELS; i++) {
        Parcel *p = &s.p[i];
        int next = p->eyes < EYES ? eye_mm[p->eyes] : BELT_END;
        if (!p->id || p->seen || leading(p) <= next + WINDOW) continue;
        record(10, p->eyes < EYES ? (unsigned)p->eyes + 1 : 0, p->id, encoder, NULL, 0);
        p->id = 0;
    }
}

/* ---- host: P8 to P12 ---- */
static void listen_host(void) {
    uint16_t c[12];
    for (unsigned i = 0; i < 12; i++) c[i] = reg[C + i];
    uint32_t said = (uint32_t)c[6] << 16 | c[7], ack = (uint32_t)c[2] << 16 | c[3];
    s.reset = 0;
    if (s.session && said == s.session) {
        if (c[0] != s.session_beat) { s.session_beat = c[0]; s.life_us = now; }
    } else if (said) {
        if (!s.session && said == s.other && c[0] != s.other_beat) {
            s.session = said; s.session_beat = c[0]; s.life_us = now; s.tripped = 0;
        }
        s.other = said; s.other_beat = c[0];
    }
    if (s.session && now - s.life_us >= LIFE_US) {
        s.session = 0; s.tripped = 1; s.permits &= ~1; s.other = said; s.other_beat = c[0];
        for (int i = 0; i < PARCELS; i++)
            if (s.p[i].id && s.p[i].lane && !s.p[i].began) take_default(&s.p[i], 4);
    }
    if (s.session && said == s.session) {
        s.permits = c[1] & 3;
        s.reset = c[1] & 4 && !s.reset_bit;
        s.reset_bit = c[1] & 4;
        if (ack == ~((uint32_t)c[4] << 16 | c[5]) && steps(ack, s.acked) > 0 && steps(s.head, ack) >= 0)
            put32(H_ACK, s.acked = ack);
    }
    put(P + 5, s.session & 0xffff);
}

/* ---- decisions: P13 to P21 ---- */
static int lane_shut(int lane) { /* the cause of a default, 0: it takes parcels */
    if (!lane || lane_full[lane]) return 3;
    return lanes[lane].gate > 0 && s.gate[lanes[lane].gate - 1].stuck ? 6 : 0;
}

static int judge(const uint16_t *w) {
    uint32_t id = (uint32_t)w[4] << 16 | w[5], seq = (uint32_t)w[8] << 16 | w[9];
    unsigned dest = w[6];
    Parcel *p = NULL;
    for (int i = 0; i < PARCELS; i++) if (id && s.p[i].id == id) p = &s.p[i];
    if (dest < 1 || dest > 7) return 4;
    if (((uint32_t)w[0] << 16 | w[1]) != s.boot_id || !s.session || ((uint32_t)w[2] << 16 | w[3]) != s.session)
        return 9;
    if (!p) return 3;
    if (p->seq && ahead(seq, p->seq) <= 0) return 8;
    if (dest == HOLD || (lane_for[dest] && !lanes[lane_for[dest]].gate)) {
        if (p->began || p->held) return 2;
        p->lane = 0; p->closed = 1;
    } else {
        int lane = lane_for[dest];
        if (p->began || leading(p) >= decision_point()) return 2;
        if (p->closed || (p->lane && (p->dest != RELEASE || dest == RELEASE))) return 8;
        if (lane_shut(lane)) { p->lane = 0; p->dest = 0; p->cause = lane_shut(lane); return 7; }
        p->lane = lane;
    }
    p->dest = dest; p->seq = seq;
    return 1;
}

static void take_decisions(void) {
    for (unsigned row = 0; row < ROWS; row++) {
        uint16_t w[12];
        unsigned crc = 0xffff, result = 4;
        for (unsigned i = 0; i < 12; i++) w[i] = reg[D + row * 12 + i];
        uint32_t seq = (uint32_t)w[8] << 16 | w[9];
        if (!seq || seq == s.answered[row]) continue;
        for (unsigned i = 0; i < 11; i++) crc = crc_add(crc, w[i]);
        if (crc != w[11] || w[10] != 1 || seq % ROWS != row) {
            int same = memcmp(w, s.bad[row], sizeof w) == 0;
            memcpy(s.bad[row], w, sizeof w);
            if (!same) continue;
        } else result = (unsigned)judge(w);
        put32(E + row * 5, 0);
        put32(E + row * 5 + 2, (uint32_t)w[4] << 16 | w[5]);
        put(E + row * 5 + 4, result);
        put32(E + row * 5, s.answered[row] = seq);
    }
    for (int i = 0; i < PARCELS; i++) {
        Parcel *p = &s.p[i];
        if (!p->id || p->held) continue;
        if (!p->dest && leading(p) >= decision_point()) take_default(p, p->cause);
        if (p->lane && lane_shut(p->lane)) take_default(p, lane_shut(p->lane));
    }
}

/* ---- gaps and gates: P24, P25 ---- */
static void check_gaps(void) {
    for (int i = 0; i < PARCELS; i++) {
        Parcel *p = &s.p[i], *behind = NULL;
        if (!p->id || !p->lane || p->began || leading(p) < eye_mm[EYES - 1]) continue;
        for (int j = 0; j < PARCELS; j++)
            if (s.p[j].id && leading(&s.p[j]) < leading(p) && (!behind || leading(&s.p[j]) > leading(behind)))
                behind = &s.p[j];
        if (behind && trailing(p) - leading(behind) < LEAD) { take_default(p, 2); take_default(behind, 2); }
    }
}

static void gate_record(int g, unsigned phase) {
    uint16_t pay[3] = { (uint16_t)phase, (uint16_t)s.gate[g].go, (uint16_t)((now - s.gate[g].since) / 1000) };
    record(7, (unsigned)g + 1, s.gate[g].id, encoder, pay, 3);
}

static void order_gate(int g, int side, uint32_t id) {
    if (side == s.gate[g].go) return;
    s.gate[g].go = side; s.gate[g].id = id; s.gate[g].since = s.gate[g].off = now; s.gate[g].told = 0;
    gate_record(g, 1);
}

static int needs_ms(const Gate *gate, int side) {
    int moving = (int)((now - gate->since) / 1000), left = gate->is != gate->go && moving < TRAVEL_MS ? TRAVEL_MS - moving : 0;
    if (side == gate->go) return left;
    return gate->go == 1 ? TRAVEL_MS + left : side == 1 ? TRAVEL_MS : 2 * TRAVEL_MS;
}

static int rule_gate(int g) { /* true: the belt must wait */
    Gate *gate = &s.gate[g];
    Parcel *p = NULL;
    if (gate->is == gate->go) {
        if (!gate->told) { gate->told = 1; gate_record(g, 2); }
        if (s.reset) gate->stuck = 0;
        gate->off = now;
    } else if (!gate->stuck && now - gate->off > 2000u * TRAVEL_MS + 200000u) {
        gate->stuck = 1; gate_record(g, 3); order_gate(g, 1, 0);
    }
    for (int i = 0; i < PARCELS; i++) {
        Parcel *q = &s.p[i];
        int off_before = q->began && q->lane && lanes[q->lane].gate < g + 1;
        if (q->id && !off_before && trailing(q) < gate_mm[g] && (!p || leading(q) > leading(p))) p = q;
    }
    if (!p) { order_gate(g, 1, 0); gate->waits = 0; return 0; }
    int32_t distance = gate_mm[g] - leading(p);
    int waited = gate->waits == p->id; /* it stands before the gate, whatever the encoder says */
    int late = gate->stuck || now - gate->off > 1000u * LEAD, reach = REACH + (late ? WINDOW : 0);
    if (distance <= 0 && !waited) return 0;
    if (gate->stuck && p->lane && lanes[p->lane].gate == g + 1) { if (waited) p->began = 0; disown(p, 6); }
    int side = p->lane && lanes[p->lane].gate == g + 1 ? lanes[p->lane].side : 1;
    if (side == 1) order_gate(g, 1, 0);
    else if (!p->began) {
        int cause = distance > LEAD ? -1 : !s.free_gates ? 5 : distance < needs_ms(gate, side) ? 7 : 0;
        if (cause > 0) { take_default(p, cause); order_gate(g, 1, 0); }
        else if (cause < 0) { if (gate->go != side || distance > 2 * LEAD) order_gate(g, 1, 0); }
        else {
            p->began = 1;
            if (gate->go == side) { gate->id = p->id; gate->since = now; gate_record(g, 1); }
            order_gate(g, side, p->id);
        }
    }
    int waits = (waited || distance < reach) && gate->is != (p->began && p->lane ? side : 1);
    gate->waits = waits ? p->id : 0;
    return waits;
}

/* ---- belt and infeed: P7, P12 ---- */
static void drive(int waits) {
    int fill = filled(), rows = 0, stuck = 0, cause = 0;
    for (int i = 0; i < PARCELS; i++) rows += s.p[i].id != 0;
    for (int g = 0; g < GATES; g++) stuck |= s.gate[g].stuck;
    s.ring_full = SLOTS - fill <= 16 || (s.ring_full && fill > SLOTS / 2);
    cause = waits ? stuck ? 8 : 6 : s.ring_full ? 5 : !(s.permits & 2) ? 2 : 0;
    s.belt = !cause;
    s.infeed = s.belt && s.session && s.permits & 1 && fill < SLOTS / 2 && rows < PARCELS - 4 && !stuck
        && s.free_gates && !lane_full[lane_for[RELEASE]];
    if (s.told == s.belt + 1) return;
    s.told = s.belt + 1;
    uint16_t pay[3] = { (uint16_t)(s.belt ? 1 : 2), (uint16_t)(s.belt ? 1000 : 0), (uint16_t)(s.belt ? 1 : cause) };
    record(13, 0, 0, encoder, pay, 3);
}

static void show(void) {
    for (unsigned i = 0; i < PARCELS; i++) {
        const Parcel *p = &s.p[i];
        unsigned at = T + i * 6, state = p->held ? 4 : p->began ? 3 : p->lane ? 2 : 1, word = state << 8 | p->dest;
        if (!p->id) { if (get32(at)) { put32(at, 0); put32(at + 2, 0); put32(at + 4, 0); } continue; }
        if (get32(at) == p->id && reg[at + 4] == p->length && reg[at + 5] == word) continue;
        put32(at, 0); put32(at + 2, p->start); put(at + 4, p->length); put(at + 5, word); put32(at, p->id);
    }
    unsigned stuck = 0;
    for (int g = 0; g < GATES; g++) stuck |= (unsigned)s.gate[g].stuck;
    put(H_STATE, (s.belt ? 1u : 0) | (s.infeed ? 2u : 0) | (s.tripped ? 4u : 0) | stuck << 4 | (s.session ? 32u : 0)
        | (production ? 0 : 128u | (s.test_number & 1u) << 8));
    put(1, ++s.beat);
}

/* ---- start: P4 ---- */
static void boot(void) {
    memset(&s, 0, sizeof s);
    put(0, 0);
    for (unsigned i = 1; i < R + SLOTS * SLOT; i++) if (i < C + 8 || i >= C + 12) reg[i] = 0;
    s.test_number = reg[C + 9];
    s.boot_id = ++starts * 2654435761u;
    s.boot_at = encoder; s.next_id = 1; s.next_trigger = 1;
    for (int e = 0; e < EYES; e++) s.eye_was[e] = over(eye_mm[e], 0) != NULL;
    for (int g = 0; g < GATES; g++) { s.gate[g].go = s.gate[g].sim = 1; s.gate[g].is = 1; s.gate[g].told = 1; }
    put(6, SLOTS); put(7, SLOT); put(P, 1); put32(P + 1, 0x01020304u); put32(P + 3, 0x3fc00000u);
    put32(2, s.boot_id);
    put(0, 0xa5c1);
}

/* ---- test mode ---- */
static void simulate(uint64_t passed_us) {
    /* a stall of this machine slows the simulated belt instead of carrying parcels past their eyes */
    if (s.belt) { belt_rest += passed_us < 20000 ? passed_us : 20000; encoder += (uint32_t)(belt_rest / 1000); belt_rest %= 1000; }
    for (int g = 0; g < GATES; g++) {
        Gate *gate = &s.gate[g];
        if (gate->go != gate->sim) { gate->sim = gate->go; gate->is = 0; gate->arrives = now + TRAVEL_MS * 1000u; }
        if (now >= gate->arrives) gate->is = gate->go;
    }
    for (int i = 0; i < 8; i++) {
        int32_t past = ahead(encoder, body[i].start);
        for (int g = 0; body[i].on && g < GATES; g++)
            for (int lane = 1; lane <= LANES && !body[i].lane; lane++)
                if (lanes[lane].gate == g + 1 && lanes[lane].side == s.gate[g].is && past >= gate_mm[g]
                    && past < gate_mm[g] + (int32_t)body[i].length) body[i].lane = lane;
        if (past > BELT_END + 600) body[i].on = 0;
    }
}

static void fill_lane(int lane, int full) {
    uint16_t pay[3] = { (uint16_t)full, 0, full ? 0 : 48 };
    if (lane_full[lane] != full) record(14, (unsigned)lane, 0, encoder, pay, 3);
    lane_full[lane] = full;
}

static int test_orders(void) { /* true: start anew */
    if (reg[C + 9] != s.test_number) {
        uint32_t argument = get32(C + 10);
        s.test_number = reg[C + 9];
        switch (reg[C + 8]) {
        case 1:
            for (int i = 0; i < 8; i++) if (!body[i].on) { body[i] = (Body){ 1, 0, encoder + 1, argument }; break; }
            break;
        case 2: s.burst = argument; s.burst_no = 0; break;
        case 3: s.slow_us = (uint64_t)argument * 1000u; break;
        case 4: if ((argument & 0xffff) <= LANES) fill_lane((int)(argument & 0xffff), argument >> 16 == 1); break;
        case 5: return 1;
        default: break;
        }
    }
    for (int i = 0; i < 16 && s.burst; i++, s.burst--) record32(6, 0, 0, encoder, ++s.burst_no, 0, 0);
    return 0;
}

static void *scan(void *unused) {
    (void)unused;
    uint64_t last = clock_us();
    while (!stop) {
        now = clock_us();
        if (!production) simulate(now - last);
        last = now;
        listen_host();
        if (ahead(encoder, s.boot_at) >= BELT_END) s.free_gates = 1;
        if (!production && test_orders()) { boot(); continue; }
        track();
        take_decisions();
        check_gaps();
        int waits = 0;
        for (int g = 0; g < GATES; g++) waits |= rule_gate(g) | (!s.free_gates && (s.gate[g].is != 1 || s.gate[g].go != 1));
        drive(waits);
        commit_records();
        show();
        pause_us(SCAN_US);
    }
    return NULL;
}

/* ---- server: P2 ---- */
static int may_write(const uint8_t *q) {
    unsigned fc = q[7], at, count;
    if (fc == MODBUS_FC_WRITE_MULTIPLE_REGISTERS) { at = q[8] << 8 | q[9]; count = q[10] << 8 | q[11]; }
    else if (fc == MODBUS_FC_WRITE_AND_READ_REGISTERS) { at = q[12] << 8 | q[13]; count = q[14] << 8 | q[15]; }
    else return fc == MODBUS_FC_READ_HOLDING_REGISTERS;
    return (at >= C && at + count <= C + 12) || (at >= D && at + count <= D + ROWS * 12);
}

static void serve(modbus_t *bus, modbus_mapping_t *map, int listener) {
    fd_set all, ready;
    FD_ZERO(&all);
    FD_SET(listener, &all);
    while (!stop) {
        struct timeval tick = { 0, 100000 };
        ready = all;
        if (select(FD_SETSIZE, &ready, NULL, NULL, &tick) <= 0) continue;
        for (int fd = 0; fd < FD_SETSIZE; fd++) {
            uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
            if (!FD_ISSET(fd, &ready)) continue;
            if (fd == listener) {
                int client = accept(listener, NULL, NULL);
                if (client >= 0) FD_SET(client, &all);
                continue;
            }
            modbus_set_socket(bus, fd);
            int length = modbus_receive(bus, query);
            if (length > 0 && !may_write(query))
                length = modbus_reply_exception(bus, query, MODBUS_EXCEPTION_ILLEGAL_DATA_ADDRESS);
            else if (length > 0)
                length = modbus_reply(bus, query, length, map);
            if (length < 0) { close(fd); FD_CLR(fd, &all); }
        }
    }
}

static void on_term(int number) { (void)number; stop = 1; }

int main(int argc, char **argv) {
    production = argc > 1 && strcmp(argv[1], "--production") == 0;
    signal(SIGTERM, on_term);
    signal(SIGPIPE, SIG_IGN);
    modbus_mapping_t *map = modbus_mapping_new(0, 0, MAP, 0);
    modbus_t *bus = modbus_new_tcp("127.0.0.1", 0);
    int listener = modbus_tcp_listen(bus, 8);
    struct sockaddr_in where;
    socklen_t size = sizeof where;
    if (!map || listener < 0 || getsockname(listener, (struct sockaddr *)&where, &size)) {
        fprintf(stderr, "fullplc: %s\n", modbus_strerror(errno));
        return 1;
    }
    reg = map->tab_registers;
    now = clock_us();
    boot();
    printf("P %u\n", ntohs(where.sin_port));
    fflush(stdout);
    pthread_t scanner;
    pthread_create(&scanner, NULL, scan, NULL);
    serve(bus, map, listener);
    pthread_join(scanner, NULL);
    return 0;
}
