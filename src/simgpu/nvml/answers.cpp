// SPDX-License-Identifier: Apache-2.0
// Implements the functions in data/nvml_answers.tsv. The head of that file documents the format of a row.
#include "simgpu/nvml/answers.hpp"

#include <cstring>

#include "simgpu/list.hpp"
#include "simgpu/nvml/nvml.hpp"
#include "simgpu/nvml/properties.hpp"

namespace cudafault::sim::nvml {
namespace {

uint64_t to_number(std::string_view text) {
    uint64_t value = 0;
    parse_number(text, value);
    return value;
}

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
        const size_t offset = to_number(next_item(field, '.'));
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
    uint32_t caller_version = 0;
    std::memcpy(&caller_version, structure, sizeof caller_version);
    while (!sizes.empty()) {
        std::string_view version = next_item(sizes, ',');
        const size_t size = to_number(next_item(version, '@'));
        if (version.empty() || caller_version == struct_version(size, static_cast<unsigned>(to_number(version))))
            return size;
    }
    return 0;
}

Return write_structure(char* out, std::string_view layout, const Gpu* gpu, bool keep_other_fields) {
    if (!out) return kInvalidArgument;
    const std::string_view sizes = next_item(layout, ':');
    const size_t size = structure_size(out, sizes);
    if (!size) return kArgumentVersionMismatch;
    const bool is_versioned = sizes.find('@') != std::string_view::npos;
    const size_t version_bytes = is_versioned ? sizeof(uint32_t) : 0;
    if (!keep_other_fields) std::memset(out + version_bytes, 0, size - version_bytes);
    write_fields(out, size, layout, gpu);
    return kSuccess;
}

// Writes the value of one parameter and advances `argument` to the next argument.
Return write_parameter(std::string_view parameter, const uintptr_t*& argument, const Gpu* gpu) {
    if (parameter.starts_with('!')) return static_cast<Return>(to_number(parameter.substr(1)));
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
    return with_device(gpu, [&](const Gpu&) {
        for (size_t i = 0; i < count; ++i) {
            if (applies_to(rows[i].models, *gpu)) return write_parameters(rows[i].parameters, arguments + 1, gpu);
        }
        return kNotSupported;
    });
}

}  // namespace cudafault::sim::nvml
