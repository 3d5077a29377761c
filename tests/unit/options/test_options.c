/* SPDX-License-Identifier: BSD-3-Clause */
/* Argument lists, as users type them, and what they mean. */
#include "src/options.h"

#include "src/base/invariant.h"
#include "tests/unit/unit.h"

#include <string.h>

#define ARGUMENTS_MAX 16
#define LINE_MAX_BYTES 512

struct line {
    char text[LINE_MAX_BYTES];
    char *argv[ARGUMENTS_MAX + 1];
    int argc;
};

static char words[OPTIONS_WORDS_MAX];

/* Splits at blanks; the program's name comes first. */
static int parse(struct options *options, struct line *line, const char *text)
{
    char *rest = line->text;

    (void)snprintf(line->text, sizeof(line->text), "twincached %s", text);
    line->argc = 0;
    while (rest != NULL && line->argc < ARGUMENTS_MAX) {
        char *word = strsep(&rest, " ");

        if (word[0] != '\0')
            line->argv[line->argc++] = word;
    }
    line->argv[line->argc] = NULL;
    words[0] = '\0';
    return options_parse(options, line->argc, line->argv, words);
}

/* ---- values ---- */

/* What `stats settings` says is how a test sees a value. */
struct seen {
    struct stats_out out; /* First. */
    const char *name;
    char value[STATS_VALUE_MAX];
};

static void look(struct stats_out *out, const char *name, const char *value)
{
    struct seen *seen = (struct seen *)(void *)out;

    if (strcmp(name, seen->name) == 0)
        (void)snprintf(seen->value, sizeof(seen->value), "%s", value);
}

