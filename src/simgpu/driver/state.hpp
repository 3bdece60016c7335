// SPDX-License-Identifier: Apache-2.0
// Declares the simulated driver's state in this process, and the functions that access it. One lock guards the whole
// state. Work (copies, callbacks) runs without the lock, in the calling thread, before the call returns, so every
// stream is always idle. No destructor runs at exit, because libraries call the driver from exit handlers.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "simgpu/cuda_abi.hpp"
#include "simgpu/device.hpp"

// Marks an exported function.
#define SIM_API extern "C" __attribute__((visibility("default")))

// Defines name##suffix, the variant of a function whose default stream is the thread's own. `parameters` are those of
// the function; `arguments` are the arguments of the call, with own_stream(stream) as the stream.
#define SIM_PER_THREAD(name, suffix, parameters, arguments) \
    SIM_API Result name##suffix parameters { return name arguments; }

// Defines an older name with the same interface.
#define SIM_ALIAS(alias, name, parameters, arguments) \
    SIM_API Result alias parameters { return name arguments; }

namespace cudafault::sim {

constexpr int kLimitCount = 11;
constexpr unsigned kNonBlockingStream = 1;

// Never freed, so that the driver can distinguish the handle of a destroyed context from an invalid handle.
struct Context {
    int device;
    uint64_t id;
    bool primary;
    bool alive = true;
    unsigned flags = 0;
    unsigned references = 0;  // of a primary context
    int cache_config = 0, shared_config = 0;
    size_t limits[kLimitCount];
    std::set<const Context*> peers = {};
};

struct Pool {
    int device;
    PoolProperties properties;
    bool is_default;
    int reuse[3] = {1, 1, 1};
    uint64_t release_threshold = 0;
    uint64_t used = 0, used_high = 0;
    std::map<int, int> access = {};  // by device
};

// Memory of a device that can be mapped any number of times.
struct PhysicalMemory {
    int fd;
    size_t bytes;
    AllocationProperties properties;
    bool charged;  // charged to its device
    unsigned handles = 1, mappings = 0;
};

enum class BlockKind { kDevice, kManaged, kHost, kRegistered, kMapped, kIpc };

// A range of memory that the driver tracks. Device memory is host memory; the kernel adds pages at the first access.
struct Block {
    uintptr_t base;
    size_t bytes;
    BlockKind kind;
    int device;
    Context* context;
    uint64_t id;
    uint64_t charged = 0;  // bytes charged to the device
    unsigned flags = 0;
    Pool* pool = nullptr;
    PhysicalMemory* physical = nullptr;  // kMapped
    bool accessible = true;              // kMapped memory is accessible only after cuMemSetAccess
    int ipc_fd = -1;
    bool sync_memops = false;
    bool read_mostly = false;
    MemLocation preferred{}, prefetched{};
    bool is_graph_memory = false;  // reserved by an allocation node; see graph_memory.hpp
    bool live = true;              // false for memory of a graph that is reserved but not allocated
    unsigned graph_holders = 0;    // number of nodes and executable graphs that can allocate the memory

