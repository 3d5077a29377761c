/* SPDX-License-Identifier: BSD-3-Clause */
/* Short names for what protoc-c makes of proto/replication.proto. */
#ifndef REPLICATION_CODEC_WIRE_H
#define REPLICATION_CODEC_WIRE_H

#include "proto/replication.pb-c.h"
#include "src/base/cursor.h"
#include "src/base/slice.h"

struct codec;

#define WIRE(Name) Twincached__Replication__##Name
#define WIRE_INIT(name, wire) twincached__replication__##name##__init(wire)
#define WIRE_TYPE(name) (&twincached__replication__##name##__descriptor)

/* The generated struct, in the codec's memory; or NULL and the reason in
 * *error. */
const void *codec_unpack(struct codec *codec,
                         const ProtobufCMessageDescriptor *type,
                         struct slice bytes, int *error);
void codec_pack(const ProtobufCMessage *wire, struct writer *out);

/* The generated structs know no const, though packing only reads. */
static inline void codec_lend(void *to, const void *numbers)
{
    memcpy(to, &numbers, sizeof(numbers));
}

#endif
