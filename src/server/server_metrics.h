/* SPDX-License-Identifier: BSD-3-Clause */
/* What the server counts, per thread. */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include "src/base/metrics.h"

#define SERVER_METRICS(X) \
    X(total_connections, "Connections accepted") \
    X(rejected_connections, "Connections refused at the limit (-c)") \
    X(idle_kicks, "Connections closed for doing nothing (idle_timeout)") \
    X(response_obj_oom, "Connections closed for want of memory for replies") \
    X(read_buf_oom, "Connections closed for want of memory for requests") \
    X(bytes_read, "Bytes received from clients") \
    X(bytes_written, "Bytes sent to clients") \
    X(unexpected_napi_ids, "Connections of a network queue too many (-N)") \
    X(round_robin_fallback, "Connections dealt in turn in spite of -N") \
    X(ssl_new_sessions, "TLS handshakes that resumed no session") \
    X(ssl_handshake_errors, "TLS handshakes that failed") \
    X(ssl_proto_errors, "Connections closed for an error in TLS") \
    X(conn_yields, "Turns cut at the limit of requests (-R)") \
    X(listen_disabled_num, "Times accepting paused for want of room") \
    X(listen_disabled_us, "Time that accepting was paused")

METRICS_STRUCT(server_counters, SERVER_METRICS);

#endif
