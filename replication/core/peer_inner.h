/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the peer's state machine share: peer.c has its table and
 * all steps but those at a hello, which are in peer_hello.c. */
#ifndef REPLICATION_CORE_PEER_INNER_H
#define REPLICATION_CORE_PEER_INNER_H

#include "replication/core/peer.h"

/* ---- acts ---- */

struct peer_act *peer_act_add(struct peer_acts *out, enum peer_act_kind kind);
void peer_act_on(struct peer_acts *out, enum peer_act_kind kind, unsigned link);
struct peer_act *peer_tell(struct peer_acts *out, enum peer_news news,
                           unsigned link);
void peer_close(struct peer *p, struct peer_acts *out, unsigned link);
void peer_serve(struct peer *p, struct peer_acts *out);
void peer_listen(struct peer *p, struct peer_acts *out);

/* ---- links ---- */

void peer_dial_later(struct peer *p, const struct peer_event *ev);
/* PEER_NO_LINK: we have called nobody. */
unsigned peer_greeting_link(const struct peer *p);
/* The pair ends. */
void peer_part(struct peer *p, struct peer_acts *out, enum peer_news news);

/* ---- steps ---- */

enum peer_state peer_broken(struct peer *p, const struct peer_event *ev,
                            struct peer_acts *out);
enum peer_state peer_refuse(struct peer *p, const struct peer_event *ev,
                            struct peer_acts *out, enum peer_refusal reason);
enum peer_state peer_take_hello(struct peer *p, const struct peer_event *ev,
                                struct peer_acts *out);

/* Without a step forward; then a node serves without the data. */
uint64_t peer_stall_ns(const struct peer *p);

#endif
