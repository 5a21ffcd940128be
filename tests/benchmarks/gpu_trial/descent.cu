// Block descent for many gaussian group lassos at once: one thread block solves one task.
//
//   minimise  1/2 sum_i v_i (y_i - (Z b)_i)^2 + sum_g p(||b_g||; level_g)     for every task
//
// Tasks differ in row weights v and levels; they share the float32 columns Z, rotated so that
// the unweighted Gram of a group is diagonal (D). A visit of one group is
//
//   g = Z_g'U,   u = g + s D b,   b_new = argmin -u'b + s b'D b / 2 + p(||b||),
//   U -= v Z_g (b_new - b)
//
// with one adaptive scalar s per group and task, redone when the observed curvature exceeds it.
// A thread owns the same rows in every phase, so the tile of the group, U and v live in its
// registers, and the only barriers are those of the sums. Sums have a fixed order, and what
// follows from them is computed by every thread alike, so results repeat exactly.
//
// Compiled for SIZE (largest group), ROWS (rows, padded to a multiple of 4), THREADS, BUFFER
// (0: load the tile when visited, 1: one visit ahead into shared memory, 2: one visit ahead into
// registers) and ADAPT (0: trust s, no sum of the curvature).

#ifdef __CUDACC__

constexpr int WARP = 32;
#define SHARED_POOL extern __shared__ float4 pool[]

__device__ inline float exchange_xor(float value, int width) {
  return __shfl_xor_sync(0xffffffffu, value, width);
}
__device__ inline unsigned votes_of_warp(bool vote) { return __ballot_sync(0xffffffffu, vote); }
__device__ inline int count_bits(unsigned bits) { return __popc(bits); }
__device__ inline float4 read_only(const float4 *address) { return __ldg(address); }
__device__ inline void copy_begin(float4 *to, const float4 *from) {
  const unsigned target = static_cast<unsigned>(__cvta_generic_to_shared(to));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(target), "l"(from) : "memory");
}
__device__ inline void copies_close() { asm volatile("cp.async.commit_group;" ::: "memory"); }
__device__ inline void copies_wait() { asm volatile("cp.async.wait_group 0;" ::: "memory"); }

#else
#include "shim.h"
#endif

constexpr int WARPS = THREADS / WARP;
constexpr int LINE = ROWS / 4;
constexpr int QUADS = (LINE + THREADS - 1) / THREADS;
constexpr int SLOTS = SIZE * WARPS;
constexpr float SHARE = 0.05f;  // sweeps of active groups end below this share of the full sweep
static_assert(THREADS % WARP == 0 && ROWS % 4 == 0, "whole warps and whole quads");

struct Job {
  const float *columns;    // (p, ROWS), zero in the padding
  const int *starts;       // (n_groups + 1,)
  const float *diagonal;   // (p,)
  const float *level;      // (tasks, n_groups), 0: unpenalised
  const float *mass;       // (tasks, ROWS), zero in the padding
  const float *residual;   // (tasks, ROWS), v (y - Z b)
  const int *queue;        // (tasks, room), groups to visit
  const int *length;       // (tasks,), how many; 0: leave the task alone
  const float *tolerance;  // (tasks,), a full sweep that gains less is the last
  double *beta;            // (tasks, p)
  float *scale;            // (tasks, n_groups)
  int *effort;             // (tasks, 4): visits, steps, sweeps, redone steps; added to
  int n_columns, n_groups, room, max_sweeps;
  float gamma;  // > 0: group MCP (needs D = 1), 0: group lasso
};

__device__ inline float dot(float4 a, float4 b) {
  return (a.x * b.x + a.y * b.y) + (a.z * b.z + a.w * b.w);
}
__device__ inline float4 add(float4 a, float s, float4 b) {
  return {a.x + s * b.x, a.y + s * b.y, a.z + s * b.z, a.w + s * b.w};
}
__device__ inline float4 times(float4 a, float4 b) {
  return {a.x * b.x, a.y * b.y, a.z * b.z, a.w * b.w};
}

