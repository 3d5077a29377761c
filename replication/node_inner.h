/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the node share: node.c carries out what the core decides,
 * node_send.c, node_touch.c and node_scan.c compose what goes to the peer,
 * node_receive.c applies what comes from it, node_fetch.c asks for and answers
 * with single keys, node_clock.c compares clocks, node_restart.c takes it all
 * across a restart. */
#ifndef REPLICATION_NODE_INNER_H
#define REPLICATION_NODE_INNER_H

#include "replication/codec.h"
#include "replication/core/journal.h"
#include "replication/core/lineage.h"
#include "replication/core/peer.h"
#include "replication/node.h"
#include "src/base/fetch.h"
#include "src/base/histogram.h"

#define NODE_READ_MAX 64         /* Log entries looked up together. */
#define NODE_SENT_CACHE 4096     /* Versions sent ahead of their entry. */
#define NODE_SCAN_CHUNK 256      /* Items of a scan looked up together... */
#define NODE_SCAN_FOUND_MAX 1024 /* ...and with what one bucket may add. */
#define NODE_REMOVALS_MAX 256    /* Tombstones fetched together. */
#define NODE_OFFSET_SAMPLES 8
#define NODE_PROBES_MAX 256 /* Batches under way whose time is taken. */
#define NODE_TOUCHES_MAX \
    16384 /* Entries between a touch and the last one that \
             the peer has acknowledged. */
/* One for each touch, and what a repair wants. */
#define NODE_WANTS_MAX (NODE_TOUCHES_MAX + MESSAGE_LIST_MAX)
/* Keys asked for and not answered, in either direction of a link: part of the
 * protocol. */
#define NODE_FETCH_KEYS_MAX 4096u
#define NODE_FETCH_WAIT_NS NS_PER_S /* A client waits so long at most. */
#define NODE_FETCHED_ROOM 64u       /* What a Fetched takes. */
#define NODE_BATCH_ROOM_MIN \
    (CODEC_WHOLE_VALUE_MAX + ENGINE_KEY_MAX + 2 * CODEC_MUTATION_OVERHEAD)

/* ---- what is said to a link before and beside the streams ---- */

struct node_link {
    struct hello hello; /* As it was composed. */
    bool hello_due;
    bool refuse_due;
    enum peer_refusal reason;
    char words[MESSAGE_WORDS_MAX + 1]; /* Why not, if there is more to say. */
    uint64_t hello_ns; /* When ours was composed, for the round trip. */
};

/* ---- towards the peer ---- */

/* A value that goes in parts, one after the other. */
struct node_big {
    struct item *item; /* Held; NULL when there is none. */
    struct mutation head;
    char key[ENGINE_KEY_MAX];
    size_t size;
    size_t offset;
    struct engine_cursor cursor;
    uint64_t number; /* Of the live entry; 0 in a scan. */
    stamp_t entry;   /* The stamp of that entry. */
    bool fetched;    /* The peer has asked for it. */
    bool stale;      /* The peer has said something newer of that key. */
};

enum node_scan_phase {
    NODE_SCAN_IDLE,
    NODE_SCAN_REMOVALS,
    NODE_SCAN_ITEMS,
    NODE_SCAN_SENT, /* All is sent; the peer has to confirm. */
};

struct node_sent {
    uint64_t hash;
    stamp_t stamp;
};

struct node_scan {
    enum node_scan_phase phase;
    struct journal_removal removals[NODE_REMOVALS_MAX];
    size_t removals_count, removals_at;
    bool removals_more;
    uint64_t cursor;      /* Next hash to look at. */
    bool compares;        /* What the peer says it has is left out. */
    size_t listed_at;     /* Of the answer: looked at for what the peer doubts. */
    bool hot;             /* Only what is used, for now. */
    uint32_t hot_since_s; /* When that began; 0: it did not. */
    bool exhausted;       /* There is no hash beyond the last run. */
    struct journal_run run;
    struct node_sent found[NODE_SCAN_FOUND_MAX]; /* Items the peer may lack. */
    size_t found_count, found_at;
    uint64_t present[NODE_SCAN_FOUND_MAX]; /* All items, below a floor. */
    size_t present_count;
    bool purge_due;
    bool mark_due;
    uint64_t through; /* What the next mark says. */
    uint64_t marked;  /* What the last one said. */
};

