/* SPDX-License-Identifier: BSD-3-Clause */
/* Rules between options, each a row of the table at the end. A rule may fill
 * in what the ones after it look at. Sentences and statuses are memcached's
 * where it has the rule. */
#include "src/options_rules.h"

#include "src/base/invariant.h"
#include "src/base/log.h"
#include "src/base/memory.h"
#include "src/base/number.h"
#include "src/options_value.h"

#include <string.h>
#include <sysexits.h>

#define PAGE_BYTES ((int64_t)MIB)
#define LRU_PERCENT_MAX 80
#define THREADS_ADVISED_MAX 64
/* Its documents give slab_chunk_max in KiB, its programs read it in bytes:
 * what could be either is a number of KiB, since no chunk is so small. */
#define CHUNK_MAX_KIB 1024
#define SLAB_SIZE_MIN 48
#define SLAB_STEP_MIN 8

typedef int rule_fn(struct options *options, char words[OPTIONS_WORDS_MAX]);

static bool given(const struct options *options, enum option_id id)
{
    return options->given[id];
}

/* ---- who may come in, and how ---- */

static int settle_sasl(struct options *options, char words[OPTIONS_WORDS_MAX])
{
    if (!options->sasl)
        return 0;
    if (given(options, OPTION_ID_protocol) &&
        options->protocol != OPTION_PROTOCOL_BINARY)
        return options_fail(EX_USAGE, words,
                            "ERROR: You cannot allow the ASCII protocol while "
                            "using SASL.");
    if (options->udp_port != 0)
        return options_fail(EX_USAGE, words,
                            "ERROR: Cannot enable UDP while using binary SASL "
                            "authentication.");
    if (options->auth_file != NULL)
        return options_fail(EX_USAGE, words,
                            "-S is for the binary protocol and -Y for the "
                            "text protocol: leave out one of them");
    options->protocol = OPTION_PROTOCOL_BINARY;
    return 0;
}

static int settle_auth_file(struct options *options,
                            char words[OPTIONS_WORDS_MAX])
{
    if (options->auth_file == NULL)
        return 0;
    if (options->protocol == OPTION_PROTOCOL_BINARY)
        return options_fail(EX_USAGE, words,
                            "ERROR: You cannot allow the BINARY protocol while "
                            "using ascii authentication tokens.");
    if (options->udp_port != 0)
        return options_fail(EX_USAGE, words,
                            "Cannot use UDP with ascii authentication enabled "
                            "(-U 0 to disable)");
    options->protocol = OPTION_PROTOCOL_ASCII;
    return 0;
}

/* A UNIX socket is instead of the ports that nobody asked for. */
static int settle_ports(struct options *options, char words[OPTIONS_WORDS_MAX])
{
    bool udp = given(options, OPTION_ID_udp_port) && options->udp_port != 0;
    bool asked = udp || given(options, OPTION_ID_port) ||
                 given(options, OPTION_ID_listen);

    if (udp && !given(options, OPTION_ID_port))
        options->port = options->udp_port;
    if (options->unix_socket != NULL && !asked)
        options->port = 0;
    if (options->port != 0 || options->udp_port != 0 ||
        options->unix_socket != NULL)
        return 0;
    return options_fail(EX_USAGE, words,
                        "-p 0 would leave no way in for clients: give a port, "
                        "-1 for any free one, or a UNIX socket");
}

static int settle_threads(struct options *options,
                          char words[OPTIONS_WORDS_MAX])
{
    options->udp_threads = options->threads;
    if (options->napi_ids <= options->threads)
        return 0;
    return options_fail(EX_USAGE, words,
                        "Number of napi_ids(%lld) cannot be greater than "
                        "number of threads(%lld)",
                        (long long)options->napi_ids,
                        (long long)options->threads);
}

static int settle_detail(struct options *options, char words[OPTIONS_WORDS_MAX])
{
    (void)words;
    options->detail_enabled = given(options, OPTION_ID_prefix_delimiter);
    return 0;
}

/* ---- memory ---- */

