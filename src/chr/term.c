/* SPDX-License-Identifier: Apache-2.0 */
/* term.c: raw mode for the console's terminal, undone whatever happens */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>

#include "mote/base.h"
#include "mote/log.h"

#include "term.h"

/* fd is claimed by whoever restores first: main, exit() or a handler. */
static struct {
    _Atomic(int) fd; /* -1: nothing to restore */
    struct termios saved;
    struct sigaction old[NSIG];
    bool installed;
} term_state = {.fd = -1};

/* Signals that end a process. SIGKILL and SIGSTOP cannot be caught. */
static const int term_signals[] = {
    SIGSEGV, SIGBUS,  SIGILL,  SIGFPE,  SIGTRAP, SIGABRT,
    SIGSYS,  SIGTERM, SIGINT,  SIGHUP,  SIGQUIT, SIGXCPU,
    SIGXFSZ, SIGALRM, SIGPIPE, SIGUSR1, SIGUSR2,
};

void term_restore(void)
{
    int fd = atomic_exchange(&term_state.fd, -1);
    sigset_t ttou, old;

    if (fd < 0)
        return;
    /* A process in the background is stopped by SIGTTOU for changing the
     * terminal, unless it blocks that signal. */
    sigemptyset(&ttou);
    sigaddset(&ttou, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &ttou, &old);
    tcsetattr(fd, TCSANOW, &term_state.saved);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* The kernel raised it for the instruction that will now be run again. */
static bool term_signal_repeats(const siginfo_t *si)
{
    return si->si_code > 0 &&
           (si->si_signo == SIGSEGV || si->si_signo == SIGBUS ||
            si->si_signo == SIGILL || si->si_signo == SIGFPE);
}

/* Restore, then die as if this handler had never been there. */
static void term_on_signal(int sig, siginfo_t *si, void *context)
{
    int saved = errno;

    term_restore();
    sigaction(sig, &term_state.old[sig], NULL);
    if (!term_signal_repeats(si))
        raise(sig); /* blocked here, so delivered on return */
    errno = saved;
}

/* Signals that somebody ignores or serves already are left to him, but for
 * those that report a crash (a sanitizer's): he comes second there. */
static bool term_signal_wanted(int sig, const struct sigaction *old)
{
    if (old->sa_handler == SIG_DFL)
        return true;
    if (old->sa_handler == SIG_IGN || sig == SIGFPE)
        return false;
    return sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGABRT;
}

/* A child has nothing to restore, and dies of a signal without a handler's
 * system calls, which its filter may not allow. */
static void term_forked(void)
{
    struct sigaction now;

    atomic_store(&term_state.fd, -1);
    for (size_t i = 0; i < ARRAY_SIZE(term_signals); i++)
        if (sigaction(term_signals[i], NULL, &now) == 0 &&
            now.sa_sigaction == term_on_signal)
            sigaction(term_signals[i], &term_state.old[term_signals[i]], NULL);
}

static void term_install(void)
{
    struct sigaction sa = {
        .sa_sigaction = term_on_signal,
        .sa_flags = SA_SIGINFO | SA_ONSTACK,
    };

    if (term_state.installed)
        return;
    term_state.installed = true;
    atexit(term_restore);
    pthread_atfork(NULL, NULL, term_forked);
    sigfillset(&sa.sa_mask);
    for (size_t i = 0; i < ARRAY_SIZE(term_signals); i++) {
        struct sigaction *old = &term_state.old[term_signals[i]];

        sigaction(term_signals[i], NULL, old);
        if (term_signal_wanted(term_signals[i], old))
            sigaction(term_signals[i], &sa, NULL);
    }
}

int term_raw(int fd)
{
    struct termios raw;

    if (tcgetattr(fd, &term_state.saved) < 0)
        return fail(-errno, "console: terminal settings");
    raw = term_state.saved;
    cfmakeraw(&raw);
    /* mote's own lines on stderr end in a bare \n, so output stays cooked. */
    raw.c_oflag |= OPOST;
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    term_install();
    atomic_store(&term_state.fd, fd);
    if (tcsetattr(fd, TCSANOW, &raw) < 0) {
        atomic_store(&term_state.fd, -1);
        return fail(-errno, "console: raw terminal mode");
    }
    return 0;
}
