/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/command/tuning.h"

#include "src/base/memory.h"
#include "tests/unit/command/client.h"
#include "tests/unit/unit.h"

#include <stdio.h>

static struct host host;
static struct client client;

static void set_up(const struct engine_tuning *tuning)
{
    const struct engine_config engine = {.memory_bytes = 16 * MIB,
                                         .memory_bytes_max = 64 * MIB,
                                         .item_bytes_max = MIB,
                                         .tuning = tuning};
    const struct commands_config commands = {.version = "1.2.3"};

    host_init_with(&host, &engine, &commands);
    client_init(&client, &host);
}

static void tear_down(void)
{
    client_fini(&client);
    host_fini(&host);
}

static const char *ask(const char *request)
{
    char line[128];

    (void)snprintf(line, sizeof(line), "%s\r\n", request);
    return client_ask(&client, line);
}

#define OK "OK\r\n"
#define NO "ERROR\r\n"
#define FORMAT "CLIENT_ERROR bad command line format\r\n"
#define WINDOW "CLIENT_ERROR automove window too low or too high\r\n"
#define CLASS "BADCLASS invalid src or dst class id\r\n"
#define SPARE "NOSPARE source class has no spare pages\r\n"
#define SAME "SAME src and dst class are identical\r\n"
#define PERCENT "ERROR hot and warm pcts must not exceed 80\r\n"
#define FACTOR "ERROR hot/warm age factors must be greater than 0\r\n"
#define SMALL "MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\n"
#define UNIT "MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes\r\n"
#define BOUNDS "MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust\r\n"

static const struct {
    const char *request;
    const char *reply;
} rows[] = {
    {"slabs", NO},
    {"slabs x", NO},
    {"slabs foo 1 2", NO},
    {"slabs reassign", NO},
    {"slabs reassign 1", NO},
    {"slabs reassign 1 2 3", NO},
    {"slabs reassign a b", FORMAT},
    {"slabs reassign 1x 2", FORMAT},
    {"slabs reassign 1 1", SAME},
    {"slabs reassign 999 999", SAME},
    {"slabs reassign 1 2", SPARE},
    {"slabs reassign 2 0", SPARE},
    {"slabs reassign 0 2", SPARE},
    {"slabs reassign 1 999", CLASS},
    {"slabs reassign 999 1", CLASS},
    {"slabs reassign -1 2", CLASS},
    {"slabs reassign 1 -1", CLASS},
    {"slabs reassign 1 2 noreply", ""},
    {"slabs automove", NO},
    {"slabs automove 0", OK},
    {"slabs automove 2", OK},
    {"slabs automove 3", NO},
    {"slabs automove x", FORMAT},
    {"slabs automove -1", FORMAT},
    {"slabs automove 1 2 3", OK},
    {"slabs automove 1 noreply", ""},
    {"slabs automove ratio", NO},
    {"slabs automove ratio 0.5", OK},
    {"slabs automove ratio 5", OK},
    {"slabs automove ratio -1", OK},
    {"slabs automove ratio x", NO},
    {"slabs automove window", NO},
    {"slabs automove window 3", OK},
    {"slabs automove window 2", WINDOW},
    {"slabs automove window 1800", OK},
    {"slabs automove window 1801", WINDOW},
    {"slabs automove window x", FORMAT},
    {"slabs automove freeratio 0.02", OK},
    {"slabs automove freeratio x", NO},
    {"lru", NO},
    {"lru x", NO},
    {"lru tune 10 20 0.1", NO},
    {"lru tune 10 20 0.1 2.0", OK},
    {"lru tune a b c d", NO},
    {"lru tune 0 0 0.1 2.0", OK},
    {"lru tune 40 40 1 1", OK},
    {"lru tune 41 40 1 1", PERCENT},
    {"lru tune 4294967295 1 1 1", PERCENT},
    {"lru tune 10 20 0 2", FACTOR},
    {"lru tune 10 20 0.1 -1", FACTOR},
    {"lru mode", NO},
    {"lru mode x", NO},
    {"lru mode flat", OK},
    {"lru mode segmented", OK},
    {"lru temp_ttl", NO},
    {"lru temp_ttl x", NO},
    {"lru temp_ttl 10", OK},
    {"lru temp_ttl -1", OK},
    {"cache_memlimit", NO},
    {"cache_memlimit x", NO},
    {"cache_memlimit -1", NO},
    {"cache_memlimit 7", SMALL},
    {"cache_memlimit 8", OK},
    {"cache_memlimit 64", OK},
    {"cache_memlimit 65", BOUNDS},
    {"cache_memlimit 1000000001", UNIT},
    {"cache_memlimit 7 noreply", ""},
};

START_TEST(each_request_has_its_reply)
{
    set_up(NULL);
    ck_assert_str_eq(ask(rows[_i].request), rows[_i].reply);
    tear_down();
}
END_TEST

START_TEST(what_was_set_is_set)
{
    struct engine_tuning now;

    set_up(NULL);
    ask("slabs automove 2");
    ask("slabs automove ratio 0.25");
    ask("slabs automove window 77");
    ask("slabs automove freeratio 0.5");
    ask("lru tune 11 22 0.5 3.5");
    ask("lru mode flat");
    ask("lru temp_ttl 33");
    ask("cache_memlimit 32");
    engine_tuning_get(host.engine, &now);
    ck_assert_uint_eq(now.automove, 2);
    ck_assert_double_eq(now.automove_ratio, 0.25);
    ck_assert_uint_eq(now.automove_window_s, 77);
    ck_assert_double_eq(now.automove_free_ratio, 0.5);
    ck_assert_uint_eq(now.hot_percent, 11);
    ck_assert_uint_eq(now.warm_percent, 22);
    ck_assert_double_eq(now.hot_age_factor, 0.5);
    ck_assert_double_eq(now.warm_age_factor, 3.5);
    ck_assert(!now.segmented);
    ck_assert_int_eq(now.temporary_ttl_s, 33);
    ck_assert_uint_eq(engine_memory(host.engine), 32 * MIB);
    tear_down();
}
END_TEST

START_TEST(what_is_off_is_refused)
{
    struct engine_tuning tuning = engine_tuning_default;

    tuning.reassign = false;
    tuning.maintain = false;
    tuning.segmented = false;
    set_up(&tuning);
    ck_assert_str_eq(ask("slabs reassign a b"),
                     "CLIENT_ERROR slab reassignment disabled\r\n");
    ck_assert_str_eq(ask("slabs automove 1"), OK);
    ck_assert_str_eq(ask("lru mode segmented"), NO);
    ck_assert_str_eq(ask("lru temp_ttl 5"), NO);
    ck_assert_str_eq(ask("lru tune 10 20 1 1"), OK);
    tear_down();
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, each_request_has_its_reply, 0, COUNT_OF(rows));
    tcase_add_test(tests, what_was_set_is_set);
    tcase_add_test(tests, what_is_off_is_refused);
}
UNIT_MAIN("tuning", add_tests)