// Subtract b from a; `lost` carries what rounding drops, or the residual would drift from the
// coefficients over the thousands of steps of a launch.
__device__ inline void subtract(float &a, float &lost, float b) {
  const float wanted = -b - lost, next = a + wanted;
  lost = (next - a) - wanted;
  a = next;
}
__device__ inline void subtract(float4 &a, float4 &lost, float4 b) {
  subtract(a.x, lost.x, b.x);
  subtract(a.y, lost.y, b.y);
  subtract(a.z, lost.z, b.z);
  subtract(a.w, lost.w, b.w);
}

// Sum COUNT values over a warp: at every level a lane keeps half of them and gives the other half
// away, about COUNT exchanges instead of 5 COUNT. A lane ends with values first .. first + count.
template <int COUNT, int WIDTH>
__device__ inline void fold(float *value, int lane, int &first, int &count) {
  if constexpr (WIDTH >= 1) {
    constexpr int HALF = (COUNT + 1) / 2;
    const bool upper = lane & WIDTH;
    if constexpr (COUNT == 1) {
      value[0] += exchange_xor(value[0], WIDTH);
      if (upper) count = 0;
    } else {
#pragma unroll
      for (int i = 0; i < HALF; ++i) {
        const float low = value[i], high = i + HALF < COUNT ? value[i + HALF] : 0.0f;
        value[i] = (upper ? high : low) + exchange_xor(upper ? low : high, WIDTH);
      }
      first += upper ? HALF : 0;
      count = upper ? count - HALF : (count < HALF ? count : HALF);
    }
    fold<HALF, WIDTH / 2>(value, lane, first, count);
  }
}

// Sum COUNT values over the block; every thread gets the sums. `slots` has two halves used in
// turn, so that one barrier is enough.
template <int COUNT>
__device__ inline void block_sum(float *value, float *slots, int &turn) {
  constexpr int KEPT = (COUNT + WARP - 1) / WARP;
  const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
  float *half = slots + turn * SLOTS;
  turn ^= 1;
  int first = 0, count = COUNT;
  fold<COUNT, WARP / 2>(value, lane, first, count);
#pragma unroll
  for (int i = 0; i < KEPT; ++i)
    if (i < count) half[(first + i) * WARPS + warp] = value[i];
  __syncthreads();
#pragma unroll
  for (int j = 0; j < COUNT; ++j) {
    float total = 0.0f;
#pragma unroll
    for (int w = 0; w < WARPS; ++w) total += half[j * WARPS + w];
    value[j] = total;
  }
}

using Tile = float4[SIZE][QUADS];

__device__ inline void fetch(Tile tile, const float *columns, int first, int size) {
#pragma unroll
  for (int j = 0; j < SIZE; ++j)
#pragma unroll
    for (int q = 0; q < QUADS; ++q) {
      const int quad = q * THREADS + threadIdx.x;
      const float4 *line = reinterpret_cast<const float4 *>(columns) + size_t(first + j) * LINE;
      tile[j][q] = j < size && quad < LINE ? read_only(line + quad) : float4{0, 0, 0, 0};
    }
}

__device__ inline void stage(float4 *half, const float *columns, int first, int size) {
#pragma unroll
  for (int j = 0; j < SIZE; ++j)
#pragma unroll
    for (int q = 0; q < QUADS; ++q) {
      const int quad = q * THREADS + threadIdx.x;
      const float4 *line = reinterpret_cast<const float4 *>(columns) + size_t(first + j) * LINE;
      if (j < size && quad < LINE) copy_begin(half + j * LINE + quad, line + quad);
    }
  copies_close();
}

// A thread reads back only what it copied itself: no barrier.
__device__ inline void unstage(Tile tile, const float4 *half, int size) {
  copies_wait();
#pragma unroll
  for (int j = 0; j < SIZE; ++j)
#pragma unroll
    for (int q = 0; q < QUADS; ++q) {
      const int quad = q * THREADS + threadIdx.x;
      tile[j][q] = j < size && quad < LINE ? half[j * LINE + quad] : float4{0, 0, 0, 0};
    }
}

