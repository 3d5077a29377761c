/* SPDX-License-Identifier: BSD-3-Clause */
/* The messages by which nodes compare what they hold and ask for it: many
 * numbers of the same kind, checked here so that whoever looks them up need
 * not. */
#include "replication/codec_inner.h"

#include "replication/codec_wire.h"
#include "src/base/invariant.h"

int codec_read_digest(struct codec *codec, struct slice bytes,
                      struct message *message)
{
    const WIRE(Digest) * wire;
    int error;

    wire = codec_unpack(codec, WIRE_TYPE(digest), bytes, &error);
    if (wire == NULL)
        return error;
    if (wire->n_sums > MESSAGE_GROUPS_MAX)
        return -ERR_LIMIT;
    if (wire->n_sums == 0 || wire->n_sums != wire->n_counts)
        return -ERR_SYNTAX;
    if (wire->from > wire->to)
        return -ERR_RANGE;
    message->digest.from = wire->from;
    message->digest.to = wire->to;
    message->digest.sums = wire->sums;
    message->digest.counts = wire->counts;
    message->digest.count = wire->n_sums;
    return 0;
}

void codec_write_digest(struct codec *codec, const struct message *message,
                        struct writer *out)
{
    WIRE(Digest) wire;

    INVARIANT(message->digest.count <= MESSAGE_GROUPS_MAX);

    (void)codec;
    WIRE_INIT(digest, &wire);
    wire.from = message->digest.from;
    wire.to = message->digest.to;
    wire.n_sums = wire.n_counts = message->digest.count;
    codec_lend(&wire.sums, message->digest.sums);
    codec_lend(&wire.counts, message->digest.counts);
    codec_pack(&wire.base, out);
}

static int check_groups(const WIRE(Differ) * wire)
{
    if (wire->n_groups > MESSAGE_GROUPS_MAX)
        return -ERR_LIMIT;
    for (size_t i = 0; i < wire->n_groups; i++) {
        if (wire->groups[i] >= MESSAGE_GROUPS_MAX)
            return -ERR_RANGE;
        if (i > 0 && wire->groups[i] <= wire->groups[i - 1])
            return -ERR_SYNTAX;
    }
    return 0;
}

static int check_items(const WIRE(Differ) * wire)
{
    if (wire->n_hashes > MESSAGE_LIST_MAX)
        return -ERR_LIMIT;
    if (wire->n_stamps != wire->n_hashes || wire->n_expiries != wire->n_hashes)
        return -ERR_SYNTAX;
    for (size_t i = 0; i < wire->n_hashes; i++) {
        if (wire->hashes[i] < wire->from || wire->hashes[i] > wire->through ||
            wire->hashes[i] == 0 || wire->stamps[i] == STAMP_NONE ||
            !codec_stamp_ok(wire->stamps[i]))
            return -ERR_RANGE;
        if (i > 0 && wire->hashes[i] <= wire->hashes[i - 1])
            return -ERR_SYNTAX;
    }
    return 0;
}

int codec_read_differ(struct codec *codec, struct slice bytes,
                      struct message *message)
{
    const WIRE(Differ) * wire;
    int error;

    wire = codec_unpack(codec, WIRE_TYPE(differ), bytes, &error);
    if (wire == NULL)
        return error;
    if (wire->from > wire->through)
        return -ERR_RANGE;
    message->differ.from = wire->from;
    message->differ.through = wire->through;
    message->differ.groups = wire->groups;
    message->differ.groups_count = wire->n_groups;
    message->differ.hashes = wire->hashes;
    message->differ.stamps = wire->stamps;
    message->differ.expiries = wire->expiries;
    message->differ.items_count = wire->n_hashes;
    message->differ.last = wire->last;
    message->differ.behind = wire->behind != 0;
    error = check_groups(wire);
    return error == 0 ? check_items(wire) : error;
}

void codec_write_differ(struct codec *codec, const struct message *message,
                        struct writer *out)
{
    WIRE(Differ) wire;

    INVARIANT(message->differ.groups_count <= MESSAGE_GROUPS_MAX);
    INVARIANT(message->differ.items_count <= MESSAGE_LIST_MAX);

    (void)codec;
    WIRE_INIT(differ, &wire);
    wire.from = message->differ.from;
    wire.through = message->differ.through;
    wire.n_groups = message->differ.groups_count;
    codec_lend(&wire.groups, message->differ.groups);
    wire.n_hashes = wire.n_stamps = wire.n_expiries =
        message->differ.items_count;
    codec_lend(&wire.hashes, message->differ.hashes);
    codec_lend(&wire.stamps, message->differ.stamps);
    codec_lend(&wire.expiries, message->differ.expiries);
    wire.last = message->differ.last;
    wire.behind = message->differ.behind;
    codec_pack(&wire.base, out);
}

int codec_read_want(struct codec *codec, struct slice bytes,
                    struct message *message)
{
    const WIRE(Want) * wire;
    int error;

    wire = codec_unpack(codec, WIRE_TYPE(want), bytes, &error);
    if (wire == NULL)
        return error;
    message->want.hashes = wire->hashes;
    message->want.count = wire->n_hashes;
    if (wire->n_hashes > MESSAGE_LIST_MAX)
        return -ERR_LIMIT;
    for (size_t i = 0; i < wire->n_hashes; i++) {
        if (wire->hashes[i] == 0)
            return -ERR_RANGE;
    }
    return 0;
}

void codec_write_want(struct codec *codec, const struct message *message,
                      struct writer *out)
{
    WIRE(Want) wire;

    INVARIANT(message->want.count <= MESSAGE_LIST_MAX);

    (void)codec;
    WIRE_INIT(want, &wire);
    wire.n_hashes = message->want.count;
    codec_lend(&wire.hashes, message->want.hashes);
    codec_pack(&wire.base, out);
}

int codec_read_fetch(struct codec *codec, struct slice bytes,
                     struct message *message)
{
    const WIRE(Fetch) * wire;
    int error;

    wire = codec_unpack(codec, WIRE_TYPE(fetch), bytes, &error);
    if (wire == NULL)
        return error;
    if (wire->n_hashes == 0)
        return -ERR_SYNTAX;
    message->fetch.hashes = wire->hashes;
    message->fetch.count = wire->n_hashes;
    return wire->n_hashes <= MESSAGE_FETCH_MAX ? 0 : -ERR_LIMIT;
}

void codec_write_fetch(struct codec *codec, const struct message *message,
                       struct writer *out)
{
    WIRE(Fetch) wire;

    INVARIANT(message->fetch.count <= MESSAGE_FETCH_MAX);

    (void)codec;
    WIRE_INIT(fetch, &wire);
    wire.n_hashes = message->fetch.count;
    codec_lend(&wire.hashes, message->fetch.hashes);
    codec_pack(&wire.base, out);
}

int codec_read_fetched(struct codec *codec, struct slice bytes,
                       struct message *message)
{
    const WIRE(Fetched) * wire;
    int error;

    wire = codec_unpack(codec, WIRE_TYPE(fetched), bytes, &error);
    if (wire == NULL)
        return error;
    message->fetched.answered = wire->answered;
    message->fetched.found = wire->found;
    return wire->found <= wire->answered ? 0 : -ERR_RANGE;
}

void codec_write_fetched(struct codec *codec, const struct message *message,
                         struct writer *out)
{
    WIRE(Fetched) wire;

    (void)codec;
    WIRE_INIT(fetched, &wire);
    wire.answered = message->fetched.answered;
    wire.found = message->fetched.found;
    codec_pack(&wire.base, out);
}
