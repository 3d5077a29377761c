/* SPDX-License-Identifier: BSD-3-Clause */
/* Two nodes, or three, that hand each other their bytes, and a trace of who
 * says what: "A>B HELLO". */
#ifndef TESTS_UNIT_REPLICATION_SIDES_H
#define TESTS_UNIT_REPLICATION_SIDES_H

#include "replication/node_inner.h"
#include "tests/unit/unit.h"

#define T0 (1700000000 * NS_PER_S)
#define OUT_BYTES (4 * CODEC_PART_BYTES)
#define TRACE_BYTES 8192

struct side {
    char name;
    struct engine *engine;
    struct engine_thread *client;
    struct node *node;
    bool listening;
    bool dialing;
    bool serving;
    struct confirm *confirm;
    struct fetches *fetches; /* NULL: clients come when the data is here. */
    bool closing[NODE_LINKS_MAX];
    uint64_t ahead_ns;                    /* Of the clock that is right. */
    struct side *at_link[NODE_LINKS_MAX]; /* Who is at the other end... */
    unsigned their_link[NODE_LINKS_MAX];  /* ...and on which link there. */
};

extern struct side a, b, c;
extern uint64_t now_ns;
extern char trace[TRACE_BYTES];
extern char out[OUT_BYTES];

/* ---- a test ---- */

void begin(void);
void end(void);

/* ---- nodes and what lies between ---- */

void boot(struct side *side, char name, uint64_t node, bool dials);
/* One with less memory than others. */
void boot_small(struct side *side, char name, uint64_t node);
/* One whose clients need not wait until it has the data. */
void boot_fed(struct side *side, char name, uint64_t node);
void halt(struct side *side);
uint64_t time_of(const struct side *side);
/* The call of one side reaches the other; or nobody. */
void connect_to(struct side *from, struct side *to);
void nobody_there(struct side *from);
void end_link(struct side *side, unsigned link);
void deliver(struct side *to, unsigned link, struct slice bytes);
/* One output of one link, of all links; true when there was any. */
bool pass_on(struct side *from, unsigned link);
bool pass_all(struct side *side);
/* Until nobody has anything to say. */
void settle(void);
void pass_time(uint64_t ms);
/* A serves alone, B joins it. */
void pair_up(void);

/* ---- what was said since it was last asked ---- */

void expect_trace(const char *text);
void forget_trace(void);

/* ---- clients ---- */

void put_for(struct side *side, const char *key, const char *value, size_t size,
             int64_t exptime_s);
void put(struct side *side, const char *key, const char *value, size_t size);
void set(struct side *side, const char *key, const char *value);
void drop(struct side *side, const char *key);
/* "(none)": there is no such key. */
const char *get(struct side *side, const char *key);
struct node_status status(const struct side *side);
/* A wake that wakes nobody. */
void note_nothing(void *ctx);

#endif
