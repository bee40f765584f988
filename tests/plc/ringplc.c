/* A PLC for tests, written from docs/plc-interface.md alone: ring, acknowledgement, session latch,
 * watchdog, leases and echoes behind a libmodbus server. It shares no code with the host.
 *
 * The scan thread writes the registers word by word, with pauses, while the server thread answers
 * from the same memory without a lock: reads see half-written headers, records and echoes.
 * Truth goes to stdout: "P port", "R seq ns" (published), "A seq track destination" (decision
 * accepted), "W" (watchdog tripped), "L session" (latched), "S ..." (counts, at SIGTERM).
 *
 * build: gcc -O1 -o ringplc ringplc.c $(pkg-config --cflags --libs libmodbus) -lpthread
 */
#include <errno.h>
#include <getopt.h>
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

enum { SLOTS = 110, SLOT_WORDS = 31, RING_AT = 640, MAP_WORDS = 4096, ECHO_AT = 20, ECHO_WORDS = 5,
       HOST_AT = 100, HOST_WORDS = 12, DECISIONS_AT = 120, DECISION_WORDS = 12, ROWS = 16,
       BELT_AT = 320, BELT_ROWS = 48, BELT_WORDS = 6, PARCELS_KEPT = 40, RECORDS_A_PARCEL = 13 };

static struct {
    unsigned port, records, rate_hz, seed, start_seq, boot_id, tear_us, early_head_permille;
    unsigned layout, swap_words, exception_after, swap_bytes, base, scan_us, stand_still_after;
    unsigned corrupt_seq;
} cfg = { .records = 100, .rate_hz = 50, .seed = 1, .start_seq = 1, .boot_id = 0xB0071D01u,
          .tear_us = 300, .layout = 1, .scan_us = 3000 };

static volatile uint16_t *reg;          /* the line's registers, from its base address */
static volatile sig_atomic_t stop;
static uint32_t head, acked, slot_seq[SLOTS], rng_state;
static uint32_t row_answered[ROWS];
static uint16_t row_bad[ROWS][DECISION_WORDS];
static struct { uint32_t track, seq; unsigned destination; } lease[64];
static unsigned long n_backpressure, n_accepted, n_refused, n_watchdog, n_fc23;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint32_t scramble(uint32_t x) {
    x ^= x >> 16; x *= 0x85ebca6bu; x ^= x >> 13; x *= 0xc2b2ae35u; x ^= x >> 16;
    return x;
}

static uint32_t dice(void) { return rng_state = scramble(rng_state + 0x9e3779b9u); }

static void pause_us(unsigned us) {
    struct timespec t = { us / 1000000u, (long)(us % 1000000u) * 1000 };
    nanosleep(&t, NULL);
}

/* One register, as the bus sees it; now and then the writer is interrupted right after it. */
static void put(unsigned at, unsigned word) {
    word &= 0xffff;
    reg[at] = (uint16_t)(cfg.swap_bytes ? (word << 8 | word >> 8) & 0xffff : word);
    if (cfg.tear_us && dice() % 12 == 0) pause_us(dice() % cfg.tear_us);
}

static void put32(unsigned at, uint32_t value) {
    put(at + (cfg.swap_words ? 1 : 0), value >> 16);
    put(at + (cfg.swap_words ? 0 : 1), value & 0xffff);
}

static uint32_t get32(const uint16_t *w) { return (uint32_t)w[0] << 16 | w[1]; }

static unsigned crc16(const uint16_t *words, unsigned count) {
    unsigned crc = 0xffff;
    for (unsigned i = 0; i < 2 * count; i++) {
        crc ^= i & 1 ? words[i / 2] & 0xff : words[i / 2] >> 8;
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0xa001 : crc >> 1;
    }
    return crc;
}

/* Sequences 1 .. 2^32-1; 0 is no sequence. */
static uint32_t seq_next(uint32_t seq) { return seq == UINT32_MAX ? 1 : seq + 1; }
static int32_t seq_ahead(uint32_t a, uint32_t b) { return (int32_t)(a - b); }

static uint32_t parcel_of(uint32_t seq) { return 1000 + (seq - 1) / RECORDS_A_PARCEL; }

