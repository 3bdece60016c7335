// SPDX-License-Identifier: Apache-2.0
// Manages the memory that graphs allocate. An allocation node reserves an address range when it is created. Each launch
// allocates the memory there; a free node, cuMemFree or cuMemFreeAsync frees it. The range stays reserved while the
// node or an executable graph instantiated from it exists, or while the memory is allocated.
#pragma once

#include "simgpu/driver/graph.hpp"

namespace cudafault::sim {

// Reserves an address range for an allocation node, which becomes its first holder.
Result reserve_graph_memory(State& s, int device, size_t bytes, DevicePtr& pointer);

// These functions add and remove a holder of the address range.
void hold_graph_memory(State& s, DevicePtr pointer);
void drop_graph_memory(State& s, DevicePtr pointer);

void free_graph_memory(State& s, Block& block);

// These functions run an allocation node and a free node.
void run_allocation(DevicePtr pointer);
void run_free(DevicePtr pointer);

// Checks that a launch can run these steps. Returns kInvalidValue if a step would allocate memory that is allocated
// or free memory that is not allocated, and kOutOfMemory if a device does not have enough memory. With `auto_free`,
// first frees memory that is still allocated.
Result prepare_graph_memory(State& s, const std::vector<Step>& steps, bool auto_free);

bool has_memory_nodes(const Graph& graph);

}  // namespace cudafault::sim
