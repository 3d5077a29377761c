/* SPDX-License-Identifier: BSD-3-Clause */
/* The sentences are memcached's, and so is which mistake is answered by which:
 * what was no number is ERROR in one place and a CLIENT_ERROR in another. */
#include "src/command/tuning.h"

#include "src/base/memory.h"
#include "src/base/number.h"

static const char bad_format[] = "CLIENT_ERROR bad command line format";

/* number_double(), and it may be below 0. */
static int read_decimal(struct slice text, double *out)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    int error;

    if (negative)
        text = slice_make(text.data + 1, text.size - 1);
    error = number_double(text, out);
    if (error == 0 && negative)
        *out = -*out;
    return error;
}

static struct engine_tuning present(const struct admin_call *call)
{
    struct engine_tuning tuning;

    engine_tuning_get(call->thread->engine, &tuning);
    return tuning;
}

/* `refused` is the reply to what the engine does not take. */
static void apply(const struct admin_call *call,
                  const struct engine_tuning *tuning, const char *refused)
{
    int error = engine_tuning_set(call->thread->engine, tuning);

    admin_reply(call, error == 0 ? "OK" : refused);
}

/* ---- slabs ---- */

static const char *const reassign_replies[] = {
    [ENGINE_REASSIGN_BEGUN] = "OK",
    [ENGINE_REASSIGN_OFF] = "CLIENT_ERROR slab reassignment disabled",
    [ENGINE_REASSIGN_BUSY] = "BUSY currently processing reassign request",
    [ENGINE_REASSIGN_NO_CLASS] = "BADCLASS invalid src or dst class id",
    [ENGINE_REASSIGN_NO_SPARE] = "NOSPARE source class has no spare pages",
    [ENGINE_REASSIGN_SAME] = "SAME src and dst class are identical",
};

static void reassign(const struct admin_call *call)
{
    enum engine_reassign result;
    int32_t from = 0;
    int32_t to = 0;

    if (call->count != 3) {
        admin_reply(call, "ERROR");
        return;
    }
    if (present(call).reassign && (number_i32(call->words[1], &from) != 0 ||
                                   number_i32(call->words[2], &to) != 0)) {
        admin_reply(call, bad_format);
        return;
    }
    result = engine_reassign_page(call->thread->engine, from, to);
    INVARIANT(result < COUNT_OF(reassign_replies));
    admin_reply(call, reassign_replies[result]);
}

static void automove_ratio(const struct admin_call *call)
{
    struct engine_tuning tuning = present(call);

    if (read_decimal(call->words[2], &tuning.automove_ratio) != 0)
        admin_reply(call, "ERROR");
    else
        apply(call, &tuning, "ERROR");
}

static void automove_free_ratio(const struct admin_call *call)
{
    struct engine_tuning tuning = present(call);

    if (read_decimal(call->words[2], &tuning.automove_free_ratio) != 0)
        admin_reply(call, "ERROR");
    else
        apply(call, &tuning, "ERROR");
}

static void automove_window(const struct admin_call *call)
{
    struct engine_tuning tuning = present(call);

    if (number_u32(call->words[2], &tuning.automove_window_s) != 0)
        admin_reply(call, bad_format);
    else
        apply(call, &tuning,
              "CLIENT_ERROR automove window too low or too high");
}

static void automove_level(const struct admin_call *call)
{
    struct engine_tuning tuning = present(call);

    if (number_u32(call->words[1], &tuning.automove) != 0)
        admin_reply(call, bad_format);
    else
        apply(call, &tuning, "ERROR");
}

static void automove(const struct admin_call *call)
{
    static const struct {
        const char *name;
        admin_fn *fn;
    } settings[] = {
        {"ratio", automove_ratio},
        {"window", automove_window},
        {"freeratio", automove_free_ratio},
    };

    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        if (!admin_word_is(call, 1, settings[i].name))
            continue;
        if (call->count > 2)
            settings[i].fn(call);
        else
            admin_reply(call, "ERROR");
        return;
    }
    if (call->count > 1)
        automove_level(call);
    else
        admin_reply(call, "ERROR");
}

void tuning_slabs(const struct admin_call *call)
{
    if (admin_word_is(call, 0, "reassign"))
        reassign(call);
    else if (admin_word_is(call, 0, "automove"))
        automove(call);
    else
        admin_reply(call, "ERROR");
}

/* ---- lru ---- */

static void tune(const struct admin_call *call)
{
    struct engine_tuning tuning = present(call);

    if (call->count < 5 ||
        number_u32(call->words[1], &tuning.hot_percent) != 0 ||
        number_u32(call->words[2], &tuning.warm_percent) != 0 ||
        read_decimal(call->words[3], &tuning.hot_age_factor) != 0 ||
        read_decimal(call->words[4], &tuning.warm_age_factor) != 0)
        admin_reply(call, "ERROR");
    else if (tuning.hot_percent > ENGINE_LRU_PERCENT_MAX ||
             tuning.warm_percent > ENGINE_LRU_PERCENT_MAX ||
             tuning.hot_percent + tuning.warm_percent > ENGINE_LRU_PERCENT_MAX)
        admin_reply(call, "ERROR hot and warm pcts must not exceed 80");
    else if (tuning.hot_age_factor <= 0.0 || tuning.warm_age_factor <= 0.0)
        admin_reply(call, "ERROR hot/warm age factors must be greater than 0");
    else
        apply(call, &tuning, "ERROR");
}

/* Where nobody tends the lists, there is one, and it stays the only one. */
static void mode(const struct admin_call *call)
{
    struct engine_tuning tuning = present(call);
    bool flat = admin_word_is(call, 1, "flat");

    if (!tuning.maintain || (!flat && !admin_word_is(call, 1, "segmented"))) {
        admin_reply(call, "ERROR");
        return;
    }
    tuning.segmented = !flat;
    apply(call, &tuning, "ERROR");
}

static void temporary_ttl(const struct admin_call *call)
{
    struct engine_tuning tuning = present(call);

    if (!tuning.maintain || call->count < 2 ||
        number_i64(call->words[1], &tuning.temporary_ttl_s) != 0) {
        admin_reply(call, "ERROR");
        return;
    }
    apply(call, &tuning, "ERROR");
}

void tuning_lru(const struct admin_call *call)
{
    if (admin_word_is(call, 0, "tune"))
        tune(call);
    else if (admin_word_is(call, 0, "mode"))
        mode(call);
    else if (admin_word_is(call, 0, "temp_ttl"))
        temporary_ttl(call);
    else
        admin_reply(call, "ERROR");
}

/* ---- cache_memlimit ---- */

void tuning_memory(const struct admin_call *call)
{
    uint64_t mib;

    if (call->count < 1 || number_u64(call->words[0], &mib) != 0)
        admin_reply(call, "ERROR");
    else if (mib < TUNING_MEMORY_MIN_MIB)
        admin_reply(call, "MEMLIMIT_TOO_SMALL cannot set maxbytes to less "
                          "than 8m");
    else if (mib > TUNING_MEMORY_MAX_MIB)
        admin_reply(call, "MEMLIMIT_ADJUST_FAILED input value is megabytes "
                          "not bytes");
    else if (engine_set_memory(call->thread->engine, mib * MIB) != 0)
        admin_reply(call, "MEMLIMIT_ADJUST_FAILED out of bounds or unable to "
                          "adjust");
    else
        admin_reply(call, "OK");
}
