// histogram: latencies in nanoseconds, in buckets 1.6 % wide (64 linear steps to each power of two).
#pragma once
#include <stdint.h>

enum { STEPS = 64, BUCKETS = 59 * STEPS };

typedef struct {
    uint64_t count, largest, bucket[BUCKETS];
} histogram;

static inline int bucket_of(uint64_t value) {
    if (value < STEPS) return (int)value;
    int shift = 57 - __builtin_clzll(value); // brings value down to 64..127
    return shift * STEPS + (int)(value >> shift);
}

static inline void record(histogram *h, uint64_t value) {
    h->bucket[bucket_of(value)]++;
    h->count++;
    if (value > h->largest) h->largest = value;
}

static inline uint64_t middle_of(int bucket) {
    if (bucket < STEPS) return (uint64_t)bucket;
    int shift = bucket / STEPS - 1;
    return ((uint64_t)(bucket - shift * STEPS) << shift) + (1ull << shift) / 2;
}

// The middle of the bucket in which the given share (0..1) of all values is reached, in microseconds.
static inline double percentile_us(const histogram *h, double share) {
    uint64_t wanted = (uint64_t)(share * (double)h->count), seen = 0;
    for (int i = 0; i < BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen <= wanted) continue;
        uint64_t middle = middle_of(i);
        return (double)(middle < h->largest ? middle : h->largest) / 1e3;
    }
    return (double)h->largest / 1e3;
}

// What senders on a steady beat would have seen. A connection that waits for its answer sends nothing meanwhile, so one
// long stall shows as one slow message where a sender with a message every median round trip would have had hundreds:
// each of those is added, at the time it would have waited.
static inline const histogram *steady(const histogram *h) {
    static histogram result;
    result = *h;
    uint64_t beat = (uint64_t)(percentile_us(h, 0.5) * 1e3);
    for (int i = 0; beat && i < BUCKETS; i++) {
        if (!h->bucket[i]) continue;
        for (uint64_t wait = middle_of(i); wait > 2 * beat;) {
            wait -= beat;
            result.bucket[bucket_of(wait)] += h->bucket[i];
            result.count += h->bucket[i];
        }
    }
    return &result;
}
