/* SPDX-License-Identifier: BSD-3-Clause */
#include "replication/address.h"

#include "src/base/invariant.h"
#include "tests/unit/unit.h"

#include <string.h>

static struct address address_of(const char *host, uint16_t port)
{
    struct address_list list;

    ck_assert_int_eq(address_list_resolve(&list, host, port), 0);
    ck_assert_uint_eq(list.count, 1);
    return list.at[0];
}

static const struct {
    const char *a;
    const char *b;
    int order;
} pairs[] = {
    {"10.0.0.1", "10.0.0.1", 0},  {"10.0.0.1", "::ffff:10.0.0.1", 0},
    {"10.0.0.1", "10.0.0.2", -1}, {"10.0.1.0", "10.0.0.9", 1},
    {"fe80::1", "fe80::1", 0},    {"fe80::1", "fe80::2", -1},
    {"10.0.0.1", "fe80::1", -1},  {"::1", "127.0.0.1", -1},
};

START_TEST(hosts_are_ordered_alike_from_both_sides)
{
    struct address a = address_of(pairs[_i].a, 1);
    struct address b = address_of(pairs[_i].b, 2);
    int order = address_compare(&a, &b);
    int back = address_compare(&b, &a);

    ck_assert_int_eq((order > 0) - (order < 0), pairs[_i].order);
    ck_assert_int_eq((back > 0) - (back < 0), -pairs[_i].order);
    ck_assert_int_eq(address_same_host(&a, &b), pairs[_i].order == 0);
}
END_TEST

static const struct {
    const char *host;
    bool loopback;
    bool any;
    const char *text;
} kinds[] = {
    {"127.0.0.1", true, false, "127.0.0.1:11212"},
    {"127.9.9.9", true, false, "127.9.9.9:11212"},
    {"::1", true, false, "[::1]:11212"},
    {"::ffff:127.0.0.1", true, false, "127.0.0.1:11212"},
    {"10.0.0.1", false, false, "10.0.0.1:11212"},
    {"0.0.0.0", false, true, "0.0.0.0:11212"},
    {"::", false, true, "[::]:11212"},
    {"2001:db8:1111:2222:3333:4444:5555:6666", false, false,
     "[2001:db8:1111:2222:3333:4444:5555:6666]:11212"},
};

START_TEST(an_address_says_what_it_is)
{
    struct address address = address_of(kinds[_i].host, 11212);
    char text[ADDRESS_TEXT_MAX];

    ck_assert_int_eq(address_is_loopback(&address), kinds[_i].loopback);
    ck_assert_int_eq(address_is_any(&address), kinds[_i].any);
    ck_assert_uint_eq(address_port(&address), 11212);
    address_text(&address, text);
    ck_assert_str_eq(text, kinds[_i].text);
    address_set_port(&address, 7);
    ck_assert_uint_eq(address_port(&address), 7);
}
END_TEST

START_TEST(the_way_to_a_host_begins_at_this_one)
{
    struct address there = address_of("127.0.0.1", 9), here;

    ck_assert_int_eq(address_towards(&there, &here), 0);
    ck_assert(address_is_loopback(&here));
}
END_TEST

START_TEST(nowhere_means_everywhere_to_listen)
{
    struct address_list list;
    size_t i;

    ck_assert_int_eq(address_list_resolve(&list, NULL, 11212), 0);
    ck_assert_uint_ge(list.count, 1);
    for (i = 0; i < list.count; i++) {
        ck_assert(address_is_any(&list.at[i]));
        ck_assert_uint_eq(address_port(&list.at[i]), 11212);
    }
}
END_TEST

START_TEST(a_list_takes_each_host_once_and_not_too_many)
{
    struct address addresses[ADDRESSES_MAX + 2];
    struct addrinfo found[2 * (ADDRESSES_MAX + 2)];
    struct address_list list;
    char host[16] = "10.0.0.x";
    size_t i;

    memset(found, 0, sizeof(found));
    for (i = 0; i < COUNT_OF(found); i++) {
        host[7] = (char)('0' + i / 2);
        addresses[i / 2] = address_of(host, 1);
        found[i].ai_family = AF_INET;
        found[i].ai_addr = (struct sockaddr *)&addresses[i / 2].storage;
        found[i].ai_addrlen = addresses[i / 2].size;
        found[i].ai_next = i + 1 < COUNT_OF(found) ? &found[i + 1] : NULL;
    }
    found[0].ai_family = AF_UNIX; /* What is no address of a host is not. */
    address_list_take(&list, found);
    ck_assert_uint_eq(list.count, ADDRESSES_MAX);
    for (i = 0; i < ADDRESSES_MAX; i++)
        ck_assert(address_list_has_host(&list, &addresses[i]));
    ck_assert(!address_list_has_host(&list, &addresses[ADDRESSES_MAX]));
}
END_TEST

START_TEST(a_number_needs_no_name_service)
{
    ck_assert(address_is_numeric("10.0.0.1"));
    ck_assert(address_is_numeric("::1"));
    ck_assert(!address_is_numeric("localhost"));
    ck_assert(!address_is_numeric(""));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, hosts_are_ordered_alike_from_both_sides, 0,
                        (int)COUNT_OF(pairs));
    tcase_add_loop_test(tests, an_address_says_what_it_is, 0,
                        (int)COUNT_OF(kinds));
    tcase_add_test(tests, the_way_to_a_host_begins_at_this_one);
    tcase_add_test(tests, nowhere_means_everywhere_to_listen);
    tcase_add_test(tests, a_list_takes_each_host_once_and_not_too_many);
    tcase_add_test(tests, a_number_needs_no_name_service);
}
UNIT_MAIN("address", add_tests)
