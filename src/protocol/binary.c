/* SPDX-License-Identifier: BSD-3-Clause */
/* Each opcode is a row that says what its requests must look like; reading one
 * is then the same for all. */
#include "src/protocol/binary.h"

#include "src/base/cursor.h"
#include "src/base/memory.h"

/* The exptime of a counter that is not to be made. */
#define NEVER_MADE 0xffffffffu

/* What a row says beside its numbers. */
enum {
    KNOWN = 1 << 0,
    KEY = 1 << 1,    /* Must be there. */
    NAME = 1 << 2,   /* A key that may be there. */
    VALUE = 1 << 3,  /* May be there. */
    QUIET = 1 << 4,  /* What is expected is not answered. */
    SHOWS = 1 << 5,  /* The reply has the key. */
    CHOICE = 1 << 6, /* The extras may be missing. */
};

/* How the extras are laid out. */
enum extras {
    EXTRAS_NONE,
    EXTRAS_STORE,   /* Client flags, exptime. */
    EXTRAS_COUNTER, /* Delta, initial, exptime. */
    EXTRAS_EXPTIME,
};

static const unsigned char extras_sizes[] = {
    [EXTRAS_NONE] = 0,
    [EXTRAS_STORE] = 8,
    [EXTRAS_COUNTER] = 20,
    [EXTRAS_EXPTIME] = 4,
};

struct row {
    unsigned char verb;
    unsigned char extras;
    unsigned char has;
};

#define ROW(verb, extras, has) \
    { \
        REQUEST_##verb, EXTRAS_##extras, (has) | KNOWN \
    }

static const struct row rows[BINARY_OPCODES] = {
    [BINARY_GET] = ROW(GET, NONE, KEY),
    [BINARY_GETQ] = ROW(GET, NONE, KEY | QUIET),
    [BINARY_GETK] = ROW(GET, NONE, KEY | SHOWS),
    [BINARY_GETKQ] = ROW(GET, NONE, KEY | SHOWS | QUIET),
    [BINARY_GAT] = ROW(GAT, EXPTIME, KEY),
    [BINARY_GATQ] = ROW(GAT, EXPTIME, KEY | QUIET),
    [BINARY_GATK] = ROW(GAT, EXPTIME, KEY | SHOWS),
    [BINARY_GATKQ] = ROW(GAT, EXPTIME, KEY | SHOWS | QUIET),
    [BINARY_TOUCH] = ROW(TOUCH, EXPTIME, KEY),
    [BINARY_SET] = ROW(SET, STORE, KEY | VALUE),
    [BINARY_SETQ] = ROW(SET, STORE, KEY | VALUE | QUIET),
    [BINARY_ADD] = ROW(ADD, STORE, KEY | VALUE),
    [BINARY_ADDQ] = ROW(ADD, STORE, KEY | VALUE | QUIET),
    [BINARY_REPLACE] = ROW(REPLACE, STORE, KEY | VALUE),
    [BINARY_REPLACEQ] = ROW(REPLACE, STORE, KEY | VALUE | QUIET),
    [BINARY_APPEND] = ROW(APPEND, NONE, KEY | VALUE),
    [BINARY_APPENDQ] = ROW(APPEND, NONE, KEY | VALUE | QUIET),
    [BINARY_PREPEND] = ROW(PREPEND, NONE, KEY | VALUE),
    [BINARY_PREPENDQ] = ROW(PREPEND, NONE, KEY | VALUE | QUIET),
    [BINARY_DELETE] = ROW(DELETE, NONE, KEY),
    [BINARY_DELETEQ] = ROW(DELETE, NONE, KEY | QUIET),
    [BINARY_INCR] = ROW(INCR, COUNTER, KEY),
    [BINARY_INCRQ] = ROW(INCR, COUNTER, KEY | QUIET),
    [BINARY_DECR] = ROW(DECR, COUNTER, KEY),
    [BINARY_DECRQ] = ROW(DECR, COUNTER, KEY | QUIET),
    [BINARY_FLUSH] = ROW(FLUSH_ALL, EXPTIME, CHOICE),
    [BINARY_FLUSHQ] = ROW(FLUSH_ALL, EXPTIME, CHOICE | QUIET),
    [BINARY_NOOP] = ROW(MN, NONE, 0),
    [BINARY_VERSION] = ROW(VERSION, NONE, 0),
    [BINARY_STAT] = ROW(STATS, NONE, NAME),
    [BINARY_QUIT] = ROW(QUIT, NONE, 0),
    [BINARY_QUITQ] = ROW(QUIT, NONE, QUIET),
    [BINARY_SASL_LIST] = ROW(SASL_LIST, NONE, 0),
    [BINARY_SASL_AUTH] = ROW(SASL_AUTH, NONE, KEY | VALUE),
    [BINARY_SASL_STEP] = ROW(SASL_STEP, NONE, KEY | VALUE),
};