static int check_items(struct options *options, char words[OPTIONS_WORDS_MAX])
{
    int64_t needed_mib =
        (2 * options->item_bytes_max + (int64_t)MIB - 1) / (int64_t)MIB;

    if (options->memory_mib >= needed_mib)
        return 0;
    return options_fail(EX_USAGE, words,
                        "Cannot set item size limit higher than 1/2 of memory "
                        "max: with -m %lld make -I smaller, or -m at least "
                        "%lld",
                        (long long)options->memory_mib, (long long)needed_mib);
}

/* The largest chunk that nobody asked for is as large as the items allow. */
static int settle_chunks(struct options *options, char words[OPTIONS_WORDS_MAX])
{
    int64_t *chunk = &options->slab_chunk_max;

    if (*chunk <= CHUNK_MAX_KIB)
        *chunk *= (int64_t)KIB;
    if (options->no_chunked_items)
        *chunk = PAGE_BYTES;
    if (*chunk > options->item_bytes_max &&
        !given(options, OPTION_ID_slab_chunk_max))
        *chunk = options->item_bytes_max;
    if (*chunk > options->item_bytes_max)
        return options_fail(EX_USAGE, words,
                            "slab_chunk_max (bytes: %lld) cannot be larger "
                            "than -I (item_size_max %lld)",
                            (long long)*chunk,
                            (long long)options->item_bytes_max);
    if (options->item_bytes_max % *chunk != 0)
        return options_fail(EX_USAGE, words,
                            "-I (item_size_max: %lld) must be evenly divisible "
                            "by slab_chunk_max (bytes: %lld)",
                            (long long)options->item_bytes_max,
                            (long long)*chunk);
    if (PAGE_BYTES % *chunk != 0 && options->item_bytes_max > *chunk)
        return options_fail(EX_USAGE, words,
                            "slab_chunk_max (bytes: %lld) must divide a page "
                            "of %lld bytes",
                            (long long)*chunk, (long long)PAGE_BYTES);
    return 0;
}

/* ---- sizes of slab classes ---- */

/* The next of several sizes with - in between; 0 for what is no number. */
static int64_t take_size(const char **at)
{
    size_t size = strcspn(*at, "-");
    int64_t value;

    if (number_i64(slice_make(*at, size), &value) != 0)
        value = 0;
    *at += size;
    *at += strspn(*at, "-");
    return value;
}

static int check_slab_size(int64_t size, int64_t before, int64_t max,
                           char words[OPTIONS_WORDS_MAX])
{
    if (size < SLAB_SIZE_MIN || size > max)
        return options_fail(EX_USAGE, words,
                            "slab size %lld is out of valid range",
                            (long long)size);
    if (before == 0)
        return 0;
    if (size <= before)
        return options_fail(EX_USAGE, words,
                            "slab size %lld cannot be lower than or equal to "
                            "a previous class size",
                            (long long)size);
    if (size <= before + SLAB_STEP_MIN)
        return options_fail(EX_USAGE, words,
                            "slab size %lld must be at least %d bytes larger "
                            "than previous class",
                            (long long)size, SLAB_STEP_MIN);
    return 0;
}

static int check_slab_sizes(struct options *options,
                            char words[OPTIONS_WORDS_MAX])
{
    const char *at = options->slab_sizes;
    int64_t before = 0;
    int count = 0;

    while (at != NULL && *at != '\0') {
        int64_t size = take_size(&at);
        int status =
            check_slab_size(size, before, options->slab_chunk_max, words);

        if (status != 0)
            return status;
        if (++count > OPTIONS_SLAB_SIZES_MAX)
            return options_fail(EX_USAGE, words,
                                "slab_sizes takes %d sizes at most",
                                OPTIONS_SLAB_SIZES_MAX);
        before = size;
    }
    return 0;
}

size_t options_slab_sizes(const struct options *options,
                          uint32_t sizes[OPTIONS_SLAB_SIZES_MAX])
{
    const char *at = options->slab_sizes;
    size_t count = 0;

    while (at != NULL && *at != '\0' && count < OPTIONS_SLAB_SIZES_MAX)
        sizes[count++] = (uint32_t)take_size(&at);
    return count;
}