__device__ inline float firm(float norm, float step, float level, float gamma) {
  if (gamma <= step) return norm > level * sqrtf(step * gamma) ? norm : 0.0f;
  if (norm > gamma * level) return norm;
  return gamma * fmaxf(norm - step * level, 0.0f) / (gamma - step);
}

// The length t of the minimiser: sum_j (u_j / (s D_j t + level))^2 = 1, by Newton on the
// reciprocal norm, which is concave: from the left it can't overshoot, from the right it is held.
__device__ inline float root(const float *u, const float *diagonal, float s, float level,
                             float norm, float start) {
  float widest = 0.0f;
#pragma unroll
  for (int j = 0; j < SIZE; ++j) widest = fmaxf(widest, diagonal[j]);
  const float least = (norm - level) / (s * widest);
  float t = fmaxf(start, least);
  for (int k = 0; k < 20; ++k) {
    float h = 0.0f, slope = 0.0f;
#pragma unroll
    for (int j = 0; j < SIZE; ++j) {
      const float inverse = 1.0f / (s * diagonal[j] * t + level), ratio = u[j] * inverse;
      h += ratio * ratio;
      slope += s * diagonal[j] * inverse * ratio * ratio;
    }
    const float norm_h = sqrtf(h), miss = norm_h - 1.0f;
    t = fmaxf(t + miss * h / slope, least);
    if (fabsf(miss) < 1e-6f) break;
  }
  return t;
}

// The same length as an increment of tau = ||old||, from the miss tau g - level old of the current
// point, so that its rounding is relative to the step and not to the coefficients:
// ||old + step||^2 = (tau + delta)^2, step_j = (miss_j + delta g_j) / (s D_j (tau + delta) + level).
__device__ inline float refine(const float *gradient, const float *old, const float *miss,
                               const float *diagonal, float s, float level, float tau,
                               float delta) {
  float excess = -(2.0f * tau + delta) * delta, slope = -2.0f * (tau + delta);
#pragma unroll
  for (int j = 0; j < SIZE; ++j) {
    const float inverse = 1.0f / (s * diagonal[j] * (tau + delta) + level);
    const float step = (miss[j] + delta * gradient[j]) * inverse;
    excess += (2.0f * old[j] + step) * step;
    slope += 2.0f * (old[j] + step) * (gradient[j] - s * diagonal[j] * step) * inverse;
  }
  return slope < 0.0f ? delta - excess / slope : delta;
}

// Minimise over one group; fill `step`, return its D-norm squared. Only the miss of the current
// point needs more than float32.
__device__ inline float propose(const float *gradient, const double *old, const float *diagonal,
                                float s, float level, float gamma, float *step) {
  float u[SIZE], near[SIZE], miss[SIZE] = {}, square = 0.0f, length = 0.0f;
  double before = 0.0;
#pragma unroll
  for (int j = 0; j < SIZE; ++j) {
    near[j] = float(old[j]);
    u[j] = gradient[j] + s * diagonal[j] * near[j];
    square += u[j] * u[j];
    before += old[j] * old[j];
  }
  const float norm = sqrtf(square);
  const double tau = sqrt(before);
  const float start = float(tau), target = norm / s;
  const float firmed = gamma > 0.0f ? firm(target, 1.0f / s, level, gamma) : 0.0f;
  const bool free = level == 0.0f || (gamma > 0.0f && firmed == target);
  const bool zero = !free && (gamma > 0.0f ? firmed == 0.0f : norm <= level);
  const double share = gamma > 0.0f && !zero ? double(firmed) / norm : 0.0;
  float delta = 0.0f;
  if (gamma == 0.0f && !free && !zero) {
#pragma unroll
    for (int j = 0; j < SIZE; ++j) miss[j] = float(tau * gradient[j] - level * old[j]);
    delta = root(u, diagonal, s, level, norm, start) - start;
    if (start > 0.0f) delta = refine(gradient, near, miss, diagonal, s, level, start, delta);
  }
#pragma unroll
  for (int j = 0; j < SIZE; ++j) {
    float top = miss[j] + delta * gradient[j];
    float bottom = s * diagonal[j] * (start + delta) + level;
    if (free) {
      top = gradient[j];
      bottom = s * diagonal[j];
    } else if (zero || gamma > 0.0f) {
      top = zero ? -near[j] : float(share * u[j] - old[j]);
      bottom = 1.0f;
    }
    step[j] = top / bottom;
    length += diagonal[j] * step[j] * step[j];
  }
  return length;
}

