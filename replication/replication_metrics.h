/* SPDX-License-Identifier: BSD-3-Clause */
/* The lines of `stats replication`, in their order: name without its repl_,
 * kind, and what it means. The kinds: NUMBER and SIGNED are fields of struct
 * node_status, the others are words made of it. README.md explains every one of
 * them, which a test holds it to. */
#ifndef REPLICATION_REPLICATION_METRICS_H
#define REPLICATION_REPLICATION_METRICS_H

#define REPLICATION_METRICS(X) \
    X(role, ROLE, "Who made the link") \
    X(state, STATE, "How the pair is") \
    X(peer, PEER, "The other node") \
    X(gen, HEX, "Number of this node's data") \
    X(link_up_s, NUMBER, "Age of the link") \
    X(reconnects, NUMBER, "Links after the first") \
    X(seq_next, NUMBER, "Number of our next change") \
    X(seq_sent, NUMBER, "The peer was sent all up to here") \
    X(seq_acked, NUMBER, "The peer has confirmed all up to here") \
    X(seq_applied, NUMBER, "We have the peer's up to here") \
    X(lag_ops, NUMBER, "Changes the peer has not confirmed") \
    X(lag_bytes, NUMBER, "About so many bytes") \
    X(lag_ms, NUMBER, "For how long the oldest of them waits") \
    X(lag_us, NUMBER, "The same, finer") \
    X(lag_us_p50, NUMBER, "From change to confirmation, median") \
    X(lag_us_p99, NUMBER, "The same, 99 of 100") \
    X(lag_us_max, NUMBER, "The same, the longest") \
    X(apply_us_p99, NUMBER, "To apply what came in at once, 99 of 100") \
    X(resync_kind, RESYNC, "The present or last catching up, either way") \
    X(resync_items_done, NUMBER, "Items of it so far") \
    X(resync_items_total, NUMBER, "Of so many at most") \
    X(resync_bytes, NUMBER, "Bytes of it so far") \
    X(resync_seconds, SECONDS, "How long it takes or took") \
    X(full_total, NUMBER, "Catchings up with everything, either way") \
    X(delta_total, NUMBER, "The same with what may have changed") \
    X(digest_total, NUMBER, "The same with what digests tell apart") \
    X(continue_total, NUMBER, "The same with the log alone") \
    X(tombstones, NUMBER, "Removals remembered for the peer") \
    X(tombstone_overflows, NUMBER, "Those that found no room") \
    X(floor_drops, NUMBER, "Items refused for such a removal") \
    X(dirty_buckets, NUMBER, "Parts of the keys the peer may lack") \
    X(conflicts, NUMBER, "Writes on both nodes at once") \
    X(conflicts_won, NUMBER, "Ours stayed") \
    X(conflicts_lost, NUMBER, "The peer's came over ours") \
    X(sent, NUMBER, "Changes and items sent") \
    X(applied, NUMBER, "The same, received and kept") \
    X(rejected_old, NUMBER, "Received and older than what is here") \
    X(touches, NUMBER, "Longer lives sent without their values") \
    X(wanted, NUMBER, "Values asked for because they were gone here") \
    X(ring_size, NUMBER, "Changes the log has room for") \
    X(ring_used, NUMBER, "Those of them not confirmed") \
    X(bytes_in, NUMBER, "Received") \
    X(bytes_out, NUMBER, "Sent") \
    X(clock_offset_us, SIGNED, "The peer's clock minus ours") \
    X(refused, NUMBER, "Connections turned away") \
    X(digest_checked, NUMBER, "Groups of keys that were compared") \
    X(digest_mismatch, NUMBER, "Those of them that differed") \
    X(semisync_on, NUMBER, "1: replies that are to wait for the peer do") \
    X(semisync_waits, NUMBER, "Times that replies were held back") \
    X(semisync_timeouts, NUMBER, "Those of them that took too long") \
    X(semisync_unconfirmed, NUMBER, "Times that they went out without") \
    X(fetches, NUMBER, "Keys asked of the peer while joining") \
    X(fetch_hits, NUMBER, "Those of them that the peer had") \
    X(fetch_timeouts, NUMBER, "Those that took too long") \
    X(tls, TLS, "What secures the link")

#endif
