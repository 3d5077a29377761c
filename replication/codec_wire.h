/* SPDX-License-Identifier: BSD-3-Clause */
/* Short names for what protoc-c makes of proto/replication.proto. */
#ifndef REPLICATION_CODEC_WIRE_H
#define REPLICATION_CODEC_WIRE_H

#include "proto/replication.pb-c.h"

#define WIRE(Name) Twincached__Replication__##Name
#define WIRE_INIT(name, wire) twincached__replication__##name##__init(wire)
#define WIRE_TYPE(name) (&twincached__replication__##name##__descriptor)

#endif
