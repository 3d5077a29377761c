/* SPDX-License-Identifier: BSD-3-Clause */
/* The rules that convergence rests on, by name. They are always in force,
 * except in the simulation's own build, which switches off one at a time to
 * show that a pair without it goes wrong, and that the simulation notices. */
#ifndef REPLICATION_CORE_RULES_H
#define REPLICATION_CORE_RULES_H

#include <stdbool.h>

#define RULE_TABLE(X) \
    X(STAMPS, "the newer stamp wins, not the later arrival") \
    X(TOMBSTONES, "a removal is remembered until the peer has it") \
    X(FORGET, "what the peer has not confirmed is not forgotten silently") \
    X(FROZEN, "the watermark stands still from the first gap on") \
    X(FLOORS, "a removal that finds no room raises its bucket's floor") \
    X(PURGE, "a peer is told what is gone below a floor") \
    X(DIRTY, "a change lost from the log makes its bucket dirty") \
    X(ANSWER, "who sends what a floor rejects is told of its removal") \
    X(RECHECK, "a value sent in parts is given up when it changes") \
    X(RESUME, "a scan that was cut short starts over") \
    X(FLUSH, "the flush state is told to the peer") \
    X(REPEAT, "a longer life is told to the peer") \
    X(ASK, "who is told of a longer life of what it has not asks for it") \
    X(RETELL, "what may have been asked for on a lost link is told again") \
    X(TALLY, "counts from one base add up") \
    X(ABSORB, "a stamp that is seen moves the own clock") \
    X(LINEAGE, "data that the peer has outlived is not kept") \
    X(DOUBT, "what the peer does not hold of doubted data goes") \
    X(COMPARE, "groups whose digests differ are looked into") \
    X(LISTED, "only who holds a version, or a newer one, need not get it") \
    X(UNSENT, "what was not confirmed at a stop is dirty at the start") \
    X(BIT, "of two nodes with one node bit one takes the other") \
    X(GC, "a removal is forgotten only when the peer has it") \
    X(GC_DIRTY, "a removal is not forgotten in a bucket still to be scanned") \
    X(REMOVALS, "a scan tells also what was removed") \
    X(LOWER, "an old version that the log lost is sent by a scan") \
    X(STRANGER, "who followed another log is sent everything") \
    X(ECHO, "what joined counts came to is told to the peer") \
    X(APPLIED, "what is not applied is not acknowledged") \
    X(CONFIRM, "replies wait for a peer that lacks anything older, too") \
    X(OFFSET, "ends of lives are corrected by what clocks are apart") \
    X(NAME, "a node of another pair is refused") \
    X(VERSION, "a node of another protocol is refused") \
    X(THIRD, "a third node is refused") \
    X(AGAIN, "a call from before the present link is refused") \
    X(SILENT, "a link that is silent ends") \
    X(CHECKSUM, "a frame that was changed on its way ends the link") \
    X(HANDOFF, "a handoff waits until the peer has all that is older") \
    X(GOODBYE, "a clean stop ends when the peer has everything")

#ifdef RULES_BREAKABLE
enum rule {
#define X(name, words) RULE_##name,
    RULE_TABLE(X)
#undef X
        RULES
};
extern int rule_broken; /* One of the above, or -1. */
extern bool rule_yields;
#define RULE(name) (rule_broken != (int)RULE_##name)
/* How much is done in one go: there as little as can be, now and then. */
#define STRIDE(usual) (rule_yields ? 1 : (usual))
#else
#define RULE(name) 1
#define STRIDE(usual) (usual)
#endif

#endif
