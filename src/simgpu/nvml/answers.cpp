// SPDX-License-Identifier: Apache-2.0
// Implements the functions of data/nvml_answers.tsv, which documents the format of a row.
#include "simgpu/nvml/answers.hpp"

#include <charconv>
#include <cstring>

#include "simgpu/nvml/nvml.hpp"

namespace cudafault::sim::nvml {
namespace {

constexpr unsigned kVersionShift = 24;

std::string_view next_item(std::string_view& remaining, char separator) {
    const size_t end = remaining.find(separator);
    const std::string_view item = remaining.substr(0, end);
    remaining = end == std::string_view::npos ? std::string_view{} : remaining.substr(end + 1);
    return item;
}

uint64_t parse_number(std::string_view text) {
    uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

bool has_model(std::string_view models, const char* key) {
    if (models == "*") return true;
    while (!models.empty()) {
        if (next_item(models, ',') == key) return true;
    }
    return false;
}

// A value of the table: a number, a text, or $NAME, the name of a property.
class Value {
public:
    Value(std::string_view text, const Gpu* gpu) : text_(text), gpu_(gpu) {}

    uint64_t as_number() const { return text_.starts_with('$') ? property(text_.substr(1)) : parse_number(text_); }

    std::string as_text() const {
        if (text_ == "$driver_version") return driver_version_text();
        if (text_ == "$driver_branch") return driver_branch_text();
        return std::string(text_);
    }

private:
    uint64_t property(std::string_view name) const {
        const GpuModel& model = *gpu_->model;
        if (name == "multiprocessors") return static_cast<uint64_t>(model.multiprocessors);
        if (name == "clock_mhz") return static_cast<uint64_t>(model.clock_mhz);
        if (name == "memory_mib") return gpu_->memory_bytes >> 20;
        if (name == "memory_kib") return gpu_->memory_bytes >> 10;
        if (name == "pcie_generation") return static_cast<uint64_t>(model.pcie_generation);
        if (name == "pcie_speed") return uint64_t{1000} << model.pcie_generation;  // megabits per second of one lane
        if (name == "irq") return uint64_t{gpu_->pci_bus} + 100;
        uint64_t serial = 0;
        std::memcpy(&serial, gpu_->uuid.bytes, sizeof serial);
        return serial;
    }

    std::string_view text_;
    const Gpu* gpu_;
};

void write_number(char* out, std::string_view type, uint64_t value) {
    const auto narrow = static_cast<uint32_t>(value);
    if (type == "u64") {
        std::memcpy(out, &value, sizeof value);
    } else {
        std::memcpy(out, &narrow, sizeof narrow);
    }
}

// Writes the fields OFFSET.TYPE=V;... that fit into `size` bytes.
void write_fields(char* out, size_t size, std::string_view fields, const Gpu* gpu) {
    while (!fields.empty()) {
        std::string_view field = next_item(fields, ';');
        const size_t offset = parse_number(next_item(field, '.'));
        const std::string_view type = next_item(field, '=');
        const Value value(field, gpu);
        if (offset >= size) continue;
        if (type == "text") {
            const std::string text = value.as_text();
            std::memcpy(out + offset, text.c_str(), text.size() + 1);
        } else {
            write_number(out + offset, type, value.as_number());
        }
    }
}

// Parses SIZE or SIZE@VERSION,... and returns the size of the caller's structure; 0 if its version is unknown.
size_t structure_size(const char* structure, std::string_view sizes) {
    uint32_t given = 0;
    std::memcpy(&given, structure, sizeof given);
    while (!sizes.empty()) {
        std::string_view version = next_item(sizes, ',');
        const size_t size = parse_number(next_item(version, '@'));
        if (version.empty() || given == (size | parse_number(version) << kVersionShift)) return size;
    }
    return 0;
}

Return write_structure(char* out, std::string_view layout, const Gpu* gpu, bool keep_other_fields) {
    if (!out) return kInvalidArgument;
    const std::string_view sizes = next_item(layout, ':');
    const size_t size = structure_size(out, sizes);
    if (!size) return kArgumentVersionMismatch;
    const bool is_versioned = sizes.find('@') != std::string_view::npos;
    const size_t kept = is_versioned ? sizeof(uint32_t) : 0;
    if (!keep_other_fields) std::memset(out + kept, 0, size - kept);
    write_fields(out, size, layout, gpu);
    return kSuccess;
}

// Writes the value of one parameter and advances `argument` to the next argument.
Return write_parameter(std::string_view parameter, const uintptr_t*& argument, const Gpu* gpu) {
    if (parameter.starts_with('!')) return static_cast<Return>(parse_number(parameter.substr(1)));
    auto* out = reinterpret_cast<char*>(*argument);
    const auto word = static_cast<uint32_t>(*argument++);
    if (parameter == "-") return kSuccess;
    if (parameter == "link") return word < static_cast<uint32_t>(gpu->model->nvlinks) ? kSuccess : kInvalidArgument;
    if (!out) return kInvalidArgument;
    std::string_view remaining = parameter;
    if (parameter.starts_with("struct:") || parameter.starts_with("set:")) {
        const bool keep_other_fields = next_item(remaining, ':') == "set";
        return write_structure(out, remaining, gpu, keep_other_fields);
    }
    const std::string_view type = next_item(remaining, '=');
    const Value value(remaining, gpu);
    if (type == "text") return set_text_output(out, static_cast<uint32_t>(*argument++), value.as_text());
    if (type == "chars") {
        const std::string text = value.as_text();
        std::memcpy(out, text.c_str(), text.size() + 1);
    } else {
        write_number(out, type, value.as_number());
    }
    return kSuccess;
}

Return write_parameters(std::string_view parameters, const uintptr_t* argument, const Gpu* gpu) {
    while (!parameters.empty()) {
        if (Return error = write_parameter(next_item(parameters, ' '), argument, gpu)) return error;
    }
    return kSuccess;
}

}  // namespace

int call_from_table(const TableRow* rows, size_t count, const uintptr_t* arguments) {
    if (!is_initialized()) return kUninitialized;
    if (std::string_view(rows->models) == "-") return write_parameters(rows->parameters, arguments, nullptr);
    const auto* gpu = reinterpret_cast<DeviceHandle>(arguments[0]);
    if (!is_device(gpu)) return kInvalidArgument;
    for (size_t i = 0; i < count; ++i) {
        if (!has_model(rows[i].models, gpu->model->key)) continue;
        return write_parameters(rows[i].parameters, arguments + 1, gpu);
    }
    return kNotSupported;
}

}  // namespace cudafault::sim::nvml