struct header {
    unsigned char opcode;
    uint16_t key_size;
    uint8_t extras_size;
    uint32_t body_size;
    uint32_t opaque;
    uint64_t cas;
};

/* ---- requests ---- */

static struct header read_header(struct slice input)
{
    struct header header;
    struct reader reader;

    reader_init(&reader, input.data, BINARY_HEADER_BYTES);
    (void)reader_u8(&reader);
    header.opcode = reader_u8(&reader);
    header.key_size = reader_u16(&reader);
    header.extras_size = reader_u8(&reader);
    (void)reader_u8(&reader);
    (void)reader_u16(&reader);
    header.body_size = reader_u32(&reader);
    header.opaque = reader_u32(&reader);
    header.cas = reader_u64(&reader);
    return header;
}

static uint32_t value_size(const struct header *header)
{
    return header->body_size - header->key_size - header->extras_size;
}

/* Whether the sizes are those of the row's requests. */
static bool fits(const struct row *row, const struct header *header)
{
    bool has_key = header->key_size > 0;
    bool no_extras = header->extras_size == 0 && (row->has & CHOICE);

    if (has_key ? !(row->has & (KEY | NAME)) : (row->has & KEY) != 0)
        return false;
    if (header->extras_size != extras_sizes[row->extras] && !no_extras)
        return false;
    return value_size(header) == 0 || (row->has & VALUE);
}

static enum request_error check(const struct row *row,
                                const struct header *header)
{
    if ((uint32_t)header->key_size + header->extras_size > header->body_size)
        return REQUEST_BAD_FRAME;
    if (header->body_size > BINARY_BODY_MAX ||
        header->key_size > REQUEST_KEY_MAX)
        return REQUEST_BAD_LINE;
    if (!(row->has & KNOWN))
        return REQUEST_BAD_OPCODE;
    return fits(row, header) ? REQUEST_FINE : REQUEST_BAD_LINE;
}

static void read_extras(const struct row *row, struct slice extras,
                        struct request *request)
{
    struct reader reader;

    reader_init(&reader, extras.data, extras.size);
    switch ((enum extras)row->extras) {
    case EXTRAS_NONE:
        return;
    case EXTRAS_STORE:
        request->client_flags = reader_u32(&reader);
        break;
    case EXTRAS_COUNTER:
        request->number = reader_u64(&reader);
        request->binary.initial = reader_u64(&reader);
        break;
    case EXTRAS_EXPTIME:
        break;
    }
    request->exptime_s = reader_u32(&reader);
    if (row->extras != EXTRAS_COUNTER)
        return;
    request->binary.vivify = request->exptime_s != NEVER_MADE;
    if (!request->binary.vivify)
        request->exptime_s = 0;
}

static void read_body(const struct row *row, const struct header *header,
                      const char *body, struct request *request)
{
    read_extras(row, slice_make(body, header->extras_size), request);
    request->key = slice_make(body + header->extras_size, header->key_size);
    request->has_value = (row->has & VALUE) != 0;
    if (request->has_value)
        request->value_size = value_size(header);
}