static const struct {
    const char *arguments;
    const char *setting;
    const char *value;
} values[] = {
    {"", "maxbytes", "67108864"},
    {"-m 1024", "maxbytes", "1073741824"},
    {"--memory-limit=1024", "maxbytes", "1073741824"},
    {"-m 2", "maxbytes", "2097152"},
    {"", "maxconns", "1024"},
    {"-c 2048", "maxconns", "2048"},
    {"--conn-limit 1", "maxconns", "1"},
    {"", "tcpport", "11211"},
    {"-p 11311", "tcpport", "11311"},
    {"-p11311", "tcpport", "11311"},
    {"--port=65535", "tcpport", "65535"},
    {"-p -1", "tcpport", "-1"},
    {"", "inter", "NULL"},
    {"-l 10.0.0.1", "inter", "10.0.0.1"},
    {"-l 10.0.0.1,[::1]:3 --listen=h", "inter", "10.0.0.1,[::1]:3,h"},
    {"", "evictions", "on"},
    {"-M", "evictions", "off"},
    {"--disable-evictions", "evictions", "off"},
    {"", "growth_factor", "1.08"},
    {"-f 2", "growth_factor", "2.00"},
    {"--slab-growth-factor=1.25", "growth_factor", "1.25"},
    {"", "chunk_size", "48"},
    {"-n 128", "chunk_size", "128"},
    {"--slab-min-size=1", "chunk_size", "1"},
    {"", "num_threads", "4"},
    {"-t 256", "num_threads", "256"},
    {"--threads 1", "num_threads", "1"},
    {"", "reqs_per_event", "20"},
    {"-R 1", "reqs_per_event", "1"},
    {"--max-reqs-per-event=99", "reqs_per_event", "99"},
    {"", "cas_enabled", "yes"},
    {"-C", "cas_enabled", "no"},
    {"--disable-cas", "cas_enabled", "no"},
    {"-b 77", "tcp_backlog", "77"},
    {"--listen-backlog=78", "tcp_backlog", "78"},
    {"", "item_size_max", "1048576"},
    {"-I 512k", "item_size_max", "524288"},
    {"-I 1024", "item_size_max", "1024"},
    {"-I 4M", "item_size_max", "4194304"},
    {"--max-item-size=32m", "item_size_max", "33554432"},
    {"-I 1024m -m 2048", "item_size_max", "1073741824"},
    {"", "repl_peer", "NULL"},
    {"-x 192.168.10.101", "repl_peer", "192.168.10.101"},
    {"--peer=b:11300", "repl_peer", "b:11300"},
    {"", "repl_port", "11212"},
    {"-X 11300", "repl_port", "11300"},
    {"--replication-port=0", "repl_port", "0"},
    {"-q 65536", "repl_queue", "65536"},
    {"--replication-queue=1", "repl_queue", "1"},
    {"", "repl_timeout", "1000"},
    {"-o repl_timeout=100", "repl_timeout", "100"},
    {"-o repl_drain=1,repl_timeout=60000", "repl_timeout", "60000"},
    {"-o repl_drain=1,repl_timeout=60000", "repl_drain", "1"},
    {"--extended=repl_drain=7 -o repl_name=a", "repl_drain", "7"},
    {"--extended=repl_drain=7 -o repl_name=a", "repl_name", "a"},
    {"", "repl_ack", "async"},
    {"-o repl_ack=received", "repl_ack", "received"},
    {"-o repl_ack=applied", "repl_ack", "applied"},
    {"", "repl_ack_prefix", "NULL"},
    {"-o repl_ack_prefix=a:applied,repl_ack_prefix=b:c:async",
     "repl_ack_prefix", "a:applied,b:c:async"},
    {"", "repl_ack_timeout", "20"},
    {"-o repl_ack_timeout=10000", "repl_ack_timeout", "10000"},
    {"-o repl_log=64m", "repl_log", "67108864"},
    {"-o repl_tombstones=4096", "repl_tombstones", "4096"},
    {"-U 11300", "udpport", "11300"},
    {"-U 11300", "tcpport", "11300"},
    {"-U 11300 -p 11211", "tcpport", "11211"},
    {"-U -1", "tcpport", "-1"},
    {"-U 0", "tcpport", "11211"},
    {"", "domain_socket", "NULL"},
    {"-s /run/t.sock", "domain_socket", "/run/t.sock"},
    {"-s /run/t.sock", "tcpport", "0"},
    {"-s /run/t.sock -p 11211", "tcpport", "11211"},
    {"-s /run/t.sock -l 10.0.0.1", "tcpport", "11211"},
    {"-s /run/t.sock -U 11300", "tcpport", "11300"},
    {"-s /run/t.sock -U 0", "tcpport", "0"},
    {"", "umask", "700"},
    {"-a 0770", "umask", "770"},
    {"-A", "shutdown_command", "yes"},
    {"", "stat_key_prefix", ":"},
    {"", "detail_enabled", "no"},
    {"-D .x", "stat_key_prefix", "."},
    {"-D :", "detail_enabled", "yes"},
    {"", "binding_protocol", "auto-negotiate"},
    {"-B ascii", "binding_protocol", "ascii"},
    {"--protocol=binary", "binding_protocol", "binary"},
    {"-S", "binding_protocol", "binary"},
    {"-S", "auth_enabled_sasl", "yes"},
    {"-B binary -S", "auth_enabled_sasl", "yes"},
    {"-Y f", "binding_protocol", "ascii"},
    {"-Y f", "auth_enabled_ascii", "yes"},
    {"-F", "flush_enabled", "no"},
    {"--disable-dumping", "dump_enabled", "no"},
    {"", "memory_file", "(null)"},
    {"-e /mnt/f", "memory_file", "/mnt/f"},
    {"", "num_napi_ids", "(null)"},
    {"-N 2", "num_napi_ids", "2"},
    {"-Z", "ssl_enabled", "yes"},
    {"", "ssl_key", "(null)"},
    {"-o ssl_key=k,ssl_chain_cert=c", "ssl_chain_cert", "c"},
    {"", "ssl_ciphers", "NULL"},
    {"-o ssl_verify_mode=2", "ssl_verify_mode", "3"},
    {"-o ssl_wbuf_size=32", "ssl_wbuf_size", "32768"},
    {"", "ssl_min_version", "tlsv1.2"},
    {"-o ssl_min_version=3", "ssl_min_version", "tlsv1.3"},
    {"-o maxconns_fast", "maxconns_fast", "yes"},
    {"-o no_maxconns_fast", "maxconns_fast", "no"},
    {"-o slab_automove", "slab_automove", "1"},
    {"-o slab_automove=2", "slab_automove", "2"},
    {"-o slab_automove=2,no_slab_automove", "slab_automove", "0"},
    {"-o slab_automove_ratio=0.5", "slab_automove_ratio", "0.50"},
    {"", "slab_automove_window", "10"},
    {"", "slab_automove_freeratio", "0.010"},
    {"", "slab_chunk_max", "524288"},
    {"-o slab_chunk_max=256", "slab_chunk_max", "262144"},
    {"-o slab_chunk_max=16384", "slab_chunk_max", "16384"},
    {"-o slab_chunk_max=64k", "slab_chunk_max", "65536"},
    {"-o no_chunked_items", "slab_chunk_max", "1048576"},
    {"-I 4k", "slab_chunk_max", "4096"},
    {"-o no_lru_maintainer", "lru_segmented", "no"},
    {"", "temp_lru", "no"},
    {"", "temporary_ttl", "61"},
    {"-o temporary_ttl=30", "temp_lru", "yes"},
    {"-o temporary_ttl=30", "temporary_ttl", "30"},
    {"-o watcher_logbuf_size=1", "watcher_logbuf_size", "1024"},
    {"-o read_buf_mem_limit=2", "read_buf_mem_limit", "2097152"},
    {"-o no_modern", "lru_crawler", "no"},
    {"-o no_modern", "slab_automove", "0"},
    {"-o no_modern,slab_automove", "slab_automove", "1"},
    {"-o slab_automove,no_modern", "slab_automove", "0"},
    {"-o modern", "lru_crawler", "yes"},
    {"-o hash_algorithm=jenkins", "hash_algorithm", "xxh3"},
    {"-o resp_obj_mem_limit,drop_privileges=1", "maxconns", "1024"},
    {"", "twincached_version", PACKAGE_VERSION},
    {"", "client_flags_size", "4"},
};

