/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/command/admin.h"

#include "tests/unit/command/client.h"
#include "tests/unit/unit.h"

static struct host host;
static struct client client;

static void setup(void)
{
    const struct engine_config engine = {.memory_bytes = 64u << 20,
                                         .item_bytes_max = 1u << 20};
    const struct commands_config commands = {.version = "1.2.3"};

    host_init_with(&host, &engine, &commands);
    client_init(&client, &host);
}

static void teardown(void)
{
    client_fini(&client);
    host_fini(&host);
}

static void expect(const char *request, const char *reply)
{
    client.replies_size = 0;
    client_send(&client, slice_of(request));
    client_receive(&client, "", 1);
    ck_assert_str_eq(client.replies, reply);
}

START_TEST(what_is_no_command_is_an_error)
{
    expect("foo\r\n", "ERROR\r\n");
    expect("shutdownx\r\n", "ERROR\r\n");
    expect("SHUTDOWN\r\n", "ERROR\r\n");
    expect("  \r\n", "ERROR\r\n");
    expect("foo noreply\r\n", "ERROR\r\n");
}
END_TEST

START_TEST(a_command_is_found_by_its_first_word)
{
    expect("  shutdown  a b\r\n", "SERVER_ERROR: shutdown not enabled\r\n");
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, what_is_no_command_is_an_error);
    tcase_add_test(tests, a_command_is_found_by_its_first_word);
}
UNIT_MAIN("admin", add_tests)