static unsigned fill_payload(uint32_t h, uint16_t *p) {
    uint32_t a = scramble(h + 2), b = scramble(h + 3), c = scramble(h + 4);
    unsigned kind = 1 + h % 15;
    char text[16];
    memset(p, 0, 32);
    switch (kind) {
    case 1: case 6: case 11: p[0] = a >> 16; p[1] = a; break;
    case 2: p[0] = a >> 16; p[1] = a; p[2] = b >> 16; p[3] = b; break;
    case 3:
        snprintf(text, sizeof text, "%010u", b);
        p[0] = (a % 3) << 8 | 0 << 4 | 1;
        p[1] = (a >> 8 & 0xff) << 8 | 10;
        for (int i = 0; i < 5; i++) p[2 + i] = text[2 * i] << 8 | text[2 * i + 1];
        break;
    case 4: p[0] = a >> 16; p[1] = a; p[2] = b >> 16; p[3] = b; p[4] = c; p[5] = c >> 16 & 3; break;
    case 5: p[0] = a; p[1] = a >> 16; p[2] = b; p[3] = b >> 16; p[4] = c & 1; break;
    case 7: p[0] = 1 + a % 3; p[1] = 1 + b % 3; p[2] = c; break;
    case 9: p[0] = 1 + a % 7; break;
    case 12: p[0] = a; p[1] = b; break;
    case 13: p[0] = 1 + a % 2; p[1] = b; p[2] = 1 + c % 10; break;
    case 14: p[0] = a & 1; p[1] = b & 1; p[2] = c; break;
    case 15: p[0] = a & 1; p[1] = b & 1; p[2] = c & 1; break;
    default: break; /* 8 lane seen, 10 lost: no payload */
    }
    return kind;
}

static void publish_head(uint32_t seq) {
    put32(4, seq);
    put32(12, seq);
}

static void write_belt_row(uint32_t track) {
    unsigned at = BELT_AT + track % BELT_ROWS * BELT_WORDS;
    put32(at, track);
    put32(at + 2, track * 720);
    put(at + 4, 300);
    put(at + 5, 1 << 8 | 1);
}

/* Commit order: seq_begin := 0, payload, crc, seq_end, seq_begin, head, head copy. */
static void commit_record(uint32_t seq) {
    uint32_t h = scramble(cfg.seed * 2654435761u + seq);
    uint32_t encoder = scramble(h + 1);
    uint64_t us = now_ns() / 1000;
    uint16_t w[SLOT_WORDS];
    unsigned at = RING_AT + seq % SLOTS * SLOT_WORDS;
    int early = dice() % 1000 < cfg.early_head_permille;
    w[0] = seq >> 16; w[1] = seq;
    w[2] = fill_payload(h, w + 12);
    w[3] = scramble(h) & 31;
    w[4] = parcel_of(seq) >> 16; w[5] = parcel_of(seq);
    w[6] = encoder >> 16; w[7] = encoder;
    w[8] = us >> 48; w[9] = us >> 32; w[10] = us >> 16; w[11] = us;
    w[28] = crc16(w, 28);
    if (seq == cfg.corrupt_seq) w[20] ^= 0x0400;
    write_belt_row(parcel_of(seq));
    if (early) publish_head(seq); /* a PLC that copies its image out of order */
    put32(at, 0);
    for (unsigned i = 2; i < 29; i++) put(at + i, w[i]);
    put32(at + 29, seq);
    put32(at, seq);
    slot_seq[seq % SLOTS] = seq;
    head = seq;
    publish_head(seq);
    printf("R %u %llu\n", seq, (unsigned long long)now_ns());
}

static void echo(unsigned row, uint32_t seq, uint32_t track, unsigned result) {
    unsigned at = ECHO_AT + row * ECHO_WORDS;
    put32(at, 0);
    put32(at + 2, track);
    put(at + 4, result);
    put32(at, seq);
    row_answered[row] = seq;
    if (result == 1) n_accepted++; else n_refused++;
}

static unsigned judge(const uint16_t *w, uint32_t latched) {
    uint32_t track = get32(w + 4), seq = get32(w + 8), newest = parcel_of(head);
    unsigned at = track % 64, release = w[6] != 1;
    if (get32(w) != cfg.boot_id || !latched || get32(w + 2) != latched) return 9;
    if (track < 1000 || track > newest) return 3;
    if (newest - track > PARCELS_KEPT) return 2;
    if (release && lease[at].track == track && seq_ahead(lease[at].seq, seq) > 0) return 8;
    lease[at].track = track; lease[at].seq = seq; lease[at].destination = w[6];
    return 1;
}

