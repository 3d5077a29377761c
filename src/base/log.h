/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines for the operator, to stderr (and to syslog by whoever redirects it).
 * One line is one write, so lines of several threads never mix. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#define LOG_LINE_MAX 1024

/* What is shown: errors and notices always; the rest as -v, -vv, -vvv ask. */
enum log_level {
    LOG_LEVEL_ERROR = -2,
    LOG_LEVEL_NOTICE = -1, /* Roles, resyncs: what an operator must see. */
    LOG_LEVEL_QUIET = 0,
    LOG_LEVEL_V = 1,
    LOG_LEVEL_VV = 2,
    LOG_LEVEL_VVV = 3,
};

/* Sends lines somewhere else than stderr; NULL restores. For tests. */
typedef void log_sink_fn(void *ctx, enum log_level level, const char *line);
void log_set_sink(log_sink_fn *fn, void *ctx);

/* Thread: any, at any time (the `verbosity` command changes it). */
void log_set_verbosity(int verbosity);
int log_verbosity(void);

__attribute__((format(printf, 2, 3))) void
log_line(enum log_level level, const char *format, ...);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_notice(...) log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_v(level, ...) \
    do { \
        if (log_verbosity() >= (int)(level)) \
            log_line((level), __VA_ARGS__); \
    } while (0)

#endif
