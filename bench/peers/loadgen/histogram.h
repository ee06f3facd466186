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

// The middle of the bucket in which the given share (0..1) of all values is reached, in microseconds.
static inline double percentile_us(const histogram *h, double share) {
    uint64_t wanted = (uint64_t)(share * (double)h->count), seen = 0;
    for (int i = 0; i < BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen <= wanted) continue;
        if (i < STEPS) return i / 1e3;
        int shift = i / STEPS - 1;
        uint64_t middle = ((uint64_t)(i - shift * STEPS) << shift) + (1ull << shift) / 2;
        return (double)(middle < h->largest ? middle : h->largest) / 1e3;
    }
    return (double)h->largest / 1e3;
}
