// SPDX-License-Identifier: Apache-2.0
#include "simgpu/driver/graph_memory.hpp"

#include <sys/mman.h>

#include <algorithm>

#include "simgpu/driver/memory.hpp"

namespace cudafault::sim {
namespace {

// Returns nullptr if no allocation node reserved this address, or if the range has been released.
Block* reserved_block(State& s, DevicePtr pointer) {
    const auto found = s.blocks.find(pointer);
    return found != s.blocks.end() && found->second.is_graph_memory ? &found->second : nullptr;
}

void release_if_unused(State& s, Block& block) {
    if (!block.live && !block.graph_holders) release(s, block);
}

void set_used(DeviceState& d, uint64_t used) {
    d.graph_used = used;
    d.graph_used_high = std::max(d.graph_used_high, used);
}

}  // namespace

Result reserve_graph_memory(State& s, int device, size_t bytes, DevicePtr& pointer) {
    Block* block = nullptr;
    if (Result error = map_block(s, *s.devices[device].primary, bytes, BlockKind::kDevice, block)) return error;
    block->is_graph_memory = true;
    block->live = false;
    block->graph_holders = 1;
    pointer = block->base;
    return kSuccess;
}

void hold_graph_memory(State& s, DevicePtr pointer) {
    if (Block* block = reserved_block(s, pointer)) ++block->graph_holders;
}

void drop_graph_memory(State& s, DevicePtr pointer) {
    Block* block = reserved_block(s, pointer);
    if (!block) return;
    --block->graph_holders;
    release_if_unused(s, *block);
}

void free_graph_memory(State& s, Block& block) {
    DeviceState& d = s.devices[block.device];
    set_used(d, d.graph_used - block.charged);
    refund(s, block.device, block.charged);
    block.charged = 0;
    block.live = false;
    madvise(reinterpret_cast<void*>(block.base), block.bytes, MADV_DONTNEED);
    release_if_unused(s, block);
}

// If another thread has used up the device's memory since the launch was checked, the allocation is not charged.
void run_allocation(DevicePtr pointer) {
    State& s = state();
    std::lock_guard lock(s.mutex);
    Block* block = reserved_block(s, pointer);
    if (!block || block->live) return;
    const uint64_t bytes = whole_pages(block->bytes);
    DeviceState& d = s.devices[block->device];
    block->live = true;
    if (charge(s, block->device, bytes)) return;
    block->charged = bytes;
    set_used(d, d.graph_used + bytes);
}

void run_free(DevicePtr pointer) {
    State& s = state();
    std::lock_guard lock(s.mutex);
    Block* block = reserved_block(s, pointer);
    if (block && block->live) free_graph_memory(s, *block);
}

Result prepare_graph_memory(State& s, const std::vector<Step>& steps, bool auto_free) {
    std::map<DevicePtr, bool> live;      // true: allocated after the steps so far
    std::map<int, uint64_t> additional;  // bytes by device
    for (const Step& step : steps) {
        const auto* allocation = std::get_if<AllocateMemory>(&step.work);
        const auto* freed = std::get_if<FreeMemory>(&step.work);
        if (!allocation && !freed) continue;
        const DevicePtr pointer = allocation ? allocation->pointer : freed->pointer;
        Block* block = reserved_block(s, pointer);
        if (!block) return kInvalidValue;
        if (allocation && block->live && auto_free) free_graph_memory(s, *block);
        bool& is_live = live.try_emplace(pointer, block->live).first->second;
        if (is_live == (allocation != nullptr)) return kInvalidValue;
        is_live = !is_live;
        uint64_t& bytes = additional[block->device];
        bytes += allocation ? whole_pages(block->bytes) : -whole_pages(block->bytes);
        const DeviceState& d = s.devices[block->device];
        if (allocation && static_cast<int64_t>(bytes) > static_cast<int64_t>(d.gpu->usable_bytes() - d.used)) {
            return kOutOfMemory;
        }
    }
    return kSuccess;
}

bool has_memory_nodes(const Graph& graph) {
    return std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const Node* node) {
        const auto* child = std::get_if<ChildGraph>(&node->work);
        return std::holds_alternative<AllocateMemory>(node->work) || std::holds_alternative<FreeMemory>(node->work) ||
               (child && has_memory_nodes(*child->graph));
    });
}

}  // namespace cudafault::sim