/* Whatever it is, it is passed over. */
static void skip_body(const struct header *header, struct request *request)
{
    request->has_value = true;
    request->value_size = header->body_size;
}

static void begin(const struct row *row, const struct header *header,
                  struct request *request)
{
    memset(request, 0, offsetof(struct request, meta));
    request->verb = row->has & KNOWN ? row->verb : REQUEST_NONE;
    request->error = check(row, header);
    request->binary = (struct binary){.cas = header->cas,
                                      .opaque = header->opaque,
                                      .opcode = header->opcode,
                                      .quiet = (row->has & QUIET) != 0,
                                      .shows_key = (row->has & SHOWS) != 0};
}

enum binary_cut binary_parse(struct slice input, struct request *request,
                             size_t *taken)
{
    static const struct row unknown = {0};
    const struct row *row = &unknown;
    struct header header;
    size_t size;

    if ((unsigned char)input.data[0] != BINARY_MAGIC)
        return BINARY_STRAY;
    if (input.size < BINARY_HEADER_BYTES)
        return BINARY_PART;
    header = read_header(input);
    if (header.opcode < BINARY_OPCODES)
        row = &rows[header.opcode];
    begin(row, &header, request);
    *taken = BINARY_HEADER_BYTES;
    if (request->error == REQUEST_BAD_OPCODE)
        skip_body(&header, request);
    if (request->error != REQUEST_FINE)
        return BINARY_REQUEST;
    size = (size_t)header.extras_size + header.key_size;
    if (size > input.size - BINARY_HEADER_BYTES)
        return BINARY_PART;
    *taken += size;
    read_body(row, &header, input.data + BINARY_HEADER_BYTES, request);
    return BINARY_REQUEST;
}

/* ---- replies ---- */

char *binary_write_header(char *at, const struct binary_reply *reply)
{
    const uint16_t key_size = htobe16((uint16_t)reply->key_size);
    const uint16_t status = htobe16((uint16_t)reply->status);
    const uint32_t body_size = htobe32(
        (uint32_t)(reply->extras_size + reply->key_size + reply->value_size));
    const uint32_t opaque = htobe32(reply->opaque);
    const uint64_t cas = htobe64(reply->cas);

    at[0] = (char)BINARY_REPLY_MAGIC;
    at[1] = (char)reply->opcode;
    memcpy(at + 2, &key_size, sizeof(key_size));
    at[4] = (char)reply->extras_size;
    at[5] = 0;
    memcpy(at + 6, &status, sizeof(status));
    memcpy(at + 8, &body_size, sizeof(body_size));
    memcpy(at + 12, &opaque, sizeof(opaque));
    memcpy(at + 16, &cas, sizeof(cas));
    return at + BINARY_HEADER_BYTES;
}

struct slice binary_status_words(enum binary_status status)
{
    switch (status) {
    case BINARY_OK:
    case BINARY_AUTH_CONTINUE:
        break;
    case BINARY_NOT_FOUND:
        return SLICE_LITERAL("Not found");
    case BINARY_EXISTS:
        return SLICE_LITERAL("Data exists for key.");
    case BINARY_TOO_LARGE:
        return SLICE_LITERAL("Too large.");
    case BINARY_INVALID:
        return SLICE_LITERAL("Invalid arguments");
    case BINARY_NOT_STORED:
        return SLICE_LITERAL("Not stored.");
    case BINARY_NOT_A_NUMBER:
        return SLICE_LITERAL("Non-numeric server-side value for incr or decr");
    case BINARY_AUTH_FAILED:
        return SLICE_LITERAL("Auth failure.");
    case BINARY_UNKNOWN:
        return SLICE_LITERAL("Unknown command");
    case BINARY_NO_MEMORY:
        return SLICE_LITERAL("Out of memory");
    }
    return SLICE_LITERAL("");
}
