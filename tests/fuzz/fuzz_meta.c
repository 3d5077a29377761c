/* SPDX-License-Identifier: BSD-3-Clause */
/* Meta lines over any bytes: a request that was understood, written out again,
 * is the same request; and a key in base64 is the same key. */
#include "src/base/invariant.h"
#include "src/base/number.h"
#include "src/protocol/base64.h"
#include "src/protocol/text.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct line {
    char text[2 * TEXT_LINE_MAX];
    size_t size;
};

static const char *const names[REQUEST_VERBS] = {
    [REQUEST_MG] = "mg", [REQUEST_MS] = "ms", [REQUEST_MD] = "md",
    [REQUEST_MA] = "ma", [REQUEST_ME] = "me", [REQUEST_MN] = "mn",
};

static void add(struct line *line, const char *data, size_t size)
{
    INVARIANT(size <= sizeof(line->text) - line->size);
    if (size > 0)
        memcpy(line->text + line->size, data, size);
    line->size += size;
}

static void add_number(struct line *line, uint64_t value)
{
    char digits[NUMBER_DIGITS_MAX];

    add(line, digits, number_write_u64(digits, value));
}

static void add_signed(struct line *line, int64_t value)
{
    if (value < 0)
        add(line, "-", 1);
    add_number(line, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

static void add_token(struct line *line, const struct request *request,
                      char letter)
{
    const struct meta *meta = &request->meta;

    switch (letter) {
    case 'C':
        add_number(line, meta->wanted_cas);
        return;
    case 'D':
        add_number(line, meta->delta);
        return;
    case 'E':
        add_number(line, meta->given_cas);
        return;
    case 'F':
        add_number(line, request->client_flags);
        return;
    case 'J':
        add_number(line, meta->initial);
        return;
    case 'M':
        add(line, &meta->mode, 1);
        return;
    case 'N':
        add_signed(line, meta->vivify_s);
        return;
    case 'O':
        add(line, meta->opaque.data + 1, meta->opaque.size - 1);
        return;
    case 'R':
        add_signed(line, meta->recache_s);
        return;
    case 'T':
        add_signed(line, request->exptime_s);
        return;
    default:
        return;
    }
}

static void add_key(struct line *line, const struct request *request)
{
    char key[BASE64_ENCODED_BYTES(REQUEST_KEY_MAX)];

    if (meta_has(&request->meta, 'b'))
        add(line, key, base64_encode(request->key, key));
    else
        add(line, request->key.data, request->key.size);
}

static void write_request(const struct request *request, struct line *line)
{
    const struct meta *meta = &request->meta;
    unsigned i;

    add(line, names[request->verb], 2);
    if (request->verb == REQUEST_MN)
        return;
    add(line, " ", 1);
    add_key(line, request);
    if (request->verb == REQUEST_MS) {
        add(line, " ", 1);
        add_number(line, request->value_size);
    }
    for (i = 0; i < meta->count; i++) {
        add(line, " ", 1);
        add(line, &meta->letters[i], 1);
        add_token(line, request, meta->letters[i]);
    }
}

static void expect_same(const struct request *a, const struct request *b)
{
    INVARIANT(a->verb == b->verb);
    INVARIANT(a->error == b->error);
    INVARIANT(slice_equal(a->key, b->key));
    INVARIANT(a->exptime_s == b->exptime_s);
    INVARIANT(a->client_flags == b->client_flags);
    INVARIANT(a->value_size == b->value_size);
    INVARIANT(a->has_value == b->has_value);
    if (a->verb == REQUEST_MN)
        return;
    INVARIANT(a->meta.given == b->meta.given);
    INVARIANT(a->meta.count == b->meta.count);
    INVARIANT(memcmp(a->meta.letters, b->meta.letters, a->meta.count) == 0);
    INVARIANT(a->meta.wanted_cas == b->meta.wanted_cas);
    INVARIANT(a->meta.given_cas == b->meta.given_cas);
    INVARIANT(a->meta.delta == b->meta.delta);
    INVARIANT(a->meta.initial == b->meta.initial);
    INVARIANT(a->meta.vivify_s == b->meta.vivify_s);
    INVARIANT(a->meta.recache_s == b->meta.recache_s);
    INVARIANT(a->meta.mode == b->meta.mode);
    INVARIANT(slice_equal(a->meta.opaque, b->meta.opaque));
}

static void check_line(struct slice text)
{
    struct request first, second;
    struct line line = {.size = 0};

    text_parse(text, &first);
    if (first.error != REQUEST_FINE || names[first.verb] == NULL)
        return;
    if (first.verb != REQUEST_MN) {
        INVARIANT(first.key.size > 0);
        INVARIANT(first.key.size <= REQUEST_KEY_MAX);
        INVARIANT(first.meta.count <= META_TOKENS_MAX - 2);
        INVARIANT(first.meta.opaque.size <= META_OPAQUE_MAX);
    }
    write_request(&first, &line);
    text_parse(slice_make(line.text, line.size), &second);
    expect_same(&first, &second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = {(const char *)data, size};
    struct slice line;
    size_t taken;

    while (text_cut_line(input, 0, &line, &taken) == TEXT_LINE) {
        if (line.size <= TEXT_LINE_MAX)
            check_line(line);
        input = slice_make(input.data + taken, input.size - taken);
    }
    return 0;
}
