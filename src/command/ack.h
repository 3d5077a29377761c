/* SPDX-License-Identifier: BSD-3-Clause */
/* Which replies to writes wait until the peer has what they tell of: by the
 * key's prefix, the longest of those that fit, or for all keys alike.
 *
 * A request with `noreply` never waits. One that is quiet about success only
 * (meta's q, binary's quiet opcodes) does: the next reply of its client, such
 * as to mn or noop, tells of it.
 *
 * A node applies what it takes from the link at once and acknowledges then, so
 * both modes that wait do so for the same word of the peer's. */
#ifndef COMMAND_ACK_H
#define COMMAND_ACK_H

#include "src/base/error.h"
#include "src/base/slice.h"

#include <stdbool.h>
#include <stddef.h>

#define ACK_PREFIXES_MAX 32

struct command_thread;
struct request;

enum ack_mode {
    ACK_ASYNC,    /* Nothing waits. */
    ACK_RECEIVED, /* The peer's node has it: it survives this one. */
    ACK_APPLIED,  /* The peer's clients see it. */
};

struct ack_prefix {
    struct slice prefix;
    enum ack_mode mode;
};

/* Immutable once threads run; all zeros: nothing waits. */
struct ack_policy {
    enum ack_mode mode; /* Of keys without a prefix that is named. */
    struct ack_prefix prefixes[ACK_PREFIXES_MAX]; /* Longest first. */
    size_t count;
};

/* The same prefix once more: the last word counts. Borrows the prefix.
 * Errors: -ERR_LIMIT. */
MUST_CHECK int ack_policy_add(struct ack_policy *policy, struct slice prefix,
                              enum ack_mode mode);
/* Does anything wait? */
bool ack_policy_waits(const struct ack_policy *policy);
enum ack_mode ack_policy_mode(const struct ack_policy *policy,
                              struct slice key);

/* ---- for sessions of a thread that has a policy ---- */

/* The first steps of the thread's batch were executed. */
void ack_note_batch(struct command_thread *thread, unsigned steps);
/* This request was, outside of a batch. */
void ack_note(struct command_thread *thread, const struct request *request);

#endif
