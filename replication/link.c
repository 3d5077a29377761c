/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory is two buffers, whatever the peer does: reading stops while one is
 * full, and the node is asked for more output only when the other is empty.
 * Nothing is queued: what is to be sent is composed when it can go. */
#include "replication/link.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

/* Below this much room bytes are moved to the front before the next read. */
#define LINK_READ_MIN (64u * 1024)

/* What waits in the kernel cannot be overtaken by a heartbeat, and what is
 * composed late carries the newest value. */
#define LINK_UNSENT_BYTES (256 * 1024)

static void on_written(uv_write_t *write, int status)
{
    struct link *link = write->data;

    link->writing = false;
    if (status != 0 && link->broken == NULL)
        link->broken = uv_strerror(status);
}

/* ---- coming in ---- */

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct link *link = handle->data;

    (void)suggested;
    *buffer = uv_buf_init(link->in + link->in_end,
                          (unsigned)(link->in_size - link->in_end));
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    struct link *link = stream->data;

    (void)buffer;
    if (size > 0) {
        link->in_end += (size_t)size;
    } else if (size == UV_ENOBUFS) {
        (void)uv_read_stop(stream);
        link->reading = false;
    } else if (size < 0 && link->broken == NULL) {
        link->broken = size == UV_EOF ? "the peer closed the connection"
                                      : uv_strerror((int)size);
    }
}

static bool has_whole(const struct link *link)
{
    return link->in_end > link->in_start &&
           link->in_end - link->in_start >= link->in_needed;
}

/* True when the slice was used up before the input was. */
static bool take_in(struct link *link, struct node *node, uint64_t now_ns)
{
    size_t taken, total = 0;

    while (link->state == LINK_OPEN && has_whole(link)) {
        if (total >= LINK_SLICE_BYTES)
            return true;
        link->in_needed = 1;
        taken = node_received(node, now_ns, link->index,
                              slice_make(link->in + link->in_start,
                                         link->in_end - link->in_start),
                              &link->in_needed);
        INVARIANT(taken <= link->in_end - link->in_start);
        link->in_start += taken;
        total += taken;
        if (taken == 0)
            break;
    }
    return false;
}

static void move_to_front(struct link *link)
{
    size_t left = link->in_end - link->in_start;

    if (left > 0)
        memmove(link->in, link->in + link->in_start, left);
    link->in_start = 0;
    link->in_end = left;
}

static void grow(struct link *link)
{
    char *grown;

    INVARIANT(link->in_start == 0);

    if (link->in_needed > LINK_IN_BYTES_MAX) {
        link->broken = "the peer sends more than a frame can hold";
        return;
    }
    grown = memory_resize(link->in, 1, LINK_IN_BYTES_MAX);
    if (grown == NULL) {
        link->broken = "out of memory";
        return;
    }
    link->in = grown;
    link->in_size = LINK_IN_BYTES_MAX;
}

/* Room for the rest of the frame at the front, and reading if there is any. */
static void read_on(struct link *link)
{
    if (link->in_start == link->in_end || link->in_needed > link->in_size ||
        link->in_size - link->in_end < LINK_READ_MIN)
        move_to_front(link);
    if (link->in_needed > link->in_size)
        grow(link);
    if (!link->reading && link->in_end < link->in_size)
        link->reading =
            uv_read_start((uv_stream_t *)&link->tcp, give_room, on_read) == 0;
}

/* ---- going out ---- */

static void write_out(struct link *link, size_t size)
{
    uv_stream_t *stream = (uv_stream_t *)&link->tcp;
    uv_buf_t buffer = uv_buf_init(link->out, (unsigned)size);
    int written = uv_try_write(stream, &buffer, 1);
    int error = 0;

    if (written == UV_EAGAIN)
        written = 0;
    if (written >= 0 && (size_t)written < size) {
        buffer.base += written;
        buffer.len -= (size_t)written;
        link->write.data = link;
        error = uv_write(&link->write, stream, &buffer, 1, on_written);
        link->writing = error == 0;
    }
    if (written < 0)
        error = written;
    if (error != 0)
        link->broken = uv_strerror(error);
}

/* All is sent. What comes within the next millisecond goes in one write, which
 * the peer reads and acknowledges as one. */
static void rest(struct link *link, uint64_t now_ns)
{
    if (link->patient)
        link->rest_until_ns = now_ns + LINK_REST_NS;
}

/* True when the slice was used up before the node had said all. */
static bool send_out(struct link *link, struct node *node, uint64_t now_ns)
{
    size_t size, total = 0;

    if (now_ns < link->rest_until_ns)
        return false;
    link->rest_until_ns = 0;
    while (!link->writing && link->broken == NULL) {
        if (total >= LINK_SLICE_BYTES)
            return true;
        size =
            node_output(node, now_ns, link->index, link->out, LINK_OUT_BYTES);
        INVARIANT(size <= LINK_OUT_BYTES);
        if (size == 0) {
            if (total > 0)
                rest(link, now_ns);
            break;
        }
        write_out(link, size);
        total += size;
    }
    return false;
}