struct node_send {
    bool plan_due;
    enum resync_kind plan;
    uint64_t plan_after;
    uint64_t plan_items;
    bool caught_up;     /* The scan of the plan is through. */
    uint64_t next;      /* Number of the next entry to look at. */
    uint64_t through;   /* The peer was told that it has all up to here. */
    uint64_t confirmed; /* By the peer, on this link. */
    bool touch_waits;   /* For that to go on. */
    struct flush_state told;
    bool ack_due;
    uint64_t ack_hash;
    bool ack_done;
    bool goodbye_due;
    bool goodbye_said;
    bool peer_empty; /* When the link came up: it has nothing that is older. */
    bool peer_full;  /* It has to let go of something for each item. */
    bool scan_first; /* The live stream had all the room last time. */
    struct node_big big;
    struct node_scan scan;
    size_t item_bytes; /* Key and value of the last one: the next is alike. */
    struct node_sent sent[NODE_SENT_CACHE];
};

/* ---- single keys ---- */

struct node_waiting {
    struct fetch *fetch;
    uint64_t through; /* Done when so many are answered. */
    size_t keys;
    uint64_t due_ns;
};

/* Our questions. */
struct node_fetch {
    bool open; /* The gate, for those who ask us. */
    struct node_waiting waiting[FETCHES_MAX];
    unsigned count, at;
    uint64_t asked, answered, found; /* Keys, on this link. */
};

/* The peer's. */
struct node_answers {
    uint64_t hashes[NODE_FETCH_KEYS_MAX];
    size_t count, at;
    uint64_t answered, found; /* Keys, on this link... */
    uint64_t told;            /* ...and as the peer knows. */
};

/* ---- comparing ---- */

/* A range of hashes in groups of equal width. */
struct node_groups {
    uint64_t from;
    uint64_t to;
    uint64_t width;
    size_t count;
    uint64_t sums[MESSAGE_GROUPS_MAX];
    uint32_t counts[MESSAGE_GROUPS_MAX];
};

/* A version that the peer holds. */
struct node_listed {
    uint64_t hash;
    stamp_t stamp;
    uint32_t expires_at_s; /* On its clock. */
};

enum node_compare_state {
    NODE_COMPARE_IDLE,
    NODE_COMPARE_ASKED,
    NODE_COMPARE_ANSWERED,
};

/* Our question, one at a time, and what the peer said. */
struct node_compare {
    enum node_compare_state state;
    bool ask_due;
    struct node_groups ours;
    uint64_t through; /* The answer covers that much. */
    uint64_t differ[MESSAGE_GROUPS_MAX / 64];
    size_t groups_differ;
    struct node_listed items[MESSAGE_LIST_MAX]; /* By hash. */
    size_t items_count;
    uint64_t last; /* The peer's highest number when it looked. */
    bool behind;   /* It had more to send than what is in its log. */
};

/* Our answer to the peer's question. */
struct node_answer {
    bool due;
    struct node_groups ours;
    uint64_t through;
    uint32_t groups[MESSAGE_GROUPS_MAX];
    size_t groups_count;
    struct node_listed items[MESSAGE_LIST_MAX];
    uint64_t hashes[MESSAGE_LIST_MAX];
    uint64_t stamps[MESSAGE_LIST_MAX];
    uint32_t expiries[MESSAGE_LIST_MAX];
    size_t items_count;
    uint64_t last;
    bool behind;
};

/* A key whose versions differ, perhaps because one is under way. */
struct node_suspect {
    uint64_t hash;
    stamp_t ours;   /* STAMP_NONE: it is missing here. */
    stamp_t theirs; /* STAMP_NONE: it is missing there. */
    uint32_t our_end_s, their_end_s;
};

