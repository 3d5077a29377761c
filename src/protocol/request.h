/* SPDX-License-Identifier: BSD-3-Clause */
/* One request as every protocol parses it: what is asked for, not how it was
 * spelled. */
#ifndef PROTOCOL_REQUEST_H
#define PROTOCOL_REQUEST_H

#include "src/base/slice.h"
#include "src/protocol/meta.h"

#include <stdbool.h>
#include <stdint.h>

#define REQUEST_KEY_MAX 250
#define REQUEST_VALUE_MAX (INT32_MAX - 2u) /* With the CRLF behind it. */

enum request_verb {
    REQUEST_GET,
    REQUEST_GETS,
    REQUEST_GAT,
    REQUEST_GATS,
    REQUEST_SET,
    REQUEST_ADD,
    REQUEST_REPLACE,
    REQUEST_APPEND,
    REQUEST_PREPEND,
    REQUEST_CAS,
    REQUEST_INCR,
    REQUEST_DECR,
    REQUEST_DELETE,
    REQUEST_TOUCH,
    REQUEST_FLUSH_ALL,
    REQUEST_VERSION,
    REQUEST_VERBOSITY,
    REQUEST_STATS,
    REQUEST_MG,        /* The meta commands: get, */
    REQUEST_MS,        /* set, */
    REQUEST_MD,        /* delete, */
    REQUEST_MA,        /* arithmetic, */
    REQUEST_ME,        /* a look from outside, */
    REQUEST_MN,        /* nothing. */
    REQUEST_ADMIN,     /* A command that is none of these: rest is its line. */
    REQUEST_SASL_LIST, /* Of the binary protocol: which mechanisms, */
    REQUEST_SASL_AUTH, /* a first message, */
    REQUEST_SASL_STEP, /* a further one. */
    REQUEST_QUIT,      /* Also what is no cache client at all: HTTP. */
    REQUEST_NONE,      /* Nothing but an error to answer. */
    REQUEST_VERBS
};

enum request_error {
    REQUEST_FINE,
    REQUEST_BAD_LINE,
    REQUEST_BAD_EXPTIME,
    REQUEST_BAD_DELTA,
    REQUEST_BAD_TOKEN, /* From here on, of meta commands. */
    REQUEST_BAD_BASE64,
    REQUEST_BAD_META_DELTA,
    REQUEST_BAD_INITIAL,
    REQUEST_BAD_MS_MODE,
    REQUEST_BAD_MA_MODE,
    REQUEST_BAD_FLAG,
    REQUEST_UNKNOWN_FLAG,
    REQUEST_DUPLICATE_FLAG,
    REQUEST_MANY_FLAGS,
    REQUEST_LONG_OPAQUE,
    REQUEST_LONG_MODE,
    REQUEST_BAD_FRAME,  /* From here on, of the binary protocol: sizes that */
    REQUEST_BAD_OPCODE, /* contradict each other; no such command; */
    REQUEST_LOCKED,     /* not before the client has proved who it is. */
    REQUEST_ERRORS
};

/* What only binary requests have. */
struct binary {
    uint64_t cas;     /* To be compared; 0: no matter which. */
    uint64_t initial; /* Of a counter that is made. */
    uint32_t opaque;
    unsigned char opcode;
    bool vivify;    /* An absent counter is made. */
    bool quiet;     /* A get does not answer a miss, all others no success. */
    bool shows_key; /* The answer has the key. */
};

/* Borrows the line it was parsed from. */
struct request {
    struct slice key;  /* 1..REQUEST_KEY_MAX bytes where the verb has one. */
    struct slice rest; /* Further keys; what of the statistics; a line. */
    int64_t exptime_s; /* As given: see engine_expires_at(). */
    uint64_t number;   /* The cas unique, the delta, the level. */
    uint32_t client_flags;
    uint32_t value_size;
    enum request_verb verb;
    enum request_error error; /* Answered instead of executing. */
    bool has_value; /* value_size bytes follow, error or not; then, in the text
                       protocol, a CRLF. */
    bool noreply;   /* Not even an error is answered. */
    union {
        struct meta meta; /* Of meta commands; left as it was by all others. */
        struct binary binary; /* Of the binary protocol. */
    };
};

static inline bool request_is_sasl(const struct request *request)
{
    return request->verb == REQUEST_SASL_LIST ||
           request->verb == REQUEST_SASL_AUTH ||
           request->verb == REQUEST_SASL_STEP;
}

#endif
