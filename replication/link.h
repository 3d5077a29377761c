/* SPDX-License-Identifier: BSD-3-Clause */
/* One connection to the peer: bytes between a socket and the node, by way of
 * TLS where there is a secret or a certificate.
 *
 *   FREE -> OPEN -> PARTING -> LINGERING -> CLOSING -> FREE
 *
 * PARTING sends what the node still has to say; LINGERING has said that no
 * more will come and waits for the peer to have read it. One from whom nothing
 * came for too long is spared both: a reset tells it, should our words still
 * reach it, without waiting behind those that it has not acknowledged. */
#ifndef REPLICATION_LINK_H
#define REPLICATION_LINK_H

#include "replication/address.h"
#include "replication/codec.h"
#include "replication/node.h"
#include "src/base/clock.h"
#include "src/tls/tls_engine.h"

#include <uv.h>

#define LINK_OUT_BYTES (128u * 1024) /* Between node and socket. */
#define LINK_IN_BYTES (256u * 1024)  /* At first; it grows for one frame. */
#define LINK_IN_BYTES_MAX (CODEC_HEADER_BYTES + CODEC_MESSAGE_MAX)
#define LINK_SLICE_BYTES (64u * 1024) /* Each way, in one turn. */
#define LINK_TURN_NS (10 * NS_PER_MS) /* For what came in, in one turn. */
#define LINK_PART_MS 300u             /* For the peer to take the last words. */
#define LINK_REST_NS NS_PER_MS /* Between two writes of a patient link. */

/* Owned by the replication thread. */
struct link {
    uv_tcp_t tcp;
    uv_write_t write;
    uv_shutdown_t shutdown;
    unsigned index;
    enum {
        LINK_FREE,
        LINK_OPEN,
        LINK_PARTING,
        LINK_LINGERING,
        LINK_CLOSING,
    } state;
    char *in; /* LINK_IN_BYTES or more; [in_start, in_end) is to be taken. */
    size_t in_size, in_start, in_end;
    size_t in_needed; /* Before the node can go on. */
    bool reading;
    char *out; /* LINK_OUT_BYTES. */
    bool writing;
    size_t write_left;      /* Bytes that the loop writes. */
    bool patient;           /* Rests after it has sent all there was. */
    uint64_t rest_until_ns; /* 0: it does not rest. */
    struct tls_engine *tls; /* NULL: without. */
    bool calls;             /* We called. */
    bool shaken;            /* What is behind TLS may be heard... */
    bool heard;             /* ...and was. */
    bool aside;             /* TLS is no more of use: the other has none. */
    bool judged;
    bool has_first;
    unsigned char first;  /* What came first of all. */
    size_t enciphered;    /* Bytes of TLS that the socket has not taken. */
    bool fresh;           /* Something came since the last step... */
    uint64_t heard_ns;    /* ...and when something did. */
    uint64_t dead_ns;     /* Silence after which nobody is there. */
    const char *broken;   /* Why nothing will come or go any more. */
    uint64_t deadline_ns; /* Of parting; 0 before. */
};

/* Takes a connected socket over. dead_ms: how long the kernel may try in vain;
 * tls may be NULL; calls: we called the other.
 * Errors: -ERR_MEMORY, -ERR_SYSTEM; the socket is closed then. */
MUST_CHECK int link_open(struct link *link, uv_loop_t *loop, int fd,
                         uint64_t dead_ms, struct tls *tls, bool calls);
/* Sends what the node still gives, then closes. */
void link_part(struct link *link);
/* Moves bytes in bounded slices, and tells the node when the link is gone.
 * True when there is more to do at once. */
bool link_step(struct link *link, struct node *node, uint64_t now_ns);
/* When it wants another step without being asked; UINT64_MAX: never. */
uint64_t link_deadline(const struct link *link);
/* It is the peer's, as TLS has shown. */
bool link_is_secure(const struct link *link);
/* It waits for news: the journal may have some. */
bool link_is_idle(const struct link *link);

#endif