START_TEST(each_value_is_as_written)
{
    struct seen seen = {.out = {look}, .name = values[_i].setting};
    struct options options;
    struct line line;

    ck_assert_int_eq(parse(&options, &line, values[_i].arguments), 0);
    options_settings(&options, &seen.out);
    ck_assert_str_eq(seen.value, values[_i].value);
}
END_TEST

/* ---- refusals ---- */

static const struct {
    const char *arguments;
    int status;
    const char *part; /* Of the sentence. */
} refusals[] = {
    {"-p 0", 64, "-p 0"},
    {"-p 65536", 64, "ERROR: Invalid port number 65536."},
    {"-p -2", 64, "Invalid port number -2"},
    {"-p x", 64, "Invalid port number x"},
    {"-p 11211x", 64, "Invalid port number 11211x"},
    {"--port=", 64, "Invalid port number ."},
    {"-p", 1, "option requires an argument -- 'p'"},
    {"--port", 1, "option '--port' requires an argument"},
    {"-c 0", 1, "Maximum connections must be greater than 0"},
    {"-c x", 1, "Maximum connections"},
    {"-t 0", 1, "Number of threads must be greater than 0"},
    {"-t 257", 64, "-t takes a number from 1 to 256, not \"257\""},
    {"-m 0", 64, "-m takes"},
    {"-m 1", 64, "Cannot set item size limit higher than 1/2 of memory max"},
    {"-m 1", 64, "-m at least 2"},
    {"-m 64m", 64, "-m takes"},
    {"-I 33m", 64, "-m at least 66"},
    {"-I 1023", 64, "Item max size cannot be less than 1024 bytes."},
    {"-I 1025m -m 9999", 64, "limit higher than a gigabyte."},
    {"-I x", 64, "Item max size"},
    {"-f 1", 1, "Factor must be greater than 1"},
    {"-f x", 1, "Factor must"},
    {"-f 1.25x", 1, "Factor must"},
    {"-f nan", 1, "Factor must"},
    {"-f inf", 1, "Factor must"},
    {"-n 0", 1, "Chunk size must be greater than 0"},
    {"-b -1", 64, "-b takes"},
    {"-R 0", 1, "Number of requests per event must be greater than 0"},
    {"-x", 1, "requires an argument -- 'x'"},
    {"-x :11212", 64, "\":11212\" is no peer"},
    {"-x a:b", 64, "is no peer"},
    {"-x a:65536", 64, "is no peer"},
    {"-x [::1", 64, "is no peer"},
    {"-x [::1]11212", 64, "is no peer"},
    {"-x a:0", 64, "no port 0"},
    {"-x a -X 0", 64, "no port 0"},
    {"-X 65536", 64, "-X takes"},
    {"-X -1", 64, "-X takes"},
    {"-q 0", 64, "-q takes a number from 1"},
    {"-q many", 64, "-q takes"},
    {"-o foo", 1, "Illegal suboption \"foo\""},
    {"-o maxbytes=1", 1, "Illegal suboption \"maxbytes=1\""},
    {"-o repl_timeout", 1, "Missing repl_timeout argument: -o repl_timeout=MS"},
    {"-o repl_timeout=99", 1, "from 100 to 60000, not \"99\""},
    {"-o repl_timeout=60001", 1, "repl_timeout takes"},
    {"-o repl_drain=1,repl_log=1", 1, "repl_log takes"},
    {"-o repl_ack=sync", 1, "repl_ack takes async|received|applied, not"},
    {"-o repl_ack", 1, "Missing repl_ack argument"},
    {"-o repl_ack_timeout=0", 1, "repl_ack_timeout takes"},
    {"-o repl_ack_timeout=10001", 1, "repl_ack_timeout takes"},
    {"-o repl_ack_prefix=applied", 64, "repl_ack_prefix takes PREFIX:async"},
    {"-o repl_ack_prefix=:applied", 64, "not \":applied\""},
    {"-o repl_ack_prefix=lock.:sync", 64, "not \"lock.:sync\""},
    {"-o repl_ack_prefix=a:async,repl_ack_prefix=x", 1, "7 to 260"},
    {"-o repl_name=", 1, "repl_name takes a text of 1 to 64"},
    {"-p 0 -s", 1, "requires an argument"},
    {"-U 65536", 64, "Invalid port number 65536"},
    {"-a 1000", 64, "-a takes an octal number from 0 to 777"},
    {"-a 8", 64, "-a takes"},
    {"-D", 1, "requires an argument -- 'D'"},
    {"-B negotiating", 64, "Invalid value for binding protocol: negotiating"},
    {"-S -B auto", 64, "You cannot allow the ASCII protocol"},
    {"-S -U 1", 64, "Cannot enable UDP"},
    {"-S -Y f", 64, "leave out one of them"},
    {"-Y f -B binary", 64, "You cannot allow the BINARY protocol"},
    {"-Y f -U 1", 64, "Cannot use UDP"},
    {"-N 0", 1, "Maximum number of NAPI IDs"},
    {"-N 5", 64, "napi_ids(5) cannot be greater than number of threads(4)"},
    {"-e f -L", 64, "leave out one of them"},
    {"-I 1500000", 64, "must be evenly divisible by slab_chunk_max"},
    {"-I 64k -o slab_chunk_max=128", 64, "cannot be larger than -I"},
    {"-I 3m -o slab_chunk_max=196608", 64, "must divide a page"},
    {"-o slab_sizes=47", 64, "slab size 47 is out of valid range"},
    {"-o slab_sizes=100-90", 64, "lower than or equal"},
    {"-o slab_sizes=100-108", 64, "at least 8 bytes larger"},
    {"-o slab_sizes=x", 64, "slab size 0 is out of"},
    {"-o hot_lru_pct=0", 1, "hot_lru_pct must be > 1 and < 80"},
    {"-o hot_lru_pct=41", 64, "cannot be more than 80% combined"},
    {"-o hashpower=11", 1, "multiplier of 11 is too low"},
    {"-o hashpower=33", 1, "multiplier of 33 is too high"},
    {"-o ,", 1, "Illegal suboption \"\""},
    {"-o track_sizes,,modern", 1, "Illegal suboption \"\""},
    {"-o no_track_sizes", 1, "Illegal suboption \"no_track_sizes\""},
    {"-o hashexpand", 1, "Illegal suboption"},
    {"-o no_no_modern", 1, "Illegal suboption"},
    {"-o ext_path=/f:1g", 1, "Illegal suboption \"ext_path=/f:1g\""},
    {"-o ssl_key", 1, "Missing ssl_key argument"},
    {"--disable-dumping=1", 1, "doesn't allow an argument"},
    {"-y", 1, "invalid option -- 'y'"},
    {"--nonsense", 1, "unrecognized option '--nonsense'"},
    {"--daemon=yes", 1, "option '--daemon' doesn't allow an argument"},
    {"-v extra", 64, "\"extra\" belongs to no option"},
};

