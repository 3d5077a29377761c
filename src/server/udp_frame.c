/* SPDX-License-Identifier: BSD-3-Clause */
/* Sequence number and reserved bytes of a request mean nothing, as in
 * memcached: only that it is one datagram does. */
#include "src/server/udp_frame.h"

#include "src/base/invariant.h"

_Static_assert(UDP_REPLY_MAX / UDP_PAYLOAD_MAX < UINT16_MAX,
               "a reply can be numbered");

static uint16_t read_u16(const char *at)
{
    const unsigned char *bytes = (const unsigned char *)at;

    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void write_u16(unsigned char *at, uint16_t value)
{
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
}

bool udp_frame_parse(struct slice datagram, uint16_t *id, struct slice *payload)
{
    if (datagram.size <= UDP_HEADER_BYTES || read_u16(datagram.data + 4) != 1)
        return false;
    *id = read_u16(datagram.data);
    *payload = slice_make(datagram.data + UDP_HEADER_BYTES,
                          datagram.size - UDP_HEADER_BYTES);
    return true;
}

uint16_t udp_frame_count(size_t reply_bytes)
{
    INVARIANT(reply_bytes > 0);
    INVARIANT(reply_bytes <= UDP_REPLY_MAX);

    return (uint16_t)((reply_bytes - 1) / UDP_PAYLOAD_MAX + 1);
}

void udp_frame_header(uint16_t id, uint16_t number, uint16_t count,
                      unsigned char out[UDP_HEADER_BYTES])
{
    INVARIANT(number < count);

    write_u16(out, id);
    write_u16(out + 2, number);
    write_u16(out + 4, count);
    write_u16(out + 6, 0);
}

struct slice udp_frame_part(struct slice reply, uint16_t number)
{
    size_t from = (size_t)number * UDP_PAYLOAD_MAX;
    size_t size = UDP_PAYLOAD_MAX;

    INVARIANT(from < reply.size);

    if (size > reply.size - from)
        size = reply.size - from;
    return slice_make(reply.data + from, size);
}
