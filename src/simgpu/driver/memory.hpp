// SPDX-License-Identifier: Apache-2.0
// Declares the memory that the driver tracks: blocks by address, and the bytes charged to each device.
#pragma once

#include "simgpu/driver/state.hpp"

namespace cudafault::sim {

// Charges bytes to a device. Returns kOutOfMemory if the device does not have enough memory.
Result charge(State& s, int device, uint64_t bytes);
void refund(State& s, int device, uint64_t bytes);

// Allocates zeroed memory on separate pages. Charges device memory.
Result allocate(State& s, Context& context, size_t bytes, BlockKind kind, Block*& block);

// Allocates zeroed memory without charging it.
Result map_block(State& s, Context& context, size_t bytes, BlockKind kind, Block*& block);

// Rounds up to whole pages; memory is charged in whole pages.
size_t whole_pages(size_t bytes);

// Unmaps memory that the driver has mapped, refunds the charge, and removes the block.
void release(State& s, Block& block);

// Frees memory at a program's request. Returns kInvalidValue for graph memory that is not allocated.
Result free_memory(State& s, Block& block);
void release_blocks_of(State& s, const Context& context);

// Adds a block and gives it a unique ID.
Block& insert_block(State& s, Block block);
bool is_overlapping_block(const State& s, uintptr_t base, size_t bytes);

// Frees the memory if no handle and no mapping refers to it.
void release_reference(State& s, PhysicalMemory& physical);

// Returns the block that contains the address, or nullptr.
Block* find_block(State& s, uintptr_t address);

// Returns true if work can access the range. In memory that the driver tracks, the whole range must be allocated and
// accessible. Other memory is not checked; with `tracked_only` it is rejected.
bool is_accessible(State& s, const void* start, size_t bytes, bool tracked_only);

}  // namespace cudafault::sim
