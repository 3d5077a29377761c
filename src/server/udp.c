/* SPDX-License-Identifier: BSD-3-Clause */
/* One turn reads some datagrams and answers each. A reply is collected before
 * its first datagram is sent, because that one says how many there are. What
 * the kernel does not take waits, and nothing is read meanwhile. */
#include "src/server/udp.h"

#include "src/base/invariant.h"
#include "src/base/log.h"
#include "src/base/memory.h"
#include "src/server/udp_frame.h"
#include "src/server/worker.h"

#include <errno.h>
#include <string.h>

#define TURN_DATAGRAMS_MAX 32
#define SEND_DATAGRAMS_MAX 64 /* With one call. */
/* An emptied reply gives a larger buffer back. */
#define KEEP_BYTES (64u * 1024)

static void on_event(evutil_socket_t fd, short what, void *arg);

/* ---- the reply ---- */

static bool reply_put(struct udp_reply *reply, const char *data, size_t size)
{
    size_t room = reply->room > 0 ? reply->room : KEEP_BYTES;

    if (size > UDP_REPLY_MAX - reply->size)
        return false;
    while (room < reply->size + size)
        room *= 2;
    if (room > reply->room) {
        char *grown = memory_resize(reply->data, room, 1);

        if (grown == NULL)
            return false;
        reply->data = grown;
        reply->room = room;
    }
    memcpy(reply->data + reply->size, data, size);
    reply->size += size;
    return true;
}

/* Takes all that is pending in the sink. */
static bool reply_collect(struct udp_reply *reply, struct sink *sink,
                          struct iovec *vectors)
{
    while (sink_pending(sink) > 0) {
        size_t count = sink_vectors(sink, vectors, WORKER_VECTORS_MAX);
        size_t taken = 0;

        if (sink_failed(sink))
            return false;
        for (size_t i = 0; i < count; i++) {
            if (!reply_put(reply, vectors[i].iov_base, vectors[i].iov_len))
                return false;
            taken += vectors[i].iov_len;
        }
        sink_sent(sink, taken);
    }
    return !sink_failed(sink);
}

static void reply_clear(struct udp_reply *reply)
{
    reply->size = 0;
    reply->next = 0;
    if (reply->room > KEEP_BYTES) {
        memory_free(&reply->data);
        reply->room = 0;
    }
}

/* ---- sending ---- */

struct datagrams {
    struct mmsghdr message[SEND_DATAGRAMS_MAX];
    struct iovec vectors[SEND_DATAGRAMS_MAX][2];
    unsigned char headers[SEND_DATAGRAMS_MAX][UDP_HEADER_BYTES];
};

/* The datagrams that are next; returns how many. */
static unsigned compose(struct udp_reply *reply, struct datagrams *out)
{
    uint16_t count = udp_frame_count(reply->size);
    unsigned i;

    for (i = 0; i < SEND_DATAGRAMS_MAX && reply->next + i < count; i++) {
        uint16_t number = (uint16_t)(reply->next + i);
        size_t from = (size_t)number * UDP_PAYLOAD_MAX;
        struct slice part =
            udp_frame_part(slice_make(reply->data, reply->size), number);

        udp_frame_header(reply->id, number, count, out->headers[i]);
        out->vectors[i][0] = (struct iovec){out->headers[i], UDP_HEADER_BYTES};
        out->vectors[i][1] = (struct iovec){reply->data + from, part.size};
        out->message[i] =
            (struct mmsghdr){.msg_hdr = {.msg_name = &reply->to,
                                         .msg_namelen = reply->to_size,
                                         .msg_iov = out->vectors[i],
                                         .msg_iovlen = 2}};
    }
    return i;
}

static void count_sent(struct udp_socket *udp, const struct datagrams *out,
                       unsigned count)
{
    struct worker *worker = udp->worker;

    for (unsigned i = 0; i < count; i++)
        METRIC_ADD(worker->counters.bytes_written, out->message[i].msg_len);
    udp->reply.next = (uint16_t)(udp->reply.next + count);
}

static void await_instead(struct udp_socket *udp, bool writing)
{
    short what = writing ? EV_WRITE : EV_READ;

    if (udp->writing == writing)
        return;
    udp->writing = writing;
    event_del(&udp->event);
    (void)event_assign(&udp->event, udp->worker->base, udp->fd,
                       (short)(what | EV_PERSIST), on_event, udp);
    (void)event_add(&udp->event, NULL);
}

/* False: the rest waits until the socket can be written to. A datagram that
 * cannot be sent at all ends its reply: it is UDP. */