    uintptr_t end() const { return base + bytes; }
};

struct DeviceState {
    const Gpu* gpu;
    uint64_t used = 0;
    Context* primary = nullptr;
    unsigned primary_flags = 0;
    Pool* default_pool = nullptr;
    Pool* pool = nullptr;
    uint64_t graph_used = 0, graph_used_high = 0;  // memory of graphs
};

struct Event {
    Context* context;
    unsigned flags;
    uint64_t recorded_ns = 0;  // 0: never recorded
    struct Capture* capture = nullptr;
    std::vector<Node*> captured = {};
};

// A stream capture in progress.
struct Capture {
    Graph* graph;
    bool owns_graph;
    uint64_t id;
    int mode;
    uint64_t thread;  // number of the thread that started the capture
    Stream* origin;
    bool invalid = false;
    std::vector<Stream*> members = {};
};

struct Stream {
    Context* context;
    uint64_t id;
    unsigned flags;
    int priority;
    bool shared_default = false;  // the legacy stream, which cannot be captured
    Capture* capture = nullptr;
    std::vector<Node*> tail = {};  // dependencies of the next captured node
    std::vector<EdgeData> tail_edges = {};
    std::map<int, std::vector<unsigned char>> attributes = {};
};

// A kernel. Modules and libraries create one for each name that a program requests.
struct Function {
    std::string name;
    struct Image* image;
    std::map<int, int> attributes = {};
};

// A module or a library. The content of an image is not examined.
struct Image {
    Context* context;  // nullptr: a library
    std::map<std::string, Function*> functions = {};
    Image* module = nullptr;  // the module of a library
};

// The live handles of one kind.
template <typename Object>
class Handles {
public:
    Object* add(Object* object) {
        live_.insert(object);
        return object;
    }
    bool has(const Object* object) const { return live_.count(const_cast<Object*>(object)) != 0; }
    void remove(Object* object) {
        live_.erase(object);
        delete object;
    }
    template <typename Predicate>
    void remove_if(Predicate predicate) {
        for (auto at = live_.begin(); at != live_.end();) {
            Object* object = *at;
            if (!predicate(*object)) {
                ++at;
                continue;
            }
            at = live_.erase(at);
            delete object;
        }
    }
    auto begin() const { return live_.begin(); }
    auto end() const { return live_.end(); }

private:
    std::unordered_set<Object*> live_;
};

struct GraphExec;
struct UserObject;
struct Linker;

struct State {
    std::mutex mutex;
    bool initialized = false;
    bool forked = false;  // the parent process had initialized CUDA, so this process cannot
    uint64_t next_id = 1;
    std::vector<DeviceState> devices;
    std::set<Context*> contexts;
    std::map<uintptr_t, Block> blocks;     // by base
    std::map<uintptr_t, size_t> reserved;  // address ranges of cuMemAddressReserve
    std::map<Context*, Stream*> legacy_streams;
    std::map<std::pair<Context*, uint64_t>, Stream*> thread_streams;
    Handles<Pool> pools;
    Handles<PhysicalMemory> physicals;
    Handles<Stream> streams;
    Handles<Event> events;
    std::set<Capture*> captures;
    Handles<Function> functions;
    Handles<Image> images;
    Handles<Graph> graphs;
    Handles<Node> nodes;
    Handles<GraphExec> execs;
    Handles<UserObject> user_objects;
    Handles<Linker> linkers;
};

// Returns the state of this process. A forked child starts with an empty, uninitialized state.
State& state();

// The calling thread's stack of current contexts.
struct ContextStack {
    static constexpr int kMax = 64;
    Context* entries[kMax];
    int depth;

    Context* top() const { return depth ? entries[depth - 1] : nullptr; }
};
ContextStack& context_stack();

// Returns the number of the calling thread. Numbers are not reused.
uint64_t thread_number();

// Returns kInvalidContext or kContextIsDestroyed if the context cannot be used.
Result check_context(const State& s, const Context* context);

// Creates a context. destroy_context() destroys a context and everything that the context owns.
Context* new_context(State& s, int device, bool primary, unsigned flags);
void destroy_context(State& s, Context& context);

inline bool is_device(const State& s, Device device) {
    return device >= 0 && static_cast<size_t>(device) < s.devices.size();
}

// Runs body(State&) with the lock held if the driver is initialized.
template <typename Body>
Result with_driver(Body body) {
    State& s = state();
    std::lock_guard lock(s.mutex);
    return s.initialized ? body(s) : kNotInitialized;
}

// Runs body(State&, DeviceState&).
template <typename Body>
Result with_device(Device device, Body body) {
    return with_driver([&](State& s) { return is_device(s, device) ? body(s, s.devices[device]) : kInvalidDevice; });
}

// Runs body(State&, Context&) with the current context.
template <typename Body>
Result with_context(Body body) {
    return with_driver([&](State& s) {
        Context* context = context_stack().top();
        if (Result error = check_context(s, context)) return error;
        return body(s, *context);
    });
}

// Sets a required output parameter. Returns kInvalidValue if the parameter is null.
template <typename Value, typename Source>
Result set_output(Value* out, Source&& value) {
    if (!out) return kInvalidValue;
    *out = static_cast<Value>(value);
    return kSuccess;
}

inline Stream* const kLegacyStream = reinterpret_cast<Stream*>(1);
inline Stream* const kPerThreadStream = reinterpret_cast<Stream*>(2);

// Returns the stream that a _ptsz function uses for its argument.
inline Stream* own_stream(Stream* stream) { return stream ? stream : kPerThreadStream; }

}  // namespace cudafault::sim
