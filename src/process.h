/* SPDX-License-Identifier: BSD-3-Clause */
/* What a daemon does with its process: limits, user, background, pid file,
 * signals. Functions that can fail return 0 or the status to exit with, and a
 * sentence for the operator in words. */
#ifndef PROCESS_H
#define PROCESS_H

#include "src/base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define PROCESS_WORDS_MAX 512

/* Root must say as whom to run, and it must be somebody. Changes nothing. */
MUST_CHECK int process_check_user(const char *user,
                                  char words[PROCESS_WORDS_MAX]);
/* keep_cores: a process that changed its user still leaves a core file. */
MUST_CHECK int process_switch_user(const char *user, bool keep_cores,
                                   char words[PROCESS_WORDS_MAX]);
/* Room for that many descriptors. */
MUST_CHECK int process_need_fds(uint64_t count, char words[PROCESS_WORDS_MAX]);
MUST_CHECK int process_allow_cores(char words[PROCESS_WORDS_MAX]);
/* Asks for the right to lock memory, which only root may give itself. */
void process_allow_lock(void);
/* A warning when it cannot. After the threads have their stacks: the limit of
 * a user must not end the start. */
void process_lock_memory(void);

/* Goes to the background in two steps, so that what fails in between is
 * seen where the daemon was started: detach() returns in the child alone, the
 * parent waits; release() lets the parent exit with 0. When the child exits
 * instead, the parent exits with its status.
 * Before any thread, any event loop. */
MUST_CHECK int process_detach(char words[PROCESS_WORDS_MAX]);
void process_release(bool keep_output, bool keep_directory);

/* To the user that the daemon will run as, when it can; else a warning. */
void process_give_file(int file, const char *user, const char *path);

/* A warning when it cannot. Before the switch, the file then is the user's. */
void process_write_pid_file(const char *path, const char *user);
/* Removes what was written, if anything was. */
void process_remove_pid_file(void);

/* Blocks the signals that are awaited, here and in all threads made from now
 * on, and ignores those that mean nothing. */
void process_block_signals(void);
/* Waits for one of them: SIGHUP, or one that ends the daemon. */
int process_await_signal(void);
/* From now on one more of them ends the process at once. */
void process_allow_interrupt(void);

/* The stop may take so long from now on; then the process ends as it is, and
 * the last line of the log says what it was waiting for. */
void process_limit_stop(uint64_t limit_ms);
/* What that is now: words that live on, such as "its clients". */
void process_stop_awaits(const char *what);
/* The rest may take as long as it has to. */
void process_lift_limit(void);

#endif