static bool send_reply(struct udp_socket *udp)
{
    struct udp_reply *reply = &udp->reply;
    struct datagrams out;

    while (reply->size > 0) {
        unsigned count = compose(reply, &out);
        int sent = count > 0 ? sendmmsg(udp->fd, out.message, count,
                                        MSG_NOSIGNAL | MSG_DONTWAIT)
                             : -1;

        if (count > 0 && sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return false;
        if (sent > 0)
            count_sent(udp, &out, (unsigned)sent);
        else
            reply_clear(reply);
    }
    return true;
}

/* ---- answering ---- */

static void refuse_large(struct udp_reply *reply)
{
    static const char words[] = "SERVER_ERROR reply is too large for UDP\r\n";

    reply_clear(reply);
    (void)reply_put(reply, words, sizeof(words) - 1);
}

/* Runs the session over all of the request; false when the reply is too
 * large. */
static bool run(struct udp_socket *udp, struct session *session,
                struct slice request)
{
    struct worker *worker = udp->worker;
    enum session_want want;

    do {
        size_t taken = session_run(session, request, worker->turn_requests_max,
                                   worker->sink, &want);

        request = slice_make(request.data + taken, request.size - taken);
        if (want == SESSION_INPUT || want == SESSION_BODY)
            session_cut(session, request, worker->sink);
        if (!reply_collect(&udp->reply, worker->sink, worker->vectors))
            return false;
    } while (want == SESSION_YIELD || want == SESSION_DRAIN);
    return true;
}

static void answer(struct udp_socket *udp, struct slice request)
{
    struct worker *worker = udp->worker;
    struct session *session =
        session_new(worker->commands, &udp->listener->session, udp->fd);

    if (session == NULL)
        return;
    if (!run(udp, session, request))
        refuse_large(&udp->reply);
    session_free(&session);
    sink_clear(worker->sink);
    command_thread_settle(worker->commands);
}

/* ---- reading ---- */

/* False: there is none for now. */
static bool serve_one(struct udp_socket *udp)
{
    struct worker *worker = udp->worker;
    struct udp_reply *reply = &udp->reply;
    struct slice request;
    ssize_t got;

    reply->to_size = sizeof(reply->to);
    got = recvfrom(udp->fd, worker->input, WORKER_INPUT_BYTES, MSG_DONTWAIT,
                   (struct sockaddr *)&reply->to, &reply->to_size);
    if (got < 0)
        return errno == EINTR || errno == ECONNREFUSED;
    METRIC_ADD(worker->counters.bytes_read, (uint64_t)got);
    if (udp_frame_parse(slice_make(worker->input, (size_t)got), &reply->id,
                        &request))
        answer(udp, request);
    return true;
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct udp_socket *udp = arg;
    struct worker *worker = udp->worker;
    bool sent = true;

    (void)fd;
    (void)what;
    worker_set_now(worker);
    __atomic_store_n(&udp->active_s, worker->now_s, __ATOMIC_RELAXED);
    if (udp->writing)
        sent = send_reply(udp);
    for (int i = 0; i < TURN_DATAGRAMS_MAX && sent && serve_one(udp); i++)
        sent = send_reply(udp);
    await_instead(udp, !sent);
}

/* ---- life ---- */

int udp_init(struct udp_sockets *sockets, struct worker *worker,
             const struct listeners *listeners, size_t index)
{
    size_t count = 0;

    for (size_t i = 0; i < listeners->count; i++)
        count += listeners->at[i].kind == LISTENER_UDP;
    if (count == 0)
        return 0;
    sockets->at = memory_new(count, sizeof(*sockets->at));
    if (sockets->at == NULL)
        return -ERR_MEMORY;
    for (size_t i = 0; i < listeners->count; i++) {
        const struct listener *listener = &listeners->at[i];

        if (listener->kind != LISTENER_UDP)
            continue;
        sockets->at[sockets->count++] =
            (struct udp_socket){.worker = worker,
                                .listener = listener,
                                .fd = listener->fds[index],
                                .active_s = worker->now_s};
    }
    return 0;
}

void udp_fini(struct udp_sockets *sockets)
{
    udp_close(sockets);
    for (size_t i = 0; i < sockets->count; i++)
        memory_free(&sockets->at[i].reply.data);
    memory_free(&sockets->at);
    sockets->count = 0;
}

void udp_open(struct udp_sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++) {
        struct udp_socket *udp = &sockets->at[i];

        if (event_initialized(&udp->event))
            continue;
        if (event_assign(&udp->event, udp->worker->base, udp->fd,
                         EV_READ | EV_PERSIST, on_event, udp) != 0 ||
            event_add(&udp->event, NULL) != 0)
            log_error("server: out of memory: a UDP socket stays silent");
    }
}

void udp_close(struct udp_sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++) {
        if (event_initialized(&sockets->at[i].event))
            event_del(&sockets->at[i].event);
    }
}
