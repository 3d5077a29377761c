/* SPDX-License-Identifier: BSD-3-Clause */
/* OpenSSL keeps what it could not send of a record: the next write must begin
 * with the same bytes, wherever they lie by then. A connection's replies do,
 * because what the socket did not take stays at their front. But a kernel that
 * encrypts is given the bytes themselves, so there OpenSSL is not asked. */
#include "src/server/tls_link.h"

#include "src/base/invariant.h"
#include "src/base/log.h"
#include "src/base/memory.h"
#include "src/tls/tls_inner.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>

enum wait {
    WAIT_NOT,
    WAIT_TO_READ,
    WAIT_TO_WRITE,
};

struct tls_link {
    SSL *ssl;
    const char *reason; /* OpenSSL's, of the error; its own text. */
    int fd;
    uint32_t began_s;
    int error;          /* Not 0: OpenSSL may not be asked any more. */
    unsigned char wait; /* enum wait, of the last call. */
    bool shaken;
    bool over; /* The client will send no more. */
    bool kernel_sends;
};

/* ---- life ---- */

/* A session of a listener that asked for no certificate must not be resumed
 * at one that does. */
static bool set_mode(SSL *ssl, enum listener_tls mode)
{
    const unsigned char name = (unsigned char)mode;

    if (mode == LISTENER_TLS_BASIC)
        SSL_set_verify(ssl, tls_verify_flags(TLS_VERIFY_NONE), NULL);
    if (mode == LISTENER_TLS_MUTUAL)
        SSL_set_verify(ssl, tls_verify_flags(TLS_VERIFY_REQUIRE), NULL);
    return SSL_set_session_id_context(ssl, &name, sizeof(name)) == 1;
}

static SSL *new_ssl(struct tls *tls, enum listener_tls mode, int fd)
{
    SSL_CTX *context = tls_context_hold(tls);
    SSL *ssl = SSL_new(context);

    SSL_CTX_free(context);
    if (ssl == NULL)
        return NULL;
    SSL_set_accept_state(ssl);
    if (set_mode(ssl, mode) && SSL_set_fd(ssl, fd) == 1)
        return ssl;
    SSL_free(ssl);
    return NULL;
}

struct tls_link *tls_link_new(struct tls *tls, enum listener_tls mode, int fd,
                              uint32_t now_s)
{
    struct tls_link *link = memory_new(1, sizeof(*link));

    INVARIANT(mode != LISTENER_TLS_OFF);
    if (link == NULL)
        return NULL;
    link->fd = fd;
    link->began_s = now_s;
    link->ssl = new_ssl(tls, mode, fd);
    ERR_clear_error();
    if (link->ssl == NULL)
        memory_free(&link);
    return link;
}

void tls_link_free(struct tls_link **link_at)
{
    struct tls_link *link = *link_at;

    if (link == NULL)
        return;
    if (link->shaken && link->error == 0)
        (void)SSL_shutdown(link->ssl);
    SSL_free(link->ssl);
    ERR_clear_error();
    memory_free(link_at);
}

/* ---- results ---- */

