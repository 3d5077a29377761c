/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/command/value.h"

#include "src/base/invariant.h"

static inline char *copy_runs(const struct command_thread *thread,
                              const struct engine_view *view, char *at)
{
    struct engine_cursor cursor = {.part = NULL};
    size_t offset = 0;

    while (offset < view->value_size) {
        struct slice run = engine_item_bytes_on(thread->engine_thread,
                                                view->item, offset, &cursor);

        INVARIANT(run.size > 0);
        at = value_put_text(at, run.data, run.size);
        offset += run.size;
    }
    return at;
}

char *value_copy_bare(const struct command_thread *thread,
                      const struct engine_view *view, char *at)
{
    return copy_runs(thread, view, at);
}

char *value_copy(const struct command_thread *thread,
                 const struct engine_view *view, char *at)
{
    at = copy_runs(thread, view, at);
    return value_put_text(at, "\r\n", 2);
}

static void release_item(void *ctx, void *owner)
{
    struct item *item = owner;

    engine_item_release(ctx, &item);
}

void value_borrow(struct command_thread *thread, struct item *item, size_t size,
                  struct sink *out)
{
    struct engine_cursor cursor = {.part = NULL};
    size_t offset = 0;

    while (offset < size) {
        struct slice run =
            engine_item_bytes_on(thread->engine_thread, item, offset, &cursor);

        INVARIANT(run.size > 0);
        offset += run.size;
        sink_borrow(out, run, offset == size ? release_item : NULL,
                    thread->engine_thread, item);
    }
}
