/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line. options.def has every option; this is what a program sees
 * of it. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "src/base/metrics.h"
#include "src/server/endpoint.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OPTIONS_LIST_MAX 32 /* Times that -l may be given. */
#define OPTIONS_WORDS_MAX 512
/* The growth of the slab classes without -f, as `stats settings` tells it. */
#define OPTIONS_GROWTH_DEFAULT 1.08

struct option_list {
    const char *at[OPTIONS_LIST_MAX];
    size_t count;
};

/* In the order of their names in options.def. */
enum option_protocol {
    OPTION_PROTOCOL_AUTO,
    OPTION_PROTOCOL_ASCII,
    OPTION_PROTOCOL_BINARY,
};

enum option_ack {
    OPTION_ACK_ASYNC,
    OPTION_ACK_RECEIVED,
    OPTION_ACK_APPLIED,
};

enum option_id {
#define OPTION(kind, field, ...) OPTION_ID_##field,
#define SUBOPTION(kind, field, ...) OPTION_ID_##field,
#define SETTING(kind, field, ...) OPTION_ID_##field,
#define FIXED(setting, text)
#include "src/options.def"
#undef OPTION
#undef SUBOPTION
#undef SETTING
#undef FIXED
    OPTION_IDS
};

#define OPTION_TYPE_FLAG bool
#define OPTION_TYPE_SWITCH bool
#define OPTION_TYPE_ANY bool
#define OPTION_TYPE_LEVEL int64_t
#define OPTION_TYPE_CHOICE int64_t
#define OPTION_TYPE_OCTAL int64_t
#define OPTION_TYPE_CHARACTER int64_t
#define OPTION_TYPE_COUNT int64_t
#define OPTION_TYPE_NUMBER int64_t
#define OPTION_TYPE_SIZE int64_t
#define OPTION_TYPE_DECIMAL double
#define OPTION_TYPE_TEXT const char *
#define OPTION_TYPE_LIST struct option_list
#define OPTION_TYPE_EXTENDED bool

/* What the command line means: where one option follows from others it is
 * filled in, so that port is 0 when -s leaves no TCP.
 * Units:  slab_chunk_max is in bytes; watcher_logbuf_size, worker_logbuf_size
 *         and ssl_wbuf_size are in KiB, read_buf_mem_limit in MiB.
 * Owns:   nothing: texts are the argument vector's.
 * Thread: immutable after options_parse(). */
struct options {
#define OPTION(kind, field, ...) OPTION_TYPE_##kind field;
#define SUBOPTION(kind, field, ...) OPTION_TYPE_##kind field;
#define SETTING(kind, field, ...) OPTION_TYPE_##kind field;
#define FIXED(setting, text)
#include "src/options.def"
#undef OPTION
#undef SUBOPTION
#undef SETTING
#undef FIXED
    bool given[OPTION_IDS];
    struct endpoint peer_endpoint; /* What -x means, -X filled in. */
};

/* The defaults of the table. */
void options_set_defaults(struct options *options);
/* Fills in options from the defaults and the arguments; the texts after -o are
 * cut in place.
 * Gives: 0; else the status to exit with, and in words one sentence without a
 *        newline that says what to do.
 * Thread: one at a time (getopt). */
int options_parse(struct options *options, int argc, char *argv[],
                  char words[OPTIONS_WORDS_MAX]);

/* -x or -X was given. */
bool options_replicate(const struct options *options);
/* Where the replication listens: of the addresses of -l the one nearest to the
 * peer that -x names by its address, else the first that is not this host's
 * loopback, else the first; NULL: all addresses. */
const char *options_peer_address(const struct options *options,
                                 struct endpoint *room);

/* The sizes of -o slab_sizes, rising; gives how many, 0 without it. */
#define OPTIONS_SLAB_SIZES_MAX 62
size_t options_slab_sizes(const struct options *options,
                          uint32_t sizes[OPTIONS_SLAB_SIZES_MAX]);

/* What one of -o repl_ack_prefix means; mode is an enum option_ack.
 * Errors: -ERR_SYNTAX. */
