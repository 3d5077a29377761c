/* SPDX-License-Identifier: BSD-3-Clause */
/* Values in replies. One up to VALUE_COPIED_MAX is copied while its bucket is
 * locked, which is cheaper than to hold it; a larger one is held and sent from
 * where it lies. */
#ifndef COMMAND_VALUE_H
#define COMMAND_VALUE_H

#include "src/base/number.h"
#include "src/command/thread.h"

#define VALUE_COPIED_MAX (8u * 1024)

/* Each writes at `at`, where there is room, and returns where it ended. */

static inline char *value_put_text(char *at, const char *text, size_t size)
{
    memcpy(at, text, size);
    return at + size;
}

/* Behind a blank. */
static inline char *value_put_number(char *at, uint64_t value)
{
    *at++ = ' ';
    if (value < 10) {
        *at = (char)('0' + value);
        return at + 1;
    }
    return at + number_write_u64(at, value);
}

/* The value of an open view. */
char *value_copy_bare(const struct command_thread *thread,
                      const struct engine_view *view, char *at);
/* The same and a CRLF. */
char *value_copy(const struct command_thread *thread,
                 const struct engine_view *view, char *at);

/* Lends the value to the sink, which releases the item.
 * Owns: takes over the caller's hold of the item. */
void value_borrow(struct command_thread *thread, struct item *item, size_t size,
                  struct sink *out);

#endif
