/* SPDX-License-Identifier: BSD-3-Clause */
/* A worker's UDP sockets: each datagram is a request that a session of its own
 * answers, so that nothing a sender says outlives the datagram. */
#ifndef SERVER_UDP_H
#define SERVER_UDP_H

#include "src/server/listener.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/socket.h>

struct worker;

/* A reply on its way. */
struct udp_reply {
    char *data;
    size_t size;
    size_t room;
    uint16_t id;
    uint16_t next; /* Datagram to send. */
    struct sockaddr_storage to;
    socklen_t to_size;
};

/* Owned by its worker's thread. */
struct udp_socket {
    struct event event;
    struct worker *worker;
    const struct listener *listener;
    int fd; /* The listener's. */
    struct udp_reply reply;
    bool writing;      /* The kernel takes no more for now. */
    uint32_t active_s; /* When it last got a request. Read by any thread. */
};

struct udp_sockets {
    struct udp_socket *at;
    size_t count;
};

/* Takes those that belong to the worker with this index; they are silent until
 * udp_open().
 * Errors: -ERR_MEMORY. */
MUST_CHECK int udp_init(struct udp_sockets *sockets, struct worker *worker,
                        const struct listeners *listeners, size_t index);
void udp_fini(struct udp_sockets *sockets);

/* In the worker's thread: begins and ends to serve. */
void udp_open(struct udp_sockets *sockets);
void udp_close(struct udp_sockets *sockets);

#endif
