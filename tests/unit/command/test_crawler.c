/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/command/crawler.h"

#include "tests/unit/command/client.h"
#include "tests/unit/unit.h"

#include <stdio.h>

static struct host host;
static struct client client;

static const struct engine_config engine_config = {
    .memory_bytes = 64u << 20,
    .item_bytes_max = 1u << 20,
    .crawler_sleep_us = 100,
    .crawler_tocrawl = 7,
};
static const struct commands_config commands_config = {
    .version = "1.2.3",
    .item_bytes_max = 1u << 20,
    .cas_shown = true,
    .flush_allowed = true,
    .dump_allowed = true,
};

static void start(const struct commands_config *config,
                  const struct session_config *session)
{
    host_init_with(&host, &engine_config, config);
    client_init_with(&client, &host, session);
}

static void setup(void)
{
    const struct session_config session = {.protocol = SESSION_TEXT};

    start(&commands_config, &session);
}

static void teardown(void)
{
    client_fini(&client);
    host_fini(&host);
}

static void expect(const char *request, const char *reply)
{
    ck_assert_str_eq(client_ask(&client, request), reply);
}

static struct engine_crawler settings(void)
{
    struct engine_crawler out;

    engine_crawler_settings(host.engine, &out);
    return out;
}

static void upkeep(void)
{
    static struct engine_thread *janitor;

    janitor = engine_thread_new(host.engine);
    for (unsigned i = 1; i < 300; i++) {
        engine_thread_set_now(janitor, CLIENT_NOW_NS + i * NS_PER_S);
        (void)engine_upkeep(janitor);
    }
    engine_thread_free(&janitor);
}

