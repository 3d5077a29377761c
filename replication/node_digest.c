/* SPDX-License-Identifier: BSD-3-Clause */
/* Two nodes that both hold much and do not know what of it is the same compare
 * digests: of a range of hashes, cut into groups of some items each, one says
 * what it has; the other looks, and names the groups that differ with the
 * versions that it holds there. So what is the same costs a byte an item.
 *
 * Digests are made when they are asked for, by a scan: that costs some
 * milliseconds a question, on the replication thread, and nothing where
 * changes are made. Nothing has to stand still meanwhile: what changes between
 * two looks makes a group differ that would not need to. */
#include "replication/node_inner.h"

#include "replication/core/rules.h"
#include "src/base/invariant.h"

#include <stdlib.h>

#define LOOK_ITEMS_MAX 131072u /* Looked at for one question. */
#define ANSWER_ITEMS_MIN (MESSAGE_LIST_MAX / 2)

_Static_assert(LOOK_ITEMS_MAX > MESSAGE_LIST_MAX,
               "who looks at all that, and not at a whole group, has a list");

/* ---- groups ---- */

static size_t group_of(const struct node_groups *groups, uint64_t hash)
{
    return groups->count == 1 ? 0
                              : (size_t)((hash - groups->from) / groups->width);
}

static void cut(struct node_groups *groups, uint64_t from, uint64_t to,
                size_t count)
{
    groups->from = from;
    groups->to = to;
    groups->count = count;
    groups->width = count > 1 ? (to - from) / count + 1 : 0;
    memset(groups->sums, 0, sizeof(groups->sums));
    memset(groups->counts, 0, sizeof(groups->counts));
}

/* splitmix64's last steps, over all that a version is known by. */
static uint64_t digest_of(uint64_t hash, const struct engine_view *view)
{
    uint64_t x = hash ^ (view->stamp * 0x9E3779B97F4A7C15ull);

    x ^= (uint64_t)view->expires_at_s * 0xD1B54A32D192ED03ull;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
    return x ^ (x >> 31);
}

static bool sum_up(void *ctx, uint64_t hash, struct engine_view *view)
{
    struct node_groups *groups = ctx;
    size_t group = group_of(groups, hash);

    groups->sums[group] ^= digest_of(hash, view);
    groups->counts[group]++;
    return true;
}

uint64_t node_groups_look(struct node *node, struct node_groups *groups,
                          uint64_t from, uint64_t to, size_t count)
{
    bool done = false;
    uint64_t next;
    size_t group;

    cut(groups, from, to, count);
    next = engine_scan(node->thread, from, to, LOOK_ITEMS_MAX, sum_up, groups,
                       &done);
    if (done)
        return groups->to;
    group = group_of(groups, next);
    if (group == 0)
        return next - 1;
    return groups->from + (uint64_t)group * groups->width - 1;
}

/* ---- asking ---- */

/* How many items a range of hashes holds, on the node that has more. */
static uint64_t items_in(const struct node *node, uint64_t from, uint64_t to)
{
    uint64_t items = engine_items(node->config.engine);

    if (items < node->theirs.items)
        items = node->theirs.items;
    if (items > UINT32_MAX)
        items = UINT32_MAX;
    return (items * ((to - from) >> 32) >> 32) + 1;
}

void node_compare_ask(struct node *node, uint64_t from, uint64_t to,
                      unsigned group_items)
{
    struct node_compare *compare = &node->compare;
    const uint64_t items_max = (uint64_t)MESSAGE_GROUPS_MAX * group_items;
    uint64_t items = items_in(node, from, to);

    INVARIANT(compare->state != NODE_COMPARE_ASKED);
    if (items > items_max) {
        to = from + (to - from) / (items / items_max + 1);
        items = items_max;
    }
    (void)node_groups_look(node, &compare->ours, from, to,
                           (size_t)(items / group_items) + (items < items_max));
    compare->state = NODE_COMPARE_ASKED;
    compare->ask_due = true;
}

size_t node_compare_put(struct node *node, char *out, size_t room)
{
    struct node_compare *compare = &node->compare;
    struct message message = {.type = MESSAGE_DIGEST};
    size_t bytes;

    if (!compare->ask_due)
        return 0;
    message.digest.from = compare->ours.from;
    message.digest.to = compare->ours.to;
    message.digest.sums = compare->ours.sums;
    message.digest.counts = compare->ours.counts;
    message.digest.count = compare->ours.count;
    bytes = codec_encode(node->codec, &message, out, room);
    compare->ask_due = bytes == 0;
    return bytes;
}

/* The last hash of the first group. */
static uint64_t first_group_end(const struct node_groups *groups)
{
    return groups->count == 1 ? groups->to : groups->from + groups->width - 1;
}

