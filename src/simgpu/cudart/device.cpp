// SPDX-License-Identifier: Apache-2.0
// Implements device properties, limits of the current context, and peer access.
#include "simgpu/cudart/runtime.hpp"

namespace cudafault::cudart {

CUDART_API Error cudaDeviceGetAttribute(int* value, int attribute, int device) {
    return with_driver(&Driver::cuDeviceGetAttribute, value, attribute, device);
}

CUDART_API Error cudaDeviceGetPCIBusId(char* id, int length, int device) {
    return with_driver(&Driver::cuDeviceGetPCIBusId, id, length, device);
}

CUDART_API Error cudaDeviceGetByPCIBusId(int* device, const char* id) {
    return with_driver(&Driver::cuDeviceGetByPCIBusId, device, id);
}

CUDART_API Error cudaDeviceGetP2PAttribute(int* value, int attribute, int from, int to) {
    return with_driver(&Driver::cuDeviceGetP2PAttribute, value, attribute, from, to);
}

CUDART_API Error cudaDeviceGetDefaultMemPool(MemPool* pool, int device) {
    return with_driver(&Driver::cuDeviceGetDefaultMemPool, pool, device);
}

CUDART_API Error cudaDeviceGetMemPool(MemPool* pool, int device) {
    return with_driver(&Driver::cuDeviceGetMemPool, pool, device);
}

CUDART_API Error cudaDeviceSetMemPool(int device, MemPool pool) {
    return with_driver(&Driver::cuDeviceSetMemPool, device, pool);
}

CUDART_API Error cudaDeviceGetGraphMemAttribute(int device, int attribute, void* value) {
    return with_driver(&Driver::cuDeviceGetGraphMemAttribute, device, attribute, value);
}

CUDART_API Error cudaDeviceSetGraphMemAttribute(int device, int attribute, void* value) {
    return with_driver(&Driver::cuDeviceSetGraphMemAttribute, device, attribute, value);
}

CUDART_API Error cudaDeviceGraphMemTrim(int device) { return with_driver(&Driver::cuDeviceGraphMemTrim, device); }

CUDART_API Error cudaDeviceGetLimit(size_t* value, int limit) {
    return in_context(&Driver::cuCtxGetLimit, value, limit);
}

CUDART_API Error cudaDeviceSetLimit(int limit, size_t value) {
    return in_context(&Driver::cuCtxSetLimit, limit, value);
}

CUDART_API Error cudaDeviceGetCacheConfig(int* config) { return in_context(&Driver::cuCtxGetCacheConfig, config); }
CUDART_API Error cudaDeviceSetCacheConfig(int config) { return in_context(&Driver::cuCtxSetCacheConfig, config); }

CUDART_API Error cudaDeviceGetSharedMemConfig(int* config) {
    return in_context(&Driver::cuCtxGetSharedMemConfig, config);
}

CUDART_API Error cudaDeviceSetSharedMemConfig(int config) {
    return in_context(&Driver::cuCtxSetSharedMemConfig, config);
}

CUDART_API Error cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
    return in_context(&Driver::cuCtxGetStreamPriorityRange, least, greatest);
}

CUDART_API Error cudaCtxResetPersistingL2Cache() { return in_context(&Driver::cuCtxResetPersistingL2Cache); }

CUDART_API Error cudaThreadGetLimit(size_t* value, int limit) { return cudaDeviceGetLimit(value, limit); }
CUDART_API Error cudaThreadSetLimit(int limit, size_t value) { return cudaDeviceSetLimit(limit, value); }
CUDART_API Error cudaThreadGetCacheConfig(int* config) { return cudaDeviceGetCacheConfig(config); }
CUDART_API Error cudaThreadSetCacheConfig(int config) { return cudaDeviceSetCacheConfig(config); }

CUDART_API Error cudaDeviceCanAccessPeer(int* can_access, int device, int peer) {
    return with_driver(&Driver::cuDeviceCanAccessPeer, can_access, device, peer);
}

CUDART_API Error cudaDeviceEnablePeerAccess(int peer, unsigned flags) {
    Context context = nullptr;
    Error error = enter_context();
    if (!error) error = primary_context(peer, context);
    if (!error) error = call(&Driver::cuCtxEnablePeerAccess, context, flags);
    return record(error);
}

CUDART_API Error cudaDeviceDisablePeerAccess(int peer) {
    Context context = nullptr;
    Error error = enter_context();
    if (!error) error = primary_context(peer, context);
    if (!error) error = call(&Driver::cuCtxDisablePeerAccess, context);
    return record(error);
}

}  // namespace cudafault::cudart
