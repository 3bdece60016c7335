// SPDX-License-Identifier: Apache-2.0
// The memory the driver knows: blocks by address, and what they cost their device.
#pragma once

#include "simgpu/driver/state.hpp"

namespace cudafault::sim {

// Takes bytes from a device, or answers kOutOfMemory.
Result charge(State& s, int device, uint64_t bytes);
void refund(State& s, int device, uint64_t bytes);

// New zeroed memory of its own pages; device memory is charged.
Result allocate(State& s, Context& context, size_t bytes, BlockKind kind, Block*& block);

// A block of new zeroed memory, for which nothing is charged.
Result map_block(State& s, Context& context, size_t bytes, BlockKind kind, Block*& block);

// Memory is charged in whole pages.
size_t whole_pages(size_t bytes);

// Unmaps what is the driver's, gives back what was charged, forgets the block.
void release(State& s, Block& block);

// Frees memory for a program; kInvalidValue for memory of a graph that is not allocated.
Result free_memory(State& s, Block& block);
void release_blocks_of(State& s, const Context& context);

// Makes a block known, under an id of its own.
Block& insert_block(State& s, Block block);
bool overlaps(const State& s, uintptr_t base, size_t bytes);

// Frees the memory if neither a handle nor a mapping holds it any longer.
void let_go(State& s, Physical& physical);

// The block that an address lies in; nullptr: none.
Block* find_block(State& s, uintptr_t address);

// Whether work may access the range. Memory that the driver knows must be complete and accessible. Other memory is not
// checked; with `known_only` it is refused.
bool usable(State& s, const void* start, size_t bytes, bool known_only);

}  // namespace cudafault::sim
