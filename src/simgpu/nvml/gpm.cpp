// SPDX-License-Identifier: Apache-2.0
// Implements NVML's GPU performance monitoring (GPM), which GPUs from Hopper on support. Every metric of an idle GPU
// is 0.
#include <mutex>
#include <unordered_set>

#include "simgpu/lazy.hpp"
#include "simgpu/mig.hpp"
#include "simgpu/nvml/nvml.hpp"

namespace cudafault::sim::nvml {
namespace {

// Unlike other structures of NVML, those of GPM contain the plain number of their version.
constexpr unsigned kVersion = 1;
constexpr unsigned kMetricCount = 477;

struct Sample {
    const Gpu* gpu = nullptr;  // nullptr until the sample is taken
};

struct Samples {
    std::mutex mutex;
    std::unordered_set<const Sample*> live;
};

// Never destroyed, because programs call NVML from exit handlers.
Samples& samples() {
    static Lazy<Samples> instance;
    return instance.get();
}

struct Metric {
    unsigned id;
    Return result;
    double value;
    const char *short_name, *long_name, *unit;  // nullptr, which means "not defined"
};

struct Metrics {
    unsigned version, count;
    const Sample *first, *second;
    Metric metrics[kMetricCount];
};

struct Support {
    unsigned version, is_supported;
};

struct MetricRange {
    unsigned first, last;
};

// The metrics of every GPU: utilization of the SMs and the memory, PCIe traffic, and utilization of the video engines.
constexpr MetricRange kCommonMetrics[] = {{1, 13}, {20, 21}, {30, 37}, {40, 47}, {50, 51}};
// Traffic of all NVLinks, then of each NVLink.
constexpr unsigned kFirstLinkMetric = 60;

bool has_gpm(const Gpu& gpu) { return gpu.model->major >= 9; }

Return metric_status(const Gpu& gpu, unsigned id) {
    if (!id || id >= kMetricCount) return kInvalidArgument;
    for (const MetricRange& range : kCommonMetrics) {
        if (range.first <= id && id <= range.last) return kSuccess;
    }
    const auto links = static_cast<unsigned>(gpu.model->nvlinks);
    return links && id >= kFirstLinkMetric && id < kFirstLinkMetric + 2 + 2 * links ? kSuccess : kNotSupported;
}

// Runs body() with the lock held if the library is initialized and the samples exist.
template <typename Body>
Return with_samples(std::initializer_list<const Sample*> handles, Body body) {
    if (!is_initialized()) return kUninitialized;
    Samples& all = samples();
    std::lock_guard lock(all.mutex);
    for (const Sample* handle : handles) {
        if (!all.live.count(handle)) return kInvalidArgument;
    }
    return body();
}

Return take(const Gpu& gpu, Sample* sample) {
    if (!has_gpm(gpu)) return kNotSupported;
    return with_samples({sample}, [&] {
        sample->gpu = &gpu;
        return kSuccess;
    });
}

}  // namespace

NVML_API Return nvmlGpmQueryDeviceSupport(DeviceHandle device, Support* out) {
    return with_gpu(device, [&](const Gpu& gpu) {
        if (!out) return kInvalidArgument;
        if (out->version != kVersion) return kArgumentVersionMismatch;
        out->is_supported = has_gpm(gpu);
        return kSuccess;
    });
}

NVML_API Return nvmlGpmSampleAlloc(const Sample** out) {
    if (!is_initialized()) return kUninitialized;
    if (!out) return kInvalidArgument;
    Samples& all = samples();
    std::lock_guard lock(all.mutex);
    *out = *all.live.insert(new Sample).first;
    return kSuccess;
}

NVML_API Return nvmlGpmSampleFree(const Sample* sample) {
    return with_samples({sample}, [&] {
        samples().live.erase(sample);
        delete sample;
        return kSuccess;
    });
}

NVML_API Return nvmlGpmSampleGet(DeviceHandle device, Sample* sample) {
    return with_gpu(device, [&](const Gpu& gpu) { return take(gpu, sample); });
}

NVML_API Return nvmlGpmMigSampleGet(DeviceHandle device, unsigned instance, Sample* sample) {
    return with_gpu(device, [&](const Gpu& gpu) {
        for (const Gpu& mig : gpu.mig_devices) {
            if (gpu_instance_id(mig) == instance) return take(mig, sample);
        }
        return gpu.has_mig_enabled() ? kInvalidArgument : kNotSupported;
    });
}

NVML_API Return nvmlGpmMetricsGet(Metrics* metrics) {
    if (!is_initialized()) return kUninitialized;
    if (!metrics || metrics->count > kMetricCount) return kInvalidArgument;
    if (metrics->version != kVersion) return kArgumentVersionMismatch;
    return with_samples({metrics->first, metrics->second}, [&] {
        const Gpu* gpu = metrics->first->gpu;
        if (!gpu || metrics->second->gpu != gpu) return kInvalidArgument;
        for (unsigned i = 0; i < metrics->count; ++i) {
            const unsigned id = metrics->metrics[i].id;
            metrics->metrics[i] = {id, metric_status(*gpu, id), 0, nullptr, nullptr, nullptr};
        }
        return kSuccess;
    });
}

}  // namespace cudafault::sim::nvml
