/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses are compared in their 16-byte form, where IPv4 lives under
 * ::ffff:0:0/96, so that it does not matter which socket a peer came in by. */
#include "replication/address.h"

#include "src/base/invariant.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FORM_BYTES 16

static const struct sockaddr_in *as_v4(const struct address *address)
{
    return (const struct sockaddr_in *)(const void *)&address->storage;
}

static const struct sockaddr_in6 *as_v6(const struct address *address)
{
    return (const struct sockaddr_in6 *)(const void *)&address->storage;
}

static void put_form(const struct address *address, uint8_t out[FORM_BYTES])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    memset(out, 0, FORM_BYTES);
    if (address->storage.ss_family == AF_INET) {
        memcpy(out, mapped, sizeof(mapped));
        memcpy(out + sizeof(mapped), &as_v4(address)->sin_addr, 4);
    } else if (address->storage.ss_family == AF_INET6) {
        memcpy(out, &as_v6(address)->sin6_addr, FORM_BYTES);
    }
}

int address_compare(const struct address *a, const struct address *b)
{
    uint8_t form_a[FORM_BYTES], form_b[FORM_BYTES];

    put_form(a, form_a);
    put_form(b, form_b);
    return memcmp(form_a, form_b, FORM_BYTES);
}

bool address_same_host(const struct address *a, const struct address *b)
{
    return address_compare(a, b) == 0;
}

static struct in6_addr form_of(const struct address *address)
{
    struct in6_addr form;

    put_form(address, form.s6_addr);
    return form;
}

bool address_is_loopback(const struct address *address)
{
    struct in6_addr form = form_of(address);

    if (IN6_IS_ADDR_V4MAPPED(&form))
        return form.s6_addr[12] == 127;
    return IN6_IS_ADDR_LOOPBACK(&form);
}

bool address_is_any(const struct address *address)
{
    static const struct address none4 = {
        .storage = {.ss_family = AF_INET},
    };
    static const struct address none6 = {
        .storage = {.ss_family = AF_INET6},
    };

    return address_same_host(address, &none4) ||
           address_same_host(address, &none6);
}

uint16_t address_port(const struct address *address)
{
    return ntohs(address->storage.ss_family == AF_INET
                     ? as_v4(address)->sin_port
                     : as_v6(address)->sin6_port);
}

void address_set_port(struct address *address, uint16_t port)
{
    struct sockaddr_in6 *v6 = (void *)&address->storage;
    struct sockaddr_in *v4 = (void *)&address->storage;

    if (address->storage.ss_family == AF_INET)
        v4->sin_port = htons(port);
    else
        v6->sin6_port = htons(port);
}

void address_host_text(const struct address *address,
                       char out[ADDRESS_TEXT_MAX])
{
    struct in6_addr form = form_of(address);
    const char *text;

    if (IN6_IS_ADDR_V4MAPPED(&form))
        text = inet_ntop(AF_INET, form.s6_addr + 12, out, ADDRESS_TEXT_MAX);
    else
        text = inet_ntop(AF_INET6, &form, out, ADDRESS_TEXT_MAX);
    INVARIANT(text != NULL);
}

void address_text(const struct address *address, char out[ADDRESS_TEXT_MAX])
{
    char host[ADDRESS_TEXT_MAX];
    bool v6;

    address_host_text(address, host);
    v6 = strchr(host, ':') != NULL;
    (void)snprintf(out, ADDRESS_TEXT_MAX, "%s%.46s%s:%u", v6 ? "[" : "", host,
                   v6 ? "]" : "", (unsigned)address_port(address));
}

int address_towards(const struct address *there, struct address *here)
{
    /* Connecting a datagram socket asks the routing table and no more. */
    int fd = socket(there->storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int error = -ERR_SYSTEM;

    if (fd < 0)
        return error;
    here->size = sizeof(here->storage);
    if (connect(fd, (const struct sockaddr *)&there->storage, there->size) ==
            0 &&
        getsockname(fd, (struct sockaddr *)&here->storage, &here->size) == 0)
        error = 0;
    (void)close(fd);
    return error;
}

bool address_list_has_host(const struct address_list *list,
                           const struct address *address)
{
    size_t i;

    for (i = 0; i < list->count; i++) {
        if (address_same_host(&list->at[i], address))
            return true;
    }
    return false;
}

void address_list_take(struct address_list *list, const struct addrinfo *found)
{
    struct address address;

    list->count = 0;
    for (; found != NULL && list->count < ADDRESSES_MAX;
         found = found->ai_next) {
        if (found->ai_family != AF_INET && found->ai_family != AF_INET6)
            continue;
        memset(&address, 0, sizeof(address));
        memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
        address.size = found->ai_addrlen;
        if (!address_list_has_host(list, &address))
            list->at[list->count++] = address;
    }
}

int address_list_resolve(struct address_list *list, const char *host,
                         uint16_t port)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = host == NULL ? AI_PASSIVE : 0,
    };
    struct addrinfo *found;
    char service[8];
    int error;

    (void)snprintf(service, sizeof(service), "%u", (unsigned)port);
    error = getaddrinfo(host, service, &hints, &found);
    if (error != 0)
        return error;
    address_list_take(list, found);
    freeaddrinfo(found);
    return list->count > 0 ? 0 : EAI_NONAME;
}

bool address_is_numeric(const char *host)
{
    uint8_t form[FORM_BYTES];

    return inet_pton(AF_INET, host, form) == 1 ||
           inet_pton(AF_INET6, host, form) == 1;
}
