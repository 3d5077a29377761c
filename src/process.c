/* SPDX-License-Identifier: BSD-3-Clause */
/* The daemon as a process among others. */
#include "src/process.h"

#include "src/base/log.h"
#include "src/base/number.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define PID_PATH_MAX 4096
#define PID_TEXT_MAX 32
#define LATE_LINE_MAX 128

static int release_fd = -1;  /* The pipe to the parent that waits. */
static const char *pid_path; /* Of the pid file that is there. */
/* The first thread's, and the signal handlers'. */
static const char *volatile stop_awaits = "the log";

__attribute__((format(printf, 3, 4))) static int
fail(int status, char words[PROCESS_WORDS_MAX], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(words, PROCESS_WORDS_MAX, format, args);
    va_end(args);
    return status;
}

/* ---- user ---- */

static int refuse_user(const char *user, char words[PROCESS_WORDS_MAX])
{
    return fail(EX_NOUSER, words, "can't find the user %s to switch to", user);
}

int process_check_user(const char *user, char words[PROCESS_WORDS_MAX])
{
    if (geteuid() != 0)
        return 0;
    if (user == NULL)
        return fail(EX_USAGE, words,
                    "can't run as root without the -u switch: name a user, or "
                    "if it must be root, you must add '-u root'");
    return getpwnam(user) != NULL ? 0 : refuse_user(user, words);
}

int process_switch_user(const char *user, bool keep_cores,
                        char words[PROCESS_WORDS_MAX])
{
    const struct passwd *entry;

    if (geteuid() != 0 || user == NULL)
        return 0;
    entry = getpwnam(user);
    if (entry == NULL)
        return refuse_user(user, words);
    if (entry->pw_uid == 0)
        return 0;
    if (setgroups(0, NULL) != 0 || setgid(entry->pw_gid) != 0 ||
        setuid(entry->pw_uid) != 0)
        return fail(EX_OSERR, words, "cannot run as user \"%s\": %s", user,
                    strerror(errno));
    if (keep_cores)
        (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    return 0;
}

/* ---- limits ---- */

int process_need_fds(uint64_t count, char words[PROCESS_WORDS_MAX])
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return fail(EX_OSERR, words,
                    "cannot ask for the limit of open files: %s",
                    strerror(errno));
    if (limit.rlim_cur >= count)
        return 0;
    limit.rlim_cur = count;
    if (limit.rlim_max < count)
        limit.rlim_max = count;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return 0;
    return fail(EX_OSERR, words,
                "this process may not open the %llu files that -c asks for: "
                "start as root, raise the limit (ulimit -n) or lower -c",
                (unsigned long long)count);
}

int process_allow_cores(char words[PROCESS_WORDS_MAX])
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

    if (setrlimit(RLIMIT_CORE, &limit) == 0)
        return 0;
    if (getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max > 0) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_CORE, &limit) == 0)
            return 0;
    }
    return fail(EX_OSERR, words,
                "core files are not allowed here (ulimit -c): leave out -r");
}

void process_allow_lock(void)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

    (void)setrlimit(RLIMIT_MEMLOCK, &limit);
}

void process_lock_memory(void)
{
    /* Pages are locked as they are touched: item memory that is not in use
     * yet costs nothing. */
    if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0)
        log_error("warning: -k invalid, mlockall() failed: %s",
                  strerror(errno));
}

/* ---- background ---- */

/* The child's report: nothing but a byte when it is up. */
__attribute__((noreturn)) static void await_child(pid_t child, int fd)
{
    char up;
    ssize_t got;
    int status;

    do
        got = read(fd, &up, 1);
    while (got < 0 && errno == EINTR);
    if (got == 1)
        _exit(0);
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            _exit(EX_OSERR);
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE);
}

int process_detach(char words[PROCESS_WORDS_MAX])
{
    int fds[2];
    pid_t child;

    if (pipe2(fds, O_CLOEXEC) != 0)
        return fail(EX_OSERR, words, "cannot go to the background: %s",
                    strerror(errno));
    child = fork();
    if (child < 0)
        return fail(EX_OSERR, words, "cannot go to the background: %s",
                    strerror(errno));
    if (child > 0) {
        close(fds[1]);
        await_child(child, fds[0]);
    }
    close(fds[0]);
    release_fd = fds[1];
    (void)setsid();
    return 0;
}

