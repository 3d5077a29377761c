/* SPDX-License-Identifier: BSD-3-Clause */
/* Two versions. -V, -h and `stats settings` tell the program's own,
 * PACKAGE_VERSION. The `version` command and plain `stats` tell the version of
 * memcached whose protocol this is, because clients ask it to learn which
 * commands they may use. */
#ifndef VERSION_H
#define VERSION_H

#define PROTOCOL_VERSION "1.6.45"

#endif
