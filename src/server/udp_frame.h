/* SPDX-License-Identifier: BSD-3-Clause */
/* Datagrams of memcached's UDP protocol: each begins with eight bytes, big
 * endian.
 *
 *   [ request id 2 ][ number 2 ][ datagrams in all 2 ][ 0, reserved 2 ]
 *
 * A request is one datagram; a reply is a series numbered from 0. */
#ifndef SERVER_UDP_FRAME_H
#define SERVER_UDP_FRAME_H

#include "src/base/error.h"
#include "src/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define UDP_HEADER_BYTES 8
/* With its header: what the networks that people have pass undivided. */
#define UDP_DATAGRAM_MAX 1400
#define UDP_PAYLOAD_MAX (UDP_DATAGRAM_MAX - UDP_HEADER_BYTES)
/* Far below what 65,535 datagrams carry. */
#define UDP_REPLY_MAX (16u * 1024 * 1024)

/* False: not a request that is whole in one datagram; there is no answer to
 * it, lest others be flooded with answers in our name.
 * Owns: payload points into datagram. */
MUST_CHECK bool udp_frame_parse(struct slice datagram, uint16_t *id,
                                struct slice *payload);

/* How many datagrams a reply of 1 to UDP_REPLY_MAX bytes takes. */
uint16_t udp_frame_count(size_t reply_bytes);
void udp_frame_header(uint16_t id, uint16_t number, uint16_t count,
                      unsigned char out[UDP_HEADER_BYTES]);
/* The part of a reply that goes into the datagram of that number. */
struct slice udp_frame_part(struct slice reply, uint16_t number);

#endif
