/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of the engine share: a small engine with a thread, commands
 * in one line each, a journal that writes down what it is told, and an audit
 * of everything that must add up. */
#ifndef TESTS_ENGINE_FIXTURE_H
#define TESTS_ENGINE_FIXTURE_H

#include "src/base/clock.h"
#include "src/base/memory.h"
#include "src/engine/engine.h"
#include "src/engine/state.h"
#include "tests/unit/unit.h"

#define NOW_S 1700000000u
#define NOW_NS (NOW_S * NS_PER_S)
#define PAGE_BYTES (64 * KIB)
#define NOTES_MAX 4096

/* One call of the journal. */
enum note_kind {
    NOTE_RECORD_SET,
    NOTE_RECORD_REMOVE,
    NOTE_REPEAT,
    NOTE_FORGET,
    NOTE_REMOVED_AT,
    NOTE_APPLIED,
    NOTE_FLUSHED,
    NOTE_SETTLE,
};

struct note {
    enum note_kind kind;
    uint64_t hash;
    stamp_t stamp;
};

/* Belongs to the test; one thread. */
struct fake_journal {
    struct journal journal;
    size_t count;
    struct note notes[NOTES_MAX];
    stamp_t removed_at; /* What it says of every key. */
};

struct fixture {
    struct engine *engine;
    struct engine_thread *thread;
    struct fake_journal journal;
};

/* A configuration with pages of 64 KiB; the rest is for the test to change. */
struct engine_config fixture_config(uint64_t pages);
void fixture_init(struct fixture *fixture, const struct engine_config *config);
void fixture_init_with_journal(struct fixture *fixture,
                               const struct engine_config *config);
/* Audits first. */
void fixture_fini(struct fixture *fixture);
void fixture_set_now(struct fixture *fixture, uint64_t now_s);

/* Everything that must add up, chunk by chunk; the threads rest. */
void audit(struct engine *engine);

struct engine_key key_of(const struct fixture *fixture, const char *key);
enum engine_outcome put(struct fixture *fixture, const char *key,
                        const char *value);
/* All that a store can be given, in one line. */
enum engine_outcome store(struct fixture *fixture, enum engine_mode mode,
                          const char *key, const char *value,
                          uint32_t client_flags, uint32_t expires_at_s,
                          stamp_t cas);
bool has(struct fixture *fixture, const char *key);
/* The value, whole, as text; "(none)" when absent. Good until the next call. */
const char *value_of(struct fixture *fixture, const char *key);
stamp_t stamp_of(struct fixture *fixture, const char *key);
uint32_t expiry_of(struct fixture *fixture, const char *key);
enum engine_outcome drop(struct fixture *fixture, const char *key);
enum engine_outcome touch(struct fixture *fixture, const char *key,
                          uint32_t expires_at_s);

/* One statistic of plain stats, `stats items` or `stats slabs`; fails when it
 * is not there. */
uint64_t stat_of(struct fixture *fixture, const char *name);
bool has_stat(struct fixture *fixture, const char *name);

/* How many notes there are of a kind, and the last one. */
size_t notes_of(const struct fixture *fixture, enum note_kind kind);
const struct note *last_note(const struct fixture *fixture,
                             enum note_kind kind);
void forget_notes(struct fixture *fixture);

/* Upkeep until it rests for a second. */
void upkeep_until_idle(struct fixture *fixture);

/* A value of that size that a reader can check: every byte follows from the
 * seed and its place. */
void pattern_fill(char *out, size_t size, uint64_t seed);
bool pattern_holds(const struct engine_thread *thread, const struct item *item,
                   size_t size, uint64_t seed);

/* A small generator of numbers, the same on every run. */
uint64_t next_random(uint64_t *state);

#endif