START_TEST(each_bad_value_is_refused_in_one_sentence)
{
    struct options options;
    struct line line;

    ck_assert_int_eq(parse(&options, &line, refusals[_i].arguments),
                     refusals[_i].status);
    ck_assert_msg(strstr(words, refusals[_i].part) != NULL, "said: %s", words);
    ck_assert_ptr_null(strchr(words, '\n'));
}
END_TEST

/* ---- what is more than one value ---- */

START_TEST(the_peer_has_the_port_of_minus_X_unless_it_names_its_own)
{
    struct options options;
    struct line line;

    ck_assert_int_eq(parse(&options, &line, "-x 10.0.0.2"), 0);
    ck_assert_str_eq(options.peer_endpoint.host, "10.0.0.2");
    ck_assert_uint_eq(options.peer_endpoint.port, 11212);
    ck_assert_int_eq(parse(&options, &line, "-x b -X 11300"), 0);
    ck_assert_uint_eq(options.peer_endpoint.port, 11300);
    ck_assert_int_eq(parse(&options, &line, "-x [fe80::1]:7 -X 11300"), 0);
    ck_assert_str_eq(options.peer_endpoint.host, "fe80::1");
    ck_assert_uint_eq(options.peer_endpoint.port, 7);
    ck_assert_int_eq(options.repl_port, 11300);
}
END_TEST

