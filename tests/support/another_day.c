/* The clock of a process moved by the seconds in MOVE_CLOCK: preloaded by what another_day.py starts.

   Only the clock of dates is moved; clocks that measure, and the times of files, are real. Nothing here takes a lock or
   allocates, so it is safe in threads, after fork and in signal handlers. libfaketime is not: its wait on a condition
   and its clock take locks, which a child of fork() may find taken for ever (its issues 331 and 419). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t moved;
static int (*cond_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
static int (*semaphore_timedwait)(sem_t *, const struct timespec *);

__attribute__((constructor)) static void start(void)
{
    const char *seconds = getenv("MOVE_CLOCK");
    moved = seconds ? atol(seconds) : 0;
}

static int is_of_dates(clockid_t clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    if (!failed && is_of_dates(clock))
        now->tv_sec += moved;
    return failed;
}

int gettimeofday(struct timeval *now, void *zone)
{
    (void)zone;
    struct timespec exact;
    int failed = clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return failed;
}

time_t time(time_t *also)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (also)
        *also = now.tv_sec;
    return now.tv_sec;
}

/* A deadline computed with the moved clock, as the kernel's clock has it. One of the monotonic clock, which counts from
   the machine's start, is years away from any date and stays as it is. */
static struct timespec in_real_time(const struct timespec *deadline)
{
    const time_t a_year = 365 * 24 * 3600;
    struct timespec real = *deadline, now;
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
    if (real.tv_sec > now.tv_sec - a_year)
        real.tv_sec -= moved;
    return real;
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *deadline)
{
    if (!cond_timedwait)
        cond_timedwait = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2"); /* not the one of 2.2.5 */
    struct timespec real = in_real_time(deadline);
    return cond_timedwait(condition, mutex, &real);
}

int sem_timedwait(sem_t *semaphore, const struct timespec *deadline)
{
    if (!semaphore_timedwait)
        semaphore_timedwait = dlsym(RTLD_NEXT, "sem_timedwait");
    struct timespec real = in_real_time(deadline);
    return semaphore_timedwait(semaphore, &real);
}
