// SPDX-License-Identifier: Apache-2.0
// Implements modules, libraries, kernels, occupancy and launches. The driver accepts every image, does not parse it,
// and finds a kernel of every name in it, but no variables and no kernel parameters. Launches are checked but run
// nothing.
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "simgpu/driver/graph.hpp"

namespace cudafault::sim {

// State of cuLink*. The result of linking is the image that was added last.
struct Linker {
    std::vector<char> image;
};

namespace {

// Values of CUfunction_attribute
enum FunctionAttribute {
    kMaxThreads = 0,
    kRegisters = 4,
    kPtxVersion = 5,
    kBinaryVersion = 6,
    kMaxDynamicShared = 8,
    kCarveout = 9,
    kFirstSettable = 8,
    kLastAttribute = 17,
};
constexpr int kBlockThreads = 1024, kKernelRegisters = 32, kDefaultShared = 49152, kNoPreference = -1;

Image* load(State& s, Context* context) { return s.images.add(new Image{context}); }

Function* function_named(State& s, Image& image, const char* name) {
    Function*& function = image.functions[name];
    if (!function) function = s.functions.add(new Function{name, &image});
    return function;
}

void unload(State& s, Image& image) {
    for (auto& [name, function] : image.functions) s.functions.remove(function);
    if (image.module) s.images.remove(image.module);
    s.images.remove(&image);
}

bool is_library(const State& s, const Image* image) { return s.images.has(image) && !image->context; }
bool is_module(const State& s, const Image* image) { return s.images.has(image) && image->context; }

template <typename Body>
Result with_function(Function* function, Body body) {
    return with_driver([&](State& s) { return s.functions.has(function) ? body(s, *function) : kInvalidHandle; });
}

template <typename Body>
Result with_library(Image* library, Body body) {
    return with_driver([&](State& s) { return is_library(s, library) ? body(s, *library) : kInvalidHandle; });
}

// Returns the device that runs a function: the device of its module, or, for a kernel of a library, the device of the
// current context, or device 0 if no context is current.
int device_of(const State& s, const Function& function) {
    if (function.image->context) return function.image->context->device;
    const Context* current = context_stack().top();
    return check_context(s, current) == kSuccess ? current->device : 0;
}

Result get_attribute(const State& s, const Function& function, int attribute, int device, int* out) {
    if (attribute < 0 || attribute > kLastAttribute) return kInvalidValue;
    const auto set = function.attributes.find(attribute);
    if (set != function.attributes.end()) return set_output(out, set->second);
    const GpuModel& model = *s.devices[device].gpu->model;
    switch (attribute) {
        case kMaxThreads: return set_output(out, kBlockThreads);
        case kRegisters: return set_output(out, kKernelRegisters);
        case kPtxVersion:
        case kBinaryVersion: return set_output(out, model.major * 10 + model.minor);
        case kMaxDynamicShared: return set_output(out, kDefaultShared);
        case kCarveout: return set_output(out, kNoPreference);
    }
    return set_output(out, 0);
}

Result set_attribute(State& s, Function& function, int attribute, int device, int value) {
    if (attribute < kFirstSettable || attribute > kLastAttribute) return kInvalidValue;
    const int max_shared = s.devices[device].gpu->model->shared_per_block_optin;
    if (attribute == kMaxDynamicShared && (value < 0 || value > max_shared)) return kInvalidValue;
    function.attributes[attribute] = value;
    return kSuccess;
}

bool file_exists(const char* path) { return path && access(path, F_OK) == 0; }

// Returns the number of blocks that a multiprocessor runs at the same time. Threads, registers, shared memory and the
// maximum number of blocks limit it.
int active_blocks(const GpuModel& model, int block_threads, size_t shared_bytes) {
    constexpr int kWarp = 32, kRegisterFile = 65536, kReservedShared = 1024;
    const int threads = (block_threads + kWarp - 1) / kWarp * kWarp;
    const int by_threads = model.threads_per_multiprocessor / threads;
    const int by_registers = kRegisterFile / (threads * kKernelRegisters);
    const auto by_shared =
        static_cast<int>(static_cast<size_t>(model.shared_per_multiprocessor) / (shared_bytes + kReservedShared));
    return std::min({model.blocks_per_multiprocessor, by_threads, by_registers, by_shared});
}

Result occupancy(int* blocks, Function* function, int block_threads, size_t shared_bytes) {
    return with_function(function, [&](State& s, Function& f) {
        if (!blocks || block_threads <= 0) return kInvalidValue;
        const GpuModel& model = *s.devices[device_of(s, f)].gpu->model;
        return set_output(blocks,
                          block_threads > kBlockThreads ? 0 : active_blocks(model, block_threads, shared_bytes));
    });
}

Result launch(Function* function, const unsigned (&grid)[3], const unsigned (&block)[3], unsigned shared_bytes,
              Stream* stream, void** arguments, void** extra) {
    Launch work{};
    work.params.function = function;
    std::copy(grid, grid + 3, work.params.grid);
    std::copy(block, block + 3, work.params.block);
    work.params.shared_bytes = shared_bytes;
    work.params.arguments = arguments;
    work.params.extra = extra;
    return submit(stream, work);
}

}  // namespace

SIM_API Result cuModuleLoadData(Image** out, const void* image) {
    return with_context(
        [&](State& s, Context& c) { return out && image ? set_output(out, load(s, &c)) : kInvalidValue; });
}
SIM_ALIAS(cuModuleLoadFatBinary, cuModuleLoadData, (Image * *out, const void* image), (out, image))
SIM_ALIAS(cuModuleLoadDataEx, cuModuleLoadData, (Image * *out, const void* image, unsigned, int*, void**), (out, image))

SIM_API Result cuModuleLoad(Image** out, const char* path) {
    return with_context([&](State& s, Context& c) {
        if (!out || !path) return kInvalidValue;
        return file_exists(path) ? set_output(out, load(s, &c)) : kFileNotFound;
    });
}

SIM_API Result cuModuleUnload(Image* module) {
    return with_driver([&](State& s) {
        if (!is_module(s, module)) return kInvalidHandle;
        unload(s, *module);
        return kSuccess;
    });
}

SIM_API Result cuModuleGetLoadingMode(int* mode) {
    constexpr int kLazy = 2;
    return with_driver([&](State&) { return set_output(mode, kLazy); });
}

SIM_API Result cuModuleGetFunction(Function** out, Image* module, const char* name) {
    return with_context([&](State& s, Context&) {
        if (!out || !name || !*name) return kInvalidValue;
        return is_module(s, module) ? set_output(out, function_named(s, *module, name)) : kInvalidHandle;
    });
}

SIM_API Result cuModuleGetFunctionCount(unsigned* count, Image* module) {
    return with_driver(
        [&](State& s) { return is_module(s, module) ? set_output(count, module->functions.size()) : kInvalidHandle; });
}

static Result enumerate(const Image& image, Function** out, unsigned count) {
    if (!out && count) return kInvalidValue;
    auto at = image.functions.begin();
    for (unsigned i = 0; i < count; ++i) out[i] = at == image.functions.end() ? nullptr : (at++)->second;
    return kSuccess;
}

SIM_API Result cuModuleEnumerateFunctions(Function** out, unsigned count, Image* module) {
    return with_driver(
        [&](State& s) { return is_module(s, module) ? enumerate(*module, out, count) : kInvalidHandle; });
}

SIM_API Result cuModuleGetGlobal_v2(DevicePtr*, size_t*, Image* module, const char* name) {
    return with_driver([&](State& s) {
        if (!is_module(s, module)) return kInvalidHandle;
        return name ? kNotFound : kInvalidValue;
    });
}

SIM_API Result cuLibraryLoadData(Image** out, const void* code, int*, void**, unsigned, int*, void**, unsigned) {
    return with_driver([&](State& s) { return out && code ? set_output(out, load(s, nullptr)) : kInvalidValue; });
}

SIM_API Result cuLibraryLoadFromFile(Image** out, const char* path, int*, void**, unsigned, int*, void**, unsigned) {
    return with_driver([&](State& s) {
        if (!out || !path) return kInvalidValue;
        return file_exists(path) ? set_output(out, load(s, nullptr)) : kFileNotFound;
    });
}

SIM_API Result cuLibraryUnload(Image* library) {
    return with_library(library, [](State& s, Image& l) {
        unload(s, l);
        return kSuccess;
    });
}

SIM_API Result cuLibraryGetKernel(Function** out, Image* library, const char* name) {
    return with_library(library, [&](State& s, Image& l) {
        return out && name && *name ? set_output(out, function_named(s, l, name)) : kInvalidValue;
    });
}

SIM_API Result cuLibraryGetModule(Image** out, Image* library) {
    return with_context([&](State& s, Context& c) {
        if (!is_library(s, library)) return kInvalidHandle;
        if (!out) return kInvalidValue;
        if (!library->module || !s.images.has(library->module)) library->module = load(s, &c);
        return set_output(out, library->module);
    });
}

SIM_API Result cuLibraryGetKernelCount(unsigned* count, Image* library) {
    return with_library(library, [&](State&, Image& l) { return set_output(count, l.functions.size()); });
}

SIM_API Result cuLibraryEnumerateKernels(Function** out, unsigned count, Image* library) {
    return with_library(library, [&](State&, Image& l) { return enumerate(l, out, count); });
}

SIM_API Result cuLibraryGetGlobal(DevicePtr*, size_t*, Image* library, const char* name) {
    return with_library(library, [&](State&, Image&) { return name ? kNotFound : kInvalidValue; });
}
SIM_ALIAS(cuLibraryGetManaged, cuLibraryGetGlobal, (DevicePtr * out, size_t* bytes, Image* library, const char* name),
          (out, bytes, library, name))

SIM_API Result cuLibraryGetUnifiedFunction(void**, Image* library, const char* name) {
    return with_library(library, [&](State&, Image&) { return name ? kNotFound : kInvalidValue; });
}

// In the simulated driver, CUkernel and CUfunction are the same type.
SIM_API Result cuKernelGetFunction(Function** out, Function* kernel) {
    return with_function(kernel, [&](State&, Function& f) { return set_output(out, &f); });
}

SIM_API Result cuKernelGetLibrary(Image** out, Function* kernel) {
    return with_function(kernel, [&](State&, Function& f) { return set_output(out, f.image); });
}

SIM_API Result cuKernelGetName(const char** name, Function* kernel) {
    return with_function(kernel, [&](State&, Function& f) { return set_output(name, f.name.c_str()); });
}
SIM_ALIAS(cuFuncGetName, cuKernelGetName, (const char** name, Function* function), (name, function))

SIM_API Result cuKernelGetParamInfo(Function* kernel, size_t, size_t*, size_t*) {
    return with_function(kernel, [](State&, Function&) { return kInvalidValue; });
}
SIM_ALIAS(cuFuncGetParamInfo, cuKernelGetParamInfo, (Function * function, size_t index, size_t* offset, size_t* size),
          (function, index, offset, size))

SIM_API Result cuKernelGetParamCount(Function* kernel, size_t* count) {
    return with_function(kernel, [&](State&, Function&) { return set_output(count, 0); });
}
SIM_ALIAS(cuFuncGetParamCount, cuKernelGetParamCount, (Function * function, size_t* count), (function, count))

SIM_API Result cuKernelGetAttribute(int* value, int attribute, Function* kernel, Device device) {
    return with_function(kernel, [&](State& s, Function& f) {
        return is_device(s, device) ? get_attribute(s, f, attribute, device, value) : kInvalidDevice;
    });
}

SIM_API Result cuKernelSetAttribute(int attribute, int value, Function* kernel, Device device) {
    return with_function(kernel, [&](State& s, Function& f) {
        return is_device(s, device) ? set_attribute(s, f, attribute, device, value) : kInvalidDevice;
    });
}

SIM_API Result cuKernelSetCacheConfig(Function* kernel, int config, Device device) {
    return with_function(kernel, [&](State& s, Function&) {
        if (!is_device(s, device)) return kInvalidDevice;
        return config < 0 || config > 3 ? kInvalidValue : kSuccess;
    });
}

SIM_API Result cuFuncGetAttribute(int* value, int attribute, Function* function) {
    return with_function(function,
                         [&](State& s, Function& f) { return get_attribute(s, f, attribute, device_of(s, f), value); });
}

SIM_API Result cuFuncSetAttribute(Function* function, int attribute, int value) {
    return with_function(function,
                         [&](State& s, Function& f) { return set_attribute(s, f, attribute, device_of(s, f), value); });
}

SIM_API Result cuFuncSetCacheConfig(Function* function, int config) {
    return with_function(function,
                         [&](State&, Function&) { return config < 0 || config > 3 ? kInvalidValue : kSuccess; });
}

SIM_API Result cuFuncSetSharedMemConfig(Function* function, int config) {
    return with_function(function,
                         [&](State&, Function&) { return config < 0 || config > 2 ? kInvalidValue : kSuccess; });
}

SIM_API Result cuFuncGetModule(Image** out, Function* function) {
    return with_function(
        function, [&](State&, Function& f) { return f.image->context ? set_output(out, f.image) : kInvalidHandle; });
}

SIM_API Result cuFuncIsLoaded(int* state, Function* function) {
    constexpr int kLoaded = 1;
    return with_function(function, [&](State&, Function&) { return set_output(state, kLoaded); });
}

SIM_API Result cuFuncLoad(Function* function) {
    return with_function(function, [](State&, Function&) { return kSuccess; });
}

SIM_API Result cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, Function* function, int block_threads,
                                                           size_t shared_bytes) {
    return occupancy(blocks, function, block_threads, shared_bytes);
}