/* ---- lists and files ---- */

static int settle_lists(struct options *options, char words[OPTIONS_WORDS_MAX])
{
    options->lru_segmented = options->lru_maintainer;
    options->temp_lru = given(options, OPTION_ID_temporary_ttl);
    if (options->hot_lru_pct + options->warm_lru_pct <= LRU_PERCENT_MAX)
        return 0;
    return options_fail(EX_USAGE, words,
                        "hot_lru_pct + warm_lru_pct cannot be more than 80%% "
                        "combined");
}

static int check_memory_file(struct options *options,
                             char words[OPTIONS_WORDS_MAX])
{
    if (options->memory_file == NULL || !options->large_pages)
        return 0;
    return options_fail(EX_USAGE, words,
                        "-L takes memory of its own and -e that of a file: "
                        "leave out one of them");
}

/* ---- the peer ---- */

static int settle_peer(struct options *options, char words[OPTIONS_WORDS_MAX])
{
    struct endpoint *peer = &options->peer_endpoint;

    if (options->peer == NULL)
        return 0;
    if (endpoint_parse(slice_of(options->peer), peer) != 0 ||
        peer->host[0] == '\0')
        return options_fail(EX_USAGE, words,
                            "\"%s\" is no peer: -x takes HOST, HOST:PORT or "
                            "[IPV6]:PORT",
                            options->peer);
    if (!peer->has_port)
        peer->port = (uint16_t)options->repl_port;
    if (peer->port == 0)
        return options_fail(EX_USAGE, words,
                            "the peer has no port 0: give its own with -x "
                            "HOST:PORT");
    return 0;
}

static int settle_link(struct options *options, char words[OPTIONS_WORDS_MAX])
{
    bool certified = options->repl_tls_cert != NULL;
    bool more = options->repl_tls_key != NULL || options->repl_tls_ca != NULL ||
                options->repl_tls_peer != NULL;

    if (options->repl_secret != NULL && (certified || more))
        return options_fail(EX_USAGE, words,
                            "the peer is known by repl_secret or by "
                            "certificates: leave out one of them");
    if (more && !certified)
        return options_fail(EX_USAGE, words,
                            "repl_tls_key, repl_tls_ca and repl_tls_peer take "
                            "a repl_tls_cert");
    if (certified && options->repl_tls_ca == NULL)
        return options_fail(EX_USAGE, words,
                            "repl_tls_cert takes the CA of the peer's "
                            "certificate too: say -o repl_tls_ca=FILE");
    return 0;
}

static int check_acks(struct options *options, char words[OPTIONS_WORDS_MAX])
{
    struct slice prefix;
    int64_t mode;

    for (size_t i = 0; i < options->repl_ack_prefix.count; i++)
        if (options_ack_prefix(options->repl_ack_prefix.at[i], &prefix,
                               &mode) != 0)
            return options_fail(EX_USAGE, words,
                                "repl_ack_prefix takes PREFIX:async, "
                                "PREFIX:received or PREFIX:applied, not "
                                "\"%s\"",
                                options->repl_ack_prefix.at[i]);
    return 0;
}

static rule_fn *const rules[] = {
    settle_sasl,   settle_auth_file,  settle_ports,  settle_threads,
    settle_detail, check_items,       settle_chunks, check_slab_sizes,
    settle_lists,  check_memory_file, settle_peer,   settle_link,
    check_acks,
};

int options_settle(struct options *options, char words[OPTIONS_WORDS_MAX])
{
    int status = 0;

    for (size_t i = 0; i < COUNT_OF(rules) && status == 0; i++)
        status = rules[i](options, words);
    return status;
}

void options_warn(const struct options *options)
{
    if (options->threads > THREADS_ADVISED_MAX)
        log_error("WARNING: Setting a high number of workerthreads is not "
                  "recommended: no more than this machine has cores");
    if (given(options, OPTION_ID_resp_obj_mem_limit))
        log_error("DEPRECATED: resp_obj_mem_limit no longer used. See "
                  "read_buf_mem_limit");
}