/* ---- coming and parting ---- */

static void on_closed(uv_handle_t *handle)
{
    struct link *link = handle->data;

    memory_free(&link->in);
    memory_free(&link->out);
    link->state = LINK_FREE;
}

static void on_shut_down(uv_shutdown_t *shutdown, int status)
{
    struct link *link = shutdown->data;

    if (status != 0 && link->broken == NULL)
        link->broken = uv_strerror(status);
}

static void set_options(int fd, uint64_t dead_ms)
{
    const int on = 1, unsent = LINK_UNSENT_BYTES;
    const unsigned dead = (unsigned)dead_ms;

    /* Each makes the link better; none is needed for it to be right. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead, sizeof(dead));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent,
                     sizeof(unsent));
}

int link_open(struct link *link, uv_loop_t *loop, int fd, uint64_t dead_ms)
{
    INVARIANT(link->state == LINK_FREE);

    link->in = memory_new(1, LINK_IN_BYTES);
    link->out = memory_new(1, LINK_OUT_BYTES);
    if (link->in == NULL || link->out == NULL ||
        uv_tcp_init(loop, &link->tcp) != 0) {
        memory_free(&link->in);
        memory_free(&link->out);
        (void)close(fd);
        return -ERR_MEMORY;
    }
    link->tcp.data = link;
    link->in_size = LINK_IN_BYTES;
    link->in_start = link->in_end = 0;
    link->in_needed = 1;
    link->reading = link->writing = link->patient = false;
    link->rest_until_ns = 0;
    link->broken = NULL;
    link->deadline_ns = 0;
    if (uv_tcp_open(&link->tcp, fd) != 0) {
        (void)close(fd);
        link->state = LINK_CLOSING;
        uv_close((uv_handle_t *)&link->tcp, on_closed);
        return -ERR_SYSTEM;
    }
    set_options(fd, dead_ms);
    link->state = LINK_OPEN;
    read_on(link);
    return 0;
}

void link_part(struct link *link)
{
    if (link->state != LINK_OPEN)
        return;
    link->state = LINK_PARTING;
    link->patient = false;
    link->rest_until_ns = 0;
}

static void end(struct link *link, struct node *node, uint64_t now_ns)
{
    const char *why = link->broken != NULL ? link->broken : "closed";

    link->state = LINK_CLOSING;
    uv_close((uv_handle_t *)&link->tcp, on_closed);
    node_lost(node, now_ns, link->index, why);
}

static void linger(struct link *link)
{
    link->shutdown.data = link;
    link->state = LINK_LINGERING;
    if (uv_shutdown(&link->shutdown, (uv_stream_t *)&link->tcp, on_shut_down) !=
        0)
        link->broken = "closed";
}

static bool step_open(struct link *link, struct node *node, uint64_t now_ns)
{
    bool more = take_in(link, node, now_ns);

    if (link->broken == NULL)
        more |= send_out(link, node, now_ns);
    if (link->state == LINK_OPEN && link->broken == NULL)
        read_on(link);
    return more;
}

/* Input has no reader any more; taking it keeps the kernel from answering our
 * last words with a reset. */
static void step_away(struct link *link, struct node *node, uint64_t now_ns)
{
    if (link->deadline_ns == 0)
        link->deadline_ns = now_ns + LINK_PART_MS * NS_PER_MS;
    link->in_start = link->in_end = 0;
    link->in_needed = 1;
    if (link->state == LINK_PARTING) {
        (void)send_out(link, node, now_ns);
        if (!link->writing && link->broken == NULL)
            linger(link);
    }
    if (link->broken == NULL)
        read_on(link);
}

bool link_step(struct link *link, struct node *node, uint64_t now_ns)
{
    bool more = false;

    if (link->state == LINK_FREE || link->state == LINK_CLOSING)
        return false;
    if (link->state == LINK_OPEN)
        more = step_open(link, node, now_ns);
    if (link->state == LINK_PARTING || link->state == LINK_LINGERING)
        step_away(link, node, now_ns);
    /* What came before the end is still taken. */
    if ((link->broken != NULL && !more) ||
        (link->deadline_ns != 0 && now_ns >= link->deadline_ns))
        end(link, node, now_ns);
    return more;
}

uint64_t link_deadline(const struct link *link)
{
    if (link->state == LINK_OPEN && link->rest_until_ns != 0)
        return link->rest_until_ns;
    if (link->state != LINK_PARTING && link->state != LINK_LINGERING)
        return UINT64_MAX;
    return link->deadline_ns;
}

bool link_is_idle(const struct link *link)
{
    return link->state == LINK_OPEN && !link->writing &&
           link->rest_until_ns == 0;
}