SIM_API Result cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, Function* function, int block_threads,
                                                                    size_t shared_bytes, unsigned flags) {
    return flags > 1 ? kInvalidValue : occupancy(blocks, function, block_threads, shared_bytes);
}

SIM_API Result cuOccupancyMaxPotentialBlockSize(int* grid, int* block, Function* function,
                                                size_t (*shared_bytes_for)(int block), size_t shared_bytes, int limit) {
    if (!grid || !block) return kInvalidValue;
    *block = limit > 0 ? std::min(limit, kBlockThreads) : kBlockThreads;
    if (shared_bytes_for) shared_bytes = shared_bytes_for(*block);
    int blocks = 0;
    if (Result error = occupancy(&blocks, function, *block, shared_bytes)) return error;
    return with_function(function, [&](State& s, Function& f) {
        return set_output(grid, blocks * s.devices[device_of(s, f)].gpu->model->multiprocessors);
    });
}
SIM_ALIAS(cuOccupancyMaxPotentialBlockSizeWithFlags, cuOccupancyMaxPotentialBlockSize,
          (int* grid, int* block, Function* function, size_t (*shared_bytes_for)(int), size_t shared_bytes, int limit,
           unsigned),
          (grid, block, function, shared_bytes_for, shared_bytes, limit))

SIM_API Result cuOccupancyAvailableDynamicSMemPerBlock(size_t* bytes, Function* function, int blocks,
                                                       int block_threads) {
    return with_function(function, [&](State& s, Function& f) {
        if (blocks <= 0 || block_threads <= 0 || block_threads > kBlockThreads) return kInvalidValue;
        constexpr int kReservedShared = 1024;
        const GpuModel& model = *s.devices[device_of(s, f)].gpu->model;
        const int share = model.shared_per_multiprocessor / blocks - kReservedShared;
        return set_output(bytes, std::clamp(share, 0, model.shared_per_block_optin));
    });
}