static void scan_decisions(uint32_t latched) {
    for (unsigned row = 0; row < ROWS; row++) {
        uint16_t w[DECISION_WORDS];
        for (unsigned i = 0; i < DECISION_WORDS; i++)
            w[i] = reg[DECISIONS_AT + row * DECISION_WORDS + i];
        uint32_t seq = get32(w + 8), track = get32(w + 4);
        if (seq == 0 || seq == row_answered[row]) continue;
        if (w[10] != cfg.layout || crc16(w, 11) != w[11]) {
            /* torn while the server writes it? only the same words twice are answered */
            if (memcmp(w, row_bad[row], sizeof w) == 0) echo(row, seq, track, 4);
            memcpy(row_bad[row], w, sizeof w);
            continue;
        }
        unsigned result = judge(w, latched);
        if (result == 1) printf("A %u %u %u\n", seq, track, w[6]);
        echo(row, seq, track, result);
    }
}

static void take_ack(const uint16_t *c) {
    uint32_t ack = get32(c + 2);
    if (ack == ~get32(c + 4) && seq_ahead(ack, acked) > 0 && seq_ahead(head, ack) >= 0) {
        acked = ack;
        put32(8, acked);
    }
}

static void *scan(void *unused) {
    uint32_t latched = 0, made = 0, seq = cfg.start_seq;
    uint16_t plc_beat = 0, host_beat = 0;
    unsigned state = 1 | 2;
    uint64_t start = now_ns(), host_seen = start;
    (void)unused;
    while (!stop) {
        uint16_t c[HOST_WORDS];
        for (unsigned i = 0; i < HOST_WORDS; i++) c[i] = reg[HOST_AT + i];
        uint32_t session = get32(c + 6);
        uint64_t now = now_ns();
        if (latched && now - host_seen > 400000000u) {
            latched = 0; n_watchdog++; state |= 4; state &= ~32u;
            memset(lease, 0, sizeof lease);
            printf("W\n");
        } else if (c[0] != host_beat && session && (!latched || session == latched)) {
            if (!latched) printf("L %u\n", session);
            latched = session; host_seen = now; host_beat = c[0]; state |= 32; state &= ~4u;
        }
        put(19, latched & 0xffff);
        put(11, state);
        if (latched && session == latched) take_ack(c);
        scan_decisions(latched);
        if (!cfg.stand_still_after || made < cfg.stand_still_after) put(1, ++plc_beat);
        while (made < cfg.records && (now_ns() - start) / 1000 * cfg.rate_hz / 1000000 > made) {
            uint32_t there = slot_seq[seq % SLOTS];
            if (there && seq_ahead(acked, there) < 0) { n_backpressure++; break; }
            commit_record(seq);
            seq = seq_next(seq);
            made++;
            if (dice() % 4 == 0) put(1, ++plc_beat);
            if (cfg.rate_hz > 2000 || now_ns() - now > 20000000u) break;
        }
        fflush(stdout);
        pause_us(cfg.scan_us);
    }
    return NULL;
}

static int may_write(const uint8_t *q) {
    unsigned fc = q[7], at, count;
    if (fc == MODBUS_FC_WRITE_MULTIPLE_REGISTERS) { at = q[8] << 8 | q[9]; count = q[10] << 8 | q[11]; }
    else if (fc == MODBUS_FC_WRITE_AND_READ_REGISTERS) { at = q[12] << 8 | q[13]; count = q[14] << 8 | q[15]; }
    else return fc == MODBUS_FC_READ_HOLDING_REGISTERS;
    unsigned from = at - cfg.base, to = from + count;
    return (from >= HOST_AT && to <= HOST_AT + HOST_WORDS)
        || (from >= DECISIONS_AT && to <= DECISIONS_AT + ROWS * DECISION_WORDS);
}

