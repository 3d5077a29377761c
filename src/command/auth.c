/* SPDX-License-Identifier: BSD-3-Clause */
/* Both ways in: SASL, whose messages are carried to the authenticator and
 * back, and the set-shaped login of the text protocol. A client that fails may
 * try again; memcached lets it. */
#include "src/command/auth.h"

#include "src/base/number.h"
#include "src/command/binary.h"
#include "src/command/session.h"
#include "src/protocol/text.h"

#define MECHANISMS_BYTES_MAX 1024

_Static_assert(AUTH_TOKEN_MAX <= SESSION_SMALL_VALUE_MAX,
               "it waits in the input until it is whole");

static const struct authenticator *
authenticator_of(const struct command_thread *thread)
{
    return thread->commands->config.authenticator;
}

static void count(struct command_thread *thread, bool granted)
{
    METRIC_UP(thread->counters.auth_cmds);
    if (!granted)
        METRIC_UP(thread->counters.auth_errors);
}

/* ---- SASL ---- */

static void list_mechanisms(struct command_thread *thread,
                            const struct request *request, struct sink *out)
{
    const struct authenticator *authenticator = authenticator_of(thread);
    char names[MECHANISMS_BYTES_MAX];
    size_t size =
        authenticator->mechanisms(authenticator->ctx, names, sizeof(names));

    if (size > 0)
        binary_answer(request, BINARY_OK, slice_make(names, size), out);
    else
        binary_answer_status(request, BINARY_AUTH_FAILED, out);
}

void auth_end(const struct command_thread *thread, struct auth *auth)
{
    const struct authenticator *authenticator = authenticator_of(thread);

    if (auth->dialog != NULL)
        authenticator->end(authenticator->ctx, &auth->dialog);
}

/* Who starts anew is nobody until that is through. */
static enum auth_outcome pass_on(struct command_thread *thread,
                                 struct auth *auth, const struct op *op,
                                 const struct request *request,
                                 struct slice *challenge)
{
    const struct authenticator *authenticator = authenticator_of(thread);
    struct slice message = {op->value, request->value_size};

    if (request->verb == REQUEST_SASL_AUTH) {
        auth_end(thread, auth);
        auth->locked = true;
    }
    if (op->value == NULL)
        return AUTH_DENIED; /* It is too long. */
    if (request->verb == REQUEST_SASL_AUTH)
        return authenticator->start(authenticator->ctx, request->key, message,
                                    &auth->dialog, challenge);
    if (auth->dialog == NULL)
        return AUTH_DENIED;
    return authenticator->step(authenticator->ctx, auth->dialog, message,
                               challenge);
}

static void converse(struct command_thread *thread, struct auth *auth,
                     const struct op *op, const struct request *request,
                     struct sink *out)
{
    struct slice challenge = {"", 0};

    switch (pass_on(thread, auth, op, request, &challenge)) {
    case AUTH_CONTINUE:
        binary_answer(request, BINARY_AUTH_CONTINUE, challenge, out);
        return;
    case AUTH_GRANTED:
        count(thread, true);
        auth->locked = false;
        binary_answer(request, BINARY_OK, SLICE_LITERAL("Authenticated"), out);
        break;
    case AUTH_DENIED:
        count(thread, false);
        binary_answer_status(request, BINARY_AUTH_FAILED, out);
        break;
    }
    auth_end(thread, auth);
}

void auth_sasl(struct command_thread *thread, struct auth *auth,
               const struct op *op, const struct request *request,
               struct sink *out)
{
    if (request->verb == REQUEST_SASL_LIST)
        list_mechanisms(thread, request, out);
    else if (request->key.size > AUTH_MECHANISM_MAX)
        binary_answer_status(request, BINARY_INVALID, out);
    else
        converse(thread, auth, op, request, out);
}

/* ---- the text protocol ---- */

/* The size of the value behind the line; false when this is no login. */
static bool parse_line(struct slice line, uint32_t *size)
{
    struct slice number;

    if (!slice_equal(text_take(&line), SLICE_LITERAL("set")))
        return false;
    (void)text_take(&line);
    (void)text_take(&line);
    (void)text_take(&line);
    number = text_take(&line);
    return number_u32(number, size) == 0 && *size <= REQUEST_VALUE_MAX;
}

static bool check_token(struct command_thread *thread, struct slice token,
                        struct sink *out)
{
    const struct authenticator *authenticator = authenticator_of(thread);
    struct slice user = text_take(&token);
    struct slice password = text_take(&token);

    if (user.size == 0 || password.size == 0) {
        sink_put_literal(out,
                         "CLIENT_ERROR bad authentication token format\r\n");
        return false;
    }
    if (!authenticator->knows(authenticator->ctx, user, password)) {
        sink_put_literal(out, "CLIENT_ERROR authentication failure\r\n");
        return false;
    }
    sink_put_literal(out, "STORED\r\n");
    return true;
}

static bool check_value(struct command_thread *thread, struct slice token,
                        struct sink *out)
{
    const char *tail = token.data + token.size;

    if (tail[0] == '\r' && tail[1] == '\n')
        return check_token(thread, token, out);
    sink_put_literal(out, "CLIENT_ERROR bad command line termination\r\n");
    return false;
}

static enum auth_login log_in(struct command_thread *thread, struct auth *auth,
                              struct slice line, struct slice rest,
                              struct sink *out, size_t *taken,
                              uint32_t *swallow)
{
    uint32_t size;

    if (!parse_line(line, &size)) {
        sink_put_literal(out, "CLIENT_ERROR unauthenticated\r\n");
        return AUTH_LOGIN_DONE;
    }
    if (size > AUTH_TOKEN_MAX) {
        count(thread, false);
        sink_put_literal(out, "CLIENT_ERROR auth token too long\r\n");
        *swallow = size + 2;
        return AUTH_LOGIN_SWALLOW;
    }
    if (rest.size < (size_t)size + 2)
        return AUTH_LOGIN_PART;
    *taken += (size_t)size + 2;
    auth->locked = !check_value(thread, slice_make(rest.data, size), out);
    count(thread, !auth->locked);
    return AUTH_LOGIN_DONE;
}

enum auth_login auth_login(struct command_thread *thread, struct auth *auth,
                           struct slice input, struct sink *out, size_t *taken,
                           uint32_t *swallow)
{
    size_t limit = input.size <= TEXT_LINE_MAX ? input.size : TEXT_LINE_MAX + 1;
    const char *end = memchr(input.data, '\n', limit);
    struct slice line;

    if (end == NULL)
        return limit > TEXT_LINE_MAX ? AUTH_LOGIN_CLOSE : AUTH_LOGIN_PART;
    *taken = (size_t)(end - input.data) + 1;
    line = slice_make(input.data, *taken - 1);
    if (line.size > 0 && line.data[line.size - 1] == '\r')
        line.size--;
    if (*taken < AUTH_LINE_MIN)
        return AUTH_LOGIN_CLOSE;
    return log_in(thread, auth, line, slice_make(end + 1, input.size - *taken),
                  out, taken, swallow);
}
