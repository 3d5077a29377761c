/* SPDX-License-Identifier: BSD-3-Clause */
/* The messages of the peer protocol (proto/replication.proto), decoded. */
#ifndef REPLICATION_MESSAGE_H
#define REPLICATION_MESSAGE_H

#include "src/base/slice.h"
#include "src/engine/mutation.h"

#include <stdbool.h>
#include <stdint.h>

#define MESSAGE_PROTOCOL_VERSION 1u
#define MESSAGE_PAIR_NAME_MAX 64
#define MESSAGE_WORDS_MAX 200
#define MESSAGE_PRESENT_MAX 8192 /* Hashes in one Purge. */
#define MESSAGE_BATCH_MAX 4096   /* Mutations in one Batch. */
#define MESSAGE_GROUPS_MAX 1024  /* Of hashes in one Digest. */
#define MESSAGE_LIST_MAX 4096    /* Items in one Differ. */
#define MESSAGE_FETCH_MAX 1024   /* Keys in one Fetch. */
#define MESSAGE_KEY_MAX 250
#define MESSAGE_VALUE_MAX (1ull << 30) /* Bytes of a value in Parts. */

/* What a node can do beyond the first version; a bit of hello.features. */
#define MESSAGE_FEATURE_DIGEST 0x1u
/* Takes a longer life without the value, and asks for the value if it has not
 * got it. */
#define MESSAGE_FEATURE_TOUCH 0x2u
#define MESSAGE_FEATURE_FETCH 0x4u /* It answers Fetch. */
/* Tells a node that doubts its data what of it to drop, when they compare. */
#define MESSAGE_FEATURE_DOUBT 0x8u
#define MESSAGE_FEATURES /* All of them. */ \
    (MESSAGE_FEATURE_DIGEST | MESSAGE_FEATURE_TOUCH | MESSAGE_FEATURE_FETCH | \
     MESSAGE_FEATURE_DOUBT)

enum message_type {
    MESSAGE_HELLO = 1,
    MESSAGE_REFUSE,
    MESSAGE_PLAN,
    MESSAGE_BATCH,
    MESSAGE_PART,
    MESSAGE_PURGE,
    MESSAGE_MARK,
    MESSAGE_ACK,
    MESSAGE_FLUSH,
    MESSAGE_HEARTBEAT,
    MESSAGE_GOODBYE,
    MESSAGE_DIGEST,
    MESSAGE_DIFFER,
    MESSAGE_WANT,
    MESSAGE_FETCH,
    MESSAGE_FETCHED,
};

enum refusal {
    REFUSAL_VERSION = 1,
    REFUSAL_PAIR_NAME,
    REFUSAL_PAIRED, /* It has a peer already: a third node. */
    REFUSAL_SELF,   /* The node has reached itself. */
    REFUSAL_STRANGER,
    REFUSAL_CROSSED,   /* Two links crossed; the other one stays. */
    REFUSAL_SECURITY,  /* One side speaks TLS, the other does not. */
    REFUSAL_OTHERWISE, /* Whatever a newer node's words say. */
};

enum resync_kind {
    RESYNC_NONE,
    RESYNC_CONTINUE,
    RESYNC_DELTA,
    RESYNC_FULL,
    RESYNC_DIGEST,
};

struct hello {
    uint32_t version_min;
    uint32_t version_max;
    uint64_t features;
    struct slice pair;
    uint64_t node;
    uint64_t incarnation;
    unsigned node_bit;
    bool node_bit_fixed;
    uint64_t peer_incarnation;
    uint64_t peer_applied;
    uint64_t acked_by;
    uint64_t acked;
    stamp_t doubted; /* STAMP_NONE: nothing is. */
    uint64_t now_ns;
    stamp_t stamp_last;
    uint64_t items;
    uint64_t item_bytes_max;
    struct flush_state flush;
    bool joining;
};

struct message {
    enum message_type type;
    union {
        struct hello hello;
        struct {
            enum refusal reason;
            struct slice words;
        } refuse;
        struct {
            enum resync_kind kind;
            uint64_t live_after;
            uint64_t items;
        } plan;
        struct {
            /* Read one after the other with codec_next_mutation(); all of
             * them were checked when the frame was decoded. */
            struct slice encoded;
            size_t count;
            uint64_t through;
        } batch;
        struct {
            struct mutation head;
            uint64_t value_size;
            uint64_t offset;
            struct slice data;
            uint64_t through;
        } part;
        struct {
            uint64_t from;
            uint64_t to;
            stamp_t floor;
            const uint64_t *present; /* In ascending order. */
            size_t present_count;
        } purge;
        struct {
            uint64_t through_hash;
            bool done;
            bool idle;
        } mark;
        struct {
            uint64_t applied;
            uint64_t through_hash;
            bool done;
            bool prompt;
            bool full;
        } ack;
        struct flush_state flush;
        struct {
            uint64_t now_ns;
            uint64_t echo_ns;
            uint64_t echo_delay_ns;
            stamp_t stamp_last;
        } heartbeat;
        struct {
            struct slice words;
        } goodbye;
        struct {
            uint64_t from;
            uint64_t to;
            const uint64_t *sums;
            const uint32_t *counts;
            size_t count; /* Of groups. */
        } digest;
        struct {
            uint64_t from;
            uint64_t through;
            const uint32_t *groups; /* Ascending. */
            size_t groups_count;
            const uint64_t *hashes; /* Ascending. */
            const uint64_t *stamps;
            const uint32_t *expiries;
            size_t items_count;
            uint64_t last;
            bool behind;
        } differ;
        struct {
            const uint64_t *hashes;
            size_t count;
        } want;
        struct {
            const uint64_t *hashes;
            size_t count; /* At least 1. */
        } fetch;
        struct {
            uint64_t answered;
            uint64_t found; /* Not more. */
        } fetched;
    };
};

#endif
