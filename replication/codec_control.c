/* SPDX-License-Identifier: BSD-3-Clause */
/* Control messages, through the code that protoc-c makes of the schema. They
 * are rare, so the copy into and out of its structs does not matter; its heap
 * use would, so it is given an arena that ends. */
#include "replication/codec_inner.h"

#include "replication/codec_wire.h"
#include "src/base/invariant.h"

#define ARENA_ALIGN 16u

static void *arena_take(void *data, size_t size)
{
    struct codec_arena *arena = data;
    size_t at = (arena->used + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);

    if (at > CODEC_ARENA_BYTES || size > CODEC_ARENA_BYTES - at) {
        arena->exhausted = true;
        return NULL;
    }
    arena->used = at + size;
    return arena->bytes + at;
}

static void arena_keep(void *data, void *pointer)
{
    (void)data;
    (void)pointer;
}

/* The generated struct, in the arena; or NULL and the reason in *error. */
const void *codec_unpack(struct codec *codec,
                         const ProtobufCMessageDescriptor *type,
                         struct slice bytes, int *error)
{
    ProtobufCAllocator allocator = {
        .alloc = arena_take,
        .free = arena_keep,
        .allocator_data = &codec->arena,
    };
    const void *wire;

    wire = protobuf_c_message_unpack(type, &allocator, bytes.size,
                                     (const uint8_t *)bytes.data);
    *error = codec->arena.exhausted ? -ERR_LIMIT : -ERR_SYNTAX;
    return wire;
}

void codec_pack(const ProtobufCMessage *wire, struct writer *out)
{
    size_t size = protobuf_c_message_get_packed_size(wire);

    if (size > writer_left(out)) {
        out->failed = true;
        return;
    }
    (void)protobuf_c_message_pack(wire, out->at);
    out->at += size;
}

/* Text with its NUL, as the generated structs want it, until the next one.
 * Words that are too long are cut. */