START_TEST(an_ipv6_address_without_brackets_has_no_port)
{
    struct options options;
    struct line line;

    ck_assert_int_eq(parse(&options, &line, "-x fd00::2"), 0);
    ck_assert_str_eq(options.peer_endpoint.host, "fd00::2");
    ck_assert_uint_eq(options.peer_endpoint.port, 11212);
}
END_TEST

START_TEST(only_x_and_X_make_a_node_replicate)
{
    struct options options;
    struct line line;

    ck_assert_int_eq(parse(&options, &line, "-q 100 -o repl_name=n"), 0);
    ck_assert(!options_replicate(&options));
    ck_assert_int_eq(parse(&options, &line, "-X 11212"), 0);
    ck_assert(options_replicate(&options));
    ck_assert_int_eq(parse(&options, &line, "-x b"), 0);
    ck_assert(options_replicate(&options));
}
END_TEST

static const struct {
    const char *arguments;
    const char *host; /* NULL: all. */
} peer_addresses[] = {
    {"", NULL},
    {"-l 10.0.0.1", "10.0.0.1"},
    {"-l 127.0.0.1", "127.0.0.1"},
    {"-l 127.0.0.1,10.0.0.1:9", "10.0.0.1"},
    {"-l ::1 -l [fd00::1]:9 -l 10.0.0.1", "fd00::1"},
    {"-l localhost,*", NULL},
    {"-l notls:tag[in]:10.0.0.1:9", "10.0.0.1"},
    {"-l tag_out_:127.0.0.1,proto[ascii]:[fd00::1]:9", "fd00::1"},
    {"-l 10.0.0.1,192.168.1.1 -x 192.168.1.2", "192.168.1.1"},
    {"-l 10.0.0.1,192.168.1.1 -x 10.0.0.2:1", "10.0.0.1"},
    {"-l 10.0.0.1,fd00::1,fd01::1 -x fd01::2", "fd01::1"},
    {"-l 10.0.0.1 -l fd00::1 -x fd01::2", "fd00::1"},
    {"-l 10.0.0.1,127.0.0.1 -x 127.0.0.1:1", "127.0.0.1"},
    {"-l 127.0.0.1,10.0.0.1 -x peer.example", "10.0.0.1"},
    {"-l 127.0.0.1,* -x 10.0.0.2", NULL},
};

