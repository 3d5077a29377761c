/* SPDX-License-Identifier: BSD-3-Clause */
/* Written aside and renamed, so that a test that waits for the file reads all
 * of it. */
#include "src/port_file.h"

#include "src/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_MAX_BYTES 4096

static void write_line(void *ctx, const struct server_address *address)
{
    FILE *file = ctx;

    if (address->kind == LISTENER_UNIX)
        (void)fprintf(file, "UNIX: %s\n", address->path);
    else
        (void)fprintf(file, "%s %s: %u\n",
                      address->kind == LISTENER_UDP ? "UDP" : "TCP",
                      address->ipv6 ? "INET6" : "INET", address->port);
}

static bool write_lines(const struct server *server, const char *path)
{
    FILE *file = fopen(path, "we");

    if (file == NULL)
        return false;
    server_addresses(server, write_line, file);
    return fclose(file) == 0;
}

void port_file_write(const struct server *server)
{
    const char *path = getenv("MEMCACHED_PORT_FILENAME");
    char aside[PATH_MAX_BYTES];

    if (path == NULL)
        return;
    (void)snprintf(aside, sizeof(aside), "%s.lck", path);
    if (write_lines(server, aside) && rename(aside, path) == 0)
        return;
    log_error("warning: cannot write the port file %s: %s", path,
              strerror(errno));
    (void)unlink(aside);
}
