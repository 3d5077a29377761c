/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of strangers is small and has room only for those of the last
 * second, so that knocking from a thousand addresses fills no log either. */
#include "replication/doorman.h"

#include "src/base/clock.h"
#include "src/base/log.h"

#include <inttypes.h>

/* The stranger's place in the table; of a new one the place of somebody not
 * heard of for a second; DOORMAN_STRANGERS_MAX when there is none. */
static size_t find_place(const struct doorman *doorman, uint64_t now_ns,
                         const struct address *address)
{
    size_t i, place = DOORMAN_STRANGERS_MAX;

    for (i = 0; i < doorman->strangers_count; i++) {
        if (address_same_host(&doorman->strangers[i].address, address))
            return i;
        if (now_ns - doorman->strangers[i].logged_ns >= NS_PER_S)
            place = i;
    }
    if (doorman->strangers_count < DOORMAN_STRANGERS_MAX)
        return doorman->strangers_count;
    return place;
}

static void log_stranger(const struct doorman *doorman,
                         const struct address *address, uint64_t before)
{
    const char *why = doorman->loopback_only
                          ? "no peer is configured (-x), so only this host may"
                          : "it is not an address of the peer";
    char text[ADDRESS_TEXT_MAX];

    address_host_text(address, text);
    if (before == 0)
        log_notice("replication: refused a connection from %s: %s", text, why);
    else
        log_notice("replication: refused a connection from %s: %s, and %" PRIu64
                   " before it",
                   text, why, before);
}

static void note_stranger(struct doorman *doorman, uint64_t now_ns,
                          const struct address *address)
{
    size_t place = find_place(doorman, now_ns, address);
    bool known;

    doorman->refused++;
    if (place == DOORMAN_STRANGERS_MAX)
        return;
    known = place < doorman->strangers_count &&
            address_same_host(&doorman->strangers[place].address, address);
    if (known && now_ns - doorman->strangers[place].logged_ns < NS_PER_S) {
        doorman->strangers[place].since++;
        return;
    }
    log_stranger(doorman, address, known ? doorman->strangers[place].since : 0);
    if (place == doorman->strangers_count)
        doorman->strangers_count++;
    doorman->strangers[place].address = *address;
    doorman->strangers[place].logged_ns = now_ns;
    doorman->strangers[place].since = 0;
}

bool doorman_admits(struct doorman *doorman, uint64_t now_ns,
                    const struct address *address)
{
    bool admitted = doorman->loopback_only
                        ? address_is_loopback(address)
                        : address_list_has_host(&doorman->peers, address);

    if (!admitted)
        note_stranger(doorman, now_ns, address);
    return admitted;
}
