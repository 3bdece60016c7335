// SPDX-License-Identifier: Apache-2.0
// Memory that graphs allocate. An allocation node reserves an address range when it is created; each launch allocates
// the memory there, until a free node, cuMemFree or cuMemFreeAsync frees it. The range stays reserved while the node or
// an executable graph made of it exists, or while the memory is allocated.
#pragma once

#include "simgpu/driver/graph.hpp"

namespace cudafault::sim {

// Reserves memory of a device for an allocation node, which holds it.
Result reserve_graph_memory(State& s, int device, size_t bytes, DevicePtr& pointer);

// Another holder, or one less.
void hold_graph_memory(State& s, DevicePtr pointer);
void drop_graph_memory(State& s, DevicePtr pointer);

void free_graph_memory(State& s, Block& block);

// What running the two kinds of node does.
void run_allocation(DevicePtr pointer);
void run_free(DevicePtr pointer);

// Whether a launch can run these steps: kInvalidValue if it would allocate what is still allocated or free what is not,
// kOutOfMemory if a device has not enough memory. With `auto_free` memory that is still allocated is freed first.
Result prepare_graph_memory(State& s, const std::vector<Step>& steps, bool auto_free);

bool has_memory_nodes(const Graph& graph);

}  // namespace cudafault::sim
