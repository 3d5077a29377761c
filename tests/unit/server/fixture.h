/* SPDX-License-Identifier: BSD-3-Clause */
/* A whole server in the test's process, on a free port of loopback, and the
 * client's side of its connections. */
#ifndef TESTS_UNIT_SERVER_FIXTURE_H
#define TESTS_UNIT_SERVER_FIXTURE_H

#include "src/base/errand.h"
#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "src/command/commands.h"
#include "src/server/server.h"
#include "tests/unit/unit.h"

#define THREADS 3
#define CONNECTIONS_MAX 40
#define REQUESTS_MAX 20
#define PATIENCE_S 20

extern struct server *server;
extern uint16_t port;
extern uint16_t udp_port;
extern struct errand *asked; /* By a client's `repl`; any thread's. */

/* ---- the server under test ---- */

struct server_config config_of_test(void);
/* Makes engine and commands; bound and started, not open. */
void setup(void);
void setup_open(void);
void setup_with(const struct server_config *config); /* Open. */
void teardown(void);
void note_port(void *ctx, const struct server_address *address);

/* A number of `stats`. */
uint64_t stat_of(const char *name);
/* Puts the value of a line of `stats conns` into value; false without one. */
bool conns_line(const char *name, char value[STATS_VALUE_MAX]);

/* ---- clients ---- */

int dial(void); /* -1: refused. */
/* A connection that is served: tries again while the server has not yet
 * noticed that another one left. */
int dial_served(void);
void say_bytes(int fd, const char *bytes, size_t size);
void say(int fd, const char *text);
/* Reads as much, or up to the end; returns how much. */
size_t hear_bytes(int fd, char *bytes, size_t size);
void hear(int fd, const char *text);
void hear_end(int fd);
char *filled(size_t size, char byte);
void store(int fd, const char *key, size_t size);
/* The reply to a get of what store() stored. */
void hear_value(int fd, const char *key, size_t size);

#endif
