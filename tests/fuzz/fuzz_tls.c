/* SPDX-License-Identifier: BSD-3-Clause */
/* Two ends of a secured link, and between them somebody who cuts, drops,
 * changes and invents bytes as the input says. Whatever he does, what one end
 * hears is a beginning of what the other said, and no ring grows.
 *
 * A handshake takes most of the time of a run. So the input's first byte says
 * whether it begins with one (0); if not, two ends that an earlier run has left
 * whole are taken over. */
#include "src/base/cursor.h"
#include "src/base/invariant.h"
#include "src/tls/tls_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS_MAX 256
#define ROUNDS_MAX 16 /* Until all that is under way has come. */
#define SAID_MAX (64u * 1024)
#define SECRET "a secret of the fuzzer's own"

enum {
    PASS,   /* The wire carries some bytes on. */
    ALTER,  /* And one of them changes. */
    INVENT, /* Bytes of the input itself. */
    SAY,
    HEAR,
    KINDS,
};

struct end {
    struct tls_engine *engine;
    char said[SAID_MAX];
    size_t said_size;
    size_t heard_size; /* Of what the other said. */
};

static struct clock wall;
static struct tls *tls;
static char room[SAID_MAX];

/* The secret is read once; the file may go then. */
static void load_secret(void)
{
    char path[] = "/tmp/twincached-fuzz-XXXXXX", words[TLS_WORDS_MAX];
    struct tls_config config = {.clock = &wall,
                                .role = TLS_ROLE_PEER,
                                .secret_path = path,
                                .version_min = 3,
                                .alpn = "fuzz",
                                .rekey_bytes = 3000};
    int file = mkstemp(path);

    clock_init_real(&wall);
    if (file < 0 ||
        write(file, SECRET, sizeof(SECRET)) != (ssize_t)sizeof(SECRET))
        abort();
    (void)close(file);
    if (tls_new(&config, &tls, words) != 0)
        abort();
    (void)unlink(path);
}

static void put(struct end *to, const char *bytes, size_t size)
{
    char *at;
    size_t free_size = tls_engine_room(to->engine, &at);

    INVARIANT(free_size <= TLS_ENGINE_IN_BYTES);
    if (size > free_size)
        size = free_size;
    if (size > 0)
        memcpy(at, bytes, size);
    tls_engine_fed(to->engine, size);
}

static void pass(struct end *from, struct end *to, size_t size, bool alter)
{
    char *at, *target;
    size_t due = tls_engine_due(from->engine, &at);
    size_t free_size = tls_engine_room(to->engine, &target);

    INVARIANT(due <= TLS_ENGINE_OUT_BYTES);
    size = size < due ? size : due;
    size = size < free_size ? size : free_size;
    if (size == 0)
        return;
    if (alter)
        at[size / 2] ^= 0x10;
    put(to, at, size);
    tls_engine_sent(from->engine, size);
}

static void say(struct end *end, size_t size)
{
    char *at;

    if (tls_engine_shake(end->engine) != TLS_ENGINE_SHAKEN ||
        tls_engine_due(end->engine, &at) > 0 ||
        size > SAID_MAX - end->said_size)
        return;
    for (size_t i = 0; i < size; i++)
        end->said[end->said_size + i] = (char)(i * 7 + end->said_size);
    if (tls_engine_write(end->engine, end->said + end->said_size, size) == 0)
        end->said_size += size;
}

static void hear(struct end *end, const struct end *other, size_t size)
{
    size_t got;

    if (tls_engine_shake(end->engine) != TLS_ENGINE_SHAKEN ||
        tls_engine_read(end->engine, room, size, &got) != 0)
        return;
    INVARIANT(got <= size);
    INVARIANT(got <= other->said_size - end->heard_size);
    INVARIANT(memcmp(room, other->said + end->heard_size, got) == 0);
    end->heard_size += got;
}

static void step(struct reader *script, struct end *end, struct end *other,
                 unsigned kind)
{
    size_t size = (size_t)reader_u8(script) << 6;

    size += reader_u8(script);
    (void)tls_engine_shake(end->engine);
    if (kind == PASS || kind == ALTER)
        pass(end, other, size, kind == ALTER);
    else if (kind == SAY)
        say(end, size);
    else if (kind == HEAR)
        hear(end, other, size);
    else if (kind == INVENT && size <= reader_left(script)) {
        struct slice bytes = reader_bytes(script, size);

        put(other, bytes.data, bytes.size);
    }
    (void)tls_engine_shake(other->engine);
    (void)tls_engine_has_input(other->engine);
}

/* ---- two ends ---- */

static struct end ends[2];
static bool are_whole; /* Left so by the run before. */

static void begin(void)
{
    for (int i = 0; i < 2; i++) {
        tls_engine_free(&ends[i].engine);
        ends[i].engine = tls_engine_new(tls, i == 0);
        ends[i].said_size = ends[i].heard_size = 0;
        if (ends[i].engine == NULL)
            abort();
    }
}

static bool is_shaken(const struct end *end)
{
    return tls_engine_shake(end->engine) == TLS_ENGINE_SHAKEN;
}

/* Carries everything on that is under way. True when each end has heard what
 * the other said. */
static bool finish(void)
{
    for (unsigned i = 0; i < ROUNDS_MAX; i++) {
        pass(&ends[i & 1], &ends[1 - (i & 1)], SIZE_MAX, false);
        hear(&ends[1 - (i & 1)], &ends[i & 1], SAID_MAX);
    }
    for (int i = 0; i < 2; i++) {
        char *at;

        if (!is_shaken(&ends[i]) || tls_engine_due(ends[i].engine, &at) > 0 ||
            tls_engine_has_input(ends[i].engine) ||
            ends[i].heard_size != ends[1 - i].said_size)
            return false;
    }
    ends[0].said_size = ends[0].heard_size = 0;
    ends[1].said_size = ends[1].heard_size = 0;
    return true;
}

static void begin_shaken(void)
{
    if (are_whole)
        return;
    begin();
    INVARIANT(finish());
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader script;

    if (tls == NULL)
        load_secret();
    reader_init(&script, (const char *)data, size);
    if (reader_u8(&script) != 0)
        begin_shaken();
    else
        begin();
    for (unsigned i = 0; i < STEPS_MAX && reader_left(&script) > 0; i++) {
        unsigned what = reader_u8(&script);
        unsigned who = what & 1;

        step(&script, &ends[who], &ends[1 - who], (what >> 1) % KINDS);
    }
    are_whole = is_shaken(&ends[0]) && is_shaken(&ends[1]) && finish();
    return 0;
}