#define NODE_SUSPECTS_MAX 16384 /* In one range. */

enum node_verify_phase {
    NODE_VERIFY_IDLE,
    NODE_VERIFY_ASKS,    /* As soon as no other question is under way. */
    NODE_VERIFY_WAITS,   /* For the answer. */
    NODE_VERIFY_SETTLES, /* For what is under way. */
};

struct node_verify {
    enum node_verify_phase phase;
    bool repair;
    bool given_up;
    bool behind;       /* One of us had more to send than its log. */
    unsigned looks;    /* At this range. */
    uint64_t cursor;   /* Where the range begins... */
    uint64_t through;  /* ...and, after the first look, ends. */
    uint64_t our_last; /* Numbers of what was recorded at the last look. */
    uint64_t their_last;
    uint64_t again_ns;
    uint64_t deadline_ns;
    struct node_suspect *now, *before; /* Of this look and of the last. */
    size_t now_count, before_count;
    struct node_verified result;
};

/* What the peer is going to be asked for. */
struct node_wanted {
    uint64_t hashes[NODE_WANTS_MAX];
    size_t count;
    size_t put; /* So many of them were. */
};

/* ---- whose clients wait for the other node ---- */

struct node_confirm {
    uint64_t from;  /* The last change when the link came up. */
    uint64_t acked; /* The last one confirmed on this link. */
    uint64_t prompt_until_ns;
    bool prompt_told;
    bool given_up;    /* Seen by this thread. */
    uint64_t slow_ns; /* When the peer was last seen to be slow. */
    uint64_t probe;   /* A change whose confirmation is timed; 0: none. */
    uint64_t probe_ns;
    uint64_t told_ns; /* The log was told; 0: never. */
    bool told;        /* And of the present wait. */
};

/* ---- from the peer ---- */

struct node_receive {
    bool prompt;           /* Its clients wait for our word. */
    bool full;             /* What came pushed something out. */
    bool idle;             /* Nobody uses what the scan brings now. */
    bool planned;          /* The peer has said where its stream begins. */
    enum resync_kind kind; /* NONE once the peer's scan is through. */
    uint64_t marked;       /* How far the peer's scan has come, in a round. */
    uint64_t items;
    uint64_t total; /* Of the peer's, as it said. */
    uint64_t bytes_before;
    uint64_t since_ns;
    struct item *item; /* A value that comes in parts; may be NULL. */
    struct mutation head;
    char key[ENGINE_KEY_MAX];
    bool in_parts;
    uint64_t size;
    uint64_t offset;
    struct engine_cursor cursor;
    uint64_t heard_now_ns; /* The peer's clock in its last heartbeat... */
    uint64_t heard_at_ns;  /* ...and ours then. */
};

/* The peer's clock minus ours, from the round trips that were shortest. */
struct node_offset {
    struct {
        int64_t offset_ns;
        uint64_t round_ns;
    } sample[NODE_OFFSET_SAMPLES];
    unsigned count;
    unsigned at;
    int64_t best_ns;
    uint64_t round_ns; /* Of the best sample. */
    uint64_t node;     /* Whose clock it is. */
};

struct node_told {
    enum peer_refusal reason;
    uint64_t node;
    uint64_t at_ns;
    char words[MESSAGE_WORDS_MAX + 1];
};

/* A batch that the peer has not confirmed yet. */
struct node_probe {
    uint64_t through;
    uint64_t changes;
    uint64_t first_ns, last_ns; /* When its first and last one were made. */
};

struct node_lag {
    struct node_probe probes[NODE_PROBES_MAX];
    unsigned count, at;
    uint64_t through;    /* Number that the last one reaches. */
    stamp_t first, last; /* Of the batch that is composed. */
    stamp_t newest;      /* Of all that were looked at. */
    uint64_t level_ns;   /* When the peer last had everything. */
    struct histogram us;
};

/* The last order of each kind. */
struct node_orders {
    bool paused; /* Nothing is shipped. */
    enum node_progress resync;
    uint64_t handoff_through, handoff_until_ns;
};

