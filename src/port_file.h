/* SPDX-License-Identifier: BSD-3-Clause */
/* Tells whoever started the daemon which ports it got. */
#ifndef PORT_FILE_H
#define PORT_FILE_H

#include "src/server/server.h"

/* Writes "TCP INET: 11211" and "TCP INET6: 11211" into the file that
 * MEMCACHED_PORT_FILENAME in the environment names, if it does. A warning when
 * it cannot. After server_bind(). */
void port_file_write(const struct server *server);

#endif
