/* ernn_threads.h: threads that wait for work, in builds with ERNN_THREADS. */
#ifndef ERNN_THREADS_H
#define ERNN_THREADS_H

#include "ernn_internal.h"

#if defined(ERNN_THREADS) && __STDC_HOSTED__
#define ERNN_HAS_THREADS 1
#else
#define ERNN_HAS_THREADS 0
#endif

#define ERNN_MAX_THREADS 64u

typedef struct ernn_pool ernn_pool;

/* Share number `index` of the work, on any thread. */
typedef void ernn_share(void *of, uint32_t index);

/* What a pool of `threads` needs, of which the caller of ernn_pool_run is one. */
size_t ernn_pool_bytes(uint32_t threads);

/* Starts the others in `memory`, all zeros.  ERNN_THREAD_REFUSED where the system starts
 * fewer: then none are left. */
ernn_status ernn_pool_start(ernn_pool **pool, void *memory, uint32_t threads);

/* share(of, i) for each i below the pool's threads; returns when all are done.  In a process that was
 * forked since the start, all on the caller: threads are not copied. */
void ernn_pool_run(ernn_pool *pool, ernn_share *share, void *of);

void ernn_pool_stop(ernn_pool *pool);

#endif