struct node_heal {
    uint64_t apart_ns; /* Since when there was no pair; 0: there never was. */
    bool under_way;
    struct node_healed said; /* As far as it is known. */
    struct node_healed last;
    uint64_t goal;                                  /* Our number of then. */
    uint64_t sent, applied, won, lost, floor_drops; /* Counters of then. */
};

struct node {
    struct node_config config;
    struct node_hooks hooks;
    struct engine_thread *thread;
    struct codec *codec;
    struct journal_log *log;
    struct peer peer;
    uint64_t now_ns;
    uint64_t random;
    uint64_t drain_until_ns;
    struct node_link links[NODE_LINKS_MAX];
    struct node_send send;
    struct node_confirm confirm;
    struct node_fetch fetch;
    struct node_answers answers;
    struct node_receive receive;
    struct node_compare compare;
    struct node_answer answer;
    struct node_verify verify;
    struct node_wanted wanted;
    struct node_offset offset;
    struct hello theirs; /* Of the pair's link. */
    bool listen_failed;
    bool listen_told;
    bool offset_told, offset_alarmed;
    struct node_told refuses, refused_by; /* The last ones in the log. */
    const char *nonsense; /* What was wrong with the last message, if it was. */
    struct lineage line;  /* Survives a link. */
    stamp_t doubted; /* Up to here we hold what only counts if the peer holds it
                        too. Ends when the peer has compared all of it, and
                        before anybody is served. */
    /* Figures. */
    uint64_t started_ns;
    uint64_t paired_ns;
    uint64_t resync_ns;
    uint64_t round_ns; /* When the present scan was due; 0: none is. */
    uint64_t round_items;
    uint64_t round_bytes;
    enum resync_kind resync_kind;
    uint64_t resync_items_done, resync_items_total, resync_bytes;
    uint64_t resyncs[RESYNC_DIGEST + 1]; /* How many of each kind were done. */
    struct node_orders orders;
    struct node_heal heal;
    struct node_lag lag;
    struct histogram apply_us;
    uint64_t pairings;
    uint64_t conflicts_won, conflicts_lost, floor_drops;
    uint64_t conflicts, sent, sent_bytes, applied_count, rejected_old;
    uint64_t digest_checked, digest_mismatch;     /* Groups. */
    uint64_t fetches, fetch_hits, fetch_timeouts; /* Keys. */
    uint64_t not_kept;                            /* Too large, or no memory. */
    uint64_t touches, wanted_count;
    uint64_t bytes_in, bytes_out, refused;
};

/* node.c */
void node_signal(struct node *node, enum peer_signal signal, unsigned link);
void node_signal_hello(struct node *node, unsigned link,
                       const struct hello *hello);
void node_signal_refused(struct node *node, unsigned link, enum refusal reason,
                         struct slice words);
uint64_t node_random(struct node *node);
void node_touch_time(struct node *node, uint64_t now_ns);
void node_see_stamp(struct node *node, stamp_t stamp);
/* May that feature be used with this peer? */
bool node_both_know(const struct node *node, uint64_t feature);
/* One direction of a resync is complete. */
void node_resync_done(struct node *node, enum resync_kind kind, uint64_t items,
                      uint64_t since_ns);

/* node_orders.c */
/* Ends a pause. */
void node_ship(struct node *node, const char *why);
/* A resync that was ordered is through, or cut short. */
void node_resync_ends(struct node *node, bool done);
/* The peer has asked for what it was told before: a handoff that is under way
 * waits for that, too. */
void node_handoff_extend(struct node *node);

/* node_lag.c */
void node_lag_look(struct node *node, const struct journal_reference *entries,
                   size_t count);
void node_lag_sent(struct node *node, uint64_t through);
void node_lag_confirmed(struct node *node, uint64_t through);
void node_lag_reset(struct node *node);
/* For how long changes wait by now. */
uint64_t node_lag_ns(const struct node *node, stamp_t oldest, uint64_t now_ns);

