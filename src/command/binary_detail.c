/* SPDX-License-Identifier: BSD-3-Clause */
/* Here stats detail is no stream: a value says how long it is before it
 * begins. */
#include "src/command/binary_detail.h"

#include "src/base/invariant.h"
#include "src/command/binary.h"
#include "src/command/detail.h"
#include "src/protocol/binary.h"

/* All of the text is one value, so that of very many prefixes is too large
 * for an answer. */
static void put_text(const struct request *request, struct slice text,
                     struct sink *out)
{
    static const char name[] = "detailed";
    const struct binary_reply reply = {
        .opcode = BINARY_STAT,
        .opaque = request->binary.opaque,
        .key_size = sizeof(name) - 1,
        .value_size = text.size,
    };
    char header[BINARY_HEADER_BYTES];

    (void)binary_write_header(header, &reply);
    sink_put(out, header, sizeof(header));
    sink_put_literal(out, name);
    sink_put(out, text.data, text.size);
}

static void answer_done(const struct request *request, struct sink *out)
{
    binary_answer(request, BINARY_OK, slice_make(NULL, 0), out);
}

static void put_detail(struct command_thread *thread,
                       const struct request *request, struct sink *out)
{
    struct sink *text = sink_new();
    struct iovec whole;
    unsigned place = 0;

    while (text != NULL && detail_dump(thread->commands->detail, &place, text))
        continue;
    if (text != NULL)
        sink_put_literal(text, "END\r\n");
    if (text == NULL || sink_failed(text)) {
        binary_answer_status(request, BINARY_NO_MEMORY, out);
    } else {
        INVARIANT(sink_vectors(text, &whole, 1) == 1);
        put_text(request, slice_make(whole.iov_base, whole.iov_len), out);
        answer_done(request, out);
    }
    sink_free(&text);
}

/* What is asked for stands in the key behind a blank. */
static void execute_detail(struct command_thread *thread,
                           const struct request *request, struct sink *out)
{
    bool on = slice_equal(request->key, SLICE_LITERAL("detail on"));

    if (!thread->commands->config.dump_allowed) {
        binary_answer_status(request, BINARY_AUTH_FAILED, out);
    } else if (on || slice_equal(request->key, SLICE_LITERAL("detail off"))) {
        detail_switch(thread->commands, on);
        answer_done(request, out);
    } else if (slice_equal(request->key, SLICE_LITERAL("detail dump"))) {
        put_detail(thread, request, out);
    } else {
        binary_answer_status(request, BINARY_NOT_FOUND, out);
    }
}

bool binary_detail(struct command_thread *thread, const struct request *request,
                   struct sink *out)
{
    const char name[] = "detail ";
    size_t size = sizeof(name) - 1;

    if (request->key.size <= size || memcmp(request->key.data, name, size) != 0)
        return false;
    execute_detail(thread, request, out);
    return true;
}
