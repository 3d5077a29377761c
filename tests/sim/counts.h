/* SPDX-License-Identifier: BSD-3-Clause */
/* What must hold, what goes wrong, and how often each came about. */
#ifndef SIM_COUNTS_H
#define SIM_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

struct world;

/* ---- what can be checked, each counted ---- */

/* What must hold; 1 to 12 as the design numbers them. */
#define LAW_TABLE(X) \
    X(1, "both nodes hold the same of a key") \
    X(2, "what is held is the latest that was accepted") \
    X(3, "nothing is older than its removal or a flush") \
    X(4, "below a floor there are misses, and no older values") \
    X(5, "counters add up") \
    X(6, "a cas succeeds against its own version only") \
    X(7, "log, tombstones, buffers and memory stay inside their bounds") \
    X(8, "no client waits for the peer in async mode") \
    X(9, "all is told in bounded time, and nothing is left over") \
    X(10, "the clock of versions rises, above all that was seen") \
    X(11, "digests are equal where contents are, and only there") \
    X(12, "what was acknowledged before a handoff or a stop is at the peer") \
    X(13, "what was answered in applied mode is at the peer by then") \
    X(14, "who does not belong to the pair is refused and changes nothing") \
    X(15, "the node keeps to its driver's rules, and gives back its memory")
#define LAWS 15

#define CHECK_TABLE(X) \
    X(SAME, 1, "both hosts hold the same version of a key") \
    X(INTACT, 1, "a version has one content wherever it is held") \
    X(EVERYWHERE, 1, "what one host holds the other holds, or let go") \
    X(EXPIRY, 1, "both hosts agree on the end of a life") \
    X(LATEST, 2, "what is held is the latest version written") \
    X(KEPT, 2, "what was written last is there, unless it was let go") \
    X(FETCHED, 2, "what was fetched from the peer is there") \
    X(OWN_WRITES, 2, "no host falls behind its own acknowledged changes") \
    X(REMOVED, 3, "what was removed last is not there") \
    X(FLUSHED, 3, "nothing older than a flush is there, and both know it") \
    X(FLOORED, 4, "where a floor rose nothing old is there") \
    X(COUNTED, 5, "a counter is all that was counted, on both hosts") \
    X(CAS, 6, "a cas succeeds against its own version only") \
    X(BOUNDED, 7, "log and tombstones stay inside their bounds") \
    X(BYTES, 7, "buffers and memory stay inside their bounds") \
    X(AT_ONCE, 8, "a client is answered at once in async mode") \
    X(QUIET, 9, "when all is told nothing is left over") \
    X(ONE_LINK, 9, "one link and no other remains") \
    X(RISING, 10, "the stamps of a host rise, above what it holds") \
    X(ABOVE, 10, "the clock is above every version that is held") \
    X(LATER_WINS, 10, "after both have met, later stamps are higher") \
    X(DIGEST, 11, "digests are equal where contents are, and only there") \
    X(VERIFY, 11, "verify finds what differs and nothing else") \
    X(HANDOFF, 12, "what a handoff found acknowledged is at the peer") \
    X(STOPPED, 12, "what was acknowledged before a clean stop is at the peer") \
    X(APPLIED, 13, "what was answered in applied mode is at the peer by then") \
    X(REFUSED, 14, "who does not belong to the pair is no part of it") \
    X(HOOKS, 15, "the node keeps to its driver's rules") \
    X(FREED, 15, "what was taken from the heap is given back")

enum check {
#define X(name, law, words) CHECK_##name,
    CHECK_TABLE(X)
#undef X
        CHECKS
};

/* ---- what goes wrong, each counted ---- */

#define FAULT_TABLE(X) \
    X(RESET, "a connection is reset") \
    X(CUT, "...in the middle of a frame") \
    X(STALLED, "one way of a connection stalls") \
    X(PARTED, "the hosts are cut off from each other") \
    X(CROSSED, "both dial at once") \
    X(TWICE, "a host connects while its last connection is still held") \
    X(FROZEN, "a host freezes") \
    X(CRASHED, "a host crashes, and comes back empty") \
    X(VANISHED, "...without a word to its peer") \
    X(CRASHED_SYNCING, "...while a resync is under way") \
    X(STOPPED, "a host stops in order") \
    X(SUSPENDED, "a host is gone, but leaves its data") \
    X(CAME_BACK, "a host comes back with its data") \
    X(WENT_BACK, "a host comes back with data of an earlier life") \
    X(LOST_DATA, "what a host left is lost") \
    X(CLOCK_SET, "a clock is set, by up to hours") \
    X(CLOCK_DRIFTS, "a host lives with a clock that drifts") \
    X(RING_FULL, "the log loses a change that is not confirmed") \
    X(TOMBS_FULL, "a tombstone becomes a floor") \
    X(EVICTED, "an item is evicted") \
    X(EVICTED_EARLY, "...which the peer has not confirmed") \
    X(EXPIRED_EARLY, "an item ends that the peer has not confirmed") \
    X(NOT_KEPT, "there is no room for what the peer sends") \
    X(FLUSHED, "flush_all at once") \
    X(FLUSHED_LATER, "flush_all with a delay") \
    X(BIG_VALUE, "a value goes in parts") \
    X(NO_MEMORY, "an allocation fails while a node runs") \
    X(NO_START, "an allocation fails while a node is made") \
    X(GARBLED, "bytes change on the wire") \
    X(TORN, "bytes get lost on the wire") \
    X(OLD_PEER, "a host is an older release, with fewer features") \
    X(NEW_PEER, "a host is a newer release, that knows this protocol, too") \
    X(ALIEN_PEER, "a host is a release with another protocol") \
    X(WRONG_PAIR, "a node of another pair dials in") \
    X(THIRD_NODE, "a third node dials in") \
    X(REPEATED, "an old hello of the peer comes once more") \
    X(BABBLE, "somebody dials in and talks nonsense, or nothing") \
    X(SHORT_WRITE, "a connection takes less than there is") \
    X(LATE, "a host does not wake up in time") \
    X(YIELD, "a node stops after every item") \
    X(PAUSED, "shipping is paused") \
    X(RESUMED, "...and resumed") \
    X(RESYNCED, "a resync is ordered") \
    X(VERIFIED, "a verify is ordered") \
    X(REPAIRED, "...with repair") \
    X(HANDED_OFF, "a handoff is ordered") \
    X(DEGRADED, "a client of applied mode is answered unconfirmed")

enum fault {
#define X(name, words) FAULT_##name,
    FAULT_TABLE(X)
#undef X
        FAULTS
};

struct counts {
    uint64_t checks[CHECKS];
    uint64_t faults[FAULTS];
    uint64_t seeds, failures;
};
void counts_add(struct counts *to, const struct world *world);
void counts_join(struct counts *to, const struct counts *from);
void counts_show(const struct counts *counts, bool each);
const char *counts_check_name(enum check check);
unsigned counts_check_law(enum check check);

#endif