// Returns the largest portable cluster size.
SIM_API Result cuOccupancyMaxPotentialClusterSize(int* size, Function* function, const LaunchConfig* config) {
    constexpr int kPortable = 8;
    return with_function(function, [&](State& s, Function& f) {
        const bool clusters = s.devices[device_of(s, f)].gpu->model->major >= 9;
        return config ? set_output(size, clusters ? kPortable : 1) : kInvalidValue;
    });
}

// Returns the number of portable clusters that fit on the multiprocessors.
SIM_API Result cuOccupancyMaxActiveClusters(int* clusters, Function* function, const LaunchConfig* config) {
    constexpr int kPortable = 8;
    return with_function(function, [&](State& s, Function& f) {
        const GpuModel& model = *s.devices[device_of(s, f)].gpu->model;
        return config ? set_output(clusters, model.multiprocessors / kPortable) : kInvalidValue;
    });
}

SIM_API Result cuLaunchKernel(Function* function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                              unsigned block_y, unsigned block_z, unsigned shared_bytes, Stream* stream,
                              void** arguments, void** extra) {
    if (arguments && extra) return kInvalidValue;
    return launch(function, {grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, shared_bytes, stream, arguments,
                  extra);
}
SIM_PER_THREAD(cuLaunchKernel, _ptsz,
               (Function * function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                unsigned block_y, unsigned block_z, unsigned shared_bytes, Stream* stream, void** arguments,
                void** extra),
               (function, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes, own_stream(stream),
                arguments, extra))

SIM_API Result cuLaunchCooperativeKernel(Function* function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                                         unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
                                         Stream* stream, void** arguments) {
    return launch(function, {grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, shared_bytes, stream, arguments,
                  nullptr);
}
SIM_PER_THREAD(cuLaunchCooperativeKernel, _ptsz,
               (Function * function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                unsigned block_y, unsigned block_z, unsigned shared_bytes, Stream* stream, void** arguments),
               (function, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes, own_stream(stream),
                arguments))

SIM_API Result cuLaunchKernelEx(const LaunchConfig* config, Function* function, void** arguments, void** extra) {
    if (!config) return kInvalidValue;
    return launch(function, config->grid, config->block, config->shared_bytes, config->stream, arguments, extra);
}

SIM_API Result cuLaunchKernelEx_ptsz(const LaunchConfig* config, Function* function, void** arguments, void** extra) {
    if (!config) return kInvalidValue;
    return launch(function, config->grid, config->block, config->shared_bytes, own_stream(config->stream), arguments,
                  extra);
}

template <typename Body>
static Result with_linker(Linker* linker, Body body) {
    return with_driver([&](State& s) { return s.linkers.has(linker) ? body(s, *linker) : kInvalidHandle; });
}

SIM_API Result cuLinkCreate_v2(unsigned, int*, void**, Linker** out) {
    return with_context(
        [&](State& s, Context&) { return out ? set_output(out, s.linkers.add(new Linker)) : kInvalidValue; });
}
SIM_ALIAS(cuLinkCreate, cuLinkCreate_v2, (unsigned count, int* options, void** values, Linker** out),
          (count, options, values, out))

SIM_API Result cuLinkAddData_v2(Linker* linker, int, void* data, size_t bytes, const char*, unsigned, int*, void**) {
    return with_linker(linker, [&](State&, Linker& l) {
        if (!data || !bytes) return kInvalidImage;
        const auto* start = static_cast<const char*>(data);
        l.image.assign(start, start + bytes);
        return kSuccess;
    });
}
SIM_ALIAS(cuLinkAddData, cuLinkAddData_v2,
          (Linker * linker, int type, void* data, size_t bytes, const char* name, unsigned count, int* options,
           void** values),
          (linker, type, data, bytes, name, count, options, values))

SIM_API Result cuLinkAddFile_v2(Linker* linker, int, const char* path, unsigned, int*, void**) {
    return with_linker(linker, [&](State&, Linker& l) {
        if (!file_exists(path)) return kFileNotFound;
        l.image.assign(path, path + std::strlen(path) + 1);
        return kSuccess;
    });
}
SIM_ALIAS(cuLinkAddFile, cuLinkAddFile_v2,
          (Linker * linker, int type, const char* path, unsigned count, int* options, void** values),
          (linker, type, path, count, options, values))

SIM_API Result cuLinkComplete(Linker* linker, void** image, size_t* bytes) {
    return with_linker(linker, [&](State&, Linker& l) {
        if (!image || !bytes || l.image.empty()) return kInvalidValue;
        *bytes = l.image.size();
        return set_output(image, l.image.data());
    });
}

SIM_API Result cuLinkDestroy(Linker* linker) {
    return with_linker(linker, [](State& s, Linker& l) {
        s.linkers.remove(&l);
        return kSuccess;
    });
}

}  // namespace cudafault::sim
