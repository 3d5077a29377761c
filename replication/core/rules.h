/* SPDX-License-Identifier: BSD-3-Clause */
/* The rules that convergence rests on, by name. They are always in force,
 * except in the simulation's own build, which switches off one at a time to
 * show that a pair without it goes wrong, and that the simulation notices. */
#ifndef REPLICATION_CORE_RULES_H
#define REPLICATION_CORE_RULES_H

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
    X(COMPARE, "groups whose digests differ are looked into") \
    X(LISTED, "only who holds a version, or a newer one, need not get it") \
    X(UNSENT, "what was not confirmed at a stop is dirty at the start")

#ifdef RULES_BREAKABLE
enum rule {
#define X(name, words) RULE_##name,
    RULE_TABLE(X)
#undef X
        RULES
};
extern int rule_broken; /* One of the above, or -1. */
#define RULE(name) (rule_broken != (int)RULE_##name)
#else
#define RULE(name) 1
#endif

#endif