/* What OpenSSL says of a call that gave no bytes, in the terms of recv(). */
static ssize_t explain(struct tls_link *link, int result)
{
    int saved = errno;

    switch (SSL_get_error(link->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        link->wait = WAIT_TO_READ;
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_WANT_WRITE:
        link->wait = WAIT_TO_WRITE;
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        link->over = true;
        return 0;
    case SSL_ERROR_SYSCALL:
        link->error = saved != 0 ? saved : ECONNRESET;
        break;
    default:
        link->reason = ERR_reason_error_string(ERR_peek_error());
        link->error = EPROTO;
        break;
    }
    errno = link->error;
    return -1;
}

static void begin(struct tls_link *link)
{
    link->wait = WAIT_NOT;
    ERR_clear_error();
    errno = 0;
}

/* ---- handshake ---- */

static bool kernel_sends(const struct tls_link *link)
{
#ifdef BIO_get_ktls_send
    return BIO_get_ktls_send(SSL_get_wbio(link->ssl)) != 0;
#else
    (void)link;
    return false;
#endif
}

static enum tls_shaken give_up(struct tls_link *link)
{
    if (link->error == 0)
        link->error = ECONNRESET;
    return BIO_number_read(SSL_get_rbio(link->ssl)) > 0 ? TLS_SHAKE_FAILED
                                                        : TLS_SHAKE_LEFT;
}

enum tls_shaken tls_link_shake(struct tls_link *link)
{
    int result;

    INVARIANT(!link->shaken);
    begin(link);
    result = SSL_do_handshake(link->ssl);
    if (result == 1) {
        link->shaken = true;
        link->kernel_sends = kernel_sends(link);
        return TLS_SHAKEN;
    }
    if (explain(link, result) < 0 && errno == EAGAIN)
        return TLS_SHAKES;
    return give_up(link);
}

uint32_t tls_link_began_s(const struct tls_link *link)
{
    return link->began_s;
}

bool tls_link_is_shaken(const struct tls_link *link)
{
    return link->shaken;
}

bool tls_link_is_new(const struct tls_link *link)
{
    return SSL_session_reused(link->ssl) == 0;
}

bool tls_link_is_by_kernel(const struct tls_link *link)
{
    return link->kernel_sends;
}

const char *tls_link_words(const struct tls_link *link)
{
    if (link->reason != NULL)
        return link->reason;
    return link->error == ECONNRESET ? "the client left"
                                     : strerror(link->error);
}

/* ---- reading ---- */

/* One call of OpenSSL gives one record at most. */
static ssize_t read_record(struct tls_link *link, char *data, size_t size)
{
    size_t got;
    int result;

    if (link->error != 0) {
        errno = link->error;
        return -1;
    }
    begin(link);
    result = SSL_read_ex(link->ssl, data, size, &got);
    return result == 1 ? (ssize_t)got : explain(link, result);
}

ssize_t tls_link_read(struct tls_link *link, char *data, size_t size)
{
    size_t had = 0;
    ssize_t got;

    do {
        got = read_record(link, data + had, size - had);
        if (got <= 0)
            return had > 0 ? (ssize_t)had : got;
        had += (size_t)got;
    } while (had < size && SSL_has_pending(link->ssl) == 1);
    return (ssize_t)had;
}

ssize_t tls_link_readv(struct tls_link *link, const struct iovec *vectors,
                       size_t count)
{
    size_t had = 0;

    for (size_t i = 0; i < count; i++) {
        ssize_t got;

        if (i > 0 && !tls_link_has_input(link))
            break;
        got = tls_link_read(link, vectors[i].iov_base, vectors[i].iov_len);
        if (got <= 0)
            return had > 0 ? (ssize_t)had : got;
        had += (size_t)got;
        if ((size_t)got < vectors[i].iov_len)
            break;
    }
    return (ssize_t)had;
}

bool tls_link_has_input(const struct tls_link *link)
{
    if (!link->shaken)
        return false;
    if (link->error != 0 || link->over)
        return true;
    return link->wait == WAIT_NOT && SSL_has_pending(link->ssl) == 1;
}

bool tls_link_waits_to_write(const struct tls_link *link, bool writes)
{
    return link->wait == WAIT_NOT ? writes : link->wait == WAIT_TO_WRITE;
}

/* ---- writing ---- */

/* Where the next piece of what is to be written begins. */
struct place {
    const struct iovec *vectors;
    size_t count;
    size_t offset; /* In the first one. */
};

static void move_on(struct place *at, size_t size)
{
    while (size > 0) {
        size_t left = at->vectors->iov_len - at->offset;

        if (size < left) {
            at->offset += size;
            return;
        }
        size -= left;
        at->offset = 0;
        at->vectors++;
        at->count--;
    }
}

static size_t gather(struct place at, const struct tls_room *room)
{
    size_t used = 0;

    while (at.count > 0 && used < room->size) {
        size_t size = at.vectors->iov_len - at.offset;

        if (size > room->size - used)
            size = room->size - used;
        memcpy(room->data + used, (char *)at.vectors->iov_base + at.offset,
               size);
        used += size;
        move_on(&at, size);
    }
    return used;
}

/* Long bytes are encrypted from where they lie, short ones are gathered. */
static const char *next_piece(const struct place *at,
                              const struct tls_room *room, size_t *size)
{
    size_t left = at->vectors->iov_len - at->offset;

    if (left >= room->size) {
        *size = left;
        return (char *)at->vectors->iov_base + at->offset;
    }
    *size = gather(*at, room);
    return room->data;
}

/* Less than size: the socket is full; below 0: it took nothing. */
static ssize_t write_piece(struct tls_link *link, const char *data, size_t size)
{
    size_t sent = 0;

    while (sent < size) {
        size_t taken;
        int result;

        begin(link);
        result = SSL_write_ex(link->ssl, data + sent, size - sent, &taken);
        if (result != 1) {
            ssize_t got = explain(link, result);

            if (got == 0)
                errno = EPIPE;
            return sent > 0 ? (ssize_t)sent : -1;
        }
        sent += taken;
    }
    return (ssize_t)sent;
}

static ssize_t write_pieces(struct tls_link *link, const struct tls_room *room,
                            struct place at)
{
    size_t total = 0;

    while (at.count > 0) {
        size_t size;
        const char *data = next_piece(&at, room, &size);
        ssize_t sent = write_piece(link, data, size);

        if (sent < 0)
            return total > 0 ? (ssize_t)total : -1;
        total += (size_t)sent;
        if ((size_t)sent < size)
            break;
        move_on(&at, size);
    }
    return (ssize_t)total;
}

static ssize_t write_by_kernel(struct tls_link *link,
                               const struct iovec *vectors, size_t count)
{
    union {
        const struct iovec *in;
        struct iovec *out;
    } list = {.in = vectors};
    const struct msghdr message = {.msg_iov = list.out, .msg_iovlen = count};

    link->wait = WAIT_NOT;
    return sendmsg(link->fd, &message, MSG_NOSIGNAL);
}

ssize_t tls_link_write(struct tls_link *link, const struct tls_room *room,
                       const struct iovec *vectors, size_t count)
{
    const struct place start = {vectors, count, 0};

    if (link->error != 0) {
        errno = link->error;
        return -1;
    }
    if (link->kernel_sends)
        return write_by_kernel(link, vectors, count);
    return write_pieces(link, room, start);
}