/* node_heal.c */
void node_heal_apart(struct node *node);
void node_heal_begin(struct node *node);
void node_heal_look(struct node *node);

/* node_restart.c */
/* A peer says hello that would be ours. True when what we had is not to be
 * kept: then it is gone, and we are a new node. */
bool node_disowns(struct node *node, const struct hello *hello);
/* A link is up: with a peer that cannot tell what to drop, all of it goes. */
void node_doubt_begin(struct node *node);
/* What is doubted goes, and we are a new node once more, as the peer may have
 * compared some of it already. */
void node_end_doubt(struct node *node);
/* As engine_find(), of what the peer may ask for: nothing that is doubted. */
bool node_find(struct node *node, uint64_t hash, struct engine_view *view);
/* Just what is doubted goes. Returns how many items. */
uint64_t node_drop_doubted(struct node *node);

/* node_log.c */
const char *node_refusal_words(enum peer_refusal reason);
void node_log_disowned(const struct node *node, enum lineage_verdict verdict,
                       uint64_t items);
void node_log_doubts(const struct node *node, enum lineage_verdict verdict,
                     uint64_t items);
void node_log_news(struct node *node, const struct peer_act *act);
void node_log_confirm(const struct node *node, bool quick);
void node_log_resync(const struct node *node, const char *direction);

/* node_send.c */
void node_send_begin(struct node *node, unsigned link);
void node_send_end(struct node *node);
/* The peer has spoken of these keys. */
void node_send_touched(struct node *node, uint64_t from, uint64_t to);
size_t node_send_control(struct node *node, unsigned link, char *out,
                         size_t room);
size_t node_send_data(struct node *node, char *out, size_t room);
void node_fill_value(void *ctx, char *to, size_t size);
struct node_fill {
    struct engine_thread *thread;
    const struct item *item;
};
/* Adds the live item of the hash to the batch, or prepares its parts. */
enum node_added {
    NODE_ADDED,
    NODE_ABSENT,
    NODE_NO_ROOM,
    NODE_IN_PARTS,
};
enum node_added node_add_view(struct node *node, struct codec_batch *batch,
                              uint64_t hash, struct engine_view *view,
                              uint64_t number);

/* node_confirm.c */
void node_confirm_begin(struct node *node);
void node_confirm_end(struct node *node);
void node_confirm_acked(struct node *node, uint64_t number);
/* Once per turn of the pair's link. */
void node_confirm_review(struct node *node);
void node_confirm_status(const struct node *node, struct node_status *out);
/* Our clients wait, or shall be able to soon. */
bool node_wants_prompt(const struct node *node);

/* node_fetch.c */
/* May we ask a peer with that hello? */
bool node_fetch_is_known(const struct node *node, const struct hello *theirs);
/* A link is there, its counts begin; or it is gone. */
void node_fetch_begin(struct node *node);
void node_fetch_apart(struct node *node);
/* After each step of the core: whoever joins may be asked. */
void node_fetch_review(struct node *node);
/* Nobody will be. */
void node_fetch_end(struct node *node);
size_t node_fetch_put(struct node *node, char *out, size_t room);
/* Errors: the peer counts wrong. */
MUST_CHECK int node_fetch_take_count(struct node *node,
                                     const struct message *message);
/* Ends what has waited too long. */
void node_fetch_tick(struct node *node);
uint64_t node_fetch_deadline(const struct node *node);
/* Errors: the peer asks for too much. */
MUST_CHECK int node_fetch_take(struct node *node,
                               const struct message *message);
size_t node_fetch_answer(struct node *node, char *out, size_t room);
/* The value that went in parts. */
void node_fetch_sent(struct node *node);
/* Somebody waits for a key, here or at the peer. */
bool node_fetch_is_prompt(const struct node *node);

/* node_scan.c */
size_t node_scan_output(struct node *node, char *out, size_t room);
void node_scan_confirmed(struct node *node, uint64_t through_hash, bool done);
/* Can the peer have been told that the scan came so far? */
bool node_scan_has_marked(const struct node *node, uint64_t through_hash,
                          bool done);

