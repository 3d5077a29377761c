/* SPDX-License-Identifier: BSD-3-Clause */
/* What needs the item is not only what reads it: an add must not succeed
 * because the peer's item is still under way, and an incr has to count on from
 * its number. Only what overwrites whatever there is needs nothing. */
#include "src/command/fetching.h"

static bool needs_item(const struct request *request, bool binary)
{
    switch (request->verb) {
    case REQUEST_GET:
    case REQUEST_GETS:
    case REQUEST_GAT:
    case REQUEST_GATS:
    case REQUEST_ADD:
    case REQUEST_REPLACE:
    case REQUEST_APPEND:
    case REQUEST_PREPEND:
    case REQUEST_CAS:
    case REQUEST_INCR:
    case REQUEST_DECR:
    case REQUEST_DELETE:
    case REQUEST_TOUCH:
    case REQUEST_MG:
    case REQUEST_MD:
    case REQUEST_MA:
    case REQUEST_ME:
        return true;
    case REQUEST_SET:
        return binary && request->binary.cas != 0;
    case REQUEST_MS:
        return (request->meta.mode != '\0' && request->meta.mode != 'S') ||
               meta_has(&request->meta, 'C');
    case REQUEST_FLUSH_ALL:
    case REQUEST_VERSION:
    case REQUEST_VERBOSITY:
    case REQUEST_STATS:
    case REQUEST_MN:
    case REQUEST_ADMIN:
    case REQUEST_SASL_LIST:
    case REQUEST_SASL_AUTH:
    case REQUEST_SASL_STEP:
    case REQUEST_QUIT:
    case REQUEST_NONE:
    case REQUEST_VERBS:
        break;
    }
    return false;
}

static bool is_here(const struct command_thread *thread,
                    const struct engine_key *key)
{
    struct engine_glimpse glimpse;

    engine_glimpse(thread->engine_thread, key, &glimpse);
    return glimpse.fate == ENGINE_LIVE;
}

static bool is_among(uint64_t hash, const uint64_t *hashes, size_t count)
{
    size_t i = 0;

    while (i < count && hashes[i] != hash)
        i++;
    return i < count;
}

_Static_assert(FETCH_KEYS_MAX >= BATCH_MAX, "a batch is one fetch");

struct fetch *fetching_begin(struct command_thread *thread, bool binary)
{
    const struct batch *batch = &thread->batch;
    uint64_t hashes[BATCH_MAX];
    size_t count = 0;

    for (unsigned i = 0; i < batch->ops; i++) {
        const struct engine_key *key = &batch->op[i].key;

        if (key->bytes.size > 0 &&
            needs_item(&batch->request[batch->op[i].request], binary) &&
            !is_among(key->hash, hashes, count) && !is_here(thread, key))
            hashes[count++] = key->hash;
    }
    if (count == 0 || thread->wake == NULL)
        return NULL;
    return fetch_begin(thread->fetches, hashes, count, thread->wake,
                       thread->wake_ctx);
}
