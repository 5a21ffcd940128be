// Just enough of CUDA for g++: blocks run one after another, their threads really side by side
// (none is started when THREADS is 1). WARP is given by the command line and may be smaller than
// on a device, so that the exchanges inside a warp are tested with few threads.
#pragma once

#include <barrier>
#include <cmath>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#define __device__
#define __global__
#define __shared__ static
#define __launch_bounds__(...)
#define SHARED_POOL float4 *pool = shared_memory

struct float4 {
  float x, y, z, w;
};
struct Place {
  int x;
};

constexpr std::size_t POOL = 1 << 16;  // of float4: 1 MiB, more than a multiprocessor has
alignas(64) static float4 shared_memory[POOL];
static thread_local Place threadIdx, blockIdx;
static float mailbox[THREADS];
static std::unique_ptr<std::barrier<>> whole_block, single_warp[THREADS / WARP];

static void wait_for(std::unique_ptr<std::barrier<>> &gate) {
  if (THREADS > 1) gate->arrive_and_wait();
}
static void __syncthreads() { wait_for(whole_block); }

static float exchange_xor(float value, int width) {
  auto &warp = single_warp[threadIdx.x / WARP];
  mailbox[threadIdx.x] = value;
  wait_for(warp);
  const float other = mailbox[threadIdx.x ^ width];
  wait_for(warp);
  return other;
}
static unsigned votes_of_warp(bool vote) {
  const int base = threadIdx.x / WARP * WARP;
  unsigned bits = 0;
  auto &warp = single_warp[threadIdx.x / WARP];
  mailbox[threadIdx.x] = vote;
  wait_for(warp);
  for (int lane = 0; lane < WARP; ++lane) bits |= (mailbox[base + lane] != 0.0f ? 1u : 0u) << lane;
  wait_for(warp);
  return bits;
}
static int count_bits(unsigned bits) { return __builtin_popcount(bits); }
static float4 read_only(const float4 *address) { return *address; }
static void copy_begin(float4 *to, const float4 *from) { *to = *from; }
static void copies_close() {}
static void copies_wait() {}

template <class Kernel>
void launch(int blocks, Kernel kernel) {
  whole_block = std::make_unique<std::barrier<>>(THREADS);
  for (auto &warp : single_warp) warp = std::make_unique<std::barrier<>>(WARP);
  for (int block = 0; block < blocks; ++block) {
    auto body = [&](int thread) {
      threadIdx.x = thread;
      blockIdx.x = block;
      kernel();
    };
    std::vector<std::thread> others;
    for (int thread = 1; thread < THREADS; ++thread) others.emplace_back(body, thread);
    body(0);
    for (auto &other : others) other.join();
  }
}
