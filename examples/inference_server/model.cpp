// SPDX-License-Identifier: Apache-2.0
// Initializes the GPU, and runs the four steps of a request: copy in, launch, copy out, synchronize.
#include "model.hpp"

namespace cudafault::example {

namespace {

// values[i] += values[i], in PTX so that no CUDA compiler is needed.
constexpr const char* kKernel = R"(
.version 6.0
.target sm_60
.address_size 64

.visible .entry double_values(.param .u64 values, .param .u32 count)
{
    .reg .pred %outside;
    .reg .b32  %block, %width, %thread, %index, %last;
    .reg .b64  %base, %offset, %address;
    .reg .f32  %value;

    ld.param.u64 %base, [values];
    ld.param.u32 %last, [count];
    mov.u32 %block, %ctaid.x;
    mov.u32 %width, %ntid.x;
    mov.u32 %thread, %tid.x;
    mad.lo.u32 %index, %block, %width, %thread;
    setp.ge.u32 %outside, %index, %last;
    @%outside bra done;

    cvta.to.global.u64 %base, %base;
    mul.wide.u32 %offset, %index, 4;
    add.s64 %address, %base, %offset;
    ld.global.f32 %value, [%address];
    add.f32 %value, %value, %value;
    st.global.f32 [%address], %value;
done:
    ret;
}
)";

constexpr unsigned kThreadsPerBlock = 256;

}  // namespace

Model::Model(int gpu) {
    cuda_.call(cuda_.init, "cuInit", 0u);
    CuDevice device = 0;
    cuda_.call(cuda_.device_get, "cuDeviceGet", &device, gpu);
    char name[128] = "";
    cuda_.call(cuda_.device_get_name, "cuDeviceGetName", name, static_cast<int>(sizeof name), device);
    gpu_name_ = name;
    cuda_.call(cuda_.primary_context_retain, "cuDevicePrimaryCtxRetain", &context_, device);
    cuda_.call(cuda_.context_set_current, "cuCtxSetCurrent", context_);
    load();
}

void Model::load() {
    CuModule module = nullptr;
    cuda_.call(cuda_.module_load_data, "cuModuleLoadData", &module, kKernel);
    cuda_.call(cuda_.module_get_function, "cuModuleGetFunction", &kernel_, module, "double_values");
    cuda_.call(cuda_.stream_create, "cuStreamCreate", &stream_, 0u);
    cuda_.call(cuda_.memory_allocate, "cuMemAlloc", &buffer_, kMaxValues * sizeof(float));
}

std::vector<float> Model::run(std::vector<float> values) {
    const std::lock_guard lock(request_mutex_);
    const size_t bytes = values.size() * sizeof(float);
    auto count = static_cast<unsigned>(values.size());
    void* arguments[] = {&buffer_, &count};
    const unsigned blocks = (count + kThreadsPerBlock - 1) / kThreadsPerBlock;
    cuda_.call(cuda_.context_set_current, "cuCtxSetCurrent", context_);
    cuda_.call(cuda_.copy_to_device, "cuMemcpyHtoDAsync", buffer_, values.data(), bytes, stream_);
    cuda_.call(cuda_.launch_kernel, "cuLaunchKernel", kernel_, blocks, 1u, 1u, kThreadsPerBlock, 1u, 1u, 0u, stream_,
               arguments, nullptr);
    cuda_.call(cuda_.copy_to_host, "cuMemcpyDtoHAsync", values.data(), buffer_, bytes, stream_);
    cuda_.call(cuda_.stream_synchronize, "cuStreamSynchronize", stream_);
    return values;
}

}  // namespace cudafault::example
