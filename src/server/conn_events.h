/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections that come and go, told to whoever watches. */
#ifndef SERVER_CONN_EVENTS_H
#define SERVER_CONN_EVENTS_H

#include "src/server/conn.h"

/* In the worker's thread, while the socket is open. */
void conn_events_begin(const struct conn *conn);
void conn_events_end(const struct conn *conn, enum conn_end reason);
/* A handshake failed, or TLS did later. */
void conn_events_tls(const struct conn *conn, const char *words);

#endif