// A group in the queue of a task, one 16-byte read.
struct alignas(16) Entry {
  int group, first, size, active;
};

// What one thread knows of its task.
struct Task {
  const float *level;
  double *beta;
  float *scale, *slots;
  Entry *queue;
  float4 residual[QUADS], lost[QUADS], mass[QUADS];
  int turn, steps, redone;
};

// Visit one group; return s times the squared step, about twice the decrease.
__device__ inline float visit(const Job &job, Task &task, const Tile tile, Entry entry,
                              int place) {
  const int first = entry.first, size = entry.size, group = entry.group;
  const float level = task.level[group];
  float s = task.scale[group];
  float diagonal[SIZE], gradient[SIZE], step[SIZE];
  double old[SIZE];
#pragma unroll
  for (int j = 0; j < SIZE; ++j) {
    old[j] = j < size ? task.beta[first + j] : 0.0;
    diagonal[j] = j < size ? job.diagonal[first + j] : 1.0f;
    gradient[j] = 0.0f;
#pragma unroll
    for (int q = 0; q < QUADS; ++q) gradient[j] += dot(tile[j][q], task.residual[q]);
  }
  block_sum<SIZE>(gradient, task.slots, task.turn);
  float length = 0.0f, curvature[1];
  float4 change[QUADS];
  for (int attempt = 0; attempt < 30; ++attempt) {
    length = propose(gradient, old, diagonal, s, level, job.gamma, step);
    if (length == 0.0f) return 0.0f;
    curvature[0] = 0.0f;
#pragma unroll
    for (int q = 0; q < QUADS; ++q) {
      change[q] = {0, 0, 0, 0};
#pragma unroll
      for (int j = 0; j < SIZE; ++j) change[q] = add(change[q], step[j], tile[j][q]);
      curvature[0] += dot(task.mass[q], times(change[q], change[q]));
    }
    if (!ADAPT) break;
    block_sum<1>(curvature, task.slots, task.turn);
    if (curvature[0] <= 1.3f * s * length) break;
    s = 1.05f * curvature[0] / length;
    ++task.redone;
  }
#pragma unroll
  for (int q = 0; q < QUADS; ++q)
    subtract(task.residual[q], task.lost[q], times(task.mass[q], change[q]));
  if (threadIdx.x == 0) {
    bool some = false;
#pragma unroll
    for (int j = 0; j < SIZE; ++j) {
      const double fresh = step[j] == -float(old[j]) ? 0.0 : old[j] + step[j];
      if (j < size) task.beta[first + j] = fresh;
      some = some || fresh != 0.0;
    }
    if (ADAPT) task.scale[group] = fmaxf(0.8f * s, curvature[0] / length);
    task.queue[place].active = some || level == 0.0f;
  }
  ++task.steps;
  return s * length;
}

