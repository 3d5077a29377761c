/* SPDX-License-Identifier: BSD-3-Clause */
/* Sessions of the binary protocol, of clients that may do everything and of
 * such that have to authenticate first: however the input is cut, the replies
 * are the same. The first byte says which, the next four how it is cut; the
 * rest is what the client sends. */
#include "src/base/memory.h"
#include "tests/fuzz/play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct auth_dialog {
    struct slice none;
};

static size_t mechanisms(void *ctx, char *room, size_t size)
{
    (void)ctx;
    INVARIANT(size > 0);
    room[0] = 'A';
    return 1;
}

/* The first byte of a message decides. */
static enum auth_outcome judge(struct slice message, struct slice *challenge)
{
    if (message.size == 0 || message.data[0] == '?') {
        *challenge = SLICE_LITERAL("challenge");
        return AUTH_CONTINUE;
    }
    return message.data[0] == '+' ? AUTH_GRANTED : AUTH_DENIED;
}

static enum auth_outcome start(void *ctx, struct slice mechanism,
                               struct slice message,
                               struct auth_dialog **dialog,
                               struct slice *challenge)
{
    (void)ctx;
    INVARIANT(mechanism.size > 0);
    *dialog = memory_new(1, sizeof(**dialog));
    INVARIANT(*dialog != NULL);
    return judge(message, challenge);
}

static enum auth_outcome step(void *ctx, struct auth_dialog *dialog,
                              struct slice message, struct slice *challenge)
{
    (void)ctx;
    INVARIANT(dialog != NULL);
    return judge(message, challenge);
}

static void end(void *ctx, struct auth_dialog **dialog)
{
    (void)ctx;
    memory_free(dialog);
}

/* The last byte decides. */
static bool knows(void *ctx, struct slice user, struct slice password)
{
    (void)ctx;
    INVARIANT(user.size > 0);
    return password.data[password.size - 1] == '+';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct session_config session = {.protocol = SESSION_BINARY};
    static const struct authenticator sasl = {
        .mechanisms = mechanisms, .start = start, .step = step, .end = end};
    static const struct authenticator file = {.knows = knows};
    static const struct play plays[] = {
        {.session = &session},
        {.session = &session, .authenticator = &sasl},
        {.session = &session, .authenticator = &file},
    };

    if (size > 0)
        play_twice(&plays[data[0] % COUNT_OF(plays)], data + 1, size - 1);
    return 0;
}