static char *outgoing(struct codec *codec, struct slice text)
{
    size_t size = text.size;

    if (size > MESSAGE_WORDS_MAX)
        size = MESSAGE_WORDS_MAX;
    if (size > 0)
        memcpy(codec->text, text.data, size);
    codec->text[size] = '\0';
    return codec->text;
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* A peer's words end up in our log: it shall not write lines of its own. */
static int incoming_words(char *text, struct slice *words)
{
    char *c;

    for (c = text; *c != '\0'; c++) {
        if (is_control(*c))
            *c = '?';
    }
    *words = slice_of(text);
    return words->size <= MESSAGE_WORDS_MAX ? 0 : -ERR_LIMIT;
}

static int incoming_pair(const char *text, struct slice *pair)
{
    size_t i;

    *pair = slice_of(text);
    if (pair->size > MESSAGE_PAIR_NAME_MAX)
        return -ERR_LIMIT;
    for (i = 0; i < pair->size; i++) {
        if (is_control(text[i]))
            return -ERR_SYNTAX;
    }
    return 0;
}

/* ---- flush, alone and inside a hello ---- */

static int flush_of(const WIRE(Flush) * wire, struct flush_state *flush)
{
    flush->floor = wire->floor;
    flush->pending = wire->pending;
    flush->due_ns = wire->due_ns;
    if (!codec_stamp_ok(flush->floor) || !codec_stamp_ok(flush->pending))
        return -ERR_RANGE;
    return 0;
}

static WIRE(Flush) wire_of(const struct flush_state *flush)
{
    WIRE(Flush) wire;

    WIRE_INIT(flush, &wire);
    wire.floor = flush->floor;
    wire.pending = flush->pending;
    wire.due_ns = flush->due_ns;
    return wire;
}

int codec_read_flush(struct codec *codec, struct slice bytes,
                     struct message *message)
{
    const WIRE(Flush) * wire;
    int error;

    wire = codec_unpack(codec, WIRE_TYPE(flush), bytes, &error);
    return wire != NULL ? flush_of(wire, &message->flush) : error;
}

void codec_write_flush(struct codec *codec, const struct message *message,
                       struct writer *out)
{
    WIRE(Flush) wire = wire_of(&message->flush);

    (void)codec;
    codec_pack(&wire.base, out);
}

/* ---- hello ---- */

static int check_hello(const struct hello *hello)
{
    if (hello->version_min == 0 || hello->version_min > hello->version_max)
        return -ERR_RANGE;
    if (hello->node == 0 || hello->incarnation == 0)
        return -ERR_RANGE;
    if (hello->node_bit > 1 || !codec_stamp_ok(hello->stamp_last) ||
        !codec_stamp_ok(hello->doubted))
        return -ERR_RANGE;
    return 0;
}

int codec_read_hello(struct codec *codec, struct slice bytes,
                     struct message *message)
{
    struct hello *hello = &message->hello;
    const WIRE(Hello) * wire;
    int error;

    wire = codec_unpack(codec, WIRE_TYPE(hello), bytes, &error);
    if (wire == NULL)
        return error;
    *hello = (struct hello){
        .version_min = wire->version_min,
        .version_max = wire->version_max,
        .features = wire->features,
        .node = wire->node,
        .incarnation = wire->incarnation,
        .node_bit = wire->node_bit,
        .node_bit_fixed = wire->node_bit_fixed != 0,
        .peer_incarnation = wire->peer_incarnation,
        .peer_applied = wire->peer_applied,
        .acked_by = wire->acked_by,
        .acked = wire->acked,
        .doubted = wire->doubted,
        .now_ns = wire->now_ns,
        .stamp_last = wire->stamp_last,
        .items = wire->items,
        .item_bytes_max = wire->item_bytes_max,
        .joining = wire->joining != 0,
    };
    error = incoming_pair(wire->pair, &hello->pair);
    if (error == 0 && wire->flush != NULL)
        error = flush_of(wire->flush, &hello->flush);
    return error == 0 ? check_hello(hello) : error;
}

void codec_write_hello(struct codec *codec, const struct message *message,
                       struct writer *out)
{
    const struct hello *hello = &message->hello;
    WIRE(Flush) flush = wire_of(&hello->flush);
    WIRE(Hello) wire;

    INVARIANT(hello->pair.size <= MESSAGE_PAIR_NAME_MAX);

    WIRE_INIT(hello, &wire);
    wire.version_min = hello->version_min;
    wire.version_max = hello->version_max;
    wire.features = hello->features;
    wire.pair = outgoing(codec, hello->pair);
    wire.node = hello->node;
    wire.incarnation = hello->incarnation;
    wire.node_bit = hello->node_bit;
    wire.node_bit_fixed = hello->node_bit_fixed;
    wire.peer_incarnation = hello->peer_incarnation;
    wire.peer_applied = hello->peer_applied;
    wire.acked_by = hello->acked_by;
    wire.acked = hello->acked;
    wire.doubted = hello->doubted;
    wire.now_ns = hello->now_ns;
    wire.stamp_last = hello->stamp_last;
    wire.items = hello->items;
    wire.item_bytes_max = hello->item_bytes_max;
    wire.flush = &flush;
    wire.joining = hello->joining;
    codec_pack(&wire.base, out);
}

/* ---- refuse, goodbye: words ---- */

int codec_read_refuse(struct codec *codec, struct slice bytes,
                      struct message *message)
{
    const WIRE(Refuse) * wire;
    int error;

    wire = codec_unpack(codec, WIRE_TYPE(refuse), bytes, &error);
    if (wire == NULL)
        return error;
    if (wire->reason < REFUSAL_VERSION)
        return -ERR_RANGE;
    message->refuse.reason = wire->reason < REFUSAL_OTHERWISE
                                 ? (enum refusal)wire->reason
                                 : REFUSAL_OTHERWISE;
    return incoming_words(wire->words, &message->refuse.words);
}

void codec_write_refuse(struct codec *codec, const struct message *message,
                        struct writer *out)
{
    WIRE(Refuse) wire;

    WIRE_INIT(refuse, &wire);
    wire.reason = message->refuse.reason;
    wire.words = outgoing(codec, message->refuse.words);
    codec_pack(&wire.base, out);
}

int codec_read_goodbye(struct codec *codec, struct slice bytes,
                       struct message *message)
{
    const WIRE(Goodbye) * wire;
    int error;

    wire = codec_unpack(codec, WIRE_TYPE(goodbye), bytes, &error);
    if (wire == NULL)
        return error;
    return incoming_words(wire->words, &message->goodbye.words);
}

void codec_write_goodbye(struct codec *codec, const struct message *message,
                         struct writer *out)
{
    WIRE(Goodbye) wire;

    WIRE_INIT(goodbye, &wire);
    wire.words = outgoing(codec, message->goodbye.words);
    codec_pack(&wire.base, out);
}

/* ---- resync ---- */

int codec_read_plan(struct codec *codec, struct slice bytes,
                    struct message *message)
{
    const WIRE(Plan) * wire;
    int error;

    wire = codec_unpack(codec, WIRE_TYPE(plan), bytes, &error);
    if (wire == NULL)
        return error;
    if (wire->kind < RESYNC_CONTINUE || wire->kind > RESYNC_DIGEST)
        return -ERR_RANGE;
    message->plan.kind = (enum resync_kind)wire->kind;
    message->plan.live_after = wire->live_after;
    message->plan.items = wire->items;
    return 0;
}

void codec_write_plan(struct codec *codec, const struct message *message,
                      struct writer *out)
{
    WIRE(Plan) wire;

    (void)codec;
    WIRE_INIT(plan, &wire);
    wire.kind = message->plan.kind;
    wire.live_after = message->plan.live_after;
    wire.items = message->plan.items;
    codec_pack(&wire.base, out);
}

/* Strictly ascending and inside the purged range, so that the receiver can
 * search it. */
static int check_present(const WIRE(Purge) * wire)
{
    size_t i;

    if (wire->n_present > MESSAGE_PRESENT_MAX)
        return -ERR_LIMIT;
    for (i = 0; i < wire->n_present; i++) {
        if (wire->present[i] < wire->from || wire->present[i] > wire->to)
            return -ERR_RANGE;
        if (i > 0 && wire->present[i] <= wire->present[i - 1])
            return -ERR_SYNTAX;
    }
    return 0;
}

int codec_read_purge(struct codec *codec, struct slice bytes,
                     struct message *message)
{
    const WIRE(Purge) * wire;
    int error;

    wire = codec_unpack(codec, WIRE_TYPE(purge), bytes, &error);
    if (wire == NULL)
        return error;
    if (wire->from > wire->to || !codec_stamp_ok(wire->floor))
        return -ERR_RANGE;
    message->purge.from = wire->from;
    message->purge.to = wire->to;
    message->purge.floor = wire->floor;
    message->purge.present = wire->present;
    message->purge.present_count = wire->n_present;
    return check_present(wire);
}

void codec_write_purge(struct codec *codec, const struct message *message,
                       struct writer *out)
{
    WIRE(Purge) wire;

    INVARIANT(message->purge.present_count <= MESSAGE_PRESENT_MAX);

    (void)codec;
    WIRE_INIT(purge, &wire);
    wire.from = message->purge.from;
    wire.to = message->purge.to;
    wire.floor = message->purge.floor;
    wire.n_present = message->purge.present_count;
    codec_lend(&wire.present, message->purge.present);
    codec_pack(&wire.base, out);
}

int codec_read_mark(struct codec *codec, struct slice bytes,
                    struct message *message)
{
    const WIRE(Mark) * wire;
    int error;

    wire = codec_unpack(codec, WIRE_TYPE(mark), bytes, &error);
    if (wire == NULL)
        return error;
    message->mark.through_hash = wire->through_hash;
    message->mark.done = wire->done != 0;
    message->mark.idle = wire->idle != 0;
    return 0;
}

void codec_write_mark(struct codec *codec, const struct message *message,
                      struct writer *out)
{
    WIRE(Mark) wire;

    (void)codec;
    WIRE_INIT(mark, &wire);
    wire.through_hash = message->mark.through_hash;
    wire.done = message->mark.done;
    wire.idle = message->mark.idle;
    codec_pack(&wire.base, out);
}

/* ---- acknowledgements and signs of life ---- */

int codec_read_ack(struct codec *codec, struct slice bytes,
                   struct message *message)
{
    const WIRE(Ack) * wire;
    int error;

    wire = codec_unpack(codec, WIRE_TYPE(ack), bytes, &error);
    if (wire == NULL)
        return error;
    message->ack.applied = wire->applied;
    message->ack.through_hash = wire->through_hash;
    message->ack.done = wire->done != 0;
    message->ack.prompt = wire->prompt != 0;
    message->ack.full = wire->full != 0;
    return 0;
}

void codec_write_ack(struct codec *codec, const struct message *message,
                     struct writer *out)
{
    WIRE(Ack) wire;

    (void)codec;
    WIRE_INIT(ack, &wire);
    wire.applied = message->ack.applied;
    wire.through_hash = message->ack.through_hash;
    wire.done = message->ack.done;
    wire.prompt = message->ack.prompt;
    wire.full = message->ack.full;
    codec_pack(&wire.base, out);
}

int codec_read_heartbeat(struct codec *codec, struct slice bytes,
                         struct message *message)
{
    const WIRE(Heartbeat) * wire;
    int error;

    wire = codec_unpack(codec, WIRE_TYPE(heartbeat), bytes, &error);
    if (wire == NULL)
        return error;
    message->heartbeat.now_ns = wire->now_ns;
    message->heartbeat.echo_ns = wire->echo_ns;
    message->heartbeat.echo_delay_ns = wire->echo_delay_ns;
    message->heartbeat.stamp_last = wire->stamp_last;
    return codec_stamp_ok(wire->stamp_last) ? 0 : -ERR_RANGE;
}

void codec_write_heartbeat(struct codec *codec, const struct message *message,
                           struct writer *out)
{
    WIRE(Heartbeat) wire;

    (void)codec;
    WIRE_INIT(heartbeat, &wire);
    wire.now_ns = message->heartbeat.now_ns;
    wire.echo_ns = message->heartbeat.echo_ns;
    wire.echo_delay_ns = message->heartbeat.echo_delay_ns;
    wire.stamp_last = message->heartbeat.stamp_last;
    codec_pack(&wire.base, out);
}
