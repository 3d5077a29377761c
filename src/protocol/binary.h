/* SPDX-License-Identifier: BSD-3-Clause */
/* The binary protocol's requests and the headers of its replies. Pure
 * functions over bytes; all numbers are big endian.
 *
 *   byte 0      magic: 0x80 a request, 0x81 a reply
 *        1      opcode
 *        2..3   size of the key
 *        4      size of the extras
 *        5      data type: 0
 *        6..7   a reply's status
 *        8..11  size of all that follows the header: extras, key, value
 *        12..15 opaque: comes back as it was sent
 *        16..23 cas unique
 *
 * Where clients may see a difference, this is memcached 1.6.45. */
#ifndef PROTOCOL_BINARY_H
#define PROTOCOL_BINARY_H

#include "src/protocol/request.h"

#include <stddef.h>

#define BINARY_HEADER_BYTES 24
#define BINARY_MAGIC 0x80
#define BINARY_REPLY_MAGIC 0x81
/* Extras, key and value of a request. */
#define BINARY_BODY_MAX (1024u * 1024 * 1024)

enum binary_opcode {
    BINARY_GET = 0x00,
    BINARY_SET = 0x01,
    BINARY_ADD = 0x02,
    BINARY_REPLACE = 0x03,
    BINARY_DELETE = 0x04,
    BINARY_INCR = 0x05,
    BINARY_DECR = 0x06,
    BINARY_QUIT = 0x07,
    BINARY_FLUSH = 0x08,
    BINARY_GETQ = 0x09,
    BINARY_NOOP = 0x0a,
    BINARY_VERSION = 0x0b,
    BINARY_GETK = 0x0c,
    BINARY_GETKQ = 0x0d,
    BINARY_APPEND = 0x0e,
    BINARY_PREPEND = 0x0f,
    BINARY_STAT = 0x10,
    BINARY_SETQ = 0x11,
    BINARY_ADDQ = 0x12,
    BINARY_REPLACEQ = 0x13,
    BINARY_DELETEQ = 0x14,
    BINARY_INCRQ = 0x15,
    BINARY_DECRQ = 0x16,
    BINARY_QUITQ = 0x17,
    BINARY_FLUSHQ = 0x18,
    BINARY_APPENDQ = 0x19,
    BINARY_PREPENDQ = 0x1a,
    BINARY_TOUCH = 0x1c,
    BINARY_GAT = 0x1d,
    BINARY_GATQ = 0x1e,
    BINARY_SASL_LIST = 0x20,
    BINARY_SASL_AUTH = 0x21,
    BINARY_SASL_STEP = 0x22,
    BINARY_GATK = 0x23,
    BINARY_GATKQ = 0x24,
    BINARY_OPCODES
};

enum binary_status {
    BINARY_OK = 0x00,
    BINARY_NOT_FOUND = 0x01,
    BINARY_EXISTS = 0x02,
    BINARY_TOO_LARGE = 0x03,
    BINARY_INVALID = 0x04,
    BINARY_NOT_STORED = 0x05,
    BINARY_NOT_A_NUMBER = 0x06,
    BINARY_AUTH_FAILED = 0x20,
    BINARY_AUTH_CONTINUE = 0x21,
    BINARY_UNKNOWN = 0x81,
    BINARY_NO_MEMORY = 0x82,
};

enum binary_cut {
    BINARY_REQUEST, /* There is a whole one, but for its value. */
    BINARY_PART,    /* More bytes are needed. */
    BINARY_STRAY,   /* This is another protocol. */
};

/* Parses the request at the front of input, which is not empty. *taken counts
 * its header, extras and key; a value follows where it has one. A request with
 * an error and no value ends the connection: nobody knows where the next one
 * begins. The answer does not depend on what is behind the request.
 * Owns: the request borrows the input. */
enum binary_cut binary_parse(struct slice input, struct request *request,
                             size_t *taken);

struct binary_reply {
    unsigned char opcode;
    enum binary_status status;
    uint32_t opaque;
    uint64_t cas;
    size_t extras_size;
    size_t key_size;
    size_t value_size;
};

/* Writes a header of BINARY_HEADER_BYTES at `at` and returns where it ends. */
char *binary_write_header(char *at, const struct binary_reply *reply);

/* What stands in the reply's value; empty for BINARY_OK and for
 * BINARY_AUTH_CONTINUE, which have values of their own. */
struct slice binary_status_words(enum binary_status status);

#endif
