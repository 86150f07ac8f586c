/* ernn_threads.c: threads that wait for work, with POSIX threads or those of Windows.  Nothing is
 * allocated after ernn_pool_start. */

#if defined(__STRICT_ANSI__) && !defined(_POSIX_C_SOURCE) && !defined(__APPLE__)
#define _POSIX_C_SOURCE 200809L /* -std=c99 hides threads and signals */
#endif

#include "ernn_threads.h"

#if ERNN_HAS_THREADS

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

typedef SRWLOCK pool_mutex;
typedef CONDITION_VARIABLE pool_event;
typedef HANDLE pool_thread;

static void pool_prepare(pool_mutex *mutex, pool_event *wake, pool_event *done) {
  InitializeSRWLock(mutex);
  InitializeConditionVariable(wake);
  InitializeConditionVariable(done);
}

static void pool_forget(pool_mutex *mutex, pool_event *wake, pool_event *done) {
  (void)mutex, (void)wake, (void)done; /* which hold nothing */
}

static void pool_lock(pool_mutex *mutex) { AcquireSRWLockExclusive(mutex); }
static void pool_unlock(pool_mutex *mutex) { ReleaseSRWLockExclusive(mutex); }
static void pool_wait(pool_event *event, pool_mutex *mutex) {
  SleepConditionVariableSRW(event, mutex, INFINITE, 0);
}
static void pool_signal(pool_event *event) { WakeAllConditionVariable(event); }
static long pool_process(void) { return (long)GetCurrentProcessId(); }

#else
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

typedef pthread_mutex_t pool_mutex;
typedef pthread_cond_t pool_event;
typedef pthread_t pool_thread;

static void pool_prepare(pool_mutex *mutex, pool_event *wake, pool_event *done) {
  pthread_mutex_init(mutex, NULL);
  pthread_cond_init(wake, NULL);
  pthread_cond_init(done, NULL);
}

static void pool_forget(pool_mutex *mutex, pool_event *wake, pool_event *done) {
  pthread_mutex_destroy(mutex);
  pthread_cond_destroy(wake);
  pthread_cond_destroy(done);
}

static void pool_lock(pool_mutex *mutex) { pthread_mutex_lock(mutex); }
static void pool_unlock(pool_mutex *mutex) { pthread_mutex_unlock(mutex); }
static void pool_wait(pool_event *event, pool_mutex *mutex) { pthread_cond_wait(event, mutex); }
static void pool_signal(pool_event *event) { pthread_cond_broadcast(event); }
static long pool_process(void) { return (long)getpid(); }

#endif

typedef struct pool_helper {
  pool_thread thread;
  ernn_pool *pool;
  uint32_t index;
} pool_helper;

struct ernn_pool {
  pool_mutex mutex;
  pool_event wake, done;
  ernn_share *share; /* of the round at hand */
  void *of;
  uint32_t helpers, left; /* those that run; those that are not done with this round */
  uint32_t round, stops;
  long process; /* that started them */
  pool_helper helper[];
};

size_t ernn_pool_bytes(uint32_t threads) {
  return ernn_aligned(sizeof(ernn_pool) + (threads - 1) * sizeof(pool_helper));
}

static void help(pool_helper *helper) {
  ernn_pool *pool = helper->pool;
  uint32_t seen = 0;
  pool_lock(&pool->mutex);
  for (;;) {
    while (pool->round == seen && !pool->stops) pool_wait(&pool->wake, &pool->mutex);
    if (pool->stops) break;
    seen = pool->round;
    ernn_share *share = pool->share;
    void *of = pool->of;
    pool_unlock(&pool->mutex);
    share(of, helper->index);
    pool_lock(&pool->mutex);
    if (--pool->left == 0) pool_signal(&pool->done);
  }
  pool_unlock(&pool->mutex);
}

#if defined(_WIN32)

static DWORD WINAPI help_thread(void *helper) {
  help((pool_helper *)helper);
  return 0;
}

static int pool_begin(pool_helper *helper) {
  helper->thread = CreateThread(NULL, 0, help_thread, helper, 0, NULL);
  return helper->thread != NULL;
}

static void pool_join(pool_helper *helper) {
  WaitForSingleObject(helper->thread, INFINITE);
  CloseHandle(helper->thread);
}

#else

static void *help_thread(void *helper) {
  help((pool_helper *)helper);
  return NULL;
}

/* Without signals: they are for the program's own threads. */
static int pool_begin(pool_helper *helper) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int refused = pthread_create(&helper->thread, NULL, help_thread, helper);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return refused == 0;
}

static void pool_join(pool_helper *helper) { pthread_join(helper->thread, NULL); }

#endif

ernn_status ernn_pool_start(ernn_pool **pool, void *memory, uint32_t threads) {
  ernn_pool *made = (ernn_pool *)memory;
  made->process = pool_process();
  pool_prepare(&made->mutex, &made->wake, &made->done);
  for (uint32_t i = 1; i < threads; i++) {
    pool_helper *helper = made->helper + i - 1;
    helper->pool = made;
    helper->index = i;
    if (!pool_begin(helper)) {
      ernn_pool_stop(made);
      return ERNN_THREAD_REFUSED;
    }
    made->helpers = i;
  }
  *pool = made;
  return ERNN_OK;
}

void ernn_pool_run(ernn_pool *pool, ernn_share *share, void *of) {
  if (pool_process() != pool->process) {
    for (uint32_t i = 0; i <= pool->helpers; i++) share(of, i);
    return;
  }
  pool_lock(&pool->mutex);
  pool->share = share;
  pool->of = of;
  pool->left = pool->helpers;
  pool->round++;
  pool_signal(&pool->wake);
  pool_unlock(&pool->mutex);
  share(of, 0);
  pool_lock(&pool->mutex);
  while (pool->left > 0) pool_wait(&pool->done, &pool->mutex);
  pool_unlock(&pool->mutex);
}

void ernn_pool_stop(ernn_pool *pool) {
  if (pool_process() != pool->process) return;
  pool_lock(&pool->mutex);
  pool->stops = 1;
  pool_signal(&pool->wake);
  pool_unlock(&pool->mutex);
  for (uint32_t i = 0; i < pool->helpers; i++) pool_join(pool->helper + i);
  pool_forget(&pool->mutex, &pool->wake, &pool->done);
}

#else
typedef int ernn_no_threads; /* C99 wants something in every file */
#endif
