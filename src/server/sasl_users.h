/* SPDX-License-Identifier: BSD-3-Clause */
/* Who may authenticate by SASL (-S): Cyrus SASL knows, as "memcached", by
 *
 *   SASL_CONF_PATH        the folder of memcached.conf; without it /etc/sasl or
 *                         /etc/sasl2
 *   MEMCACHED_SASL_PWDB   a file of lines USER:PASSWORD[:...], read at every
 *                         login; then PLAIN is what clients may use
 *
 * One at a time in a process: the library has but one state. */
#ifndef SERVER_SASL_USERS_H
#define SERVER_SASL_USERS_H

#include "src/base/error.h"
#include "src/command/authenticator.h"

#define SASL_USERS_WORDS_MAX 512
#define SASL_USERS_LINE_MAX 255 /* Of the password file, without its end. */

struct sasl_users;

/* Errors: negative, with words. Before other threads run. */
MUST_CHECK int sasl_users_new(struct sasl_users **out,
                              char words[SASL_USERS_WORDS_MAX]);
void sasl_users_free(struct sasl_users **users);

/* Good until sasl_users_free(). */
const struct authenticator *
sasl_users_authenticator(const struct sasl_users *users);

#endif
