/* SPDX-License-Identifier: BSD-3-Clause */
/* The text parser over any bytes:
 * - what is found in the front of the input stays when more arrives;
 * - a request that was understood, written out again, is the same request. */
#include "src/base/invariant.h"
#include "src/base/number.h"
#include "src/protocol/text.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct line {
    char *text;
    size_t size;
};

static const char *const names[REQUEST_VERBS] = {
    [REQUEST_GET] = "get",
    [REQUEST_GETS] = "gets",
    [REQUEST_GAT] = "gat",
    [REQUEST_GATS] = "gats",
    [REQUEST_SET] = "set",
    [REQUEST_ADD] = "add",
    [REQUEST_REPLACE] = "replace",
    [REQUEST_APPEND] = "append",
    [REQUEST_PREPEND] = "prepend",
    [REQUEST_CAS] = "cas",
    [REQUEST_INCR] = "incr",
    [REQUEST_DECR] = "decr",
    [REQUEST_DELETE] = "delete",
    [REQUEST_TOUCH] = "touch",
    [REQUEST_FLUSH_ALL] = "flush_all",
    [REQUEST_VERSION] = "version",
    [REQUEST_VERBOSITY] = "verbosity",
    [REQUEST_STATS] = "stats",
    [REQUEST_ADMIN] = "",
    [REQUEST_QUIT] = "quit",
};

static void add(struct line *line, struct slice word)
{
    if (word.size > 0)
        memcpy(line->text + line->size, word.data, word.size);
    line->size += word.size;
}

static void add_word(struct line *line, struct slice word)
{
    add(line, SLICE_LITERAL(" "));
    add(line, word);
}

static void add_number(struct line *line, uint64_t value)
{
    char digits[NUMBER_DIGITS_MAX];

    add_word(line, slice_make(digits, number_write_u64(digits, value)));
}

static void add_signed(struct line *line, int64_t value)
{
    char text[1 + NUMBER_DIGITS_MAX] = "-";
    uint64_t size = value < 0 ? -(uint64_t)value : (uint64_t)value;
    size_t digits = number_write_u64(text + 1, size);

    if (value < 0)
        add_word(line, slice_make(text, 1 + digits));
    else
        add_word(line, slice_make(text + 1, digits));
}

/* The fields in the order of the verb's line. */
static void write_request(const struct request *request, struct line *line)
{
    add(line, slice_of(names[request->verb]));
    if (request->verb == REQUEST_GAT || request->verb == REQUEST_GATS)
        add_signed(line, request->exptime_s);
    if (request->key.size > 0)
        add_word(line, request->key);
    if (request->has_value) {
        add_number(line, request->client_flags);
        add_signed(line, request->exptime_s);
        add_number(line, request->value_size);
    }
    if (request->verb == REQUEST_TOUCH || request->verb == REQUEST_FLUSH_ALL)
        add_signed(line, request->exptime_s);
    if (request->verb == REQUEST_CAS || request->verb == REQUEST_INCR ||
        request->verb == REQUEST_DECR || request->verb == REQUEST_VERBOSITY)
        add_number(line, request->number);
    if (request->verb == REQUEST_STATS)
        add(line, SLICE_LITERAL(" "));
    add(line, request->rest);
    if (request->noreply)
        add(line, SLICE_LITERAL(" noreply"));
}

static void expect_same(const struct request *a, const struct request *b)
{
    INVARIANT(a->verb == b->verb);
    INVARIANT(a->error == b->error);
    INVARIANT(slice_equal(a->key, b->key));
    INVARIANT(slice_equal(a->rest, b->rest));
    INVARIANT(a->exptime_s == b->exptime_s);
    INVARIANT(a->number == b->number);
    INVARIANT(a->client_flags == b->client_flags);
    INVARIANT(a->value_size == b->value_size);
    INVARIANT(a->has_value == b->has_value);
    INVARIANT(a->noreply == b->noreply);
}

static void check_request(const struct request *request, struct slice line)
{
    INVARIANT(request->verb < REQUEST_VERBS);
    INVARIANT(request->error < REQUEST_ERRORS);
    INVARIANT((request->verb == REQUEST_NONE) <=
              (request->error != REQUEST_FINE));
    INVARIANT(request->error != REQUEST_FINE || request->key.size <= line.size);
    INVARIANT(request->rest.size <= line.size);
    if (request->error == REQUEST_FINE)
        INVARIANT(request->key.size <= REQUEST_KEY_MAX);
    if (request->has_value)
        INVARIANT(request->value_size <= REQUEST_VALUE_MAX);
}

static void check_line(struct slice line)
{
    struct line again = {malloc(line.size + 256), 0};
    struct request first, second;

    INVARIANT(again.text != NULL);
    text_parse(line, &first);
    check_request(&first, line);
    /* Meta commands have a target of their own. */
    if (first.error == REQUEST_FINE && names[first.verb] != NULL) {
        write_request(&first, &again);
        text_parse(slice_make(again.text, again.size), &second);
        expect_same(&first, &second);
    }
    free(again.text);
}

/* The first `there` bytes alone: an answer they give is final. */
static void check_cut(struct slice input, size_t there, enum text_cut whole,
                      size_t whole_taken)
{
    struct slice line;
    size_t taken = 0;
    enum text_cut cut =
        text_cut_line(slice_make(input.data, there), 0, &line, &taken);

    if (cut == TEXT_PART) {
        INVARIANT(text_cut_line(input, there, &line, &taken) == whole);
        INVARIANT(whole != TEXT_LINE || taken == whole_taken);
        INVARIANT(whole != TEXT_LINE || taken > there);
        return;
    }
    INVARIANT(cut == whole);
    INVARIANT(cut != TEXT_LINE || taken == whole_taken);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = {(const char *)data, size};
    struct slice line;
    size_t taken = 0;
    enum text_cut cut;

    while (input.size > 0) {
        cut = text_cut_line(input, 0, &line, &taken);
        check_cut(input, 0, cut, taken);
        check_cut(input, input.size / 2, cut, taken);
        check_cut(input, input.size - 1, cut, taken);
        if (cut != TEXT_LINE)
            break;
        check_cut(input, taken - 1, cut, taken);
        INVARIANT(taken <= input.size);
        check_line(line);
        input = slice_make(input.data + taken, input.size - taken);
    }
    return 0;
}
