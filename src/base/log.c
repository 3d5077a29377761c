/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines are put together on the stack and leave in one write(2): no lock, and
 * nothing to flush when the process dies. */
#include "src/base/log.h"

#include "src/base/invariant.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

static _Atomic int verbosity_now = LOG_LEVEL_QUIET;

/* Set before threads start, by tests. */
static log_sink_fn *sink;
static void *sink_ctx;

void log_set_sink(log_sink_fn *fn, void *ctx)
{
    sink = fn;
    sink_ctx = ctx;
}

void log_set_verbosity(int verbosity)
{
    atomic_store_explicit(&verbosity_now, verbosity, memory_order_relaxed);
}

int log_verbosity(void)
{
    return atomic_load_explicit(&verbosity_now, memory_order_relaxed);
}

/* A key in a line may hold any byte; none of them may forge a second line or
 * move the operator's cursor. */
static void blunt_controls(char *text, size_t size)
{
    size_t i;

    for (i = 0; i < size; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            text[i] = '?';
    }
}

static void write_all(const char *text, size_t size)
{
    ssize_t wrote;

    do {
        wrote = write(STDERR_FILENO, text, size);
        if (wrote > 0) {
            text += wrote;
            size -= (size_t)wrote;
        }
    } while (size > 0 && (wrote > 0 || (wrote < 0 && errno == EINTR)));
}

void log_line(enum log_level level, const char *format, ...)
{
    char line[LOG_LINE_MAX + 1]; /* And the newline in the NUL's place. */
    int saved_errno = errno;
    va_list args;
    size_t size;
    int wanted;

    if ((int)level > log_verbosity() && level > LOG_LEVEL_NOTICE)
        return;

    va_start(args, format);
    wanted = vsnprintf(line, LOG_LINE_MAX, format, args);
    va_end(args);
    INVARIANT(wanted >= 0);
    size = (size_t)wanted < LOG_LINE_MAX ? (size_t)wanted : LOG_LINE_MAX - 1;
    blunt_controls(line, size);

    if (sink != NULL) {
        sink(sink_ctx, level, line);
    } else {
        line[size] = '\n';
        write_all(line, size + 1);
    }
    errno = saved_errno;
}
