// SPDX-License-Identifier: Apache-2.0
// Defines the state of the process and of each thread, and creates and destroys contexts.
#include "simgpu/driver/state.hpp"

#include <atomic>

#include "simgpu/driver/graph.hpp"
#include "simgpu/driver/memory.hpp"

// pthread_atfork calls this function. Every release of glibc exports it from the shared library; musl does not have it.
extern "C" int __register_atfork(void (*prepare)(), void (*parent)(), void (*child)(), void* library)
    __attribute__((weak));
extern "C" void* __dso_handle;

namespace cudafault::sim {
namespace {

std::atomic<State*> g_state{nullptr};
std::atomic<uint64_t> g_threads{0};
thread_local ContextStack t_contexts;
thread_local uint64_t t_number = 0;

// Runs in a forked child. Replaces the state without accessing the old one, because another thread of the parent may
// have held the lock.
void replace_state_in_child() {
    const State& parent = *g_state.load(std::memory_order_acquire);
    auto* own = new State;
    own->forked = parent.forked || parent.initialized;
    g_state = own;
    t_contexts.depth = 0;
}

// The default limits of a real driver. The limits of features that are not simulated are 0.
constexpr size_t kDefaultLimits[kLimitCount] = {1024, 1 << 20, 8 << 20, 2, 2048, 64, 0, 0, 0, 0, 0};

}  // namespace

State& state() {
    if (State* s = g_state.load(std::memory_order_acquire)) return *s;
    auto* created = new State;
    State* expected = nullptr;
    if (!g_state.compare_exchange_strong(expected, created)) {
        delete created;
        return *expected;
    }
    if (__register_atfork) __register_atfork(nullptr, nullptr, replace_state_in_child, &__dso_handle);
    return *created;
}

ContextStack& context_stack() { return t_contexts; }

uint64_t thread_number() {
    if (!t_number) t_number = ++g_threads;
    return t_number;
}

Result check_context(const State& s, const Context* context) {
    if (!s.contexts.count(const_cast<Context*>(context))) return kInvalidContext;
    return context->alive ? kSuccess : kContextIsDestroyed;
}

Context* new_context(State& s, int device, bool primary, unsigned flags) {
    auto* context = new Context{.device = device, .id = s.next_id++, .primary = primary, .flags = flags, .limits = {}};
    std::copy(std::begin(kDefaultLimits), std::end(kDefaultLimits), context->limits);
    s.contexts.insert(context);
    return context;
}

void destroy_context(State& s, Context& context) {
    release_blocks_of(s, context);
    abandon_captures_of(s, context);
    s.legacy_streams.erase(&context);
    std::erase_if(s.thread_streams, [&](const auto& entry) { return entry.first.first == &context; });
    s.streams.remove_if([&](const Stream& stream) { return stream.context == &context; });
    s.events.remove_if([&](const Event& event) { return event.context == &context; });
    s.functions.remove_if([&](const Function& function) { return function.image->context == &context; });
    s.images.remove_if([&](const Image& image) { return image.context == &context; });
    for (Context* other : s.contexts) other->peers.erase(&context);
    context.peers.clear();
    context.alive = false;
}

}  // namespace cudafault::sim