/* node_digest.c */
/* Sums up what lies in the range. Returns the last hash of the last group that
 * was looked at as a whole; of a first one that is too much, as far as it
 * came. */
uint64_t node_groups_look(struct node *node, struct node_groups *groups,
                          uint64_t from, uint64_t to, size_t count);
/* Does the peer know how to compare, and is that cheaper than to send all? */
bool node_compare_is_known(const struct node *node);
bool node_compare_is_wanted(const struct node *node);
void node_compare_reset(struct node *node);
/* Looks at the hashes from `from` on, at most to `to`, in groups of about so
 * many items, and makes a question of it. */
void node_compare_ask(struct node *node, uint64_t from, uint64_t to,
                      unsigned group_items);
#define NODE_COMPARE_ITEMS 16u /* In a group of a resync. */
size_t node_compare_put(struct node *node, char *out, size_t room);
/* Errors: the peer answers what was not asked. */
MUST_CHECK int node_compare_take(struct node *node,
                                 const struct message *message);
/* Of what the answer covers: does the group of that hash differ; what does the
 * peer hold; is it that version, or a newer one? */
bool node_compare_covers(const struct node *node, uint64_t hash);
bool node_compare_differs(const struct node *node, uint64_t hash);
const struct node_listed *node_compare_find(const struct node *node,
                                            uint64_t hash);
bool node_compare_has(const struct node *node, uint64_t hash,
                      const struct engine_view *view);
/* Does the peer hold that version only in doubt, and is it not ours? */
bool node_compare_is_doubted(struct node *node,
                             const struct node_listed *listed);
bool node_compare_same_life(const struct node *node, uint32_t theirs,
                            uint32_t ours);
void node_answer_prepare(struct node *node, const struct message *question);
size_t node_answer_put(struct node *node, char *out, size_t room);

/* node_verify.c */
void node_verify_step(struct node *node);
/* The link is gone. */
void node_verify_end(struct node *node);

/* node_touch.c */
/* Does the peer take a longer life without the value? */
bool node_touch_is_known(const struct node *node);
/* Need it not be sent the value? */
bool node_touch_is_enough(const struct node *node,
                          const struct journal_reference *entry,
                          const struct engine_view *view);
enum node_added node_touch_add(struct node *node, struct codec_batch *batch,
                               const struct journal_reference *entry,
                               uint64_t number, const struct engine_view *view);
/* Asks the peer for what it holds of that key. False when there is no room. */
bool node_want(struct node *node, uint64_t hash);
size_t node_want_put(struct node *node, char *out, size_t room);
void node_want_take(struct node *node, const struct message *message);
void node_want_reset(struct node *node);

/* node_receive.c */
void node_receive_begin(struct node *node);
void node_receive_end(struct node *node);
/* Errors: the peer speaks nonsense. */
MUST_CHECK int node_receive(struct node *node, unsigned link,
                            struct message *message);
/* An error, and the words for the log. */
MUST_CHECK int node_nonsense(struct node *node, const char *what);

/* node_clock.c */
/* Is a version from no further ahead than that? Ours come after all that we
 * have seen. Were the bound a fixed one, whoever was once led up to it would be
 * above it for ever, and no node would listen to it any more; this one moves
 * on faster than versions are made. */
#define NODE_HORIZON_NS (400ull * 365 * 24 * 3600 * NS_PER_S)
bool node_can_follow(const struct node *node, stamp_t stamp);
MUST_CHECK int node_from_beyond(struct node *node);
MUST_CHECK int node_heartbeat_take(struct node *node,
                                   const struct message *message);
void node_offset_reset(struct node_offset *offset);
void node_offset_add(struct node_offset *offset, int64_t offset_ns,
                     uint64_t round_ns);
uint32_t node_local_expiry(const struct node *node, uint32_t expires_at_s);
void node_local_flush(const struct node *node, struct flush_state *flush);

#endif
