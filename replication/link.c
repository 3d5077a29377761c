/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory is two buffers, whatever the peer does: reading stops while one is
 * full, and the node is asked for more output only when the other is empty.
 * Nothing is queued: what is to be sent is composed when it can go. */
#include "replication/link.h"

#include "src/base/invariant.h"
#include "src/base/log.h"
#include "src/base/memory.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

/* Below this much room bytes are moved to the front before the next read. */
#define LINK_READ_MIN (64u * 1024)

/* What waits in the kernel cannot be overtaken by a heartbeat, and what is
 * composed late carries the newest value. */
#define LINK_UNSENT_BYTES (256 * 1024)

/* Types of the records of TLS; no frame of ours begins so. */
#define TLS_RECORD_FIRST 0x14
#define TLS_RECORD_LAST 0x17

_Static_assert(LINK_OUT_BYTES <= TLS_ENGINE_PLAIN_MAX, "one write");

static void on_written(uv_write_t *write, int status)
{
    struct link *link = write->data;

    link->writing = false;
    if (link->enciphered > 0)
        tls_engine_sent(link->tls, link->enciphered);
    link->enciphered = 0;
    if (status != 0 && link->broken == NULL)
        link->broken = uv_strerror(status);
}

/* ---- coming in ---- */

static bool speaks_tls(const struct link *link)
{
    return link->tls != NULL && !link->aside;
}

