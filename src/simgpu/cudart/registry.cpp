// SPDX-License-Identifier: Apache-2.0
// Registration of fat binaries, kernels and variables. Handing out a handle calls no driver: nvcc's code asks for a
// kernel's handle once and keeps what it got, so a failure there would never heal.
#include "simgpu/cudart/registry.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "simgpu/cudart/runtime.hpp"
#include "simgpu/lazy.hpp"

namespace cudafault::cudart {
namespace {

// Layout of what nvcc passes: a wrapper around the image.
struct FatBinaryWrapper {
    int magic;
    int version;
    const void* image;
    void* extra;
};

struct FatBinary;

struct RegisteredKernel {
    FatBinary* binary;
    const char* name;
    Kernel kernel = nullptr;
};

// Its address is the handle that nvcc's code passes back; the first member is what older code expects behind it.
struct FatBinary {
    const void* image;
    Library library = nullptr;
    std::vector<const void*> host_symbols = {};
    std::vector<std::unique_ptr<RegisteredKernel>> kernels = {};
};

struct RegisteredVariable {
    size_t bytes;
    void** managed_pointer;  // where the program keeps the address of a __managed__ variable; nullptr: __device__
    std::map<Context, void*> addresses;
};

struct Registry {
    std::mutex mutex;
    std::unordered_map<const void*, RegisteredKernel*> kernels;  // by host stub and by own address
    std::unordered_map<const void*, RegisteredVariable> variables;
    std::unordered_set<const void*> library_kernels;
};

// Never destroyed: fat binaries are unregistered by exit handlers.
Registry& registry() {
    static sim::Lazy<Registry> only;
    return only.get();
}

Error load(RegisteredKernel& registered) {
    if (registered.kernel) return kSuccess;
    FatBinary& binary = *registered.binary;
    if (!binary.library) {
        const Error error =
            call(&Driver::cuLibraryLoadData, &binary.library, binary.image, nullptr, nullptr, 0u, nullptr, nullptr, 0u);
        if (error) return error;
    }
    const Error error = call(&Driver::cuLibraryGetKernel, &registered.kernel, binary.library, registered.name);
    return error == kSymbolNotFound ? kInvalidDeviceFunction : error;
}

RegisteredKernel* registered_kernel(Registry& all, const void* function) {
    const auto found = all.kernels.find(function);
    return found == all.kernels.end() ? nullptr : found->second;
}

// Device memory of its own for each context: what the image says about the variable is not read.
Error allocate(RegisteredVariable& variable, void*& address) {
    constexpr unsigned kAttachGlobal = 1;
    Error error = variable.managed_pointer ? call(&Driver::cuMemAllocManaged, &address, variable.bytes, kAttachGlobal)
                                           : call(&Driver::cuMemAlloc, &address, variable.bytes);
    if (!error) error = call(&Driver::cuMemsetD8, address, static_cast<unsigned char>(0), variable.bytes);
    return error;
}

Error locate(RegisteredVariable& variable, void*& address) {
    Context context = nullptr;
    if (Error error = call(&Driver::cuCtxGetCurrent, &context)) return error;
    if (variable.managed_pointer) context = nullptr;  // one for all devices
    void*& known = variable.addresses[context];
    if (!known) {
        if (Error error = allocate(variable, known)) return error;
        if (variable.managed_pointer) *variable.managed_pointer = known;
    }
    address = known;
    return kSuccess;
}

void register_variable(void** handle, const void* symbol, size_t bytes, void** managed_pointer) {
    Registry& all = registry();
    std::lock_guard lock(all.mutex);
    reinterpret_cast<FatBinary*>(handle)->host_symbols.push_back(symbol);
    all.variables[symbol] = RegisteredVariable{bytes, managed_pointer, {}};
}

}  // namespace

Error find_kernel(const void* function, Kernel& kernel) {
    Registry& all = registry();
    std::lock_guard lock(all.mutex);
    if (RegisteredKernel* registered = registered_kernel(all, function)) {
        const Error error = load(*registered);
        kernel = registered->kernel;
        return error;
    }
    if (!all.library_kernels.count(function)) return kInvalidDeviceFunction;
    kernel = static_cast<Kernel>(const_cast<void*>(function));
    return kSuccess;
}

Error find_kernel_name(const void* function, const char*& name) {
    Registry& all = registry();
    std::lock_guard lock(all.mutex);
    const RegisteredKernel* registered = registered_kernel(all, function);
    if (!registered) return kInvalidDeviceFunction;
    name = registered->name;
    return kSuccess;
}

void remember_kernel(Kernel kernel) {
    Registry& all = registry();
    std::lock_guard lock(all.mutex);
    all.library_kernels.insert(kernel);
}

Error find_variable(const void* symbol, void*& address, size_t& bytes) {
    if (Error error = enter_context()) return error;
    Registry& all = registry();
    std::lock_guard lock(all.mutex);
    const auto found = all.variables.find(symbol);
    if (found == all.variables.end()) return kInvalidSymbol;
    bytes = found->second.bytes;
    return locate(found->second, address);
}

void forget_variables(Context context) {
    Registry& all = registry();
    std::lock_guard lock(all.mutex);
    for (auto& [symbol, variable] : all.variables) variable.addresses.erase(context);
}

CUDART_API void** __cudaRegisterFatBinary(const FatBinaryWrapper* wrapper) {
    return reinterpret_cast<void**>(new FatBinary{wrapper->image});
}

CUDART_API void __cudaRegisterFatBinaryEnd(void**) {}

// Programs unregister when they exit, perhaps after the driver: nothing is unloaded, only forgotten.
CUDART_API void __cudaUnregisterFatBinary(void** handle) {
    const std::unique_ptr<FatBinary> binary(reinterpret_cast<FatBinary*>(handle));
    Registry& all = registry();
    std::lock_guard lock(all.mutex);
    for (const void* symbol : binary->host_symbols) {
        all.kernels.erase(symbol);
        all.variables.erase(symbol);
    }
}

CUDART_API void __cudaRegisterFunction(void** handle, const char* host_function, char*, const char* name, int, void*,
                                       void*, void*, void*, int*) {
    Registry& all = registry();
    std::lock_guard lock(all.mutex);
    auto* binary = reinterpret_cast<FatBinary*>(handle);
    RegisteredKernel* registered =
        binary->kernels.emplace_back(std::make_unique<RegisteredKernel>(RegisteredKernel{binary, name})).get();
    for (const void* key : {static_cast<const void*>(host_function), static_cast<const void*>(registered)}) {
        all.kernels[key] = registered;
        binary->host_symbols.push_back(key);
    }
}

CUDART_API void __cudaRegisterVar(void** handle, char* host_variable, char*, const char*, int, size_t bytes, int, int) {
    register_variable(handle, host_variable, bytes, nullptr);
}

CUDART_API void __cudaRegisterManagedVar(void** handle, void** pointer, char*, const char*, int, size_t bytes, int,
                                         int) {
    register_variable(handle, pointer, bytes, pointer);
}

// Host tables, textures and surfaces mean something to kernels only, and kernels do nothing here.
CUDART_API void __cudaRegisterUnifiedTable(void**, void*) {}
CUDART_API void __cudaRegisterHostVar(void**, const char*, char*, size_t) {}
CUDART_API void __cudaRegisterTexture(void**, const void*, const void**, const char*, int, int, int) {}
CUDART_API void __cudaRegisterSurface(void**, const void*, const void**, const char*, int, int) {}

// Host code may touch a __managed__ variable before any CUDA call: nvcc has it call this first.
CUDART_API char __cudaInitModule(void** handle) {
    for (const void* symbol : reinterpret_cast<FatBinary*>(handle)->host_symbols) {
        void* address = nullptr;
        size_t bytes = 0;
        const Error error = find_variable(symbol, address, bytes);
        if (error != kInvalidSymbol) record(error);
    }
    return 1;
}

CUDART_API Error __cudaGetKernel(const void** kernel, const void* host_function) {
    if (!kernel) return record(kInvalidValue);
    Registry& all = registry();
    std::lock_guard lock(all.mutex);
    RegisteredKernel* registered = registered_kernel(all, host_function);
    if (!registered) return record(kInvalidDeviceFunction);
    *kernel = registered;
    return kSuccess;
}

}  // namespace cudafault::cudart