/* An answer covers a group at least, or lists as much as goes into it: or
 * whoever asks on would never come to an end. */
static bool is_answer(const struct node_compare *compare,
                      const struct message *message)
{
    const size_t groups_count = message->differ.groups_count;

    return compare->state == NODE_COMPARE_ASKED && !compare->ask_due &&
           message->differ.from == compare->ours.from &&
           message->differ.through <= compare->ours.to &&
           (groups_count == 0 ||
            message->differ.groups[groups_count - 1] < compare->ours.count) &&
           (message->differ.through >= first_group_end(&compare->ours) ||
            message->differ.items_count >= ANSWER_ITEMS_MIN);
}

int node_compare_take(struct node *node, const struct message *message)
{
    struct node_compare *compare = &node->compare;
    const size_t groups_count = message->differ.groups_count;

    if (!is_answer(compare, message))
        return node_nonsense(node, "an answer to what was not asked");
    memset(compare->differ, 0, sizeof(compare->differ));
    for (size_t i = 0; i < groups_count; i++) {
        uint32_t group = message->differ.groups[i];

        if (RULE(COMPARE))
            compare->differ[group / 64] |= (uint64_t)1 << group % 64;
    }
    for (size_t i = 0; i < message->differ.items_count; i++)
        compare->items[i] = (struct node_listed){message->differ.hashes[i],
                                                 message->differ.stamps[i],
                                                 message->differ.expiries[i]};
    compare->items_count = message->differ.items_count;
    compare->groups_differ = groups_count;
    compare->through = message->differ.through;
    compare->last = message->differ.last;
    compare->behind = message->differ.behind;
    compare->state = NODE_COMPARE_ANSWERED;
    node->digest_checked += compare->ours.count;
    node->digest_mismatch += groups_count;
    return 0;
}

bool node_compare_covers(const struct node *node, uint64_t hash)
{
    const struct node_compare *compare = &node->compare;

    return compare->state == NODE_COMPARE_ANSWERED &&
           hash >= compare->ours.from && hash <= compare->through;
}

bool node_compare_differs(const struct node *node, uint64_t hash)
{
    size_t group = group_of(&node->compare.ours, hash);

    return (node->compare.differ[group / 64] >> group % 64) & 1;
}

static int by_hash(const void *key, const void *item)
{
    uint64_t hash = *(const uint64_t *)key;
    const struct node_listed *listed = item;

    return hash < listed->hash ? -1 : hash > listed->hash;
}

const struct node_listed *node_compare_find(const struct node *node,
                                            uint64_t hash)
{
    const struct node_compare *compare = &node->compare;

    if (compare->items_count == 0)
        return NULL;
    return bsearch(&hash, compare->items, compare->items_count,
                   sizeof(compare->items[0]), by_hash);
}

/* Ends of lives on clocks that are apart are rounded to a second. */
static bool lives_as_long(const struct node *node, uint32_t theirs,
                          uint32_t ours)
{
    uint32_t slack = llabs(node->offset.best_ns) >= (int64_t)(NS_PER_S / 2);

    if (theirs == 0 || ours == 0)
        return theirs == 0;
    return (uint64_t)node_local_expiry(node, theirs) + slack >= ours;
}

bool node_compare_same_life(const struct node *node, uint32_t theirs,
                            uint32_t ours)
{
    uint32_t slack = llabs(node->offset.best_ns) >= (int64_t)(NS_PER_S / 2);
    uint32_t local = node_local_expiry(node, theirs);

    if (theirs == 0 || ours == 0)
        return theirs == ours;
    return local > ours ? local - ours <= slack : ours - local <= slack;
}

static bool is_doubted(const struct node *node, stamp_t stamp)
{
    return stamp <= node->theirs.doubted && RULE(DOUBT);
}

bool node_compare_is_doubted(struct node *node,
                             const struct node_listed *listed)
{
    struct engine_view view;
    bool ours;

    if (!is_doubted(node, listed->stamp))
        return false;
    if (!engine_find(node->thread, listed->hash, &view))
        return true;
    ours = view.stamp >= listed->stamp;
    engine_view_end(node->thread, &view);
    return !ours;
}

bool node_compare_has(const struct node *node, uint64_t hash,
                      const struct engine_view *view)
{
    const struct node_listed *listed;

    if (!node_compare_differs(node, hash))
        return true;
    listed = node_compare_find(node, hash);
    if (listed == NULL)
        return false;
    if (!RULE(LISTED))
        return true;
    if (listed->stamp != view->stamp)
        return listed->stamp > view->stamp && !is_doubted(node, listed->stamp);
    return lives_as_long(node, listed->expires_at_s, view->expires_at_s);
}

/* ---- answering ---- */