/* What comes to a link that parts is thrown away, whatever it is. */
static bool deciphers(const struct link *link)
{
    return speaks_tls(link) && link->state == LINK_OPEN;
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct link *link = handle->data;
    char *at = NULL;

    (void)suggested;
    if (deciphers(link)) {
        size_t room = tls_engine_room(link->tls, &at);

        *buffer = uv_buf_init(at, (unsigned)room);
        return;
    }
    *buffer = uv_buf_init(link->in + link->in_end,
                          (unsigned)(link->in_size - link->in_end));
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    struct link *link = stream->data;

    link->fresh |= size > 0;
    if (size > 0 && !link->has_first) {
        link->has_first = true;
        link->first = (unsigned char)buffer->base[0];
    }
    if (size > 0 && deciphers(link)) {
        tls_engine_fed(link->tls, (size_t)size);
    } else if (size > 0) {
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

/* True when the slice was used up before the input was. until_ns: on the
 * loop's clock, as a few bytes may mean much work. */
static bool take_in(struct link *link, struct node *node, uint64_t now_ns,
                    uint64_t until_ns)
{
    size_t taken, total = 0;

    while (link->state == LINK_OPEN && has_whole(link)) {
        if (total >= LINK_SLICE_BYTES || uv_hrtime() >= until_ns)
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

/* For the rest of the frame, at the front. */
static void make_room(struct link *link)
{
    if (link->in_start == link->in_end || link->in_needed > link->in_size ||
        link->in_size - link->in_end < LINK_READ_MIN)
        move_to_front(link);
    if (link->in_needed > link->in_size)
        grow(link);
}

static bool has_room(struct link *link)
{
    char *at;

    return deciphers(link) ? tls_engine_room(link->tls, &at) > 0
                           : link->in_end < link->in_size;
}

static void read_on(struct link *link)
{
    make_room(link);
    if (!link->reading && has_room(link))
        link->reading =
            uv_read_start((uv_stream_t *)&link->tcp, give_room, on_read) == 0;
}

/* ---- going out ---- */

static void write_out(struct link *link, char *bytes, size_t size)
{
    uv_stream_t *stream = (uv_stream_t *)&link->tcp;
    uv_buf_t buffer = uv_buf_init(bytes, (unsigned)size);
    int written = uv_try_write(stream, &buffer, 1);
    int error = 0;

    if (written == UV_EAGAIN)
        written = 0;
    if (written >= 0 && (size_t)written < size) {
        buffer.base += written;
        buffer.len -= (size_t)written;
        link->write_left = buffer.len;
        link->write.data = link;
        error = uv_write(&link->write, stream, &buffer, 1, on_written);
        link->writing = error == 0;
    }
    if (written < 0)
        error = written;
    if (error != 0)
        link->broken = uv_strerror(error);
}

/* What TLS has to say; it lies there until the socket has taken it. */
static void write_enciphered(struct link *link)
{
    char *at;
    size_t size;

    while (link->tls != NULL && !link->writing && link->broken == NULL &&
           (size = tls_engine_due(link->tls, &at)) > 0) {
        write_out(link, at, size);
        if (link->writing)
            link->enciphered = link->write_left;
        tls_engine_sent(link->tls, size - link->enciphered);
    }
}

static void write_message(struct link *link, size_t size)
{
    if (!speaks_tls(link)) {
        write_out(link, link->out, size);
        return;
    }
    if (tls_engine_write(link->tls, link->out, size) != 0)
        link->broken = tls_engine_words(link->tls);
    write_enciphered(link);
}

/* Nothing of ours goes out before the other has proved who it is. */
static bool may_speak(const struct link *link)
{
    return !link->writing && link->broken == NULL &&
           (link->tls == NULL || link->aside || link->shaken);
}

/* All is sent. What comes within the next millisecond goes in one write, which
 * the peer reads and acknowledges as one. */
static void rest(struct link *link, const struct node *node, uint64_t now_ns)
{
    if (link->patient && !node_is_prompt(node))
        link->rest_until_ns = now_ns + LINK_REST_NS;
}

/* True when the slice was used up before the node had said all. */
static bool send_out(struct link *link, struct node *node, uint64_t now_ns)
{
    size_t size, total = 0;

    if (now_ns < link->rest_until_ns && !node_is_prompt(node))
        return false;
    link->rest_until_ns = 0;
    write_enciphered(link);
    while (may_speak(link)) {
        if (total >= LINK_SLICE_BYTES)
            return true;
        size =
            node_output(node, now_ns, link->index, link->out, LINK_OUT_BYTES);
        INVARIANT(size <= LINK_OUT_BYTES);
        if (size == 0) {
            if (total > 0)
                rest(link, node, now_ns);
            break;
        }
        write_message(link, size);
        total += size;
    }
    return false;
}

/* ---- coming and parting ---- */

static void free_memory(struct link *link)
{
    memory_free(&link->in);
    memory_free(&link->out);
    tls_engine_free(&link->tls);
}

static void on_closed(uv_handle_t *handle)
{
    struct link *link = handle->data;

    free_memory(link);
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

static bool take_memory(struct link *link, struct tls *tls)
{
    link->in = memory_new(1, LINK_IN_BYTES);
    link->out = memory_new(1, LINK_OUT_BYTES);
    link->tls = tls != NULL ? tls_engine_new(tls, link->calls) : NULL;
    return link->in != NULL && link->out != NULL &&
           (tls == NULL || link->tls != NULL);
}

int link_open(struct link *link, uv_loop_t *loop, int fd, uint64_t dead_ms,
              struct tls *tls, bool calls)
{
    INVARIANT(link->state == LINK_FREE);

    *link = (struct link){.index = link->index,
                          .calls = calls,
                          .fresh = true,
                          .dead_ns = dead_ms * NS_PER_MS,
                          .in_size = LINK_IN_BYTES,
                          .in_needed = 1};
    if (!take_memory(link, tls) || uv_tcp_init(loop, &link->tcp) != 0) {
        free_memory(link);
        (void)close(fd);
        return -ERR_MEMORY;
    }
    link->tcp.data = link;
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

static bool is_silent(const struct link *link, uint64_t now_ns)
{
    return now_ns - link->heard_ns >= link->dead_ns;
}

static void end(struct link *link, struct node *node, uint64_t now_ns)
{
    const char *why = link->broken != NULL ? link->broken : "closed";

    /* What cannot be reset is closed. */
    if (link->state != LINK_PARTING || !is_silent(link, now_ns) ||
        uv_tcp_close_reset(&link->tcp, on_closed) != 0)
        uv_close((uv_handle_t *)&link->tcp, on_closed);
    link->state = LINK_CLOSING;
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

/* ---- TLS ---- */

/* Whoever is there is not, or not to be known as, the peer. What TLS wants to
 * tell it still goes, or a frame if it has no TLS. */
static void refuse(struct link *link, struct node *node, uint64_t now_ns,
                   const char *why)
{
    link->state = LINK_PARTING;
    node_insecure(node, now_ns, link->index, why);
}

/* Two nodes of which only one has a secret find out by the first byte. */
static void judge(struct link *link, struct node *node, uint64_t now_ns)
{
    bool is_tls =
        link->first >= TLS_RECORD_FIRST && link->first <= TLS_RECORD_LAST;

    if (!link->has_first || link->judged)
        return;
    link->judged = true;
    if (link->tls != NULL && !is_tls) {
        link->aside = true;
        refuse(link, node, now_ns,
               "it speaks without TLS, and this node has repl_secret or "
               "repl_tls_cert");
    } else if (link->tls == NULL && is_tls) {
        refuse(link, node, now_ns,
               "it speaks TLS, and this node has neither repl_secret nor "
               "repl_tls_cert");
    }
}

/* True when what is behind TLS may be heard. */
static bool shake(struct link *link, struct node *node, uint64_t now_ns)
{
    char text[TLS_ENGINE_TEXT_MAX];

    if (link->tls == NULL || link->shaken)
        return true;
    switch (tls_engine_shake(link->tls)) {
    case TLS_ENGINE_SHAKES:
        return false;
    case TLS_ENGINE_FAILED:
        refuse(link, node, now_ns, tls_engine_words(link->tls));
        return false;
    case TLS_ENGINE_SHAKEN:
        break;
    }
    link->shaken = true;
    tls_engine_text(link->tls, text);
    log_v(LOG_LEVEL_V, "replication: connection %u is secured: %s", link->index,
          text);
    return true;
}

/* True when there is more. An end before the first word is the other's answer
 * to how we have proved ourselves. */
static bool decipher(struct link *link, struct node *node, uint64_t now_ns)
{
    size_t size;

    if (link->tls == NULL)
        return false;
    make_room(link);
    if (tls_engine_read(link->tls, link->in + link->in_end,
                        link->in_size - link->in_end, &size) != 0) {
        if (link->heard)
            link->broken = tls_engine_words(link->tls);
        else
            refuse(link, node, now_ns, tls_engine_words(link->tls));
        return false;
    }
    link->in_end += size;
    link->heard |= size > 0;
    return tls_engine_has_input(link->tls);
}

/* With a look at how long it takes. */
static bool take_in_timed(struct link *link, struct node *node, uint64_t now_ns)
{
    uint64_t since_ns;
    bool more;

    if (!has_whole(link))
        return false;
    since_ns = uv_hrtime();
    more = take_in(link, node, now_ns, since_ns + LINK_TURN_NS);
    node_applied_in(node, now_ns, uv_hrtime() - since_ns);
    return more;
}

static bool step_open(struct link *link, struct node *node, uint64_t now_ns)
{
    bool more = false;

    judge(link, node, now_ns);
    if (link->state == LINK_OPEN && shake(link, node, now_ns)) {
        more = decipher(link, node, now_ns);
        more |= take_in_timed(link, node, now_ns);
    }
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
        link->deadline_ns = is_silent(link, now_ns)
                                ? now_ns
                                : now_ns + LINK_PART_MS * NS_PER_MS;
    link->in_start = link->in_end = 0;
    link->in_needed = 1;
    if (link->state == LINK_PARTING && now_ns < link->deadline_ns) {
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
    if (link->fresh)
        link->heard_ns = now_ns;
    link->fresh = false;
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

bool link_is_secure(const struct link *link)
{
    return link->state == LINK_OPEN && link->shaken;
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
