/* SPDX-License-Identifier: BSD-3-Clause */
/* A session against a real cache: however the input is cut, however slowly
 * the replies are taken, they are the same. The first four bytes say how; the
 * rest is what the client sends. */
#include "tests/fuzz/play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct session_config session = {0};
    static const struct play play = {.session = &session};

    play_twice(&play, data, size);
    return 0;
}
