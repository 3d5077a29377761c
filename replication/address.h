/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses of hosts, IPv4 and IPv6, and short lists of them. */
#ifndef REPLICATION_ADDRESS_H
#define REPLICATION_ADDRESS_H

#include "src/base/error.h"

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDRESSES_MAX 8     /* Of one name; more are not looked at. */
#define ADDRESS_TEXT_MAX 64 /* "[IPv6]:port" and its NUL. */

struct address {
    struct sockaddr_storage storage;
    socklen_t size;
};

struct address_list {
    struct address at[ADDRESSES_MAX];
    size_t count;
};

/* Same host? Ports do not matter, and an IPv4 address mapped into IPv6 is
 * itself. */
bool address_same_host(const struct address *a, const struct address *b);
/* Below, equal or above 0, as both hosts agree on it. */
int address_compare(const struct address *a, const struct address *b);
bool address_is_loopback(const struct address *address);
bool address_is_any(const struct address *address);
uint16_t address_port(const struct address *address);
void address_set_port(struct address *address, uint16_t port);
/* The host, and with its port. */
void address_host_text(const struct address *address,
                       char out[ADDRESS_TEXT_MAX]);
void address_text(const struct address *address, char out[ADDRESS_TEXT_MAX]);

/* The address that this host would use to reach that one. No packet is sent.
 * Errors: -ERR_SYSTEM: no way there now. */
MUST_CHECK int address_towards(const struct address *there,
                               struct address *here);

/* Takes what getaddrinfo() found, each once. */
void address_list_take(struct address_list *list, const struct addrinfo *found);
/* A name or a numeric address; NULL: all addresses of this host, to listen on.
 * Waits for the name service. Returns 0 or an EAI_* of getaddrinfo(). */
MUST_CHECK int address_list_resolve(struct address_list *list, const char *host,
                                    uint16_t port);
bool address_list_has_host(const struct address_list *list,
                           const struct address *address);
/* Is the host given as a number, so that no name service is needed? */
bool address_is_numeric(const char *host);

#endif