static void serve_one(modbus_t *bus, modbus_mapping_t *map, int fd, fd_set *open_fds) {
    uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
    modbus_set_socket(bus, fd);
    int length = modbus_receive(bus, query);
    if (length > 0) {
        int refuse = 0;
        if (query[7] == MODBUS_FC_WRITE_AND_READ_REGISTERS)
            refuse = cfg.exception_after && ++n_fc23 > cfg.exception_after;
        if (refuse)
            length = modbus_reply_exception(bus, query, MODBUS_EXCEPTION_SLAVE_OR_SERVER_FAILURE);
        else if (!may_write(query))
            length = modbus_reply_exception(bus, query, MODBUS_EXCEPTION_ILLEGAL_DATA_ADDRESS);
        else
            length = modbus_reply(bus, query, length, map);
    }
    if (length < 0) { close(fd); FD_CLR(fd, open_fds); }
}

static void on_term(int signal_number) { (void)signal_number; stop = 1; }

static void read_arguments(int argc, char **argv) {
    static const struct { const char *name; unsigned *value; } known[] = {
        {"port", &cfg.port}, {"records", &cfg.records}, {"rate-hz", &cfg.rate_hz},
        {"seed", &cfg.seed}, {"start-seq", &cfg.start_seq}, {"boot-id", &cfg.boot_id},
        {"tear-us", &cfg.tear_us}, {"early-head-permille", &cfg.early_head_permille},
        {"layout", &cfg.layout}, {"swap-words", &cfg.swap_words}, {"swap-bytes", &cfg.swap_bytes},
        {"exception-after", &cfg.exception_after}, {"base", &cfg.base}, {"scan-us", &cfg.scan_us},
        {"stand-still-after", &cfg.stand_still_after}, {"corrupt-seq", &cfg.corrupt_seq},
    };
    enum { KNOWN = sizeof known / sizeof known[0] };
    struct option options[KNOWN + 1];
    memset(options, 0, sizeof options);
    for (int i = 0; i < KNOWN; i++) {
        options[i].name = known[i].name; options[i].has_arg = required_argument; options[i].val = i;
    }
    int i;
    while ((i = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (i < 0 || i >= KNOWN) exit(2);
        *known[i].value = (unsigned)strtoul(optarg, NULL, 0);
    }
}

static void boot(void) {
    head = acked = cfg.start_seq - 1;
    rng_state = cfg.seed;
    put(0, 0xa5c1);
    put32(2, cfg.boot_id);
    put(6, SLOTS);
    put(7, SLOT_WORDS);
    put32(8, acked);
    put(14, cfg.layout);
    put32(15, 0x01020304u);
    put32(17, 0x3fc00000u);
    publish_head(head);
}

int main(int argc, char **argv) {
    read_arguments(argc, argv);
    signal(SIGTERM, on_term);
    signal(SIGPIPE, SIG_IGN);
    modbus_mapping_t *map = modbus_mapping_new(0, 0, (int)(cfg.base + MAP_WORDS), 0);
    modbus_t *bus = modbus_new_tcp("127.0.0.1", (int)cfg.port);
    int listener = modbus_tcp_listen(bus, 8);
    struct sockaddr_in where;
    socklen_t size = sizeof where;
    if (!map || listener < 0 || getsockname(listener, (struct sockaddr *)&where, &size)) {
        fprintf(stderr, "ringplc: %s\n", modbus_strerror(errno));
        return 1;
    }
    reg = map->tab_registers + cfg.base;
    boot();
    printf("P %u\n", ntohs(where.sin_port));
    fflush(stdout);
    pthread_t scanner;
    pthread_create(&scanner, NULL, scan, NULL);
    fd_set open_fds;
    FD_ZERO(&open_fds);
    FD_SET(listener, &open_fds);
    while (!stop) {
        fd_set ready = open_fds;
        struct timeval tick = { 0, 100000 };
        if (select(FD_SETSIZE, &ready, NULL, NULL, &tick) <= 0) continue;
        for (int fd = 0; fd < FD_SETSIZE; fd++) {
            if (!FD_ISSET(fd, &ready)) continue;
            if (fd != listener) { serve_one(bus, map, fd, &open_fds); continue; }
            int client = accept(listener, NULL, NULL);
            if (client >= FD_SETSIZE) close(client);
            else if (client >= 0) FD_SET(client, &open_fds);
        }
    }
    pthread_join(scanner, NULL);
    printf("S head=%u acked=%u backpressure=%lu accepted=%lu refused=%lu watchdog=%lu\n", head, acked,
           n_backpressure, n_accepted, n_refused, n_watchdog);
    return 0;
}