MUST_CHECK int options_ack_prefix(const char *text, struct slice *prefix,
                                  int64_t *mode);

/* What -h prints. */
void options_print_help(FILE *out);
/* Complaints about what is accepted and unwise, into the log. */
void options_warn(const struct options *options);
/* The lines of `stats settings`. Commands change some settings of a running
 * daemon: its caller overwrites those in a copy of the options. */
void options_settings(const struct options *options, struct stats_out *out);

/* ---- the table, for tests ---- */

enum option_kind {
    OPTION_KIND_FLAG,
    OPTION_KIND_SWITCH, /* NAME or no_NAME. */
    OPTION_KIND_ANY,    /* Whatever is given is ignored. */
    OPTION_KIND_LEVEL,  /* NAME, NAME=NUMBER or no_NAME. */
    OPTION_KIND_CHOICE, /* One of the metavar's words. */
    OPTION_KIND_OCTAL,
    OPTION_KIND_CHARACTER,
    OPTION_KIND_COUNT, /* How often it was given. */
    OPTION_KIND_NUMBER,
    OPTION_KIND_SIZE, /* Bytes; a suffix is allowed. */
    OPTION_KIND_DECIMAL,
    OPTION_KIND_TEXT,
    OPTION_KIND_LIST,
    OPTION_KIND_EXTENDED, /* Suboptions follow. */
    OPTION_KIND_FIXED,    /* No option, only a setting. */
};

/* In the order of -h. */
enum option_group {
    OPTION_GROUP_CLIENTS,
    OPTION_GROUP_PEER,
    OPTION_GROUP_MEMORY,
    OPTION_GROUP_PROGRAM,
    OPTION_GROUP_SUB_CLIENTS, /* From here on after -o. */
    OPTION_GROUP_SUB_TLS,
    OPTION_GROUP_SUB_PEER,
    OPTION_GROUP_SUB_MEMORY,
    OPTION_GROUP_SUB_IGNORED,
    OPTION_GROUP_NONE, /* Not to be given. */
};

enum option_show {
    OPTION_SHOW_NOTHING,
    OPTION_SHOW_NUMBER,
    OPTION_SHOW_NUMBER_OR_NULL, /* 0: not given. */
    OPTION_SHOW_KIB,
    OPTION_SHOW_MIB,
    OPTION_SHOW_OCTAL,
    OPTION_SHOW_CHARACTER,
    OPTION_SHOW_DECIMAL2, /* So many places. */
    OPTION_SHOW_DECIMAL3,
    OPTION_SHOW_GROWTH,
    OPTION_SHOW_TEXT,
    OPTION_SHOW_TEXT_IN_PARENTHESES, /* Its absence, that is. */
    OPTION_SHOW_GIVEN,
    OPTION_SHOW_YES_NO,
    OPTION_SHOW_NO_YES, /* The flag means no. */
    OPTION_SHOW_OFF_ON, /* The flag means off. */
    OPTION_SHOW_PROTOCOL,
    OPTION_SHOW_VERIFY_MODE,
    OPTION_SHOW_TLS_VERSION,
    OPTION_SHOW_ACK_MODE,
};

struct option_spec {
    enum option_kind kind;
    enum option_id id;
    size_t offset;
    char letter;      /* '\0': none. */
    const char *name; /* "": none. */
    const char *metavar;
    int64_t value;
    int64_t min;
    int64_t max;
    enum option_group group;
    const char *setting; /* NULL: not shown. */
    enum option_show show;
    const char *help; /* Of a fixed setting: its value. */
};

extern const struct option_spec option_specs[];
extern const size_t option_spec_count;

#define OPTION_NAME_MAX 64

/* True when users may give it, and when they give it after -o. */
bool option_is_given(const struct option_spec *spec);
bool option_is_sub(const struct option_spec *spec);
/* Its default as -h and the manual write it; "" when it has none. */
void option_default(const struct option_spec *spec, char text[OPTION_NAME_MAX]);

#endif