START_TEST(the_peer_is_awaited_where_clients_are)
{
    struct endpoint room;
    struct options options;
    struct line line;
    const char *host;

    ck_assert_int_eq(parse(&options, &line, peer_addresses[_i].arguments), 0);
    host = options_peer_address(&options, &room);
    if (peer_addresses[_i].host == NULL)
        ck_assert_ptr_null(host);
    else
        ck_assert_str_eq(host, peer_addresses[_i].host);
}
END_TEST

START_TEST(sizes_of_slab_classes_are_numbers)
{
    uint32_t sizes[OPTIONS_SLAB_SIZES_MAX];
    struct options options;
    struct line line;

    ck_assert_int_eq(parse(&options, &line, "-o slab_sizes=100-200-524288"), 0);
    ck_assert_uint_eq(options_slab_sizes(&options, sizes), 3);
    ck_assert_uint_eq(sizes[0], 100);
    ck_assert_uint_eq(sizes[1], 200);
    ck_assert_uint_eq(sizes[2], 524288);
    ck_assert_int_eq(parse(&options, &line, ""), 0);
    ck_assert_uint_eq(options_slab_sizes(&options, sizes), 0);
}
END_TEST

START_TEST(v_counts_up_to_three)
{
    struct options options;
    struct line line;

    ck_assert_int_eq(parse(&options, &line, "-v"), 0);
    ck_assert_int_eq(options.verbosity, 1);
    ck_assert_int_eq(parse(&options, &line, "-vv --verbose"), 0);
    ck_assert_int_eq(options.verbosity, 3);
    ck_assert_int_eq(parse(&options, &line, "-vvvvv"), 0);
    ck_assert_int_eq(options.verbosity, 3);
}
END_TEST

START_TEST(the_tutorial_is_understood)
{
    struct options options;
    struct line line;

    ck_assert_int_eq(parse(&options, &line,
                           "-d -m 1024 -p 11211 -u memcached -c 2048 "
                           "-x 192.168.10.101 -P /run/t.pid -k -r"),
                     0);
    ck_assert(options.daemonize);
    ck_assert_str_eq(options.user, "memcached");
    ck_assert_str_eq(options.pid_file, "/run/t.pid");
    ck_assert(options.lock_memory);
    ck_assert(options.core_dumps);
}
END_TEST

START_TEST(help_is_given_whatever_else_is_wrong)
{
    struct options options;
    struct line line;

    ck_assert_int_eq(parse(&options, &line, "-h -p 0"), 0);
    ck_assert(options.help);
    ck_assert_int_eq(parse(&options, &line, "-V -m 1"), 0);
    ck_assert(options.version);
    ck_assert_int_eq(parse(&options, &line, "--license"), 0);
    ck_assert(options.license);
}
END_TEST

START_TEST(too_many_addresses_are_refused)
{
    struct options options;
    char list[OPTIONS_LIST_MAX + 1][8];
    char *argv[OPTIONS_LIST_MAX + 3] = {list[0]};
    int argc = 1;

    for (; argc <= OPTIONS_LIST_MAX + 1; argc++) {
        argv[argc] = list[argc - 1];
        (void)snprintf(argv[argc], sizeof(list[0]), "-lh%d", argc);
    }
    ck_assert_int_eq(options_parse(&options, argc, argv, words), 64);
    ck_assert_ptr_nonnull(strstr(words, "-l may be given 32 times"));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, each_value_is_as_written, 0,
                        (int)COUNT_OF(values));
    tcase_add_loop_test(tests, each_bad_value_is_refused_in_one_sentence, 0,
                        (int)COUNT_OF(refusals));
    tcase_add_loop_test(tests, the_peer_is_awaited_where_clients_are, 0,
                        (int)COUNT_OF(peer_addresses));
    tcase_add_test(tests,
                   the_peer_has_the_port_of_minus_X_unless_it_names_its_own);
    tcase_add_test(tests, an_ipv6_address_without_brackets_has_no_port);
    tcase_add_test(tests, only_x_and_X_make_a_node_replicate);
    tcase_add_test(tests, sizes_of_slab_classes_are_numbers);
    tcase_add_test(tests, v_counts_up_to_three);
    tcase_add_test(tests, the_tutorial_is_understood);
    tcase_add_test(tests, help_is_given_whatever_else_is_wrong);
    tcase_add_test(tests, too_many_addresses_are_refused);
}

UNIT_MAIN("options", add_tests)
