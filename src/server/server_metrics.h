/* SPDX-License-Identifier: BSD-3-Clause */
/* What the server counts, per thread. */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include "src/base/metrics.h"

#define SERVER_METRICS(X) \
    X(total_connections, "Connections accepted") \
    X(rejected_connections, "Connections refused at the limit (-c)") \
    X(bytes_read, "Bytes received from clients") \
    X(bytes_written, "Bytes sent to clients") \
    X(conn_yields, "Turns cut at the limit of requests (-R)") \
    X(listen_disabled_num, "Times accepting paused for want of descriptors") \
    X(listen_disabled_us, "Time that accepting was paused")

METRICS_STRUCT(server_counters, SERVER_METRICS);

#endif
