/* SPDX-License-Identifier: BSD-3-Clause */
/* What the meta file has:
 *
 *   when it was left, ns since 1970    8
 *   length of the engine's part        8   and that part
 *   length of the replication's part   8   and that part; 0: there was none */
#include "src/restart.h"

#include "src/base/cursor.h"
#include "src/base/log.h"
#include "src/base/memory.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define FIXED_BYTES 24u

struct parts {
    uint64_t left_ns;
    struct slice engine;
    struct slice replication;
};

/* ---- at the start ---- */

static int new_engine(struct restart *restart,
                      const struct engine_config *config, bool fresh,
                      struct engine **engine, int *error,
                      char words[RESTART_WORDS_MAX])
{
    int status = memory_file_make_room(&restart->file,
                                       engine_file_bytes(config), fresh, words);

    if (status == 0)
        *error = engine_new(config, engine);
    return status;
}

static bool find_parts(const struct memory_file *file, struct parts *parts)
{
    struct reader in;

    reader_init(&in, file->meta, file->meta_size);
    parts->left_ns = reader_u64(&in);
    parts->engine = reader_bytes(&in, reader_u64(&in));
    parts->replication = reader_bytes(&in, reader_u64(&in));
    return !in.failed && reader_left(&in) == 0;
}

static void say_cold(const struct restart *restart, const char *why)
{
    log_notice("restart: what is in %s cannot be used (%s): starting with an "
               "empty cache",
               restart->file.path, why);
}

static void say_warm(const struct restart *restart, const struct engine *engine,
                     const struct clock *clock, uint64_t began_ns,
                     uint64_t left_ns)
{
    uint64_t now_ns = clock_now(clock);

    log_notice("restart: %llu items of %s are back in %llu.%03llu s",
               (unsigned long long)engine_items(engine), restart->file.path,
               (now_ns - began_ns) / NS_PER_S,
               (now_ns - began_ns) / NS_PER_MS % 1000);
    if (left_ns > now_ns)
        log_notice("restart: the clock is %llu s behind the one of the "
                   "last stop: items live longer by that",
                   (left_ns - now_ns) / NS_PER_S);
}

/* False: it is not to be used, and a reason. */
static bool is_whole(const struct restart *restart,
                     const struct engine_config *config, struct parts *parts,
                     char why[ENGINE_WORDS_MAX])
{
    uint64_t size = memory_file_size(&restart->file);

    if (!find_parts(&restart->file, parts)) {
        (void)snprintf(why, ENGINE_WORDS_MAX, "it was left by another build");
        return false;
    }
    if (size == engine_file_bytes(config))
        return true;
    (void)snprintf(why, ENGINE_WORDS_MAX, "it has %llu bytes and -m needs %llu",
                   (unsigned long long)size,
                   (unsigned long long)engine_file_bytes(config));
    return false;
}

/* An engine with what was left; *engine is NULL when that cannot be. */
static int try_warm(struct restart *restart, const struct engine_config *config,
                    const struct clock *clock, struct engine **engine,
                    int *error, char words[RESTART_WORDS_MAX])
{
    uint64_t began_ns = clock_now(clock);
    char why[ENGINE_WORDS_MAX];
    struct parts parts;
    int status;

    if (!is_whole(restart, config, &parts, why)) {
        say_cold(restart, why);
        return 0;
    }
    status = new_engine(restart, config, false, engine, error, words);
    if (status != 0 || *error != 0)
        return status;
    if (engine_restore(*engine, parts.engine, why) != 0) {
        say_cold(restart, why);
        engine_free(engine);
        return 0;
    }
    restart->warm = true;
    restart->saved = parts.replication;
    say_warm(restart, *engine, clock, began_ns, parts.left_ns);
    return 0;
}

/* Options that do not fit together shall not cost the items. */
static int try_config(const struct engine_config *config)
{
    struct engine *engine;
    int error = engine_new(config, &engine);

    engine_free(&engine);
    return error;
}

int restart_begin(struct restart *restart, const char *path, const char *user,
                  struct engine_config *config, const struct clock *clock,
                  struct engine **engine, int *error,
                  char words[RESTART_WORDS_MAX])
{
    int status;

    *engine = NULL;
    *error = try_config(config);
    if (*error != 0)
        return 0;
    restart->open = true;
    status = memory_file_open(&restart->file, path, user, words);
    if (status == 0)
        status = memory_file_take_meta(&restart->file, words);
    if (status != 0)
        return status;
    config->in_file = true;
    config->file = restart->file.file;
    if (restart->file.meta != NULL)
        status = try_warm(restart, config, clock, engine, error, words);
    if (status == 0 && *error == 0 && *engine == NULL)
        status = new_engine(restart, config, true, engine, error, words);
    return status;
}

void restart_settled(struct restart *restart)
{
    restart->saved = slice_make(NULL, 0);
    if (restart->open)
        memory_file_forget_meta(&restart->file);
}

void restart_check(const struct restart *restart)
{
    if (restart->open && !memory_file_may_save(&restart->file))
        log_error("warning: the directory of %s cannot be written to: a stop "
                  "will not save the items",
                  restart->file.path);
}

/* ---- at the end ---- */

static bool write_parts(const struct restart *restart, struct writer *out,
                        struct engine *engine, struct replication *replication,
                        const struct clock *clock)
{
    unsigned char *size;
    unsigned char *begin;

    writer_u64(out, clock_now(clock));
    size = out->at;
    writer_u64(out, 0);
    begin = out->at;
    engine_save(engine, out);
    writer_patch_u64(out, size, (uint64_t)(out->at - begin));
    size = out->at;
    writer_u64(out, 0);
    begin = out->at;
    if (replication != NULL)
        replication_save(replication, out);
    else /* Of a start that failed before it was read. */
        writer_bytes(out, restart->saved.data, restart->saved.size);
    writer_patch_u64(out, size, (uint64_t)(out->at - begin));
    return !out->failed;
}

int restart_save(struct restart *restart, struct engine *engine,
                 struct replication *replication, const struct clock *clock)
{
    char words[RESTART_WORDS_MAX] = "out of memory to save the items";
    size_t room = FIXED_BYTES + engine_save_bytes(engine) +
                  (replication != NULL ? replication_save_bytes(replication)
                                       : restart->saved.size);
    uint64_t began_ns = clock_now(clock);
    char *bytes = memory_new(1, room);
    int status = EX_OSERR;
    struct writer out;

    writer_init(&out, bytes, bytes != NULL ? room : 0);
    if (bytes != NULL && write_parts(restart, &out, engine, replication, clock))
        status = memory_file_save(&restart->file,
                                  slice_make(bytes, writer_used(&out)), words);
    memory_free(&bytes);
    if (status != 0)
        log_error("restart: the items are not saved: %s", words);
    else
        log_notice("restart: %llu items are saved for the next start in "
                   "%llu ms",
                   (unsigned long long)engine_items(engine),
                   (clock_now(clock) - began_ns) / NS_PER_MS);
    return status;
}

void restart_end(struct restart *restart)
{
    if (restart->open)
        memory_file_close(&restart->file);
    restart->open = false;
}