static void silence(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return;
    (void)dup2(fd, STDIN_FILENO);
    (void)dup2(fd, STDOUT_FILENO);
    (void)dup2(fd, STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

void process_release(bool keep_output, bool keep_directory)
{
    ssize_t written;

    if (release_fd < 0)
        return;
    if (!keep_directory && chdir("/") != 0)
        log_error("warning: cannot change to /: %s", strerror(errno));
    if (!keep_output)
        silence();
    written = write(release_fd, "", 1);
    (void)written; /* Without a parent nobody waits. */
    close(release_fd);
    release_fd = -1;
}

/* ---- pid file ---- */

void process_give_file(int file, const char *user, const char *path)
{
    const struct passwd *entry = user != NULL ? getpwnam(user) : NULL;

    if (entry != NULL && geteuid() == 0 &&
        fchown(file, entry->pw_uid, entry->pw_gid) != 0)
        log_error("warning: cannot give %s to %s: %s", path, user,
                  strerror(errno));
}

static bool write_pid(const char *path, const char *user)
{
    FILE *file = fopen(path, "we");
    bool written;

    if (file == NULL)
        return false;
    process_give_file(fileno(file), user, path);
    written = fprintf(file, "%ld\n", (long)getpid()) > 0;
    return fclose(file) == 0 && written;
}

/* Two daemons with one pid file: the start-up script will lose one of them. */
static void warn_of_other(const char *path)
{
    char text[PID_TEXT_MAX] = "";
    FILE *file = fopen(path, "re");
    int64_t pid;

    if (file == NULL)
        return;
    if (fgets(text, sizeof(text), file) != NULL)
        text[strcspn(text, "\n")] = '\0';
    (void)fclose(file);
    if (number_i64(slice_of(text), &pid) == 0 && pid > 0 && pid <= INT32_MAX &&
        kill((pid_t)pid, 0) == 0)
        log_error("WARNING: The pid file contained the following (running) "
                  "pid: %s",
                  text);
}

/* Written aside and renamed, so that nobody reads half of it. */
void process_write_pid_file(const char *path, const char *user)
{
    char aside[PID_PATH_MAX];

    warn_of_other(path);
    (void)snprintf(aside, sizeof(aside), "%s.tmp", path);
    if (write_pid(aside, user) && rename(aside, path) == 0) {
        pid_path = path;
        return;
    }
    log_error("warning: cannot write the pid file %s: %s", path,
              strerror(errno));
    (void)unlink(aside);
}

void process_remove_pid_file(void)
{
    if (pid_path != NULL && unlink(pid_path) != 0)
        log_error("warning: cannot remove the pid file %s: %s", pid_path,
                  strerror(errno));
    pid_path = NULL;
}

/* ---- signals ---- */

static void stop_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGUSR1);
}

static void awaited_signals(sigset_t *set)
{
    stop_signals(set);
    sigaddset(set, SIGHUP);
}

void process_block_signals(void)
{
    sigset_t set;

    awaited_signals(&set);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

int process_await_signal(void)
{
    sigset_t set;
    int number;

    awaited_signals(&set);
    while (sigwait(&set, &number) != 0)
        continue;
    return number;
}

static void end_at_once(int number)
{
    if (pid_path != NULL)
        (void)unlink(pid_path);
    _exit(128 + number);
}

void process_allow_interrupt(void)
{
    const struct sigaction action = {.sa_handler = end_at_once};
    sigset_t set;

    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    stop_signals(&set);
    sigdelset(&set, SIGUSR1);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* ---- the limit of a stop ---- */

/* Nobody may read the log any more: that can be what the stop waits for. */
static bool log_has_room(void)
{
    struct pollfd log = {.fd = STDERR_FILENO, .events = POLLOUT};

    return poll(&log, 1, 0) == 1 && (log.revents & POLLOUT) != 0;
}

static void add(char *line, size_t *size, const char *text)
{
    while (*text != '\0' && *size < LATE_LINE_MAX)
        line[(*size)++] = *text++;
}

/* Whatever thread it interrupts may hold any lock, so nothing here takes
 * one. */
static void end_late(int number)
{
    char line[LATE_LINE_MAX];
    size_t size = 0;
    ssize_t written;

    (void)number;
    add(line, &size, "the stop took too long, still waiting for ");
    add(line, &size, stop_awaits);
    add(line, &size, ": ending without it\n");
    if (log_has_room()) {
        written = write(STDERR_FILENO, line, size);
        (void)written;
    }
    if (pid_path != NULL)
        (void)unlink(pid_path);
    _exit(EX_SOFTWARE);
}

static void set_alarm(uint64_t ms)
{
    const struct itimerval alarm = {
        .it_value = {.tv_sec = (time_t)(ms / 1000),
                     .tv_usec = (suseconds_t)(ms % 1000 * 1000)}};

    (void)setitimer(ITIMER_REAL, &alarm, NULL);
}

void process_limit_stop(uint64_t limit_ms)
{
    const struct sigaction action = {.sa_handler = end_late};

    (void)sigaction(SIGALRM, &action, NULL);
    set_alarm(limit_ms);
}

void process_stop_awaits(const char *what)
{
    stop_awaits = what;
}

void process_lift_limit(void)
{
    set_alarm(0);
}
