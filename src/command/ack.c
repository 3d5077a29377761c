/* SPDX-License-Identifier: BSD-3-Clause */
/* What waits is found out for a batch as a whole: did the engine change
 * anything, and is there a request among its own that may have done so and
 * waits by the policy? That one reply more may wait than had to does no harm,
 * as the batch's replies go out together. */
#include "src/command/ack.h"

#include "src/base/invariant.h"
#include "src/command/thread.h"

/* ---- the policy ---- */

static bool same(struct slice a, struct slice b)
{
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

int ack_policy_add(struct ack_policy *policy, struct slice prefix,
                   enum ack_mode mode)
{
    size_t at = 0;

    while (at < policy->count && policy->prefixes[at].prefix.size > prefix.size)
        at++;
    for (size_t i = at; i < policy->count; i++)
        if (same(policy->prefixes[i].prefix, prefix)) {
            policy->prefixes[i].mode = mode;
            return 0;
        }
    if (policy->count == ACK_PREFIXES_MAX)
        return -ERR_LIMIT;
    memmove(&policy->prefixes[at + 1], &policy->prefixes[at],
            (policy->count - at) * sizeof(policy->prefixes[0]));
    policy->prefixes[at] = (struct ack_prefix){prefix, mode};
    policy->count++;
    return 0;
}

bool ack_policy_waits(const struct ack_policy *policy)
{
    bool waits = policy->mode != ACK_ASYNC;

    for (size_t i = 0; i < policy->count && !waits; i++)
        waits = policy->prefixes[i].mode != ACK_ASYNC;
    return waits;
}

enum ack_mode ack_policy_mode(const struct ack_policy *policy, struct slice key)
{
    for (size_t i = 0; i < policy->count; i++) {
        struct slice prefix = policy->prefixes[i].prefix;

        if (prefix.size <= key.size &&
            memcmp(prefix.data, key.data, prefix.size) == 0)
            return policy->prefixes[i].mode;
    }
    return policy->mode;
}

/* ---- requests ---- */

static bool may_change(const struct request *request)
{
    switch (request->verb) {
    case REQUEST_GAT:
    case REQUEST_GATS:
    case REQUEST_SET:
    case REQUEST_ADD:
    case REQUEST_REPLACE:
    case REQUEST_APPEND:
    case REQUEST_PREPEND:
    case REQUEST_CAS:
    case REQUEST_INCR:
    case REQUEST_DECR:
    case REQUEST_DELETE:
    case REQUEST_TOUCH:
    case REQUEST_FLUSH_ALL:
    case REQUEST_MG:
    case REQUEST_MS:
    case REQUEST_MD:
    case REQUEST_MA:
        return true;
    case REQUEST_GET:
    case REQUEST_GETS:
    case REQUEST_VERSION:
    case REQUEST_VERBOSITY:
    case REQUEST_STATS:
    case REQUEST_ME:
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

/* A flush is about all keys, so also about those that wait. */
static bool waits(const struct ack_policy *policy,
                  const struct request *request, struct slice key)
{
    if (request->noreply || !may_change(request))
        return false;
    return request->verb == REQUEST_FLUSH_ALL ||
           ack_policy_mode(policy, key) != ACK_ASYNC;
}

void ack_note_batch(struct command_thread *thread, unsigned steps)
{
    const struct batch *batch = &thread->batch;

    INVARIANT(steps <= batch->ops);
    if (!engine_take_changed(thread->engine_thread))
        return;
    for (unsigned i = 0; i < steps && !thread->awaited; i++) {
        const struct op *op = &batch->op[i];

        thread->awaited =
            waits(thread->ack, &batch->request[op->request], op->key.bytes);
    }
}

void ack_note(struct command_thread *thread, const struct request *request)
{
    if (engine_take_changed(thread->engine_thread) &&
        waits(thread->ack, request, request->key))
        thread->awaited = true;
}

uint64_t command_thread_awaits(struct command_thread *thread)
{
    if (LIKELY(!thread->awaited))
        return 0;
    thread->awaited = false;
    return engine_last_change(thread->engine_thread);
}