static size_t find_differing(const struct node_groups *ours,
                             const struct message *question, size_t last_group,
                             uint32_t *groups)
{
    size_t count = 0;

    for (size_t i = 0; i <= last_group; i++) {
        if (ours->sums[i] != question->digest.sums[i] ||
            ours->counts[i] != question->digest.counts[i])
            groups[count++] = (uint32_t)i;
    }
    return count;
}

struct listing {
    const struct node_groups *groups;
    struct node_listed *items;
    size_t count;
    bool differs[MESSAGE_GROUPS_MAX];
};

static bool list_item(void *ctx, uint64_t hash, struct engine_view *view)
{
    struct listing *listing = ctx;

    if (!listing->differs[group_of(listing->groups, hash)])
        return true;
    if (listing->count == MESSAGE_LIST_MAX)
        return false;
    listing->items[listing->count++] =
        (struct node_listed){hash, view->stamp, view->expires_at_s};
    return true;
}

static int listed_by_hash(const void *a, const void *b)
{
    const struct node_listed *left = a;
    const struct node_listed *right = b;

    return left->hash < right->hash ? -1 : left->hash > right->hash;
}

/* Notes down what is held in the groups that differ; returns how far it came.
 */
static uint64_t list_items(struct node *node, struct listing *listing,
                           uint64_t through)
{
    const uint64_t from = listing->groups->from;
    bool done = false;
    uint64_t next = engine_scan(node->thread, from, through, SIZE_MAX,
                                list_item, listing, &done);

    while (!done && next <= from) {
        /* More in one bucket of the table than fits: a part of it. */
        INVARIANT(through > from);
        through = from + (through - from) / 2;
        listing->count = 0;
        next = engine_scan(node->thread, from, through, SIZE_MAX, list_item,
                           listing, &done);
    }
    if (!done)
        through = next - 1;
    qsort(listing->items, listing->count, sizeof(listing->items[0]),
          listed_by_hash);
    while (listing->count > 0 &&
           listing->items[listing->count - 1].hash > through)
        listing->count--;
    return through;
}

void node_answer_prepare(struct node *node, const struct message *question)
{
    struct node_answer *answer = &node->answer;
    struct node_groups *ours = &answer->ours;
    struct listing listing = {.groups = ours, .items = answer->items};
    struct journal_figures log;

    /* Before looking: what is recorded later may or may not be seen. */
    journal_figures(node->log, &log);
    answer->last = log.last;
    answer->behind = log.dirty_buckets > 0;
    answer->through =
        node_groups_look(node, ours, question->digest.from, question->digest.to,
                         question->digest.count);
    answer->groups_count = find_differing(
        ours, question, group_of(ours, answer->through), answer->groups);
    for (size_t i = 0; i < answer->groups_count; i++)
        listing.differs[answer->groups[i]] = true;
    if (answer->groups_count > 0)
        answer->through = list_items(node, &listing, answer->through);
    answer->items_count = listing.count;
    answer->due = true;
}

static void fill_answer(struct node_answer *answer, struct message *message)
{
    for (size_t i = 0; i < answer->items_count; i++) {
        answer->hashes[i] = answer->items[i].hash;
        answer->stamps[i] = answer->items[i].stamp;
        answer->expiries[i] = answer->items[i].expires_at_s;
    }
    message->differ.from = answer->ours.from;
    message->differ.through = answer->through;
    message->differ.groups = answer->groups;
    message->differ.groups_count = answer->groups_count;
    message->differ.hashes = answer->hashes;
    message->differ.stamps = answer->stamps;
    message->differ.expiries = answer->expiries;
    message->differ.items_count = answer->items_count;
    message->differ.last = answer->last;
    message->differ.behind = answer->behind;
}

size_t node_answer_put(struct node *node, char *out, size_t room)
{
    struct message message = {.type = MESSAGE_DIFFER};
    size_t bytes;

    if (!node->answer.due)
        return 0;
    fill_answer(&node->answer, &message);
    bytes = codec_encode(node->codec, &message, out, room);
    node->answer.due = bytes == 0;
    return bytes;
}

/* ---- a link ---- */

bool node_compare_is_known(const struct node *node)
{
    return node_both_know(node, MESSAGE_FEATURE_DIGEST);
}

bool node_compare_is_wanted(const struct node *node)
{
    uint64_t items = engine_items(node->config.engine);

    /* Where the peer has next to nothing, sending all costs less. */
    return node_compare_is_known(node) && items > 0 && node->theirs.items > 0 &&
           node->theirs.items >= items / 8;
}

void node_compare_reset(struct node *node)
{
    node->compare.state = NODE_COMPARE_IDLE;
    node->compare.ask_due = false;
    node->answer.due = false;
}