START_TEST(settings_change_and_errors_are_told)
{
    static const struct {
        const char *request;
        const char *reply;
    } rows[] = {
        {"lru_crawler\r\n", "ERROR\r\n"},
        {"lru_crawler foo\r\n", "ERROR\r\n"},
        {"lru_crawler enable\r\n",
         "ERROR failed to start lru crawler thread\r\n"},
        {"lru_crawler disable\r\n", "OK\r\n"},
        {"lru_crawler disable\r\n", "OK\r\n"},
        {"lru_crawler enable x\r\n", "ERROR\r\n"},
        {"lru_crawler enable\r\n", "OK\r\n"},
        {"lru_crawler sleep\r\n", "ERROR\r\n"},
        {"lru_crawler sleep 5\r\n", "OK\r\n"},
        {"lru_crawler sleep x\r\n", "CLIENT_ERROR bad command line format\r\n"},
        {"lru_crawler sleep -1\r\n",
         "CLIENT_ERROR bad command line format\r\n"},
        {"lru_crawler sleep 1000001\r\n",
         "CLIENT_ERROR sleep must be one second or less\r\n"},
        {"lru_crawler sleep 4294967296\r\n",
         "CLIENT_ERROR bad command line format\r\n"},
        {"lru_crawler tocrawl\r\n", "ERROR\r\n"},
        {"lru_crawler tocrawl 4294967295\r\n", "OK\r\n"},
        {"lru_crawler tocrawl x\r\n",
         "CLIENT_ERROR bad command line format\r\n"},
        {"lru_crawler sleep 5 noreply\r\n", "ERROR\r\n"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        expect(rows[i].request, rows[i].reply);
    ck_assert_uint_eq(settings().sleep_us, 5);
    ck_assert_uint_eq(settings().tocrawl, UINT32_MAX);
    ck_assert(settings().enabled);
    expect("lru_crawler disable\r\n", "OK\r\n");
    ck_assert(!settings().enabled);
    ck_assert_uint_eq(settings().sleep_us, 5);
}
END_TEST

START_TEST(classes_are_lists_of_numbers)
{
    static const struct {
        const char *list;
        const char *reply;
    } rows[] = {
        {"0", "BADCLASS invalid class id\r\n"},
        {"x", "BADCLASS invalid class id\r\n"},
        {"-1", "BADCLASS invalid class id\r\n"},
        {"1,x", "BADCLASS invalid class id\r\n"},
        {"256", "BADCLASS invalid class id\r\n"},
        {"99999999999999999999", "BADCLASS invalid class id\r\n"},
        {",", "NOTSTARTED no items to crawl\r\n"},
        {"hash", "ERROR an unknown error happened\r\n"},
        {"1 2", "ERROR\r\n"},
        {"1,,3", "OK\r\n"},
        {"63", "OK\r\n"},
        {"all", "OK\r\n"},
    };
    char request[64];

    expect("lru_crawler crawl\r\n", "ERROR\r\n");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        (void)snprintf(request, sizeof(request), "lru_crawler crawl %s\r\n",
                       rows[i].list);
        expect(request, rows[i].reply);
        upkeep();
    }
    expect("lru_crawler metadump 0\r\n", "BADCLASS invalid class id\r\n");
    expect("lru_crawler metadump ,\r\n", "NOTSTARTED no items to crawl\r\n");
    expect("lru_crawler mgdump x\r\n", "BADCLASS invalid class id\r\n");
    expect("lru_crawler metadump\r\n", "ERROR\r\n");
    expect("lru_crawler metadump all x\r\n", "ERROR\r\n");
}
END_TEST

START_TEST(one_at_a_time)
{
    enum session_want want;

    expect("lru_crawler crawl all\r\n", "OK\r\n");
    expect("lru_crawler crawl 1\r\n",
           "BUSY currently processing crawler request\r\n");
    expect("lru_crawler metadump all\r\n",
           "BUSY currently processing crawler request\r\n");
    upkeep();
    (void)session_run(client.session, slice_of("lru_crawler metadump all\r\n"),
                      1, client.sink, &want);
    ck_assert_int_eq(want, SESSION_YIELD);
    ck_assert_int_eq(engine_crawl(host.thread->engine_thread,
                                  &(struct engine_classes){.bits = {1}}),
                     ENGINE_CRAWL_BUSY);
    session_free(&client.session);
    ck_assert_int_eq(engine_crawl(host.thread->engine_thread,
                                  &(struct engine_classes){.bits = {2}}),
                     ENGINE_CRAWL_STARTED);
}
END_TEST

START_TEST(a_disabled_crawler_dumps_nothing)
{
    const char *disabled = "CLIENT_ERROR lru crawler disabled\r\n";

    expect("lru_crawler disable\r\n", "OK\r\n");
    expect("lru_crawler crawl all\r\n", disabled);
    expect("lru_crawler metadump all\r\n", disabled);
    expect("lru_crawler mgdump hash\r\n", disabled);
}
END_TEST

/* Both are answered in one turn. */
START_TEST(a_dump_comes_first_or_not_at_all)
{
    expect("version\r\nlru_crawler metadump all\r\n",
           "VERSION 1.2.3\r\n"
           "ERROR cannot pipeline other commands before metadump\r\n");
    expect("version\r\nlru_crawler mgdump all\r\n",
           "VERSION 1.2.3\r\n"
           "ERROR cannot pipeline other commands before mgdump\r\n");
    expect("lru_crawler mgdump all\r\nversion\r\n",
           "OK\r\nEN\r\nVERSION 1.2.3\r\n");
    expect("lru_crawler metadump hash\r\n", "OK\r\nEND\r\n");
}
END_TEST

START_TEST(a_line_has_everything_but_the_value)
{
    char line[512];
    char cas[32] = "";
    const char *at;

    expect("set a:b%20\xff 7 100 3\r\nabc\r\n", "STORED\r\n");
    at = strstr(client_ask(&client, "gets a:b%20\xff\r\n"), "\r\n");
    while (at[-1] >= '0' && at[-1] <= '9')
        at--;
    (void)snprintf(cas, sizeof(cas), "%.19s", at);
    (void)snprintf(line, sizeof(line),
                   "OK\r\nkey=a%%3Ab%%2520%%FF exp=1700000100 la=1700000000 "
                   "cas=%s fetch=yes cls=1 size=50 flags=7 \nEND\r\n",
                   cas);
    expect("lru_crawler metadump all\r\n", line);
    expect("delete a:b%20\xff\r\n", "DELETED\r\n");
    expect("set Az09-_.~ 0 0 1\r\nx\r\n", "STORED\r\n");
    at = client_ask(&client, "lru_crawler metadump 1\r\n");
    ck_assert_ptr_nonnull(strstr(at, "OK\r\nkey=Az09-_.~ exp=-1 la="));
    ck_assert_ptr_nonnull(strstr(at, " fetch=no cls=1 size=45 flags=0 \nEND"));
    expect("lru_crawler metadump 2\r\n", "OK\r\nEND\r\n");
}
END_TEST

START_TEST(an_mgdump_is_made_of_requests)
{
    expect("ms Zm9v 2 b\r\nhi\r\n", "HD\r\n");
    expect("lru_crawler mgdump all\r\n", "OK\r\nmg Zm9v b\r\nEN\r\n");
    expect("mg Zm9v b\r\n", "HD\r\n");
    expect("set bar 0 0 0\r\n\r\ndelete foo\r\n", "STORED\r\nDELETED\r\n");
    expect("lru_crawler mgdump hash\r\n", "OK\r\nmg bar\r\nEN\r\n");
}
END_TEST

static void store_many(unsigned count)
{
    char requests[16 * 1024];
    size_t size = 0;

    for (unsigned i = 0; i < count; i++) {
        size += (size_t)snprintf(requests + size, sizeof(requests) - size,
                                 "set key-%05u 0 0 1 noreply\r\nx\r\n", i);
        if (size + 100 < sizeof(requests) && i + 1 < count)
            continue;
        client_send(&client, slice_make(requests, size));
        size = 0;
    }
}

START_TEST(a_slow_reader_gets_all_of_it)
{
    const unsigned count = 5000;
    unsigned lines = 0;
    const char *at;

    store_many(count);
    client.drained = 999;
    client.requests_max = 1;
    at = client_ask(&client, "lru_crawler mgdump all\r\n");
    for (; (at = strstr(at, "mg key-")) != NULL; at++)
        lines++;
    ck_assert_uint_eq(lines, count);
    ck_assert_uint_eq(client.replies_size, 4 + count * 14 + 4 + 1);
    ck_assert_uint_le(client.pending_max, SINK_FULL_BYTES + 64u * 1024);
}
END_TEST

START_TEST(dumps_can_be_forbidden)
{
    const struct session_config session = {.protocol = SESSION_TEXT};
    struct commands_config config = commands_config;

    config.dump_allowed = false;
    teardown();
    start(&config, &session);
    expect("lru_crawler metadump all\r\n", "ERROR metadump not allowed\r\n");
    expect("lru_crawler metadump\r\n", "ERROR\r\n");
    expect("version\r\nlru_crawler mgdump x\r\n",
           "VERSION 1.2.3\r\nERROR mgdump not allowed\r\n");
    expect("stats cachedump\r\n",
           "CLIENT_ERROR stats cachedump not allowed\r\n");
    expect("stats detail on\r\n", "CLIENT_ERROR stats detail not allowed\r\n");
    expect("lru_crawler crawl all\r\n", "OK\r\n");
}
END_TEST

START_TEST(datagrams_carry_no_dump)
{
    const struct session_config session = {.protocol = SESSION_TEXT,
                                           .datagram = true};

    teardown();
    start(&commands_config, &session);
    expect("lru_crawler metadump all\r\n", "ERROR cannot dump over UDP\r\n");
    expect("stats cachedump 1 0\r\n", "END\r\n");
}
END_TEST

/* ---- stats cachedump ---- */

START_TEST(cachedump_shows_what_is_cold)
{
    expect("set a:b 7 0 3\r\nabc\r\n", "STORED\r\n");
    expect("stats cachedump 1 0\r\n", "END\r\n");
    upkeep();
    expect("stats cachedump 1 0\r\n", "ITEM a:b [3 b; 0 s]\r\nEND\r\n");
    expect("stats cachedump 1 0 x\r\n", "ITEM a:b [3 b; 0 s]\r\nEND\r\n");
    expect("delete a:b\r\n", "DELETED\r\n");
    expect("set c 7 1000 0\r\n\r\n", "STORED\r\n");
    upkeep();
    expect("stats cachedump 1 9\r\n", "ITEM c [0 b; 1700001000 s]\r\nEND\r\n");
    expect("stats cachedump 2 0\r\n", "END\r\n");
    expect("stats cachedump 0 0\r\n", "END\r\n");
    expect("stats cachedump 63 0\r\n", "END\r\n");
}
END_TEST

START_TEST(cachedump_says_what_is_wrong)
{
    static const char format[] = "CLIENT_ERROR bad command line format\r\n";

    expect("stats cachedump\r\n", "CLIENT_ERROR bad command line\r\n");
    expect("stats cachedump 1\r\n", "CLIENT_ERROR bad command line\r\n");
    expect("stats cachedump x 0\r\n", format);
    expect("stats cachedump 1 x\r\n", format);
    expect("stats cachedump -1 0\r\n", format);
    expect("stats cachedump 1 -1\r\n", format);
    expect("stats cachedump 1 4294967296\r\n", format);
    expect("stats cachedump 255 0\r\n", "CLIENT_ERROR Illegal slab id\r\n");
}
END_TEST

START_TEST(cachedump_keeps_its_limits)
{
    const char line[] = "ITEM key-00000 [1 b; 0 s]\r\n";
    size_t most = 2u * 1024 * 1024 / (sizeof(line) - 1);

    store_many(100000);
    upkeep();
    (void)client_ask(&client, "stats cachedump 1 10\r\n");
    ck_assert_uint_eq(client.replies_size, 10 * (sizeof(line) - 1) + 5 + 1);
    (void)client_ask(&client, "stats cachedump 1 0\r\n");
    ck_assert_uint_eq(client.replies_size, most * (sizeof(line) - 1) + 5 + 1);
    ck_assert_str_eq(client.replies + client.replies_size - 6, "END\r\n");
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, settings_change_and_errors_are_told);
    tcase_add_test(tests, classes_are_lists_of_numbers);
    tcase_add_test(tests, one_at_a_time);
    tcase_add_test(tests, a_disabled_crawler_dumps_nothing);
    tcase_add_test(tests, a_dump_comes_first_or_not_at_all);
    tcase_add_test(tests, a_line_has_everything_but_the_value);
    tcase_add_test(tests, an_mgdump_is_made_of_requests);
    tcase_add_test(tests, a_slow_reader_gets_all_of_it);
    tcase_add_test(tests, dumps_can_be_forbidden);
    tcase_add_test(tests, datagrams_carry_no_dump);
    tcase_add_test(tests, cachedump_shows_what_is_cold);
    tcase_add_test(tests, cachedump_says_what_is_wrong);
    tcase_add_test(tests, cachedump_keeps_its_limits);
}
UNIT_MAIN("crawler", add_tests)