__device__ inline float sweep(const Job &job, Task &task, float4 *pool, const int *list,
                              int count) {
  float gain = 0.0f;
  Tile tile;
  Entry next = task.queue[list[0]];
#if BUFFER == 1
  stage(pool, job.columns, next.first, next.size);
#elif BUFFER == 2
  Tile ahead;
  fetch(ahead, job.columns, next.first, next.size);
#endif
  for (int k = 0; k < count; ++k) {
    const Entry now = next;
    if (k + 1 < count) next = task.queue[list[k + 1]];
#if BUFFER == 0
    fetch(tile, job.columns, now.first, now.size);
#elif BUFFER == 1
    unstage(tile, pool + (k & 1) * SIZE * LINE, now.size);
    if (k + 1 < count) stage(pool + (~k & 1) * SIZE * LINE, job.columns, next.first, next.size);
#else
#pragma unroll
    for (int j = 0; j < SIZE; ++j)
#pragma unroll
      for (int q = 0; q < QUADS; ++q) tile[j][q] = ahead[j][q];
    if (k + 1 < count) fetch(ahead, job.columns, next.first, next.size);
#endif
    gain += visit(job, task, tile, now, list[k]);
  }
  __syncthreads();  // the next sweep may begin with the group that ended this one
  return gain;
}

// List the places of the groups that are active (or all), in order; return how many.
__device__ inline int choose(const Entry *queue, int length, bool all, int *list, int *total) {
  if (threadIdx.x < WARP) {
    const int lane = threadIdx.x;
    int count = 0;
    for (int base = 0; base < length; base += WARP) {
      const bool chosen = base + lane < length && (all || queue[base + lane].active);
      const unsigned votes = votes_of_warp(chosen);
      if (chosen) list[count + count_bits(votes & ((1u << lane) - 1u))] = base + lane;
      count += count_bits(votes);
    }
    if (lane == 0) *total = count;
  }
  __syncthreads();
  const int count = *total;
  __syncthreads();
  return count;
}

extern "C" __global__ void __launch_bounds__(THREADS, 1) descend(const Job job) {
  SHARED_POOL;
  __shared__ float slots[2 * SLOTS];
  __shared__ int total;
  const int length = job.length[blockIdx.x];
  if (length == 0) return;
  Entry *queue = reinterpret_cast<Entry *>(pool + (BUFFER == 1 ? 2 * SIZE * LINE : 0));
  int *list = reinterpret_cast<int *>(queue + job.room);
  const size_t row = size_t(blockIdx.x) * ROWS, index = size_t(blockIdx.x) * job.n_groups;
  Task task = {job.level + index, job.beta + size_t(blockIdx.x) * job.n_columns,
               job.scale + index, slots, queue, {}, {}, {}, 0, 0, 0};
#pragma unroll
  for (int q = 0; q < QUADS; ++q) {
    const int quad = q * THREADS + threadIdx.x;
    if (quad >= LINE) continue;
    task.residual[q] = reinterpret_cast<const float4 *>(job.residual + row)[quad];
    task.mass[q] = reinterpret_cast<const float4 *>(job.mass + row)[quad];
  }
  for (int k = threadIdx.x; k < length; k += THREADS) {
    const int g = job.queue[size_t(blockIdx.x) * job.room + k];
    const int first = job.starts[g], size = job.starts[g + 1] - first;
    bool active = task.level[g] == 0.0f;
    for (int j = first; j < first + size; ++j) active = active || task.beta[j] != 0.0;
    queue[k] = {g, first, size, active};
  }
  __syncthreads();
  const float tolerance = job.tolerance[blockIdx.x];
  int visits = 0, sweeps = 0;
  bool full = true;
  float whole = 0.0f;
  while (sweeps < job.max_sweeps) {
    const int count = choose(queue, length, full, list, &total);
    bool settled = count == 0;
    for (; !settled && sweeps < job.max_sweeps; ++sweeps) {
      const float gain = sweep(job, task, pool, list, count);
      visits += count;
      settled = full || gain <= fmaxf(SHARE * whole, 0.5f * tolerance);
      if (full) whole = gain;
    }
    if (full && whole <= tolerance) break;
    full = !full;
  }
  if (threadIdx.x == 0) {
    int *effort = job.effort + 4 * blockIdx.x;
    effort[0] += visits;
    effort[1] += task.steps;
    effort[2] += sweeps;
    effort[3] += task.redone;
  }
}

#ifndef __CUDACC__
extern "C" void descend_tasks(int tasks, const Job *job) {
  launch(tasks, [job] { descend(*job); });
}
#endif
